"""``python -m exam_harness.scenarios.dev``: run the platform on this machine with one sitting open.

It prints what a shell needs as ``export`` lines, writes them to ``build/dev/env`` and runs until Ctrl-C.
"""

import shlex
import shutil
import signal
import sys
from pathlib import Path
from time import time

import httpx

from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.sitting.accounts import people_of
from exam_harness.scenarios.sitting.platform_client import PAPERS, Platform
from exam_harness.students.student import Account

SITTING = "algebra-today"
EXAM = "algebra-101"
SECOND = 1_000_000
OPEN_SECONDS = 15
ENVIRONMENT = REPOSITORY / "build/dev/env"


def furnish(stack: Stack) -> dict[str, str]:
    """Give a fresh stack people, an exam and a sitting that is open for two hours; what a shell needs to know of it."""
    people = people_of(2, ("year-1", "year-2"))
    platform = Platform(stack)
    try:
        platform.load_people(people)
        platform.load_exam((PAPERS / f"{EXAM}.yaml").read_text(), people.doctors[0].username)
        now = int(time() * SECOND)
        sitting = platform.provision(
            SITTING,
            exam=EXAM,
            opens_at=now + SECOND // 2,
            closes_at=now + 7200 * SECOND,
            duration=3600 * SECOND,
            candidates=100,
            multiple="all-or-nothing",
        )
    finally:
        platform.close()
    _await_open(stack, sitting, people.students[0])
    return {
        "API": f"http://localhost:{stack.gateway_port}",
        "SOLVER": f"http://solver.localhost:{stack.gateway_port}",
        "SITTING": sitting,
        "STUDENT": people.students[0].username,
        "STUDENT_PASSWORD": people.students[0].password,
        "DOCTOR": people.doctors[0].username,
        "DOCTOR_PASSWORD": people.doctors[0].password,
        "ADMIN": people.staff.username,
        "ADMIN_PASSWORD": people.staff.password,
        "INTERNAL": stack.web.url,
        "SERVICE_TOKEN": stack.secrets.service_token,
    }


def _await_open(stack: Stack, sitting: str, student: Account) -> None:
    """Wait until every solver has heard of the sitting and it has opened."""
    credentials = {"username": student.username, "password": student.password}
    login = httpx.post(f"{stack.web.url}/api/auth/students/login", json=credentials).raise_for_status()
    bearer = {"Authorization": f"Bearer {login.json()['access']}"}
    for solver in stack.solvers:

        def is_open(time_url: str = f"{solver.url}/v1/sittings/{sitting}/time") -> bool:
            answer = httpx.get(time_url, headers=bearer)
            return answer.is_success and answer.json()["now"] >= answer.json()["opens_at"]

        solver.process.await_ready(is_open, seconds=OPEN_SECONDS)


def main() -> None:
    """Start, furnish, wait for Ctrl-C, stop."""
    folder = new_run_folder("dev")
    try:
        with Stack(folder / "run", echo=lambda what: print(f"dev: {what}", flush=True)) as stack:
            exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in furnish(stack).items())
            _keep(exports)
            print(
                f"{exports}\nThe same lines are in {ENVIRONMENT.relative_to(REPOSITORY)}: source it in another shell."
            )
            print(f"Logs: {stack.logs}. Ctrl-C ends everything.", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        ENVIRONMENT.unlink(missing_ok=True)
        shutil.rmtree(folder)


def _keep(exports: str) -> None:
    """Write the lines where only we read them: they hold passwords."""
    ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    Path(ENVIRONMENT).touch(mode=0o600)
    ENVIRONMENT.write_text(exports)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        main()
    except HarnessError as error:
        sys.exit(f"dev: {error}")
    except KeyboardInterrupt:
        sys.exit(0)
