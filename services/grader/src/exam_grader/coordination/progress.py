"""Progress as a program reads it (JSON log lines) or as a person does (one line on a terminal that keeps changing)."""

import logging
from typing import TextIO

import structlog

from exam_grader.coordination.coordinator import Phase, Report

log = structlog.get_logger(__name__)

_CLEAR = "\r\x1b[K"


class Progress:
    """Tells each report once, however often it comes.

    Args:
        terminal: where a person looks; None to log.
    """

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal
        self._last: Report | None = None

    def __call__(self, report: Report) -> None:
        """Tell a report, unless it is the last one again."""
        if report == self._last:
            return
        if self._terminal is None:
            level = logging.WARNING if report.phase is Phase.AWAY else logging.INFO
            log.log(level, report.text, phase=report.phase.value, done=report.done, total=report.total)
        else:
            self._show(report, self._terminal)
        self._last = report

    def _show(self, report: Report, terminal: TextIO) -> None:
        """A phase's reports overwrite one another; the last one of each phase stays."""
        if self._last is not None and self._last.phase is not report.phase:
            terminal.write("\n")
        end = "\n" if report.phase is Phase.DONE else ""
        terminal.write(f"{_CLEAR}{report.phase.value:>10}  {report.text}{end}")
        terminal.flush()
