"""The options of `exam check`, `exam import`, `exam export` and `exam schema`.

The parsers of files are imported when a command runs: those who only verify receipts need none.
"""

import argparse
import importlib
import sys
from typing import Final

from exam_cli.sources import UnreadableError

FAULTY: Final = 1

_CHECK: Final = """Check exam documents (YAML) and files of questions (GIFT, Aiken, Moodle XML, QTI, CSV, XLSX): list
all faults with their lines, what the author may not have meant, and what the platform has no place for."""
_IMPORT: Final = """Make an exam document (YAML) of a file of questions in GIFT, Aiken, Moodle XML, QTI, CSV or XLSX.
What the document has no place for is listed; if the file has a fault, nothing is written."""
_EXPORT: Final = """Write the questions of an exam document (YAML) as GIFT, Aiken, Moodle XML, QTI, CSV or XLSX. What
the format cannot state is listed."""
_SCHEMA: Final = """Write the JSON Schema of exam documents (YAML), with which editors complete and check them while
they are written. It describes their form; «exam check» has the last word."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the four commands."""
    check = commands.add_parser("check", help="list the faults of questions", description=_CHECK)
    check.add_argument("files", metavar="FILE", nargs="+", help="an exam document, or a file of questions")
    check.add_argument("--format", metavar="NAME", help="the files' format; by default each one's is recognised")
    check.set_defaults(run=_run, command="check")
    read = commands.add_parser("import", help="make an exam document of a file of questions", description=_IMPORT)
    read.add_argument("file", metavar="FILE", help="a file of questions, or - for standard input")
    read.add_argument("--exam", required=True, metavar="SLUG", help="the exam's name in addresses, like algebra-101")
    read.add_argument("--title", required=True, help="the exam's title")
    read.add_argument("--level", required=True, metavar="SLUG", help="the level that takes the exam")
    read.add_argument("--format", metavar="NAME", help="the file's format; by default it is recognised")
    read.set_defaults(run=_run, command="import_")
    write = commands.add_parser("export", help="write an exam's questions in another format", description=_EXPORT)
    write.add_argument("file", metavar="FILE", help="an exam document, or - for standard input")
    write.add_argument("--format", required=True, metavar="NAME", help="gift, aiken, moodle-xml, qti, csv or xlsx")
    write.set_defaults(run=_run, command="export")
    schema = commands.add_parser("schema", help="write the JSON Schema of exam documents", description=_SCHEMA)
    schema.set_defaults(run=_run, command="schema")
    for parser in (read, write, schema):
        parser.add_argument("--output", "-o", metavar="FILE", help="where to write (default: standard output)")


def _run(arguments: argparse.Namespace) -> int:
    try:
        commands = importlib.import_module("exam_cli.questions.commands")
        files = importlib.import_module("exam_cli.questions.files")
    except ImportError as error:
        raise UnreadableError(f"install exam-cli[papers] for this command: {error}") from error
    try:
        return int(getattr(commands, arguments.command)(arguments))
    except files.FaultyFileError as error:
        sys.stderr.write(f"{error}\n")
        return FAULTY
