"""Settings from the environment: everything that is wrong is named at once, by its variable."""

from typing import ClassVar

import pytest
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from exam_runtime.settings import (
    BrokerSettings,
    CommaSeparated,
    EnvironmentSettings,
    RedisSettings,
    ServiceSettings,
    SettingsError,
    load_settings,
)


class StoreSettings(EnvironmentSettings):
    """A store's variables, under a prefix of their own."""

    model_config = SettingsConfigDict(env_prefix="EXAM_STORE_")

    hosts: CommaSeparated
    port: int = Field(9042, ge=1, le=65_535)
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr = Field(SecretStr(""), validation_alias="EXAM_TOKEN", max_length=8)

    @model_validator(mode="after")
    def _both_or_neither(self) -> "StoreSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("EXAM_STORE_USERNAME and EXAM_STORE_PASSWORD: set both or neither")
        return self


class AppSettings(ServiceSettings):
    """A service's variables."""

    web_url: str
    secrets: ClassVar[set[str]] = set()


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXAM_WEB_URL", "EXAM_LOG_LEVEL", "EXAM_STORE_HOSTS", "EXAM_STORE_PORT", "EXAM_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_every_wrong_variable_of_every_class_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """I mend my environment in one go instead of one variable per start."""
    monkeypatch.setenv("EXAM_STORE_PORT", "70000")
    monkeypatch.setenv("EXAM_LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError) as raised:
        load_settings(AppSettings, StoreSettings)
    assert str(raised.value).splitlines() == [
        "the settings are not valid:",
        "  EXAM_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "  EXAM_WEB_URL is not set",
        "  EXAM_STORE_HOSTS is not set",
        "  EXAM_STORE_PORT: Input should be less than or equal to 65535",
    ]


def test_a_secret_never_appears_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is reported by the name of its variable, without its value."""
    monkeypatch.setenv("EXAM_STORE_HOSTS", "a")
    monkeypatch.setenv("EXAM_TOKEN", "much-too-long-a-secret")
    with pytest.raises(SettingsError, match="EXAM_TOKEN: ") as raised:
        load_settings(StoreSettings)
    assert "much-too-long" not in str(raised.value)


def test_a_rule_about_two_variables_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """A username without a password is refused with a sentence that says what to set."""
    monkeypatch.setenv("EXAM_STORE_HOSTS", "a")
    monkeypatch.setenv("EXAM_STORE_USERNAME", "u")
    with pytest.raises(SettingsError, match="  EXAM_STORE_USERNAME and EXAM_STORE_PASSWORD: set both or neither"):
        load_settings(StoreSettings)


def test_values_are_read_lists_are_split_and_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts are separated by commas; a variable that a template left empty has its default."""
    monkeypatch.setenv("EXAM_STORE_HOSTS", "a, b,,c")
    monkeypatch.setenv("EXAM_STORE_PORT", "")
    monkeypatch.setenv("EXAM_WEB_URL", "http://web")
    app, store = load_settings(AppSettings, StoreSettings)
    assert (app.web_url, app.log_level) == ("http://web", "INFO")
    assert (store.hosts, store.port) == (("a", "b", "c"), 9042)
    assert load_settings(StoreSettings) == store


def _redis(url: str, ca_file: str | None = None) -> RedisSettings:
    return RedisSettings.model_validate({"redis_url": url, "redis_ca_file": ca_file})


def _broker(url: str, ca_file: str | None = None) -> BrokerSettings:
    return BrokerSettings.model_validate({"broker_url": url, "broker_ca_file": ca_file})


def test_redis_by_tls_is_verified() -> None:
    """If the URL of a Redis is rediss://, every client is instructed to verify the certificate, Celery too."""
    for verified in (
        lambda *values: _redis(*values).verified_redis_url,
        lambda *values: _broker(*values).verified_broker_url,
    ):
        assert verified("redis://:p@r:1/0") == "redis://:p@r:1/0"
        assert verified("rediss://:p@r:1/0") == "rediss://:p@r:1/0?ssl_cert_reqs=required"
        assert (
            verified("rediss://r:1/0?timeout=5", "/ca.crt")
            == "rediss://r:1/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.crt&timeout=5"
        )
    with pytest.raises(ValueError, match="EXAM_REDIS_URL does not begin with rediss://"):
        _redis("redis://r:1/0", "/ca.crt")
    with pytest.raises(ValueError, match="EXAM_BROKER_URL does not begin with rediss://"):
        _broker("redis://r:1/0", "/ca.crt")
