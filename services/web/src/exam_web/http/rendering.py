"""JSON responses with datetimes to the microsecond.

Django's encoder truncates them to milliseconds, and a truncated window is a different window.
"""

from datetime import datetime
from typing import Any

from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder


class ExactEncoder(NinjaJSONEncoder):
    """Writes datetimes in RFC 3339 with all their digits."""

    def default(self, o: Any) -> Any:  # noqa: ANN401 - the base's signature
        """Serialise a value that JSON has no type for."""
        return o.isoformat().replace("+00:00", "Z") if isinstance(o, datetime) else super().default(o)


class ExactRenderer(JSONRenderer):
    """Renders responses with `ExactEncoder`."""

    encoder_class = ExactEncoder
