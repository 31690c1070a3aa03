"""``schedule_sitting``: a sitting where no operator runs, from the command line."""

import secrets
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta

from django.core.management.base import BaseCommand, CommandError

from exam_core.problems import Problem
from exam_web.sittings.distribution import paper_distribute
from exam_web.sittings.services import SittingSpec, sitting_provision

_random = secrets.SystemRandom()


class Command(BaseCommand):
    """Freeze an exam's paper and open a window in which it is answered; on Kubernetes an Exam resource does this."""

    help = "Schedule a sitting of an exam. Its degrees are published by a Doctor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The command's words."""
        parser.add_argument("name", help="the sitting's name")
        parser.add_argument("--exam", required=True, metavar="SLUG", help="the exam")
        parser.add_argument("--opens-at", required=True, type=_instant, metavar="T", help="like 2027-01-15T09:00:00Z")
        parser.add_argument("--closes-at", required=True, type=_instant, metavar="T", help="likewise")
        parser.add_argument("--minutes", required=True, type=float, metavar="M", help="how long one attempt lasts")

    def handle(
        self, *_: object, name: str, exam: str, opens_at: datetime, closes_at: datetime, minutes: float, **__: object
    ) -> None:
        """Schedule it, or say why not."""
        spec = SittingSpec(exam=exam, opens_at=opens_at, closes_at=closes_at, duration=timedelta(minutes=minutes))
        try:
            sitting = sitting_provision(
                name=name, spec=spec, permute=lambda n: _random.sample(range(n), n), absent=True
            )
            paper_distribute(paper=sitting.paper)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"{sitting.id} {sitting.name}: {opens_at.isoformat()} to {closes_at.isoformat()}")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ArgumentTypeError(f"{text} needs its offset from UTC, or a Z")
    return instant
