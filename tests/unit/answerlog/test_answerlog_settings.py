"""Settings of Cassandra, from the environment."""

import pytest

from exam_answerlog.__main__ import main
from exam_answerlog.settings import CassandraSettings
from exam_runtime.settings import EXIT_CONFIG, SettingsError, load_settings

VARIABLES = (
    "HOSTS",
    "PORT",
    "USERNAME",
    "PASSWORD",
    "KEYSPACE",
    "REPLICATION",
    "TIMEOUT_MS",
    "LOCAL_DC",
    "TLS",
    "TLS_CA_FILE",
)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> CassandraSettings:
    """The settings that these variables, and no others, give."""
    for name in VARIABLES:
        monkeypatch.delenv(f"EXAM_CASSANDRA_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"EXAM_CASSANDRA_{name}", value)
    return load_settings(CassandraSettings)


def test_hosts_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """I name the hosts: every other setting has a default."""
    assert read(monkeypatch, HOSTS="a, b,") == CassandraSettings(
        hosts=("a", "b"),
        port=9042,
        username=None,
        password=None,
        keyspace="exam",
        replication=1,
        timeout_ms=2_000,
        local_dc="datacenter1",
    )


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """I set every variable, and each is used."""
    monkeypatch.setenv("EXAM_OTHER", "ignored")
    settings = read(
        monkeypatch,
        HOSTS="cassandra",
        PORT="19042",
        USERNAME="exam",
        PASSWORD="secret",
        KEYSPACE="exam_2",
        REPLICATION="3",
        TIMEOUT_MS="500",
        LOCAL_DC="dc1",
    )
    assert settings == CassandraSettings(
        hosts=("cassandra",),
        port=19_042,
        username="exam",
        password="secret",
        keyspace="exam_2",
        replication=3,
        timeout_ms=500,
        local_dc="dc1",
    )
    assert settings.timeout == 0.5
    assert settings.address == "cassandra:19042"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"HOSTS": ""}, "EXAM_CASSANDRA_HOSTS is not set"),
        ({"HOSTS": " , "}, "EXAM_CASSANDRA_HOSTS: .* at least 1 item"),
        ({"PORT": "many"}, "EXAM_CASSANDRA_PORT: .* valid integer"),
        ({"PORT": "70000"}, "EXAM_CASSANDRA_PORT: .* less than or equal to 65535"),
        ({"REPLICATION": "0"}, "EXAM_CASSANDRA_REPLICATION: .* greater than or equal to 1"),
        ({"REPLICATION": "101"}, "EXAM_CASSANDRA_REPLICATION: .* less than or equal to 100"),
        ({"TIMEOUT_MS": "-1"}, "EXAM_CASSANDRA_TIMEOUT_MS: .* greater than or equal to 1"),
        ({"TIMEOUT_MS": "600001"}, "EXAM_CASSANDRA_TIMEOUT_MS: .* less than or equal to 600000"),
        ({"TIMEOUT_MS": "\u0665"}, "EXAM_CASSANDRA_TIMEOUT_MS: .* valid integer"),
        ({"USERNAME": "exam"}, "EXAM_CASSANDRA_USERNAME is set but EXAM_CASSANDRA_PASSWORD is not"),
        ({"PASSWORD": "secret"}, "EXAM_CASSANDRA_PASSWORD is set but EXAM_CASSANDRA_USERNAME is not"),
        ({"KEYSPACE": "exam; DROP"}, "EXAM_CASSANDRA_KEYSPACE: 'exam; DROP' must be lower-case letters"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], message: str) -> None:
    """I made a mistake: the message names the variable and what it must be, and shows no secret."""
    with pytest.raises(SettingsError, match=message) as raised:
        read(monkeypatch, **{"HOSTS": "a", **changes})
    assert "secret" not in str(raised.value)


def test_the_command_names_a_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """I run the command without settings: it names what is not set, without a traceback."""
    monkeypatch.delenv("EXAM_CASSANDRA_HOSTS", raising=False)
    assert main(["check"]) == EXIT_CONFIG
    assert "EXAM_CASSANDRA_HOSTS is not set" in capsys.readouterr().err


def test_the_password_is_not_shown() -> None:
    """Settings in a log or a traceback show no secret."""
    settings = CassandraSettings(hosts=("a",), username="exam", password="secret")
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TLS": "verify-ca"}, "EXAM_CASSANDRA_TLS_CA_FILE is not set"),
        ({"TLS_CA_FILE": "/ca.crt"}, "EXAM_CASSANDRA_TLS is off"),
        ({"TLS": "require"}, "EXAM_CASSANDRA_TLS: Input should be"),
    ],
)
def test_tls_that_verifies_nothing_is_rejected(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    """If my TLS settings would not verify a node, the start names the variable."""
    with pytest.raises(SettingsError, match=message):
        read(monkeypatch, HOSTS="cassandra", **variables)
