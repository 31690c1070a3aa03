"""Settings from environment variables; every wrong or missing variable is named at start-up."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar, overload
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BeforeValidator, RedisDsn, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EXIT_CONFIG: Final = os.EX_CONFIG
"""Exit code of a process whose settings are wrong (78, as in sysexits.h): starting it again does not help."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in (part.strip() for part in value.split(",")) if part)
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A field that is written as ``a,b,c`` in its variable; blanks and empty parts are dropped."""


class SettingsError(Exception):
    """One or more variables are missing or wrong; the message has a line for each."""

    @classmethod
    def of(cls, faults: Iterable[str]) -> Self:
        """The error for some faults, each a sentence that names its variable."""
        return cls("\n  ".join(("the settings are not valid:", *faults)))


class EnvironmentSettings(BaseSettings):
    """Variables named ``<PREFIX><FIELD>``; a field that is a span of time has its unit in its name.

    Values are left out of errors, because some are secrets. An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix="EXAM_", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )


class ServiceSettings(EnvironmentSettings):
    """What every service reads."""

    log_level: LogLevel = "INFO"


class RedisSettings(ServiceSettings):
    """What the clients of the cache read."""

    redis_url: RedisDsn
    redis_ca_file: Path | None = None
    """The certificates of the authorities that sign that of a server at ``rediss://``; by default the system's."""

    @property
    def verified_redis_url(self) -> str:
        """The URL for clients, which verify the server's certificate."""
        return verified_url(self.redis_url, self.redis_ca_file)

    @model_validator(mode="after")
    def _ca_file_is_used(self) -> Self:
        _raise_first(unused_ca_files(self, "redis"))
        return self


class BrokerSettings(ServiceSettings):
    """What the clients of the broker read: another Redis, which evicts nothing."""

    broker_url: RedisDsn
    broker_ca_file: Path | None = None
    """As `RedisSettings.redis_ca_file`."""

    @property
    def verified_broker_url(self) -> str:
        """The URL for clients, which verify the server's certificate."""
        return verified_url(self.broker_url, self.broker_ca_file)

    @model_validator(mode="after")
    def _ca_file_is_used(self) -> Self:
        _raise_first(unused_ca_files(self, "broker"))
        return self


def verified_url(redis_url: RedisDsn, ca_file: Path | None) -> str:
    """The URL of a Redis for clients, which verify its certificate.

    Celery would accept any certificate, unless its URL has ``ssl_cert_reqs``.
    """
    url = str(redis_url)
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url
    query = {"ssl_cert_reqs": "required"}
    if ca_file:
        query["ssl_ca_certs"] = str(ca_file)
    return parts._replace(query=urlencode(query | dict(parse_qsl(parts.query)))).geturl()


def unused_ca_files(settings: BaseSettings, *names: str) -> Iterator[str]:
    """What is wrong: ``<name>_ca_file`` is set, and ``<name>_url`` is not one by TLS."""
    for name in names:
        if getattr(settings, f"{name}_ca_file") and not str(getattr(settings, f"{name}_url")).startswith("rediss:"):
            variable = f"EXAM_{name.upper()}"
            yield f"{variable}_CA_FILE is set but {variable}_URL does not begin with rediss://"


def _raise_first(faults: Iterator[str]) -> None:
    for fault in faults:
        raise ValueError(fault)


A = TypeVar("A", bound=BaseSettings)
B = TypeVar("B", bound=BaseSettings)


@overload
def load_settings(first: type[A], /) -> A: ...
@overload
def load_settings(first: type[A], second: type[B], /) -> tuple[A, B]: ...
def load_settings(*classes: type[BaseSettings]) -> Any:
    """Read settings from the environment: one object for one class, a tuple for two.

    Raises:
        SettingsError: with every fault of all classes, not only of the first.
    """
    loaded: list[BaseSettings] = []
    faults: list[str] = []
    for each in classes:
        try:
            loaded.append(each())
        except ValidationError as error:
            faults.extend(_faults(each, error))
    if faults:
        raise SettingsError.of(faults)
    return loaded[0] if len(classes) == 1 else tuple(loaded)


def variable_of(settings: type[BaseSettings], field: str) -> str:
    """The environment variable that a field is read from."""
    alias = settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{settings.model_config.get('env_prefix', '')}{field}".upper()


def _faults(settings: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False):
        message = fault["msg"].removeprefix("Value error, ")
        place = str(fault["loc"][0]) if fault["loc"] else ""
        if not place:
            # A rule about several fields; its message names the variables.
            yield message
        elif fault["type"] == "missing":
            yield f"{_variable(settings, place)} is not set"
        else:
            yield f"{_variable(settings, place)}: {message}"


def _variable(settings: type[BaseSettings], place: str) -> str:
    """The variable of a fault's place, which is the field's name or, where it has one, its alias."""
    return variable_of(settings, place) if place in settings.model_fields else place
