"""Each component has a role in Cassandra that may do what the component does, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID

import pytest
from cassandra import Unauthorized
from cassandra.cluster import NoHostAvailable, Session

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.components import PERMISSIONS
from exam_answerlog.log import PaperPart
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.tables import TABLES
from exam_answerlog.testing.settings import settings_from
from exam_core.fold import seal_bucket
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.stack import run_python
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cassandra_env")]

SITTING = UUID("60b1f19f-0000-4000-8000-000000000000")
COMPONENTS = ("web", "solver", "grader")
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
    "papers": "(digest, part) VALUES ('none', 'none')",
    "sealed": "(sitting, bucket, n) VALUES (%(id)s, 7, 0)",
}


@pytest.fixture(scope="module", params=COMPONENTS)
def role(request: pytest.FixtureRequest, cassandra: Cassandra, cassandra_env: dict[str, str]) -> Iterator[tuple]:
    """The name of each component's role, and a session with it."""
    settings = settings_from(cassandra.variables(request.param))
    cluster = make_cluster(settings, request_timeout=30)
    yield f"exam_{request.param}", connect_cluster(cluster, settings)
    cluster.shutdown()


def _may(session: Session, statement: str) -> bool:
    try:
        session.execute(statement, {"id": SITTING})
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_role_reads_and_writes_its_tables_alone(role, table: str) -> None:
    """If a component is taken over, it can read and write the tables of its task and no other."""
    name, session = role
    granted = PERMISSIONS[name].get(table, frozenset())
    assert _may(session, " ".join(("SELECT * FROM", f"exam.{table}", "LIMIT 1"))) is ("SELECT" in granted)
    assert _may(session, f"INSERT INTO exam.{table} {ROWS[table]}") is ("MODIFY" in granted)


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
        "SELECT * FROM system_auth.roles",
        "TRUNCATE exam.sealed",
        "SELECT * FROM exam.schema_version",
    ],
)
def test_no_component_changes_schema_or_roles(role, statement: str) -> None:
    """If a component is taken over, it can change neither the schema nor roles, nor read passwords."""
    name, session = role
    if statement.startswith("TRUNCATE") and name == "exam_grader":
        pytest.skip("Cassandra has no permission to insert without one to truncate")
    assert not _may(session, statement)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_can_probe_cassandra(cassandra: Cassandra, component: str) -> None:
    """The readiness of each component checks with its own role that a quorum responds."""
    _log(cassandra, component, lambda log: log.ping())


def test_a_solver_writes_no_seal(cassandra: Cassandra) -> None:
    """A solver reads seals, to decide by them after the seal, and cannot write one; a grader can."""
    empty = seal_bucket(sitting=SITTING, bucket=0, answers=[], starts=[], submissions=[])
    with pytest.raises(Unauthorized):
        _log(cassandra, "solver", lambda log: log.seal(SITTING, 0, empty))
    assert _log(cassandra, "grader", lambda log: log.seal(SITTING, 0, empty)).digest == empty.digest
    sealed = _log(cassandra, "solver", lambda log: log.read_sealed(SITTING, 0))
    assert sealed is not None
    assert sealed.digest == empty.digest


def test_web_distributes_a_paper_that_solvers_read(cassandra: Cassandra) -> None:
    """Web alone writes papers."""
    part = PaperPart(content_type="application/json", data=b"{}")
    with pytest.raises(Unauthorized):
        _log(cassandra, "solver", lambda log: log.put_paper_part("d", "paper", part))
    _log(cassandra, "web", lambda log: log.put_paper_part("d", "paper", part))
    assert _log(cassandra, "solver", lambda log: log.get_paper_part("d", "paper")) == part


def test_creating_the_roles_again_restores_them(cassandra: Cassandra, cassandra_env: dict[str, str]) -> None:
    """If a permission was granted by hand, or a password is new, the next migration makes both as they should be."""
    grant = "GRANT MODIFY ON exam.sealed TO exam_solver"
    with cassandra.session() as session:
        session.execute(grant)
        assert "MODIFY" in _granted(session)
        new = cassandra_env | {"EXAM_CASSANDRA_SOLVER_PASSWORD": "another password"}
        run_python(["-m", "exam_answerlog", "roles"], new)
        assert _granted(session) == {"SELECT"}
        former = settings_from(cassandra.variables("solver"))
        eventually(lambda: _is_rejected(former), "the former password is rejected", seconds=10)
        run_python(["-m", "exam_answerlog", "roles"], cassandra_env)


def _granted(session: Session) -> set[str]:
    query = "SELECT permissions FROM system_auth.role_permissions WHERE role = 'exam_solver' AND resource = %s"
    return set(session.execute(query, ("data/exam/sealed",)).one()[0])


def _is_rejected(settings) -> bool:
    cluster = make_cluster(settings, request_timeout=10)
    try:
        connect_cluster(cluster, settings)
    except NoHostAvailable:
        return True
    finally:
        cluster.shutdown()
    return False


def _log(cassandra: Cassandra, component: str, call: Callable[[CassandraAnswerLog], Awaitable]):  # noqa: ANN202 - any result
    async def run() -> object:
        log = CassandraAnswerLog.connect(settings_from(cassandra.variables(component)))
        try:
            return await call(log)
        finally:
            await log.close()

    return asyncio.run(run())
