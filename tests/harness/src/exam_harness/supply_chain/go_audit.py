"""Known vulnerabilities of the Go modules that programs are built from where no registry answers, by govulncheck.

It is asked for every module that a go.mod of ``k8s/offline`` requires, in the version that is built, and for Go's
standard library. That needs no sources, and also names a module of which a program uses nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from exam_harness.environments.builds.binaries import BINARIES, COMPILER, GOVULNCHECK, Binary, program
from exam_harness.environments.builds.go import build, required_modules
from exam_harness.environments.processes.cache import cache_lock, setup_progress
from exam_harness.environments.processes.process import HarnessError
from exam_harness.supply_chain.exit_codes import CLEAN, NOT_AUDITED, VULNERABLE

CANARY: Final = "golang.org/x/text@v0.3.5"
"""A release with an advisory since 2021, GO-2021-0113."""
DATABASE: Final = "https://vuln.go.dev"


class UnreadableError(Exception):
    """The database could not be read."""


def go_audit(binaries: Iterable[Binary], *, database: str = DATABASE) -> int:
    """Look up the modules of programs, and print those with advisories.

    Args:
        binaries: the programs.
        database: the URL of Go's vulnerability database or a mirror.
    """
    try:
        _check_readable(database)
        faults = [
            f"{binary.name}: {module}: {', '.join(advisories)}\n"
            for binary in binaries
            for module, advisories in _vulnerable(modules_of(binary), database)
        ]
    except UnreadableError as error:
        sys.stderr.write(
            f"{error}\nGo: NOT AUDITED: the vulnerability database cannot be read. Run this where it can be reached, "
            "or set GOVULNDB to a mirror.\n"
        )
        return NOT_AUDITED
    sys.stdout.writelines(faults or ["No known vulnerabilities of Go modules found\n"])
    return VULNERABLE if faults else CLEAN


def audit_go_programs() -> int:
    """Build govulncheck if it is missing, and audit every program of ``k8s/offline``."""
    try:
        with setup_progress() as echo, cache_lock(echo):
            build([GOVULNCHECK], echo)
        return go_audit(BINARIES.values(), database=os.environ.get("GOVULNDB", DATABASE))
    except HarnessError as error:
        sys.stderr.write(f"{error}\nGo: NOT AUDITED: govulncheck cannot be built, or a go.mod cannot be read.\n")
        return NOT_AUDITED


def modules_of(binary: Binary) -> list[str]:
    """Return what a program is built from, as ``path@version``, with the standard library of its compiler."""
    return [*required_modules(binary), f"stdlib@v{version(COMPILER)}"]


def _check_readable(database: str) -> None:
    if not _advisories([CANARY], database):
        raise UnreadableError(f"the database does not know the advisory of {CANARY}")


def _vulnerable(modules: list[str], database: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each module with advisories, and their ids.

    An advisory may be about several modules, so that those are looked up one by one of which the first answer has one.
    """
    named = {each["package"]["name"] for advisory in _advisories(modules, database) for each in advisory["affected"]}
    for module in modules:
        if module.partition("@")[0] in named:
            found = _advisories([module], database)
            if found:
                yield module, sorted(each["id"] for each in found)


def _advisories(modules: list[str], database: str) -> list[dict[str, Any]]:
    """Return the advisories about modules in these versions."""
    command = [str(program("govulncheck")), "-db", database, "-mode", "query", "-format", "json", *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnreadableError(done.stderr.strip()[-1000:])
    return [message["osv"] for message in _messages(done.stdout) if "osv" in message]


def _messages(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that follow each other in a text."""
    decoder, rest = json.JSONDecoder(), text.lstrip()
    while rest:
        message, end = decoder.raw_decode(rest)
        yield message
        rest = rest[end:].lstrip()
