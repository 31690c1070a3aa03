"""What `exam check`, `exam import`, `exam export` and `exam schema` do; each returns the exit code."""

import argparse
import sys
from collections.abc import Iterable

from exam_cli.questions.files import FaultyFileError, read_bytes, read_exam_document, read_questions, write_bytes
from exam_core.authored import AuthoredExam
from exam_core.authoring.exam import ExamDocument
from exam_papers.documents.conversion import is_exam_document, unkept, unstated
from exam_papers.documents.schema import schema_text
from exam_papers.documents.writing import write_exam
from exam_papers.formats import FileQuestion, UnknownFormatError, format_named


def check(arguments: argparse.Namespace) -> int:
    """List faults, warnings and losses of files; 0 if no file has faults, else 1."""
    faulty = False
    for file in arguments.files:
        data = read_bytes(file)
        try:
            count = _checked(file, data, arguments.format)
        except FaultyFileError as error:
            faulty = True
            _report([error])
        else:
            sys.stdout.write(f"{file}: {count} question{'s' if count > 1 else ''}, no faults\n")
    return int(faulty)


def import_(arguments: argparse.Namespace) -> int:
    """Make an exam document of a file of questions.

    Raises:
        FaultyFileError: the file has faults; nothing is written.
    """
    imported = read_questions(arguments.file, read_bytes(arguments.file), arguments.format)
    questions = tuple(each.question for each in imported.questions)
    exam = AuthoredExam(slug=arguments.exam, title=arguments.title, instructions="", questions=questions)
    text = write_exam(ExamDocument(exam=exam, level=arguments.level, images=imported.images))
    read_exam_document("the document", text.encode())
    _report(f"{warning} (a warning)" for warning in imported.warnings)
    _report(f"{arguments.file}: not taken: {loss}" for loss in (*imported.losses, *unkept(imported.questions)))
    write_bytes(text.encode(), arguments.output)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write the questions of an exam document in another format.

    Raises:
        FaultyFileError: the document has faults, or the format is not known.
    """
    document = read_exam_document(arguments.file, read_bytes(arguments.file))
    try:
        form = format_named(arguments.format)
    except UnknownFormatError as error:
        raise FaultyFileError(str(error)) from error
    exported = form.write([FileQuestion(question=each) for each in document.exam.questions], document.images)
    _report(f"{arguments.file}: not written: {loss}" for loss in (*unstated(document.exam), *exported.losses))
    write_bytes(exported.data, arguments.output)
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Write the JSON Schema of exam documents."""
    write_bytes(schema_text().encode(), arguments.output)
    return 0


def _checked(file: str, data: bytes, name: str | None) -> int:
    """Return the number of questions; report warnings and losses."""
    if name is None and is_exam_document(data):
        document = read_exam_document(file, data)
        _report(
            f"{file}: question {question.id} {warning.reason} (a warning)"
            for question in document.exam.questions
            for warning in question.interaction.warnings()
        )
        return len(document.exam.questions)
    imported = read_questions(file, data, name)
    _report(f"{warning} (a warning)" for warning in imported.warnings)
    _report(f"{file}: not taken: {loss}" for loss in (*imported.losses, *unkept(imported.questions)))
    return len(imported.questions)


def _report(lines: Iterable[object]) -> None:
    """Print lines where they do not mix with a file on standard output."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
