"""Known vulnerabilities of all locked Python packages, by pip-audit, and of the Go programs of ``k8s/offline``.

pip-audit calls a package without advisories, and one that its database does not answer for, «not found», with exit code
0. So a release with well-known advisories is audited first: if it has none, the database was not read.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exam_harness.supply_chain.exit_codes import CLEAN, NOT_AUDITED, VULNERABLE
from exam_harness.supply_chain.go_audit import audit_go_programs
from exam_harness.supply_chain.tools import ROOT, WORK, install_tools

CANARY = "jinja2==2.4.1"
"""A release with advisories since 2014."""
LOCKS = tuple(ROOT / f"requirements/{name}.txt" for name in ("dev", "build", "reload", "uv", "audit"))
"""The locks of the images contain no version that `dev` does not."""


def has_advisories(report: Mapping[str, Any]) -> bool:
    """Whether a report of pip-audit contains an advisory."""
    return any(each.get("vulns") for each in report["dependencies"])


def python_audit(programs: Path, locks: Sequence[Path], *, osv_url: str = "") -> int:
    """Audit locks with pip-audit, which prints what it finds."""
    service = ["--vulnerability-service", "osv", "--osv-url", osv_url] if osv_url else []
    audit = [str(programs / "pip-audit"), "--progress-spinner", "off", "--disable-pip", *service]
    with TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(f"{CANARY}\n")
        command = [*audit, "--no-deps", "--format", "json", "-r", str(canary)]
        probe = subprocess.run(command, capture_output=True, text=True, check=False)
    if not probe.stdout.strip() or not has_advisories(json.loads(probe.stdout)):
        sys.stderr.write(
            f"{probe.stderr[-2000:]}\nPython: NOT AUDITED: the advisory database does not answer, or does not know the "
            f"advisories of {CANARY}. Run this where it can be reached, or set OSV_URL to a mirror of the OSV API.\n"
        )
        return NOT_AUDITED
    worst = CLEAN
    for lock in locks:
        sys.stdout.write(f"{lock.name}:\n")
        sys.stdout.flush()
        # Strict: a package that the database does not answer for is an error.
        command = [*audit, "--require-hashes", "--strict", "-r", str(lock)]
        worst = max(worst, VULNERABLE if subprocess.run(command, check=False).returncode else CLEAN)
    return worst


def main(*, work: Path = WORK) -> int:
    """Audit everything; 0: nothing is known, 1: something is, 2: some of it could not be audited."""
    return max(audit_python(work), audit_go_programs())


def audit_python(work: Path) -> int:
    """Audit all locks with programs that are installed into a folder."""
    try:
        programs = install_tools(work)
    except subprocess.CalledProcessError:
        sys.stderr.write(
            "Python: NOT AUDITED: the programs of requirements/audit.txt cannot be installed. Run this where a package "
            "index can be reached.\n"
        )
        return NOT_AUDITED
    return python_audit(programs, LOCKS, osv_url=os.environ.get("OSV_URL", ""))


if __name__ == "__main__":
    sys.exit(main())
