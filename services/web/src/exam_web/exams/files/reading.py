"""Read a file of questions or an exam document, with all its faults in one form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from exam_core.authored import AuthoredQuestion
from exam_core.authoring.exam import AcceptedImage, ExamDocument
from exam_core.documents import decode
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.notation import AcceptedNumberError, accepted_text
from exam_core.questions.numeric import Numeric
from exam_core.validation import count_fault
from exam_papers.documents.conversion import is_exam_document, unkept
from exam_papers.documents.reading import read_document
from exam_papers.formats import Finding, Imported, ImportFaults, Loss, UnknownFormatError, detect, format_named
from exam_papers.formats.archives import expanded_size
from exam_papers.formats.encoding import refusal
from exam_papers.images.acceptance import DocumentImages
from exam_web.exams.files.schemas import FileFault
from exam_web.exams.rendering import text_faults

DOCUMENT: Final = "yaml"
"""The name of the format of exam documents."""
MAX_LISTED: Final = 100
"""Faults that are listed; a longer list would not be read."""
MAX_EXPANDED: Final = 20_000_000
"""Bytes of the files of an archive. Less than elsewhere: XML takes ten times as many in memory, which web has not."""
_reading: Final = Lock()
"""One file of questions is read at a time: archives and XML take many times their size in memory."""


class FileFaultsError(Exception):
    """A file that cannot be imported, with every reason."""

    def __init__(self, faults: Sequence[FileFault], form: str | None) -> None:
        self.faults = _shortened(faults)
        super().__init__("; ".join(map(_sentence, self.faults)))
        self.format = form

    def problem(self) -> Problem:
        """The problem that lists the faults."""
        listed = [fault.model_dump(exclude_none=True) | {"line": fault.line} for fault in self.faults]
        return Problem(ProblemKind.PAPER_INVALID, str(self), faults=listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What a file contains; `document` is None for a file of questions."""

    file: str
    format: str
    questions: tuple[AuthoredQuestion, ...]
    images: Mapping[str, AcceptedImage]
    document: ExamDocument | None = None
    warnings: tuple[FileFault, ...] = ()
    losses: tuple[Loss, ...] = ()


def read_file(*, file: str, data: bytes, form: str | None) -> FileContent:
    """Read a file; `form` is its format, None to recognise it.

    Raises:
        FileFaultsError: it has faults, or is in no known format.
    """
    if form == DOCUMENT or (form is None and is_exam_document(data)):
        return _read_document(file, data)
    name = form
    try:
        with _reading:
            if expanded_size(data, file) > MAX_EXPANDED:
                raise refusal(file, f"the files of the archive have more than {MAX_EXPANDED} bytes: divide it")
            named = format_named(form) if form else detect(file, data)
            name = named.name
            imported = named.read(data, file=file, accept_image=DocumentImages())
    except UnknownFormatError as error:
        raise FileFaultsError([FileFault(file=file, line=None, reason=_unprefixed(str(error), file))], None) from error
    except ImportFaults as error:
        raise FileFaultsError([_finding(each) for each in error.faults], name) from error
    questions = tuple(each.question for each in imported.questions)
    # Before their texts are checked, which is slow.
    if reason := count_fault(len(questions)):
        raise FileFaultsError([FileFault(file=file, line=None, reason=reason)], name)
    if faults := list(_question_faults(file, questions)):
        raise FileFaultsError(faults, name)
    return FileContent(
        file=file,
        format=named.name,
        questions=questions,
        images=imported.images,
        warnings=tuple(map(_finding, imported.warnings)),
        losses=_losses(imported),
    )


def _losses(imported: Imported) -> tuple[Loss, ...]:
    return (*imported.losses, *unkept(imported.questions))


def _read_document(file: str, data: bytes) -> FileContent:
    try:
        document = read_document(decode(data), DocumentImages())
    except Problem as problem:
        listed = problem.extra.get("faults")
        faults = [FileFault(file=file, **each) for each in listed] if isinstance(listed, list) else []
        raise FileFaultsError(faults or [FileFault(file=file, line=None, reason=problem.detail)], DOCUMENT) from problem
    warnings = tuple(
        FileFault(file=file, line=None, question=question.id, reason=warning.reason)
        for question in document.exam.questions
        for warning in question.interaction.warnings()
    )
    return FileContent(
        file=file,
        format=DOCUMENT,
        questions=document.exam.questions,
        images=document.images,
        document=document,
        warnings=warnings,
    )


def _question_faults(file: str, questions: Iterable[AuthoredQuestion]) -> Iterable[FileFault]:
    """Yield the faults of texts, and numbers that cannot be stored; readers of files check the rest."""
    for question in questions:
        for reason in text_faults(question):
            yield FileFault(file=file, line=None, question=question.id, reason=reason)
        if isinstance(question.interaction, Numeric):
            for entry in question.interaction.accepted:
                try:
                    accepted_text(entry)
                except AcceptedNumberError as error:
                    yield FileFault(
                        file=file, line=None, question=question.id, reason=f"has an accepted number: {error}"
                    )


def _finding(finding: Finding) -> FileFault:
    return FileFault(
        file=finding.file,
        line=finding.place.line,
        column=finding.place.column or None,
        sheet=finding.place.sheet or None,
        question=finding.question,
        reason=finding.reason,
    )


def _sentence(fault: FileFault) -> str:
    column = f", column {fault.column}" if fault.column else ""
    line = "" if fault.line is None else f", line {fault.line}{column}"
    question = f"question «{fault.question}» " if fault.question else ""
    return f"{fault.file}{line}: {question}{fault.reason}"


def _shortened(faults: Sequence[FileFault]) -> list[FileFault]:
    rest = len(faults) - MAX_LISTED
    if rest <= 0:
        return list(faults)
    more = FileFault(file=faults[MAX_LISTED].file, line=faults[MAX_LISTED].line, reason=f"and {rest} more from here on")
    return [*faults[:MAX_LISTED], more]


def _unprefixed(message: str, file: str) -> str:
    return message.removeprefix(f"{file}: ")
