"""The process tree of a child: its descendants, those in sessions of their own included, and its process group.

PostgreSQL's backends lead sessions of their own, so a signal to the server's group does not reach them: a server
stopped that way keeps serving, and one killed that way cannot restart while a backend holds its shared memory.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ENDED = frozenset("ZX")
"""States of a process that has ended and waits to be reaped."""


@dataclass(frozen=True, slots=True)
class TreeMember:
    """A process, identified by its id and start time because ids are reused."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        row = _read(self.pid)
        return row is not None and row.member == self and row.state not in _ENDED

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended between the check and the signal


def process_tree(root: int) -> set[TreeMember]:
    """Return a snapshot of the process, its descendants and its process group."""
    rows = list(_processes())
    pids = {row.member.pid for row in rows if root in (row.member.pid, row.group)}
    while grown := {row.member.pid for row in rows if row.parent in pids} - pids:
        pids |= grown
    return {row.member for row in rows if row.member.pid in pids and row.state not in _ENDED}


def signal_tree(root: int, number: signal.Signals) -> set[TreeMember]:
    """Send a signal to a process tree, processes forked meanwhile included; return the receivers."""
    signalled: set[TreeMember] = set()
    while new := process_tree(root) - signalled:
        # The root first, then by age: a stopped parent forks no more children.
        for member in sorted(new, key=lambda each: (each.pid != root, each.started)):
            member.send(number)
        signalled |= new
    return signalled


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
    # The name, in parentheses, may contain anything; fields 3 and on follow the last parenthesis (proc(5)).
    fields = text.rpartition(")")[2].split()
    return _Row(TreeMember(pid, int(fields[19])), state=fields[0], parent=int(fields[1]), group=int(fields[2]))
