"""``load_exam``: import an exam from a YAML document."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from exam_core.documents import decode
from exam_core.problems import Problem
from exam_papers.documents.reading import read_document
from exam_papers.images.acceptance import DocumentImages
from exam_web.exams.selectors import sittings_keeping_papers
from exam_web.exams.services import exam_import
from exam_web.users.models import Doctor, Level


class Command(BaseCommand):
    """Create or update an exam from a document; see docs/papers.md."""

    help = "Create or update an exam from a YAML document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the command's arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--author", help="the user name of the Doctor who is the author")
        parser.add_argument(
            "--namespace",
            action="append",
            default=[],
            dest="namespaces",
            help="a Kubernetes namespace whose Exam resources may hold the exam, beside those it names; repeatable",
        )
        parser.add_argument("--draft", action="store_true", help="do not show a new exam to its level yet")
        parser.add_argument("--create-level", action="store_true", help="create the document's level if missing")

    def handle(
        self,
        *_: object,
        file: Path,
        author: str | None = None,
        namespaces: Sequence[str] = (),
        draft: bool = False,
        create_level: bool = False,
        **__: object,
    ) -> None:
        """Import the document, or fail with every faulty line."""
        doctor = None
        if author is not None:
            doctor = Doctor.objects.named(author)
            if doctor is None:
                raise CommandError(f"Doctor {author!r} does not exist")
        try:
            document = read_document(decode(file.read_bytes()), DocumentImages())
            if create_level:
                Level.objects.get_or_create(slug=document.level, defaults={"name": document.level})
            exam = exam_import(document=document, author=doctor, holders=namespaces, draft=draft)
        except OSError as error:
            raise CommandError(f"cannot read {file}: {error.strerror}") from error
        except Problem as problem:
            raise CommandError(f"{file}: {problem.detail}") from problem
        state = "" if exam.published else " (a draft)"
        self.stdout.write(f"{exam.slug}: {len(document.exam.questions)} questions for {document.level}{state}")
        if names := sittings_keeping_papers(exam):
            self.stdout.write(f"sittings that keep the paper frozen for them: {', '.join(names)}")
