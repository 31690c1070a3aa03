"""Properties of a container's command."""

import re
from collections.abc import Sequence


def receives_stop_signal(command: Sequence[str]) -> bool:
    """Return whether the program that a command starts becomes process 1, which alone receives the stop signal.

    A shell that stays process 1 does not forward SIGTERM, so its program is killed after the grace period.
    """
    if command[0] not in {"sh", "bash"}:
        return True
    script = command[2]
    return re.search(r'(^|[\n;&])\s*(eval ")?exec \S', script) is not None
