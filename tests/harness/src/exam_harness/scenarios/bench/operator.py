"""``python -m exam_harness.scenarios.bench.operator``: the operator's latency when many Exams open in one second.

One Exam first, then many in the same run and on the same machine; the result is how much longer the last of many waits
than a single one. The benchmark checks only that all Exams are opened and closed.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from exam_harness.environments.control_plane.exam_crd import exam_cluster
from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.reporting.report import quantiles
from exam_harness.scenarios.reporting.run_context import Echo, run_folder, running_stack
from exam_harness.scenarios.sitting.accounts import new_accounts
from exam_harness.scenarios.sitting.exam_phases import PhaseLog, watch_exams
from exam_harness.scenarios.sitting.platform_client import PAPERS, PlatformClient
from exam_harness.waiting import eventually

FOLDER = REPOSITORY / "build/bench-operator"
PAPER = PAPERS / "geometry-201.yaml"
LEVELS = ("year-1", "year-2")
WINDOW_SECONDS = 30
LEAD_SECONDS = 10
"""From applying the last Exam to the opening: all must be provisioned by then, or the run fails."""
APPLY_PER_EXAM = 0.25
WITHIN_SECONDS = 60
NAMESPACE = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Milliseconds between the scheduled and the actual opening and close, by quantile."""

    exams: int
    opened: Mapping[str, float]
    closed: Mapping[str, float]


class Bench:
    """Runs rounds of Exams on a stack and a control plane."""

    def __init__(self, operator_namespace: OperatorNamespace, owner: str, folder: Path) -> None:
        self._stack = operator_namespace.stack
        self._owner = owner
        self._folder = folder
        self._cluster = operator_namespace.control_plane
        self._phases = PhaseLog(lambda: time.time_ns() // 1000)

    def round(self, name: str, exams: int, step: Step) -> Delays:
        """Run so many sittings in the same window; returns how late each reached the phase Open, and was closed."""
        names = [f"{name}-{number:03}" for number in range(exams)]
        step.update("loading exams")
        for each in names:
            self._load_exam(each)
        opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LEAD_SECONDS + exams * APPLY_PER_EXAM)
        closes_at = opens_at + timedelta(seconds=WINDOW_SECONDS)
        log = self._folder / f"{name}.log"
        with watch_exams(self._cluster.kubectl_env(), NAMESPACE, log, phases=self._phases, echo=lambda _: None):
            items = [_exam(each, opens_at, closes_at) for each in names]
            step.update("applying Exams")
            body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            self._cluster.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=body, seconds=300)
            self._await("Warming", names, step)
            if datetime.now(UTC) > opens_at:
                raise SystemExit("not all exams were provisioned when the window opened: the result is invalid")
            self._await("Open", names, step)
            closed = eventually(lambda: self._closed(names), "all are closed", seconds=WINDOW_SECONDS + WITHIN_SECONDS)
        opened_at = opens_at.timestamp()
        return Delays(
            exams=exams,
            opened=quantiles([self._phases.first_seen[each]["Open"] / 1e6 - opened_at for each in names]),
            closed=quantiles(closed),
        )

    def _await(self, phase: str, names: Sequence[str], step: Step) -> None:
        def all_reached() -> bool:
            reached = sum(self._phases.reached(name, phase) for name in names)
            step.update(f"{reached} of {len(names)} are {phase}")
            return reached == len(names)

        eventually(all_reached, f"all are {phase}", seconds=WITHIN_SECONDS + len(names) * APPLY_PER_EXAM)

    def _closed(self, names: Sequence[str]) -> list[float] | None:
        """Seconds between the scheduled and the actual close of each sitting; None while some are open."""
        with psycopg.connect(self._stack.postgres.dsn()) as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM s.closed_at - s.closes_at) FROM sittings_sitting s"
                " JOIN exams_exam e ON e.id = s.exam_id WHERE e.slug = ANY(%s) AND s.closed_at IS NOT NULL",
                [list(names)],
            ).fetchall()
        return [float(seconds) for (seconds,) in rows] if len(rows) == len(names) else None

    def _load_exam(self, slug: str) -> None:
        document = PAPER.read_text().replace("exam: geometry-201\n", f"exam: {slug}\n")
        headers = {
            "Host": "localhost",
            "Authorization": f"Bearer {self._stack.service_token}",
            "Exam-Namespace": NAMESPACE,
        }
        url = f"{self._stack.internal_url}/internal/exams?owner={self._owner}"
        httpx.put(url, content=document.encode(), headers=headers, timeout=30, trust_env=False).raise_for_status()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.bench.operator", description=__doc__)
    parser.add_argument("--exams", type=int, default=200, help="number of Exams that open in one second (%(default)s)")
    exams: int = parser.parse_args(arguments).exams
    console = Console()
    with run_folder("bench-operator", FOLDER, console) as folder, ExitStack() as resources:
        progress = resources.enter_context(Progress(console))

        def make(echo: Echo) -> Stack:
            return Stack(folder / "run", beat=False, echo=echo)

        stack = resources.enter_context(running_stack(progress, make))
        with progress.step("Kubernetes, operator"):
            accounts = new_accounts(2, LEVELS)
            PlatformClient(stack).load_accounts(accounts)
            control_plane = resources.enter_context(exam_cluster(stack.folder))
            control_plane.create_namespace(NAMESPACE)
            operator_namespace = OperatorNamespace(control_plane, stack, "exam-platform")
            operator = operator_namespace.operator()
            resources.callback(operator.stop)
            operator.start()
            operator.await_ready()
        bench = Bench(operator_namespace, accounts.doctors[0].username, stack.logs)
        with progress.step("one Exam") as step:
            alone = bench.round("alone", 1, step)
        with progress.step(f"{exams} Exams") as step:
            many = bench.round("many", exams, step)
        progress.close()
        (FOLDER / "report.json").write_text(json.dumps({"alone": asdict(alone), "many": asdict(many)}, indent=2) + "\n")
        console.print(_table(alone, many))
    return 0


def _table(alone: Delays, many: Delays) -> Table:
    table = Table(title=f"Latency in milliseconds: one Exam, {many.exams} at once, and their ratio")
    for column in ("", "alone", *(f"{name} of {many.exams}" for name in many.opened), "max / alone"):
        table.add_column(column, justify="right")
    for label, one, all_ in (("opened", alone.opened, many.opened), ("closed", alone.closed, many.closed)):
        values = [one["max"], *all_.values()]
        ratio = all_["max"] / max(one["max"], 1)
        table.add_row(label, *(f"{value:.0f}" for value in values), f"{ratio:.1f}")
    return table


def _exam(name: str, opens_at: datetime, closes_at: datetime) -> Mapping[str, Any]:
    window = {"opensAt": opens_at.isoformat(), "closesAt": closes_at.isoformat(), "duration": "30s"}
    return {
        "apiVersion": "examplatform.dev/v1alpha1",
        "kind": "Exam",
        "metadata": {"name": name},
        "spec": {"exam": name, "window": window, "candidates": 10},
    }


if __name__ == "__main__":
    sys.exit(main())
