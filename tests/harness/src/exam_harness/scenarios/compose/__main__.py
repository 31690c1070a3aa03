"""``python -m exam_harness.scenarios.compose``: run a sitting on real Docker Compose.

Exit codes: 0 every degree is the oracle's and nothing is left; 1 anything else.
"""

import asyncio
import sys
from contextlib import ExitStack

from rich.console import Console

from exam_harness.environments.builds.binaries import COMPOSE
from exam_harness.environments.builds.go import build
from exam_harness.environments.cluster.up import registry_available
from exam_harness.environments.compose.admin_client import AdminClient
from exam_harness.environments.compose.project import Project
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker import images
from exam_harness.environments.processes.cache import cache_lock
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.oracle.checker import Mismatch, SeenDegree
from exam_harness.oracle.history import Book
from exam_harness.oracle.scoring import ALL_OR_NOTHING
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import print_failures
from exam_harness.scenarios.sitting.accounts import People, people_of
from exam_harness.scenarios.sitting.checks import REVISION, Scheduled, collect, degree_of, judge_sitting
from exam_harness.scenarios.sitting.journey import degrees_shown, log_in, rooms_of
from exam_harness.scenarios.sitting.platform_client import Platform
from exam_harness.scenarios.sitting.samples import Sample, read_samples
from exam_harness.scenarios.sitting.store_readers import Postgres
from exam_harness.students.clock import SECOND, rfc3339
from exam_harness.students.cohort import crowd_of
from exam_harness.waiting import eventually

NAME = "exam-compose-check"
STUDENTS = 40
LEAD_SECONDS = 15
ATTEMPT_SECONDS = 24
WINDOW_SECONDS = 120
"""Longer than anybody needs: it is the Doctor who ends it."""
GRADED_SECONDS = 90


def main() -> int:
    """Run it; the exit code."""
    console = Console(highlight=False)
    with Steps("make test-compose") as steps, ExitStack() as ends:
        echo = steps.echo
        with cache_lock(echo):
            found = engines.find_running()
            engine = engines.start_or_connect(echo)
            if found is None and engine.managed:
                ends.callback(engines.stop, echo)
            from_packages = not registry_available(engine)
            steps.run("compose", lambda: build([COMPOSE], echo))
            if from_packages:
                images.build_bases(engine, echo)
                steps.run("stores' images", lambda: images.build_stores(engine, echo))
        project = Project(engine, NAME, free_ports(1)[0], from_packages=from_packages)
        mismatches = _lived(project, steps, console)
        print_failures(console, mismatches, [f"{len(mismatches)} mismatches"] if mismatches else [])
        left = project.remaining()
        steps.table()
        console.print(f"mismatches: {len(mismatches)}; left behind: {', '.join(left) or 'nothing'}")
    return 1 if mismatches or left else 0


def _lived(project: Project, steps: Steps, console: Console) -> list[Mismatch]:
    """A project's whole life; what the oracle sees otherwise."""
    try:
        steps.echo(f"docker compose up --build, on port {project.gateway_port}")
        steps.run("up", lambda: project.compose("up", "--build", "--detach", "--wait", "--quiet-pull"))
        with Progress(console) as progress:
            mismatches = asyncio.run(_sit(project, progress))
        steps.seconds |= progress.seconds
    except BaseException:
        print(project.compose("logs", "--tail=40"))
        raise
    finally:
        steps.echo("docker compose down --volumes")
        steps.run("down", lambda: project.compose("down", "--volumes"))
    return mismatches


async def _sit(project: Project, progress: Progress) -> list[Mismatch]:
    """Two exams, one for each level; the Doctor of each ends, has it graded, and publishes it."""
    samples = read_samples()
    first, second = (sample.document.level for sample in samples)
    people, book, platform = people_of(STUDENTS, (first, second)), Book(), Platform(project)
    with progress.step("people and exams"):
        await asyncio.to_thread(_load, platform, people, samples)
    async with crowd_of(people.students, port=project.gateway_port, seed=2026, book=book) as crowd:
        with progress.step("logins") as step:
            await log_in(crowd, step)
        with progress.step("schedule"):
            postgres = Postgres(project.dsn())
            opens_at = (postgres.now() // SECOND + LEAD_SECONDS) * SECOND
            scheduled = [_schedule(project, sample, opens_at) for sample in samples]
            rooms = await rooms_of(crowd, scheduled)
        with progress.step("sitting") as step:
            await crowd.sit(rooms)
            step.say(f"{len(book.starts)} students, {book.counts['acknowledgements']} answers acknowledged")
        with progress.step("mark for solving, publish"):
            for sitting, doctor in zip(scheduled, people.doctors, strict=True):
                await asyncio.to_thread(_solve, project, platform, sitting.name, (doctor.username, doctor.password))
        with progress.step("degrees"):
            shown = await degrees_shown(crowd, people.doctors)
    with progress.step("verify") as step:
        degrees: dict[str, list[SeenDegree]] = {each.name: [] for each in scheduled}
        ids = postgres.students()
        for source, row in shown:
            degrees[row["sitting"]].append(degree_of(source, row, ids))
        with project.cassandra() as session:
            evidence = [
                collect(each, postgres=postgres, cassandra=session, shown=degrees[each.name]) for each in scheduled
            ]
        mismatches = [Mismatch("contract", "", sentence) for sentence in book.complaints]
        for each in evidence:
            mismatches += judge_sitting(book, each, jwks=platform.receipt_keys(), ids=ids)
        if not all(each.seal.count and each.degrees for each in evidence):
            raise HarnessError("nothing was sealed or graded: there was nothing to compare")
        step.say(f"{sum(each.seal.count for each in evidence)} answers sealed, {len(shown)} degrees seen")
    platform.close()
    return mismatches


def _load(platform: Platform, people: People, samples: list[Sample]) -> None:
    platform.load_people(people)
    for sample, doctor in zip(samples, people.doctors, strict=True):
        platform.load_exam(sample.text, doctor.username)


def _schedule(project: Project, sample: Sample, opens_at: int) -> Scheduled:
    name, closes_at = sample.name, opens_at + WINDOW_SECONDS * SECOND
    words = ("--exam", sample.document.exam, "--minutes", f"{ATTEMPT_SECONDS / 60}")
    window = ("--opens-at", rfc3339(opens_at), "--closes-at", rfc3339(closes_at))
    said = project.web_command("schedule_sitting", name, *words, *window)
    return Scheduled(
        id=said.split()[0],
        name=name,
        document=sample.document,
        opens_at=opens_at,
        closes_at=closes_at,
        duration=ATTEMPT_SECONDS * SECOND,
        multiple=ALL_OR_NOTHING,
        extra={},
    )


def _solve(project: Project, platform: Platform, sitting: str, doctor: tuple[str, str]) -> None:
    with AdminClient(project.gateway_port) as admin:
        admin.log_in(*doctor)
        admin.act("mark_for_solving", sitting)

        def graded() -> bool:
            revisions = platform.sitting(sitting)["revisions"]
            return any(each["number"] == REVISION and each["state"] == "graded" for each in revisions)

        eventually(graded, f"{sitting} is graded", seconds=GRADED_SECONDS)
        admin.act("publish", sitting)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make test-compose: {error}")
