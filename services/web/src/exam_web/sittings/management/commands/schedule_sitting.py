"""``schedule_sitting``: schedule a sitting on an installation without the operator."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta

from django.core.management.base import BaseCommand, CommandError

from exam_core.bounds import read_instant, read_minutes
from exam_core.problems import Problem
from exam_web.sittings.distribution import paper_distribute
from exam_web.sittings.services import SittingSpec, sitting_provision


class Command(BaseCommand):
    """Freeze an exam's paper and schedule its window; on Kubernetes an Exam resource does this."""

    help = "Schedules a sitting of an exam. A Doctor publishes its degrees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name", help="name of the sitting")
        parser.add_argument("--exam", required=True, metavar="SLUG", help="slug of the exam")
        parser.add_argument(
            "--opens-at",
            required=True,
            type=_instant,
            metavar="T",
            help="opening, for example 2027-01-15T09:00:00Z",
        )
        parser.add_argument("--closes-at", required=True, type=_instant, metavar="T", help="closing")
        parser.add_argument("--minutes", required=True, type=_minutes, metavar="M", help="duration of an attempt")

    def handle(
        self,
        *_: object,
        name: str,
        exam: str,
        opens_at: datetime,
        closes_at: datetime,
        minutes: timedelta,
        **__: object,
    ) -> None:
        """Schedule the sitting."""
        spec = SittingSpec(exam=exam, opens_at=opens_at, closes_at=closes_at, duration=minutes)
        try:
            sitting = sitting_provision(name=name, spec=spec, absent=True)
            paper_distribute(paper=sitting.paper)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"{sitting.id} {sitting.name}: {opens_at.isoformat()} to {closes_at.isoformat()}")


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _minutes(text: str) -> timedelta:
    try:
        return read_minutes(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
