"""The `exam` command.

Exit codes: 0 verified, or a file without faults; 1 not authentic, an acknowledged answer does not count, or a file has
faults; 2 nothing was verified or converted, because of the usage or because something could not be read.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from exam_cli import question_commands, verify, verify_degree, verify_sitting
from exam_cli.sources import UnreadableError
from exam_core.inclusion import InvalidProofError
from exam_core.receipts import BadReceiptError
from exam_core.statements import BadStatementError

INVALID: Final = 1
UNVERIFIED: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="exam",
        description="Verify what the exam platform acknowledged and published; check and convert files of questions",
        epilog=_epilog(),
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (verify, verify_degree, verify_sitting, question_commands):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (BadReceiptError, BadStatementError, InvalidProofError) as error:
        print(f"invalid: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        return INVALID
    except UnreadableError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return UNVERIFIED


def _epilog() -> str:
    return (
        "Exit codes: 0 verified, or without faults; 1 not authentic, an acknowledged answer does not count, or a file "
        "has faults; 2 nothing was verified or converted: usage, or something could not be read."
    )


if __name__ == "__main__":
    sys.exit(main())
