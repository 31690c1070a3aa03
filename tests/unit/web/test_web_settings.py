"""Web's settings from environment variables."""

import os
import subprocess
import sys

import pytest

from exam_runtime.settings import SettingsError, load_settings
from exam_web.settings.variables import WebSettings

VARIABLES = {
    "EXAM_DATABASE_URL": "postgresql://web:x@db.example:5433/exam",
    "EXAM_REDIS_URL": "redis://redis.example:6379/0",
    "EXAM_BROKER_URL": "redis://broker.example:6379/0",
    "EXAM_SECRET_KEY": "several words that are hard to guess, 0123456789 and more",
    "EXAM_SIGNING_KEYS_FILE": "/no/such/file",
    "EXAM_STATEMENT_KEYS_FILE": "/no/such/file",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with only the variables that a deployment must set."""
    for name in [name for name in os.environ if name.startswith("EXAM_")]:
        monkeypatch.delenv(name)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def printed(code: str, **more: str) -> str:
    """The output of a fresh process that reads the settings."""
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "exam_web.settings", **VARIABLES, **more}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without one of the required variables web does not start and names it."""
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as raised:
        load_settings(WebSettings)
    assert name in str(raised.value)


@pytest.mark.parametrize("name", ["EXAM_SECRET_KEY", "EXAM_SERVICE_TOKEN"])
def test_a_short_secret_is_rejected_and_not_printed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A secret that could be guessed is rejected; the message names its variable and omits its value."""
    monkeypatch.setenv("EXAM_FORMER_CALLERS_UNTIL", "2030-01-01T00:00:00Z")
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsError) as raised:
        load_settings(WebSettings)
    assert name in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_the_internal_api_has_a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """If I give the internal API the port that the gateway routes to, web does not start and names both variables."""
    monkeypatch.setenv("EXAM_INTERNAL_BIND", "0.0.0.0:8000")
    with pytest.raises(SettingsError, match="EXAM_INTERNAL_BIND must have another port than EXAM_BIND"):
        load_settings(WebSettings)


def test_revocations_must_outlive_refresh_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting a revocation while a refresh token is still valid is rejected at start-up."""
    monkeypatch.setenv("EXAM_REVOCATION_SECONDS", str(48 * 3600))
    monkeypatch.setenv("EXAM_REFRESH_TOKEN_SECONDS", str(49 * 3600))
    with pytest.raises(SettingsError, match="EXAM_REVOCATION_SECONDS must not be less"):
        load_settings(WebSettings)


def test_revocations_must_outlive_the_longest_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting a revocation during an attempt of 24 hours with extra time of 24 hours is rejected at start-up."""
    monkeypatch.setenv("EXAM_REVOCATION_SECONDS", str(47 * 3600))
    with pytest.raises(SettingsError, match="EXAM_REVOCATION_SECONDS"):
        load_settings(WebSettings)


def test_the_grader_needs_no_secrets_of_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grader uses web's models without signing keys."""
    for name in ("EXAM_SECRET_KEY", "EXAM_SIGNING_KEYS_FILE", "EXAM_STATEMENT_KEYS_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("EXAM_COMPONENT", "grader")
    assert load_settings(WebSettings).component == "grader"


@pytest.mark.parametrize("name", ["ACCESS_TOKEN", "REFRESH_TOKEN", "REVOCATION"])
def test_the_lifetimes_of_tokens_have_bounds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A lifetime that reaches beyond the calendar, which would fail every login, stops web at its start."""
    monkeypatch.setenv(f"EXAM_{name}_SECONDS", str(10**12))
    with pytest.raises(SettingsError, match=f"EXAM_{name}_SECONDS"):
        load_settings(WebSettings)


def test_the_database_url_is_used_completely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standby hosts, encoded passwords and TLS parameters of the URL reach libpq."""
    address = "postgresql://web:p%40ss%2Fw%25rd@one.example,two.example:5433/exam?sslmode=verify-full&connect_timeout=3"
    monkeypatch.setenv("EXAM_DATABASE_URL", address)
    database = load_settings(WebSettings).database()
    assert (database["HOST"], database["PORT"]) == ("one.example,two.example", "5432,5433")
    assert (database["USER"], database["PASSWORD"], database["NAME"]) == ("web", "p@ss/w%rd", "exam")
    options = database["OPTIONS"]
    assert (options["sslmode"], options["connect_timeout"]) == ("verify-full", "3")
    assert options["pool"]["max_size"] == 12


def test_settings_need_no_file_and_no_server() -> None:
    """Reading the settings opens no file and no connection, so that tools can read them."""
    code = "from django.conf import settings; print(settings.DATABASES['default']['HOST'], settings.DEBUG)"
    assert printed(code) == "db.example False"


def test_settings_are_secure_by_default() -> None:
    """Cookies need TLS and HSTS is sent, unless EXAM_INSECURE_HTTP is set."""
    names = "SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0"
    code = f"from django.conf import settings; print(settings.{names})"
    assert printed(code) == "True True True"
    assert printed(code, EXAM_INSECURE_HTTP="1") == "False False False"


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If several variables are wrong, one message names all of them."""
    monkeypatch.setenv("EXAM_SECRET_KEY", "short")
    monkeypatch.delenv("EXAM_SIGNING_KEYS_FILE")
    with pytest.raises(SettingsError) as raised:
        load_settings(WebSettings)
    assert "EXAM_SECRET_KEY" in str(raised.value)
    assert "EXAM_SIGNING_KEYS_FILE" in str(raised.value)
