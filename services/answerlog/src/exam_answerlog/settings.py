"""Where Cassandra is, read from the environment: one variable a field, every error names its variable."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

PREFIX = "EXAM_CASSANDRA_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
"""What Cassandra takes as a keyspace unquoted."""


class SettingsError(ValueError):
    """A variable is missing or makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CassandraSettings:
    """How to reach Cassandra and what to expect of it.

    Attributes:
        hosts: contact points, comma-separated in `EXAM_CASSANDRA_HOSTS`; the driver finds the other nodes.
        port: `EXAM_CASSANDRA_PORT`.
        username: `EXAM_CASSANDRA_USERNAME`, together with `password` or not at all.
        password: `EXAM_CASSANDRA_PASSWORD`.
        keyspace: `EXAM_CASSANDRA_KEYSPACE`.
        replication: `EXAM_CASSANDRA_REPLICATION`, copies in the local data centre; used when the keyspace is made.
        timeout_ms: `EXAM_CASSANDRA_TIMEOUT_MS`, how long one request may take.
        local_dc: `EXAM_CASSANDRA_LOCAL_DC`, the data centre whose nodes are asked and whose quorum counts.
    """

    hosts: tuple[str, ...]
    port: int = 9042
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    keyspace: str = "exam"
    replication: int = 1
    timeout_ms: int = 2_000
    local_dc: str = "datacenter1"

    def __post_init__(self) -> None:
        if not self.hosts:
            raise SettingsError(f"{PREFIX}HOSTS is missing: name one or more Cassandra hosts, separated by commas")
        if (self.username is None) != (self.password is None):
            given, missing = ("USERNAME", "PASSWORD") if self.password is None else ("PASSWORD", "USERNAME")
            raise SettingsError(f"{PREFIX}{given} is set but {PREFIX}{missing} is not: set both or neither")
        if not _NAME.fullmatch(self.keyspace):
            raise SettingsError(
                f"{PREFIX}KEYSPACE is {self.keyspace!r}: it must be lower-case letters, digits and underscores, "
                "begin with a letter and have at most 48 characters"
            )

    @property
    def copies(self) -> dict[str, str]:
        """The replication of a keyspace, as Cassandra writes it."""
        return {"class": "NetworkTopologyStrategy", self.local_dc: str(self.replication)}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings from environment variables; empty ones count as not set."""
        given = {name.removeprefix(PREFIX): value for name, value in env.items() if name.startswith(PREFIX) and value}
        return cls(
            hosts=tuple(host.strip() for host in given.get("HOSTS", "").split(",") if host.strip()),
            port=_number(given, "PORT", 9042, highest=65_535),
            username=given.get("USERNAME"),
            password=given.get("PASSWORD"),
            keyspace=given.get("KEYSPACE", "exam"),
            replication=_number(given, "REPLICATION", 1, highest=100),
            timeout_ms=_number(given, "TIMEOUT_MS", 2_000, highest=600_000),
            local_dc=given.get("LOCAL_DC", "datacenter1"),
        )

    @property
    def timeout(self) -> float:
        """How long one request may take, in seconds."""
        return self.timeout_ms / 1_000

    @property
    def address(self) -> str:
        """Where Cassandra is, as errors name it."""
        return ", ".join(f"{host}:{self.port}" for host in self.hosts)


def _number(given: Mapping[str, str], name: str, default: int, *, highest: int) -> int:
    text = given.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= highest:
        raise SettingsError(f"{PREFIX}{name} is {text!r}: it must be a whole number from 1 to {highest}")
    return int(text)
