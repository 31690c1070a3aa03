"""Errors of connecting, which need no Cassandra."""

import socket

import pytest

from exam_answerlog import session
from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.session import DriverPartsMissingError, assert_compiled
from exam_answerlog.settings import CassandraSettings

UNREACHABLE = CassandraSettings(hosts=("127.0.0.1",), port=1)


def test_the_driver_is_compiled() -> None:
    """The wheel that the lock names brings libev and Cython."""
    assert_compiled()


@pytest.mark.parametrize(("part", "name"), [("LibevConnection", "libev"), ("HAVE_CYTHON", "Cython")])
def test_a_driver_without_compiled_parts_is_rejected(part: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the driver was built without a compiler, the process fails at start instead of being slow."""
    monkeypatch.setattr(session, part, None)
    with pytest.raises(DriverPartsMissingError, match=f"without {name}"):
        CassandraAnswerLog.connect(UNREACHABLE)


async def test_an_unresolvable_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If I mistype the host, the error shows it and the variable."""

    def unknown(*_host: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    log = CassandraAnswerLog.connect(CassandraSettings(hosts=("nowhere.invalid",)))
    with pytest.raises(AnswerLogUnavailableError, match=r"nowhere\.invalid:9042 \(EXAM_CASSANDRA_HOSTS\)"):
        await log.ping()
    await log.close()
