"""Cassandra's address and limits, read from ``EXAM_CASSANDRA_*`` in the environment."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import SettingsConfigDict

from exam_runtime.settings import CommaSeparated, EnvironmentSettings

PREFIX: Final = "EXAM_CASSANDRA_"
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
"""The names that Cassandra accepts for a keyspace or a role without quotes."""


def _identifier(name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(
            f"{name!r} must be lower-case letters, digits and underscores, begin with a letter and have "
            "at most 48 characters"
        )
    return name


class CassandraSettings(EnvironmentSettings):
    """How to reach Cassandra, and its limits.

    Attributes:
        hosts: contact points, separated by commas in the variable; the driver discovers the other nodes.
        port: the port of the CQL protocol, the same on every node.
        username: set together with `password`, or not at all.
        password: the role's password; never part of a repr.
        keyspace: the keyspace that holds all tables.
        replication: copies in the local data centre; used when the keyspace is created.
        timeout_ms: the timeout of one request.
        local_dc: the data centre whose nodes are asked and whose quorum counts.
        tls: whether clients connect by TLS: ``verify-ca`` checks who signed a node's certificate, ``verify-full`` also
            that it is for the node's address.
        tls_ca_file: the certificates of the authorities that sign those of the nodes; by default the system's.
        monitoring_username: the role that ``monitoring-role`` creates, which reads the metrics of nodes.
        monitoring_password: its password; never part of a repr.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    hosts: Annotated[CommaSeparated, Field(min_length=1)]
    port: int = Field(default=9042, ge=1, le=65_535)
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    keyspace: Annotated[str, AfterValidator(_identifier)] = "exam"
    replication: int = Field(default=1, ge=1, le=100)
    timeout_ms: int = Field(default=2_000, ge=1, le=600_000)
    local_dc: str = "datacenter1"
    tls: Literal["off", "verify-ca", "verify-full"] = "off"
    tls_ca_file: Path | None = None
    monitoring_username: Annotated[str, AfterValidator(_identifier)] = "exam_monitoring"
    monitoring_password: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        if (self.username is None) != (self.password is None):
            present, missing = ("USERNAME", "PASSWORD") if self.password is None else ("PASSWORD", "USERNAME")
            raise ValueError(f"{PREFIX}{present} is set but {PREFIX}{missing} is not: set both or neither")
        return self

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if self.tls == "off" and self.tls_ca_file:
            raise ValueError(f"{PREFIX}TLS_CA_FILE is set but {PREFIX}TLS is off: set it to verify-full or verify-ca")
        if self.tls == "verify-ca" and not self.tls_ca_file:
            raise ValueError(
                f"{PREFIX}TLS is verify-ca but {PREFIX}TLS_CA_FILE is not set: any public certificate would do"
            )
        return self

    @property
    def copies(self) -> dict[str, str]:
        """The replication of a keyspace, as CQL writes it."""
        return {"class": "NetworkTopologyStrategy", self.local_dc: str(self.replication)}

    @property
    def timeout(self) -> float:
        """The timeout of one request in seconds."""
        return self.timeout_ms / 1_000

    @property
    def address(self) -> str:
        """The contact points, for messages."""
        return ", ".join(f"{host}:{self.port}" for host in self.hosts)
