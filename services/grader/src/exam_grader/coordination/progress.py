"""Prints a coordinator's reports: as log events, or as one line on a terminal that is overwritten."""

import logging
from typing import TextIO

import structlog

from exam_grader.coordination.port import Phase, Report

log = structlog.get_logger(__name__)

_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Prints each report once, even if it is repeated.

    Args:
        terminal: the terminal to print on; None to log.
    """

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal
        self._last: Report | None = None

    def __call__(self, report: Report) -> None:
        """Print a report unless it equals the last one."""
        if report == self._last:
            return
        if self._terminal is None:
            level = logging.WARNING if report.phase is Phase.UNAVAILABLE else logging.INFO
            log.log(
                level,
                "progress_reported",
                phase=report.phase.value,
                detail=report.text,
                done=report.done,
                total=report.total,
            )
        else:
            self._print(report, self._terminal)
        self._last = report

    def _print(self, report: Report, terminal: TextIO) -> None:
        """Overwrite the line within a phase; keep the last line of each phase."""
        if self._last is not None and self._last.phase is not report.phase:
            terminal.write("\n")
        end = "\n" if report.phase is Phase.DONE else ""
        terminal.write(f"{_CLEAR_LINE}{report.phase.value:>11}  {report.text}{end}")
        terminal.flush()
