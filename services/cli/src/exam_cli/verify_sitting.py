"""`exam verify-sitting`: recompute a sitting from the stores, as an auditor with access to them."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from exam_cli import sources
from exam_cli.audit.recompute import Audit, guarded
from exam_cli.audit.records import RevisionRecord, SittingRecord
from exam_cli.options import add_sources, sources_from
from exam_cli.sources import Sources, UnreadableError
from exam_core import statements
from exam_core.keys import PublicKeySet
from exam_core.statements import DegreesStatement, SealStatement

DESCRIPTION = """Recompute a sealed sitting from its answer log: the seal, its counts and its statement, and the degrees
of every revision from seal, key and policy. Everything that is recorded otherwise is reported. Compare it with
statements that were published or saved earlier (--from, --seal, --degrees): a database that was changed consistently
contradicts those alone. Cassandra's address is read from EXAM_CASSANDRA_*, as by the services."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("verify-sitting", help="recompute a sitting from the stores", description=DESCRIPTION)
    parser.add_argument("sitting", metavar="SITTING", help="name or id of the sitting")
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("EXAM_DATABASE_URL"),
        help="PostgreSQL (default: EXAM_DATABASE_URL); a role that may read is enough",
    )
    add_sources(
        parser,
        ("--seal", sources.SEAL, "a signed statement about the seal, such as status.seal.statement of the Exam"),
        ("--degrees", sources.DEGREES, "the signed statement about the degrees of the published revision"),
        ("--keys", sources.STATEMENT_KEYS, "the public keys of statements"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every fault and return 1, or a summary and return 0.

    Raises:
        BadStatementError: a statement is not authentic.
        UnreadableError: a store, a file or an address could not be read.
    """
    audit = Audit(_read(arguments.database, arguments.sitting))
    compared, faults = _compare(audit, sources_from(arguments))
    faults = [*audit.faults(), *faults]
    for fault in faults:
        print(f"fault: {fault}")  # noqa: T201 - the command's output
    statement = audit.seal_statement()
    print(  # noqa: T201
        f"{'not verified' if faults else 'verified'}: {statement.name}: {statement.answers} answers of"
        f" {statement.students} students, {len(audit.sitting.revisions)} revisions; compared with {compared}"
    )
    return 1 if faults else 0


def _compare(audit: Audit, found: Sources) -> tuple[str, list[str]]:
    """Compare the statements that are given with the recomputed ones."""
    compared: list[str] = []
    faults: list[str] = []
    sitting = audit.sitting.id
    if found.has(sources.SEAL):
        text = sources.read_signed("the seal", found.read(sources.SEAL, sitting=sitting), "statement")
        seal = statements.read(SealStatement, text, _keys(found))
        faults += _contradictions("seal", seal.claims(), lambda: audit.seal_statement().claims())
        compared.append("the statement about the seal")
    if found.has(sources.DEGREES):
        text = sources.read_signed("the degrees", found.read(sources.DEGREES, sitting=sitting), "statement")
        degrees = statements.read(DegreesStatement, text, _keys(found))
        revision = next((each for each in audit.sitting.revisions if each.number == degrees.revision), None)
        if revision is None:
            faults.append(f"there is no revision {degrees.revision}, about which a statement was published")
        else:
            contradictions = _contradictions("degrees", degrees.claims(), partial(_degrees_claims, audit, revision))
            faults += guarded(f"revision {revision.number}: its key, policy or degrees", contradictions)
        compared.append(f"the statement about revision {degrees.revision}")
    return " and ".join(compared) or "no statement", faults


def _degrees_claims(audit: Audit, revision: RevisionRecord) -> Mapping[str, Any]:
    return audit.degrees_statement(revision).claims()


def _contradictions(name: str, stated: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> Iterator[str]:
    computed = compute()
    for member, value in stated.items():
        if computed[member] != value:
            yield f"{name}: {member} is stated as {value}, expected {computed[member]}"


def _keys(found: Sources) -> PublicKeySet:
    return sources.read_keys("the keys of statements", found.read(sources.STATEMENT_KEYS))


def _read(database: str | None, sitting: str) -> SittingRecord:
    """Read both stores."""
    if not database:
        raise UnreadableError("name the database with --database or EXAM_DATABASE_URL")
    try:
        import psycopg  # noqa: PLC0415

        from exam_answerlog.log import AnswerLogUnavailableError  # noqa: PLC0415
        from exam_answerlog.settings import CassandraSettings  # noqa: PLC0415
        from exam_cli.audit import stores  # noqa: PLC0415
        from exam_runtime.settings import SettingsError, load_settings  # noqa: PLC0415
    except ImportError as error:
        raise UnreadableError(f"install exam-cli[audit] for this command: {error}") from error
    try:
        rows = stores.read_sitting(database, sitting)
        stored = asyncio.run(stores.read_stored(load_settings(CassandraSettings), rows["id"], rows["buckets"]))
    except (stores.NotSealedError, psycopg.Error, SettingsError, AnswerLogUnavailableError) as error:
        raise UnreadableError(str(error)) from error
    return stores.record_of(rows, stored)
