"""How answers become JSON: instants to the microsecond, for a window that loses some is another window."""

from datetime import datetime
from typing import Any

from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder


class ExactEncoder(NinjaJSONEncoder):
    """Django's encoder cuts instants to milliseconds; this one does not."""

    def default(self, o: Any) -> Any:  # noqa: ANN401 - the base's signature
        """What JSON has no word for."""
        return o.isoformat().replace("+00:00", "Z") if isinstance(o, datetime) else super().default(o)


class ExactRenderer(JSONRenderer):
    """See `ExactEncoder`."""

    encoder_class = ExactEncoder
