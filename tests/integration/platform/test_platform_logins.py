"""Logins during an exam, on real processes: a lost reply, two tabs, a replayed token, a logout."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

WEB = "localhost"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def refresh(platform, tokens: dict[str, str]) -> httpx.Response:
    """Exchange a refresh token."""
    return platform.call("POST", "/api/auth/refresh", host=WEB, json={"refresh": tokens["refresh"]})


def access_reaches(platform, attempt, access: str, status: int) -> None:
    """Wait until every solver responds with a status to an access token."""
    path = f"{attempt.sitting.path}/time"
    for solver in platform.stack.solvers:
        platform.eventually(
            f"{solver.name} responds {status} to the access token",
            lambda base=solver.url: platform.call("GET", path, token=access, base=base).status_code == status,
        )


def save_at_every_solver(platform, attempt, seq: int) -> list[int]:
    """Save an answer at each solver; returns the status codes."""
    question = attempt.question("single")
    return [
        attempt.put(question, {"seq": seq + number, "choices": [0]}, base=solver.url).status_code
        for number, solver in enumerate(platform.stack.solvers)
    ]


def test_a_refresh_whose_reply_was_lost_does_not_touch_the_exam(platform) -> None:
    """I refresh during my exam, the reply is lost, I refresh again, and in two tabs at once: my answers are saved."""
    attempt = platform.start(platform.sitting())
    assert refresh(platform, attempt.tokens).status_code == 200
    again = refresh(platform, attempt.tokens)
    assert again.status_code == 200
    with ThreadPoolExecutor(2) as pool:
        tabs = list(pool.map(lambda _: refresh(platform, again.json()), range(2)))
    assert [tab.status_code for tab in tabs] == [200, 200]
    for tab in tabs:
        access_reaches(platform, attempt, tab.json()["access"], 200)
    assert set(save_at_every_solver(platform, attempt, 1)) == {200}


def test_a_replayed_refresh_token_ends_the_login_and_no_exam(platform) -> None:
    """A stolen refresh token is replayed during my exam: it gives no tokens, my attempt saves, my logout ends it."""
    attempt = platform.start(platform.sitting())
    second = refresh(platform, attempt.tokens).json()
    with psycopg.connect(platform.stack.postgres.dsn()) as connection:
        # The grace passes.
        connection.execute("UPDATE users_loginsession SET rotated_at = rotated_at - interval '1 hour'")
    for tokens in (attempt.tokens, second):
        platform.assert_problem(refresh(platform, tokens), 401, "token-revoked")
    access_reaches(platform, attempt, second["access"], 401)
    assert set(save_at_every_solver(platform, attempt, 1)) == {200}
    logout = platform.call("POST", "/api/auth/logout", host=WEB, json={"refresh": second["refresh"]})
    assert logout.status_code == 204
    platform.eventually(
        "every solver refuses the attempt token",
        lambda: set(save_at_every_solver(platform, attempt, 100)) == {401},
    )
    # A new login resumes the attempt with the answers.
    assert [answer["seq"] for answer in platform.start(attempt.sitting, attempt.account).body["answers"]]
