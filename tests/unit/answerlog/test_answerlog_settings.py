"""Settings from the environment."""

import pytest

from exam_answerlog.__main__ import main
from exam_answerlog.settings import CassandraSettings, SettingsError


def test_hosts_alone_are_enough() -> None:
    """I name a host: everything else has a default."""
    assert CassandraSettings.from_env({"EXAM_CASSANDRA_HOSTS": "a, b,"}) == CassandraSettings(
        hosts=("a", "b"),
        port=9042,
        username=None,
        password=None,
        keyspace="exam",
        replication=1,
        timeout_ms=2_000,
        local_dc="datacenter1",
    )


def test_every_variable_is_read() -> None:
    """I set everything, and everything is used."""
    given = {
        "EXAM_CASSANDRA_HOSTS": "cassandra",
        "EXAM_CASSANDRA_PORT": "19042",
        "EXAM_CASSANDRA_USERNAME": "exam",
        "EXAM_CASSANDRA_PASSWORD": "secret",
        "EXAM_CASSANDRA_KEYSPACE": "exam_2",
        "EXAM_CASSANDRA_REPLICATION": "3",
        "EXAM_CASSANDRA_TIMEOUT_MS": "500",
        "EXAM_CASSANDRA_LOCAL_DC": "dc1",
    }
    read = CassandraSettings.from_env({**given, "EXAM_OTHER": "ignored"})
    assert read == CassandraSettings(
        hosts=("cassandra",),
        port=19_042,
        username="exam",
        password="secret",
        keyspace="exam_2",
        replication=3,
        timeout_ms=500,
        local_dc="dc1",
    )
    assert read.timeout == 0.5
    assert read.address == "cassandra:19042"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"HOSTS": ""}, "EXAM_CASSANDRA_HOSTS is missing"),
        ({"HOSTS": " , "}, "EXAM_CASSANDRA_HOSTS is missing"),
        ({"PORT": "many"}, "EXAM_CASSANDRA_PORT is 'many'"),
        ({"PORT": "70000"}, "EXAM_CASSANDRA_PORT is '70000'"),
        ({"REPLICATION": "0"}, "EXAM_CASSANDRA_REPLICATION is '0'"),
        ({"TIMEOUT_MS": "-1"}, "EXAM_CASSANDRA_TIMEOUT_MS is '-1'"),
        ({"TIMEOUT_MS": "\u0665"}, "EXAM_CASSANDRA_TIMEOUT_MS"),
        ({"USERNAME": "exam"}, "EXAM_CASSANDRA_USERNAME is set but EXAM_CASSANDRA_PASSWORD is not"),
        ({"PASSWORD": "secret"}, "EXAM_CASSANDRA_PASSWORD is set but EXAM_CASSANDRA_USERNAME is not"),
        ({"KEYSPACE": "exam; DROP"}, "EXAM_CASSANDRA_KEYSPACE is 'exam; DROP'"),
    ],
)
def test_a_wrong_variable_is_named(changes: dict[str, str], told: str) -> None:
    """I made a mistake: the message says in which variable, and what it should be."""
    given = {"EXAM_CASSANDRA_HOSTS": "a"} | {f"EXAM_CASSANDRA_{name}": value for name, value in changes.items()}
    with pytest.raises(SettingsError, match=told):
        CassandraSettings.from_env(given)


def test_the_command_names_a_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """I run the command without settings: one line says what is missing, and no traceback hides it."""
    monkeypatch.delenv("EXAM_CASSANDRA_HOSTS", raising=False)
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("EXAM_CASSANDRA_HOSTS is missing")


def test_the_password_is_never_shown() -> None:
    """Settings in a log or a traceback show no secret."""
    settings = CassandraSettings(hosts=("a",), username="exam", password="secret")
    assert "secret" not in repr(settings)
