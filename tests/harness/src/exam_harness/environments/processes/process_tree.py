"""Who belongs to a process: its descendants, even those in sessions of their own, and its process group.

PostgreSQL's backends lead sessions of their own, so a signal to the server's group reaches none of them: a server
frozen that way goes on answering, and one killed that way cannot start again while a backend holds its memory.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GONE = frozenset("ZX")
"""States of a process that has ended and waits to be collected."""


@dataclass(frozen=True, slots=True)
class TreeMember:
    """A process; its start time tells it from a later one under the same number."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        row = _read(self.pid)
        return row is not None and row.member == self and row.state not in _GONE

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended between the look and the signal


def process_tree(root: int) -> set[TreeMember]:
    """The process, everything that descends from it and everything in its group, as of now."""
    rows = list(_processes())
    pids = {row.member.pid for row in rows if root in (row.member.pid, row.group)}
    while grown := {row.member.pid for row in rows if row.parent in pids} - pids:
        pids |= grown
    return {row.member for row in rows if row.member.pid in pids and row.state not in _GONE}


def signal_tree(root: int, number: signal.Signals) -> set[TreeMember]:
    """Send a signal to a whole family, those born meanwhile too; whom it went to."""
    told: set[TreeMember] = set()
    while new := process_tree(root) - told:
        # The eldest first: frozen, it has no more children.
        for member in sorted(new, key=lambda each: (each.pid != root, each.started)):
            member.send(number)
        told |= new
    return told


@dataclass(frozen=True, slots=True)
class _Row:
    member: TreeMember
    state: str
    parent: int
    group: int


def _processes() -> Iterator[_Row]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (row := _read(int(entry.name))) is not None:
            yield row


def _read(pid: int) -> _Row | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything; what follows the last one is fields 3 and on (proc(5)).
    fields = text.rpartition(")")[2].split()
    return _Row(TreeMember(pid, int(fields[19])), state=fields[0], parent=int(fields[1]), group=int(fields[2]))
