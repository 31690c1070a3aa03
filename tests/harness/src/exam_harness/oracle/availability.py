"""How long a student's answers had no definite outcome."""

from collections.abc import Iterable

from exam_harness.oracle.transcript import ANSWER, Call


def longest_outage(calls: Iterable[Call]) -> int:
    """The longest time (µs) from a student's answer without an outcome to the next one of theirs that has one."""
    longest = 0
    since: dict[int, int] = {}
    for call in sorted(calls, key=lambda call: call.ended):
        if call.verb != ANSWER:
            continue
        if call.unknown:
            since.setdefault(call.student, call.began)
        elif call.student in since:
            longest = max(longest, call.ended - since.pop(call.student))
    return longest
