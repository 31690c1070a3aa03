"""Receipts, degrees and whole sittings are verified on the running platform, and changes of its stores are found."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from exam_cli.__main__ import main
from exam_harness.oracle.history import AttemptStart, History
from exam_harness.scenarios.sitting.checks import ScheduledSitting, SittingEvidence
from exam_harness.scenarios.sitting.proofs import check_proofs, fetch_proofs
from exam_harness.students.cohort import open_cohort
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def graded(platform_session) -> tuple[Any, list[Any]]:
    """A published sitting of one bucket with three students, each of whom changed an answer."""
    platform = platform_session
    sitting = platform.sitting(candidates=3)
    attempts = [platform.start(sitting) for _ in range(3)]
    for attempt in attempts:
        number = attempt.question("single")
        for seq in (1, 2):
            attempt.answer(number, {"seq": seq, "choices": [seq % 2]})
    platform.finish(sitting)
    platform.client.publish(sitting.name, 1)
    return sitting, attempts


@pytest.fixture
def address(platform) -> str:
    """The platform's address as students use it."""
    return f"http://localhost:{platform.stack.gateway_port}"


def test_students_verify_their_receipts_and_degrees(platform, graded, address, tmp_path, capsys) -> None:
    """My first receipt was superseded, my second counts, and my degree is the published one; offline as well."""
    sitting, attempts = graded
    for attempt in attempts:
        (tmp_path / "token").write_text(attempt.tokens["access"])
        files = [tmp_path / f"receipt-{number}" for number in range(2)]
        for file, receipt in zip(files, attempt.receipts, strict=True):
            file.write_text(receipt)
        online = ["--from", address, "--token-file", str(tmp_path / "token"), "--save", str(tmp_path / "saved")]
        assert main(["verify", str(files[0]), *online]) == 0
        assert main(["verify", str(files[1]), "--from", str(tmp_path / "saved")]) == 0
        assert main(["verify-degree", sitting.id, *online]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(": ")[0] for line in lines] == ["superseded", "counted", "verified"]
        assert f"student {attempt.student} has" in lines[2]


async def test_the_oracle_verifies_statements_and_proofs_by_its_own_code(platform, graded) -> None:
    """What the platform publishes is accepted by a program that shares no code with it, as every demo checks."""
    sitting, attempts = graded
    scheduled = ScheduledSitting(
        id=sitting.id, name=sitting.name, document=sitting.document, opens_at=0, closes_at=1, duration=1
    )
    ids, history = platform.postgres.students(), History()
    accounts, port = [attempt.account for attempt in attempts], platform.stack.gateway_port
    async with open_cohort(accounts, port=port, seed=1, history=history) as cohort:
        await cohort.log_in()
        fetched = await fetch_proofs(cohort, platform.client, [scheduled])
        for student in cohort.attending:
            history.record_start(sitting.id, ids[student.account.username], AttemptStart(1, None))
    assert history.starts
    assert len(list(fetched.degrees(sitting.id))) == len(history.starts)
    evidence = SittingEvidence(
        scheduled=scheduled,
        record=platform.postgres.seal(sitting.id),
        seal=platform.sealed(sitting),
        log={},
        degrees=(),
    )
    keys = platform.client.statement_keys()
    assert list(check_proofs(history, evidence, fetched, jwks=keys, ids=ids)) == []
    history.record_start(sitting.id, 10**9, AttemptStart(1, None))
    missing = [mismatch.detail for mismatch in check_proofs(history, evidence, fetched, jwks=keys, ids=ids)]
    assert missing == [f"student {10**9} was present and has no proof"] * 2


@pytest.fixture
def audit(platform, graded, address, tmp_path: Path, monkeypatch, capsys) -> Any:
    """Run `exam verify-sitting` against statements that were saved at first; returns exit code and output."""
    sitting, _ = graded
    for name, value in platform.stack.cassandra.ring.variables("grader").items():
        monkeypatch.setenv(name, value)

    saved = str(tmp_path / "saved")

    def run(*source: str) -> tuple[int, str]:
        options = source or ("--from", saved)
        code = main(["verify-sitting", sitting.name, "--database", platform.stack.postgres.dsn(), *options])
        return code, capsys.readouterr().out

    code, output = run("--from", address, "--save", saved)
    assert (code, output.count("\n")) == (0, 1), output
    return run


@contextmanager
def changed(dsn: str, table: str, column: str, value: str, where: str) -> Iterator[None]:
    """Change a value as the database's owner, and restore it afterwards."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        rows = owner.execute(f"SELECT ctid::text, id, {column} FROM {table} WHERE {where}").fetchall()  # noqa: S608
        assert rows
        owner.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")  # noqa: S608
        try:
            yield
        finally:
            for _, key, old in rows:
                original = json.dumps(old) if isinstance(old, list | dict) else old
                owner.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [original, key])  # noqa: S608


OF_SITTING = "sitting_id = '{sitting}'"
OF_REVISION = "revision_id IN (SELECT id FROM sittings_revision WHERE sitting_id = '{sitting}')"


@pytest.mark.parametrize(
    ("table", "column", "value", "where", "expected"),
    [
        ("degrees_degree", "total", "total + 1", OF_REVISION, "expected: has"),
        ("degrees_degree", "points", "'[]'", OF_REVISION, "expected: has"),
        ("sittings_sealedbucket", "answers", "answers + 1", OF_SITTING, "bucket 0: answers 4 is recorded, expected 3"),
        ("sittings_sealedbucket", "students", "students - 1", OF_SITTING, "bucket 0: students 2 is recorded"),
        ("sittings_sealedbucket", "digest", "repeat('0', 64)", OF_SITTING, "bucket 0: digest 000"),
        ("sittings_sealedbucket", "tree_root", "repeat('0', 64)", OF_SITTING, "bucket 0: root of the tree 000"),
        ("sittings_ledgerentry", "degrees", "degrees + 1", OF_REVISION, "chunk 0: degrees 4 is recorded"),
        ("sittings_sitting", "seal_digest", "repeat('0', 64)", "id = '{sitting}'", "sitting: digest 000"),
        ("sittings_sitting", "proof_secret", "sha256('x')", "id = '{sitting}'", "root of the tree"),
        (
            "sittings_sitting",
            "sealed_at",
            "sealed_at - interval '1 s'",
            "id = '{sitting}'",
            "seal: sealed_at is stated",
        ),
        (
            "sittings_revision",
            "policy",
            """'{"format": 1, "multiple": "proportional"}'""",
            OF_SITTING,
            "policy: digest",
        ),
    ],
)
def test_a_change_in_postgresql_is_found(
    platform, graded, audit, table: str, column: str, value: str, where: str, expected: str
) -> None:
    """If the database's owner changes a degree, seal, policy or count, `exam verify-sitting` fails and names it."""
    sitting, _ = graded
    assert audit()[0] == 0
    with changed(platform.stack.postgres.dsn(), table, column, value, where.format(sitting=sitting.id)):
        code, output = audit()
    assert code == 1
    assert expected in output
    assert audit()[0] == 0


def test_a_changed_key_is_found(platform, graded, audit) -> None:
    """If the owner changes the correct choices in a key, `exam verify-sitting` fails and names it."""
    sitting, _ = graded
    with psycopg.connect(platform.stack.postgres.dsn(), autocommit=True) as owner:
        ((key, body),) = owner.execute(
            "SELECT k.digest, k.body FROM sittings_paperkey k JOIN sittings_sitting s ON k.digest = s.key_id"
            " WHERE s.id = %s",
            [sitting.id],
        ).fetchall()
        content = json.loads(body)
        content["answers"].reverse()
        update = "UPDATE sittings_paperkey SET body = %s WHERE digest = %s"
        owner.execute(update, [json.dumps(content).encode(), key])
        try:
            code, output = audit()
        finally:
            owner.execute(update, [body, key])
    assert code == 1
    assert "a key's content has digest" in output


def test_a_change_in_cassandra_is_found(platform, graded, audit) -> None:
    """If an answer or a seal is deleted or changed in Cassandra, `exam verify-sitting` fails and names the student."""
    sitting, attempts = graded
    with platform.stack.cassandra.session() as session:
        student = attempts[0].student
        rows = list(session.execute("SELECT * FROM exam.answers WHERE sitting = %s AND bucket = 0", [_uuid(sitting)]))
        session.execute(
            "DELETE FROM exam.answers WHERE sitting = %s AND bucket = 0 AND student = %s", [_uuid(sitting), student]
        )
        code, output = audit()
        assert code == 1
        assert f"bucket 0: the seal of student {student} is not what the answer log gives" in output
        for row in rows:
            columns = {name: value for name, value in row._asdict().items() if value is not None}
            names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
            session.execute(f"INSERT INTO exam.answers ({names}) VALUES ({places})", list(columns.values()))  # noqa: S608
        assert audit()[0] == 0
        (seal,) = session.execute("SELECT data FROM exam.sealed WHERE sitting = %s AND bucket = 0", [_uuid(sitting)])
        update = "UPDATE exam.sealed SET data = %s WHERE sitting = %s AND bucket = 0 IF EXISTS"
        session.execute(update, [seal.data.replace(b"started_at", b"Started_at"), _uuid(sitting)])
        code, output = audit()
        assert code == 1
        assert "bucket 0: there is no intact seal" in output
        session.execute(update, [seal.data, _uuid(sitting)])
        assert audit()[0] == 0


def test_a_regrade_with_adjustments_is_verified(platform, graded, audit, address) -> None:
    """If a Doctor regrades with adjustments, statements and audit pass; one that is changed later is found."""
    sitting, _ = graded
    doctor = platform.accounts.doctors[0]
    with psycopg.connect(platform.stack.postgres.dsn(), autocommit=True) as owner:
        # The exam came without an author, as from a file.
        author = "UPDATE exams_exam SET author_id = u.id FROM users_user u WHERE u.username = %s AND slug = %s"
        owner.execute(author, [doctor.username, sitting.name])
    credentials = {"username": doctor.username, "password": doctor.password}
    login = platform.request("POST", "/api/auth/doctors/login", host="localhost", json=credentials)
    token = login.json()["access"]
    path = f"/api/sittings/{sitting.name}/revisions"
    change = {"change": "leave-out", "question": 0, "reason": "Not part of the course."}
    body = {"note": "The board's decision", "adjustments": [change]}
    opened = platform.request("POST", path, host="localhost", token=token, json=body)
    assert opened.status_code == 201, opened.text

    def shown() -> dict[str, Any]:
        reply = platform.request("GET", f"{path}/2", host="localhost", token=token)
        revision: dict[str, Any] = reply.json()
        return revision

    eventually(lambda: shown()["state"] == "graded", "the revision is graded", seconds=60)
    changes = platform.request("GET", f"{path}/2/changes", host="localhost", token=token).json()
    assert (changes["maximum_changed"], changes["before"]["students"]) == (3, 3)
    platform.client.publish(sitting.name, 2)
    assert audit("--from", address)[0] == 0
    where = f"sitting_id = '{sitting.id}' AND number = 2"
    value = "jsonb_set(policy, '{adjustments,entries,0,reason}', '\"Another one\"')"
    with changed(platform.stack.postgres.dsn(), "sittings_revision", "policy", value, where):
        code, output = audit("--from", address)
    assert (code, "revision 2: policy: digest" in output) == (1, True), output
    assert audit("--from", address)[0] == 0


def test_a_sitting_that_does_not_exist(platform, audit, capsys) -> None:
    """An unknown sitting, or a database that does not respond, is an error with exit code 2."""
    assert main(["verify-sitting", "none", "--database", platform.stack.postgres.dsn()]) == 2
    assert "sitting 'none' not found" in capsys.readouterr().err
    assert main(["verify-sitting", "none", "--database", "postgresql://x@127.0.0.1:1/exam"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def _uuid(sitting) -> UUID:
    return UUID(sitting.id)
