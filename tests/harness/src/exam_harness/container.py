"""What can be read off a container's command."""

import re
from collections.abc import Sequence


def receives_stop_signal(command: Sequence[str]) -> bool:
    """Whether the program that a command starts becomes the container's first process, which is the one that is told.

    A shell that stays in between is told instead, and tells nobody: after its grace the program is killed.
    """
    if command[0] not in {"sh", "bash"}:
        return True
    script = command[2]
    return re.search(r"(^|[\n;&])\s*exec \S", script) is not None
