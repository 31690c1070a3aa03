"""The command-line programs of a cluster: those built here, or else those installed on this machine."""

import shutil
from pathlib import Path
from typing import Final

from exam_harness.environments.builds.binaries import HELM, KIND, KUBERNETES, Binary, home
from exam_harness.environments.processes.process import HarnessError

TOOLS: Final = {"kind": KIND, "kubectl": KUBERNETES, "helm": HELM}


def tool(name: str) -> Path:
    """Return the path of kind, kubectl or helm.

    Raises:
        HarnessError: it is neither built nor installed.
    """
    found = find_tool(name)
    if found is None:
        raise HarnessError(f"{name} is neither installed nor built: install it, or run make up")
    return found


def find_tool(name: str) -> Path | None:
    """Return the path of kind, kubectl or helm; None if it is neither built nor installed."""
    built = home(TOOLS[name]) / name
    if built.exists():
        return built
    installed = shutil.which(name)
    return Path(installed) if installed else None


def missing_tools() -> list[Binary]:
    """Return what has to be built because it is not installed."""
    return [binary for name, binary in TOOLS.items() if find_tool(name) is None]
