"""The students of all sittings of a run: loaded once, logged in once."""

import csv
import io
import secrets
from collections.abc import Mapping

import httpx

from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.nemesis.client import Login
from exam_harness.scenarios.nemesis.exam import LEVEL
from exam_harness.scenarios.sitting.platform_client import STDIN
from exam_harness.scenarios.sitting.store_readers import PostgresReader


def log_in_students(stack: Stack, number: int) -> tuple[Mapping[str, Login], Mapping[str, int]]:
    """Create students and log them in; returns their logins and their ids by username."""
    passwords = {f"nemesis-{index + 1:02}": secrets.token_urlsafe(12) for index in range(number)}
    stack.web_command("load_people", STDIN, "--create-levels", stdin=_csv(passwords))
    with httpx.Client(base_url=stack.web_url, headers={"Host": "localhost"}, timeout=30, trust_env=False) as http:
        logins = {username: _log_in(http, username, password) for username, password in passwords.items()}
    return logins, PostgresReader(stack.postgres.dsn()).students()


def _log_in(http: httpx.Client, username: str, password: str) -> Login:
    body = {"username": username, "password": password}
    tokens = http.post("/api/auth/students/login", json=body).raise_for_status().json()
    return Login(tokens["access"], tokens["refresh"])


def _csv(passwords: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["username", "kind", "level", "password"])
    writer.writerows([username, "student", LEVEL, password] for username, password in passwords.items())
    return text.getvalue()
