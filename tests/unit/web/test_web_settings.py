"""What web reads from its environment, and what it makes of it."""

import os
import subprocess
import sys

import pytest

from exam_runtime.settings import SettingsError, load_settings
from exam_web.settings.variables import WebSettings

GOOD = {
    "EXAM_DATABASE_URL": "postgresql://web:x@db.example:5433/exam",
    "EXAM_REDIS_URL": "redis://redis.example:6379/0",
    "EXAM_SECRET_KEY": "several words that nobody could guess, 0123456789 and more",
    "EXAM_SERVICE_TOKEN": "other words that nobody could guess, 9876543210 and more",
    "EXAM_SIGNING_KEYS_FILE": "/no/such/file",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with nothing but what a deployment must give."""
    for name in [name for name in os.environ if name.startswith("EXAM_")]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def shown(code: str, **more: str) -> str:
    """What a fresh process prints after it read the settings."""
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "exam_web.settings", **GOOD, **more}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without one of the variables it needs, web stops at once and says which."""
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as refused:
        load_settings(WebSettings)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["EXAM_SECRET_KEY", "EXAM_SERVICE_TOKEN"])
def test_a_short_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A secret that could be guessed is none; the message names it and keeps it."""
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsError) as refused:
        load_settings(WebSettings)
    assert name in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_revocation_must_outlive_the_tokens_it_revokes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting a revocation while a refresh token still lives is refused at start-up."""
    monkeypatch.setenv("EXAM_REVOCATION_SECONDS", str(24 * 3600))
    monkeypatch.setenv("EXAM_REFRESH_TOKEN_SECONDS", str(25 * 3600))
    with pytest.raises(SettingsError, match="EXAM_REVOCATION_SECONDS"):
        load_settings(WebSettings)


def test_the_grader_needs_none_of_webs_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grader works on web's models without a key to sign with or a token to show."""
    for name in ("EXAM_SECRET_KEY", "EXAM_SERVICE_TOKEN", "EXAM_SIGNING_KEYS_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("EXAM_COMPONENT", "grader")
    assert load_settings(WebSettings).component == "grader"


def test_a_database_address_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standby hosts, encoded passwords and TLS parameters of the address all reach PostgreSQL's client."""
    address = "postgresql://web:p%40ss%2Fw%25rd@one.example,two.example:5433/exam?sslmode=verify-full&connect_timeout=3"
    monkeypatch.setenv("EXAM_DATABASE_URL", address)
    database = load_settings(WebSettings).database()
    assert (database["HOST"], database["PORT"]) == ("one.example,two.example", "5432,5433")
    assert (database["USER"], database["PASSWORD"], database["NAME"]) == ("web", "p@ss/w%rd", "exam")
    options = database["OPTIONS"]
    assert (options["sslmode"], options["connect_timeout"]) == ("verify-full", "3")
    assert options["pool"]["max_size"] == 12


def test_settings_reach_for_no_file_and_no_server() -> None:
    """Reading the settings with addresses that lead nowhere succeeds: tools may read them."""
    code = "from django.conf import settings; print(settings.DATABASES['default']['HOST'], settings.DEBUG)"
    assert shown(code) == "db.example False"


def test_secure_is_what_one_gets_without_asking() -> None:
    """Cookies want TLS and browsers are told to insist on it, unless the local stack says otherwise."""
    names = "SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0"
    code = f"from django.conf import settings; print(settings.{names})"
    assert shown(code) == "True True True"
    assert shown(code, EXAM_INSECURE_HTTP="1") == "False False False"
