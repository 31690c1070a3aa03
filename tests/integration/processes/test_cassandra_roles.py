"""Each component has a role in Cassandra that may do what the component does, and nothing else."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from cassandra import InvalidRequest, Unauthorized
from cassandra.cluster import NoHostAvailable, Session

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.component_roles import PERMISSIONS
from exam_answerlog.log import AnswerLogUnavailableError, PaperPart
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import TABLES
from exam_answerlog.testing.settings import settings_from
from exam_core.answers import Start, Submission
from exam_core.fold import seal_bucket
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.servers.cassandra import COMPONENTS, Cassandra
from exam_harness.environments.processes.stack import run_python
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cassandra_env")]

Result = TypeVar("Result")
SITTING = UUID("60b1f19f-0000-4000-8000-000000000000")
TABLE_NAMES = sorted(table.name for table in TABLES)
ANSWER = (
    "(sitting, bucket, student, question, seq, request, received_at, solver) "
    "VALUES (%(id)s, 0, 1, 0, 1, %(id)s, 1, %(id)s)"
)
ROWS = {
    "answers": ANSWER,
    "answers_late": ANSWER,
    "attempts": "(sitting, bucket, student, started_at, solver) VALUES (%(id)s, 0, 1, 1, %(id)s)",
    "submissions": "(sitting, bucket, student, submitted_at, solver) VALUES (%(id)s, 0, 1, 1, %(id)s)",
    "attempt_claims": "(exam, student, sitting) VALUES (0, 1, %(id)s)",
    "papers": "(digest, part) VALUES ('none', 'none')",
    "sealed": "(sitting, bucket, n) VALUES (%(id)s, 7, 0)",
}
WRITTEN = {
    "web": {"papers"},
    "solver": {"answers", "answers_late", "attempts", "submissions", "attempt_claims"},
    "grader": {"sealed"},
}
READ = {
    "web": {"sealed"},
    "solver": {"answers", "attempts", "submissions", "attempt_claims", "papers", "sealed"},
    "grader": {"answers", "attempts", "submissions", "sealed"},
}


@pytest.fixture(scope="module", params=COMPONENTS)
def component(request: pytest.FixtureRequest) -> str:
    """Each component that has a role."""
    return str(request.param)


@pytest.fixture(scope="module")
def session(component: str, cassandra: Cassandra, cassandra_env: dict[str, str]) -> Iterator[Session]:
    """A session with the component's role."""
    settings = settings_from(cassandra.ring.variables(component))
    cluster = make_cluster(settings, request_timeout=30)
    yield connect_cluster(cluster, settings)
    cluster.shutdown()


def _may(session: Session, statement: str) -> bool:
    try:
        session.execute(statement, {"id": SITTING})
    except Unauthorized:
        return False
    except InvalidRequest as error:
        if "Guardrail drop_truncate_table_enabled violated" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_component_reads_and_writes_its_tables_alone(component: str, session: Session, table: str) -> None:
    """If a component is taken over, it can read and write the tables of its task and no other."""
    assert _may(session, f"SELECT * FROM exam.{table} LIMIT 1") is (table in READ[component])  # noqa: S608 - a constant
    assert _may(session, f"INSERT INTO exam.{table} {ROWS[table]}") is (table in WRITTEN[component])


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE exam.mine (id int PRIMARY KEY)",
        "ALTER TABLE exam.answers ADD mine int",
        "DROP TABLE exam.answers_late",
        "DROP KEYSPACE exam",
        "CREATE KEYSPACE mine WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE ROLE mine WITH PASSWORD = 'mine' AND LOGIN = true",
        "ALTER ROLE exam WITH PASSWORD = 'mine'",
        "GRANT MODIFY ON exam.sealed TO exam_solver",
        "GRANT exam TO exam_solver",
        "SELECT * FROM system_auth.roles",
        "SELECT * FROM exam.schema_version",
        "INSERT INTO exam.schema_lock (name, holder) VALUES ('migrate', %(id)s)",
        *(f"TRUNCATE exam.{table}" for table in TABLE_NAMES),
    ],
)
def test_no_component_changes_schema_or_roles(session: Session, statement: str) -> None:
    """If a component is taken over, it can neither change schema and roles, nor empty a table, nor read passwords."""
    assert not _may(session, statement)


def test_a_solver_writes_no_seal(cassandra: Cassandra) -> None:
    """A solver reads seals, to decide by them after the seal, and cannot write one; a grader can."""
    empty = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=[], starts=[], submissions=[])
    with pytest.raises(AnswerLogUnavailableError, match=r"exam_solver has no MODIFY permission.*exam\.sealed"):
        _call(cassandra, "solver", lambda log: log.seal(SITTING, 0, empty))
    assert _call(cassandra, "grader", lambda log: log.seal(SITTING, 0, empty)).digest == empty.digest
    sealed = _call(cassandra, "solver", lambda log: log.read_sealed(SITTING, 0))
    assert sealed is not None
    assert sealed.digest == empty.digest


def test_graders_read_what_solvers_write_and_write_none_of_it(cassandra: Cassandra) -> None:
    """A solver records attempts and submissions that a grader counts; a grader can add none."""
    sitting, start, submission = uuid4(), _start(1), Submission(student=1, submitted_at=9, solver=uuid4(), epoch=1)
    _call(cassandra, "solver", lambda log: log.append_start(sitting, 0, start))
    _call(cassandra, "solver", lambda log: log.append_submission(sitting, 0, submission))
    rows = _call(cassandra, "grader", lambda log: log.read_bucket(sitting, 0))
    assert (rows.starts, rows.submissions) == ((start,), (submission,))
    with pytest.raises(AnswerLogUnavailableError, match=r"exam_grader has no MODIFY permission.*exam\.attempts"):
        _call(cassandra, "grader", lambda log: log.append_start(sitting, 0, start))


def test_web_alone_distributes_papers(cassandra: Cassandra) -> None:
    """Web writes papers, which solvers read, and reads no answers."""
    part = PaperPart(content_type="application/json", data=b"{}")
    with pytest.raises(AnswerLogUnavailableError, match=r"exam_solver has no MODIFY permission.*exam\.papers"):
        _call(cassandra, "solver", lambda log: log.put_paper_part("d", "paper", part))
    _call(cassandra, "web", lambda log: log.put_paper_part("d", "paper", part))
    assert _call(cassandra, "solver", lambda log: log.get_paper_part("d", "paper")) == part
    with pytest.raises(AnswerLogUnavailableError, match=r"exam_web has no SELECT permission"):
        _call(cassandra, "web", lambda log: log.read_bucket(SITTING, 0))


def test_a_solver_that_is_ready_can_read_and_write(cassandra: Cassandra) -> None:
    """The readiness of a solver checks with its own role that a quorum responds."""
    _call(cassandra, "solver", lambda log: log.ping())


def test_creating_the_roles_again_restores_them(cassandra: Cassandra, cassandra_env: dict[str, str]) -> None:
    """If permissions were granted by hand, or a password is new, the next migration makes both as they should be."""
    by_hand = (
        "GRANT MODIFY ON exam.sealed TO exam_solver",
        "GRANT SELECT ON ALL KEYSPACES TO exam_solver",
        "GRANT ALTER ON ALL TABLES IN KEYSPACE exam TO exam_solver",
        "GRANT ALTER ON ROLE exam_web TO exam_solver",
        "GRANT exam_grader TO exam_solver",
        "REVOKE SELECT ON exam.papers FROM exam_solver",
    )
    with cassandra.session() as session:
        before = _granted(session)
        for statement in by_hand:
            session.execute(statement)
        assert _granted(session) != before
        new = cassandra_env | {"EXAM_CASSANDRA_SOLVER_PASSWORD": "another password"}
        try:
            run_python(["-m", "exam_answerlog", "roles"], new)
            assert _granted(session) == before
            former = settings_from(cassandra.ring.variables("solver"))
            eventually(lambda: not _logs_in(former), "the former password is rejected", seconds=20)
            assert _logs_in(former.model_copy(update={"password": "another password"}))
        finally:
            run_python(["-m", "exam_answerlog", "roles"], cassandra_env)
        eventually(lambda: _logs_in(former), "the password is restored", seconds=20)


def test_services_of_the_release_before_continue(cassandra: Cassandra, cassandra_env: dict[str, str]) -> None:
    """If I upgrade a release whose services all connect as the superuser, they continue while the roles are created."""
    sitting = uuid4()

    async def run() -> int:
        log = CassandraAnswerLog.connect(settings_from(cassandra.ring.variables()))
        try:
            await log.append_start(sitting, 0, _start(1))
            await asyncio.to_thread(run_python, ["-m", "exam_answerlog", "roles"], cassandra_env)
            await log.append_start(sitting, 0, _start(2))
            return len((await log.read_bucket(sitting, 0)).starts)
        finally:
            await log.close()

    assert asyncio.run(run()) == 2


def test_a_missing_password_is_named(cassandra_env: dict[str, str]) -> None:
    """If a password is not set, the command names its variable and creates no role."""
    incomplete = {name: value for name, value in cassandra_env.items() if name != "EXAM_CASSANDRA_GRADER_PASSWORD"}
    with pytest.raises(Exception, match="EXAM_CASSANDRA_GRADER_PASSWORD is not set"):
        run_python(["-m", "exam_answerlog", "roles"], incomplete)


def test_the_permissions_of_an_external_cassandra_are_documented() -> None:
    """If I create the roles of my own Cassandra as docs/operations.md lists them, they have the same permissions."""
    page = (REPOSITORY / "docs/operations.md").read_text()
    granted: dict[str, dict[str, set[str]]] = {}
    for names, table, role in re.findall(r"^GRANT (\w+) ON exam\.(\w+) TO (\w+);$", page, re.MULTILINE):
        granted.setdefault(role, {}).setdefault(table, set()).add(names)
    assert granted == PERMISSIONS


def _start(student: int) -> Start:
    return Start(student=student, started_at=5, solver=uuid4(), epoch=1, seed=7)


def _granted(session: Session) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """What the solver's role may do, and the roles that it is a member of."""
    query = "SELECT resource, permissions FROM system_auth.role_permissions WHERE role = 'exam_solver'"
    permissions = {resource: frozenset(names or ()) for resource, names in session.execute(query)}
    (members,) = session.execute("SELECT member_of FROM system_auth.roles WHERE role = 'exam_solver'").one()
    return {resource: names for resource, names in permissions.items() if names}, frozenset(members or ())


def _logs_in(settings: CassandraSettings) -> bool:
    cluster = make_cluster(settings, request_timeout=10)
    try:
        connect_cluster(cluster, settings)
    except NoHostAvailable:
        return False
    finally:
        cluster.shutdown()
    return True


def _call(cassandra: Cassandra, component: str, call: Callable[[CassandraAnswerLog], Awaitable[Result]]) -> Result:
    """Call a method of the answer log with a component's role."""

    async def run() -> Result:
        log = CassandraAnswerLog.connect(settings_from(cassandra.ring.variables(component)))
        try:
            return await call(log)
        finally:
            await log.close()

    return asyncio.run(run())
