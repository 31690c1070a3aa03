"""``python -m exam_harness.scenarios.dev``: run the platform as local processes with one open sitting.

Prints URLs and credentials as ``export`` lines, and runs until Ctrl-C. A file, by default ``build/dev/env``, has these
lines and the environment of web, in which ``python -m exam_web`` runs.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from time import time

import httpx

from exam_harness.environments.processes.interrupts import await_interrupt, end_on_sigterm
from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.sitting.accounts import new_accounts
from exam_harness.scenarios.sitting.platform_client import PAPERS, PlatformClient
from exam_harness.students.student import Account

SITTING = "algebra-today"
EXAM = "algebra-101"
SECOND = 1_000_000
OPEN_SECONDS = 15
ENVIRONMENT = REPOSITORY / "build/dev/env"


def seed(stack: Stack) -> dict[str, str]:
    """Load accounts, an exam and a sitting that is open for two hours; returns URLs and credentials for a shell."""
    accounts = new_accounts(2, ("year-1", "year-2"))
    client = PlatformClient(stack)
    try:
        client.load_accounts(accounts)
        client.load_exam((PAPERS / f"{EXAM}.yaml").read_text(), accounts.doctors[0].username)
        now = int(time() * SECOND)
        sitting = client.provision(
            SITTING,
            exam=EXAM,
            opens_at=now + SECOND // 2,
            closes_at=now + 7200 * SECOND,
            duration=3600 * SECOND,
            candidates=100,
            multiple="all-or-nothing",
        )
    finally:
        client.close()
    _await_open(stack, sitting, accounts.students[0])
    return {
        "API": f"http://localhost:{stack.gateway_port}",
        "SOLVER": f"http://solver.localhost:{stack.gateway_port}",
        "SITTING": sitting,
        "STUDENT": accounts.students[0].username,
        "STUDENT_PASSWORD": accounts.students[0].password,
        "DOCTOR": accounts.doctors[0].username,
        "DOCTOR_PASSWORD": accounts.doctors[0].password,
        "ADMIN": accounts.admin.username,
        "ADMIN_PASSWORD": accounts.admin.password,
        "INTERNAL": stack.internal_url,
        "SERVICE_TOKEN": stack.service_token,
    }


def _await_open(stack: Stack, sitting: str, student: Account) -> None:
    """Wait until every solver knows the sitting and it is open."""
    credentials = {"username": student.username, "password": student.password}
    login = httpx.post(f"{stack.web.url}/api/auth/students/login", json=credentials).raise_for_status()
    bearer = {"Authorization": f"Bearer {login.json()['access']}"}
    for solver in stack.solvers:

        def is_open(time_url: str = f"{solver.url}/v1/sittings/{sitting}/time") -> bool:
            response = httpx.get(time_url, headers=bearer)
            return response.is_success and response.json()["now"] >= response.json()["opens_at"]

        solver.process.await_ready(is_open, seconds=OPEN_SECONDS)


def main(environment: Path) -> None:
    """Start and seed the stack, wait for Ctrl-C, stop.

    Args:
        environment: the file for the ``export`` lines.
    """
    folder = new_run_folder("dev")
    try:
        with Stack(folder / "run", echo=lambda message: print(f"dev: {message}", flush=True)) as stack:
            seeded = seed(stack)
            own = {name: value for name, value in stack.web_env.items() if name not in os.environ}
            _write(environment, _exports(own | seeded))
            shown = environment.relative_to(REPOSITORY) if environment == ENVIRONMENT else environment
            print(f"{_exports(seeded)}\nThese lines, and what `python -m exam_web` needs, are in {shown}; source it.")
            print(f"Logs: {stack.logs}. Press Ctrl-C to stop.", flush=True)
            await_interrupt()
    finally:
        environment.unlink(missing_ok=True)
        shutil.rmtree(folder)


def _exports(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _write(file: Path, exports: str) -> None:
    """Write the lines to a file of mode 600: they contain passwords."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(exports)


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description="Run the platform as local processes with one open sitting.")
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="file for the export lines")
    try:
        main(parser.parse_args().environment)
    except HarnessError as error:
        sys.exit(f"dev: {error}")
    except KeyboardInterrupt:
        sys.exit(0)
