"""`exam verify-degree`: verify that a degree is the one that was signed at publication."""

import argparse

from exam_cli import sources
from exam_cli.options import add_sources, sources_from
from exam_core import statements
from exam_core.inclusion import InclusionProof
from exam_core.statements import DegreesStatement
from exam_core.verification import verify_degree

DESCRIPTION = """Verify that a student's degree is in the signed result of a published revision. With the files that
--save stored, no network is needed."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("verify-degree", help="verify a degree", description=DESCRIPTION)
    parser.add_argument("sitting", metavar="SITTING", nargs="?", help="id of the sitting; needed with an address")
    add_sources(
        parser,
        ("--degrees", sources.DEGREES, "the signed statement about the degrees (default: the one in the proof)"),
        ("--proof", sources.DEGREE_PROOF, "the proof for the student"),
        ("--keys", sources.STATEMENT_KEYS, "the public keys of statements"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the degree and return 0.

    Raises:
        BadStatementError, InvalidProofError: something is not authentic.
        UnreadableError: a file or address could not be read.
    """
    found = sources_from(arguments)
    body = sources.read_object("the proof", found.read(sources.DEGREE_PROOF, sitting=arguments.sitting))
    signed = str(body.get("statement", ""))
    if found.has(sources.DEGREES):
        text = found.read(sources.DEGREES, sitting=arguments.sitting)
        signed = sources.read_signed("the statement", text, "statement")
    keys = sources.read_keys("the keys of statements", found.read(sources.STATEMENT_KEYS))
    statement = statements.read(DegreesStatement, signed, keys)
    degree = verify_degree(statement, InclusionProof.from_json(body.get("proof", {})))
    print(  # noqa: T201 - the command's output
        f"verified: {statement.name} revision {statement.revision}: student {degree.student} has"
        f" {degree.total} of {degree.maximum}"
    )
    return 0
