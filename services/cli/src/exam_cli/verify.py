"""`exam verify`: find out what became of an acknowledged answer."""

import argparse
from pathlib import Path

from exam_cli import sources
from exam_cli.options import add_sources, sources_from
from exam_core import receipts, statements
from exam_core.inclusion import InclusionProof
from exam_core.instants import rfc3339
from exam_core.receipts import Receipt
from exam_core.statements import SealStatement
from exam_core.verification import Outcome, Verdict, verify_receipt

DESCRIPTION = """Verify a receipt: that the answer it acknowledges is in the sealed set of answers that count, or that
a later answer of the same student to the same question is. With the files that --save stored, no network is needed."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("verify", help="verify a receipt", description=DESCRIPTION)
    parser.add_argument("receipt", metavar="RECEIPT", help="file with a receipt, as the solver returned it")
    add_sources(
        parser,
        ("--seal", sources.SEAL, "the signed statement about the seal (default: the one in the proof)"),
        ("--proof", sources.SEAL_PROOF, "the proof for the student of the receipt"),
        ("--keys", sources.STATEMENT_KEYS, "the public keys of statements"),
        ("--receipt-keys", sources.RECEIPT_KEYS, "the public keys of receipts"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what became of the answer; return 0 if it counts or was superseded, 1 if not.

    Raises:
        BadReceiptError, BadStatementError, InvalidProofError: something is not authentic.
        UnreadableError: a file or address could not be read.
    """
    found = sources_from(arguments)
    name = Path(arguments.receipt).name
    text = sources.read_signed(name, sources.read_text(arguments.receipt), "receipt")
    receipt = receipts.read(text, sources.read_keys("the keys of receipts", found.read(sources.RECEIPT_KEYS)))
    body = sources.read_object("the proof", found.read(sources.SEAL_PROOF, sitting=receipt.sitting))
    seal = str(body.get("statement", ""))
    if found.has(sources.SEAL):
        seal = sources.read_signed("the seal", found.read(sources.SEAL, sitting=receipt.sitting), "statement")
    keys = sources.read_keys("the keys of statements", found.read(sources.STATEMENT_KEYS))
    statement = statements.read(SealStatement, seal, keys)
    verdict = verify_receipt(receipt, statement, InclusionProof.from_json(body.get("proof", {})))
    print(describe(receipt, statement, verdict))  # noqa: T201 - the command's output
    return 1 if verdict.outcome is Outcome.NOT_COUNTED else 0


def describe(receipt: Receipt, statement: SealStatement, verdict: Verdict) -> str:
    """Format a verdict as one line."""
    answer = f"{statement.name}: student {receipt.student}, question {receipt.question}, seq {receipt.seq}"
    counted = verdict.counted
    if counted is None:
        return f"{verdict.outcome}: {answer}; the seal has no answer to this question"
    if verdict.outcome is Outcome.COUNTED:
        return f"{verdict.outcome}: {answer}"
    when = rfc3339(counted.received_at)
    if verdict.outcome is Outcome.SUPERSEDED:
        return f"{verdict.outcome}: {answer}; seq {counted.seq} counts, which was received at {when}"
    return f"{verdict.outcome}: {answer}; seq {counted.seq} counts, received at {when}, and is not a later answer"
