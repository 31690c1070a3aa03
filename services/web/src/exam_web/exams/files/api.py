"""The API of files of questions: each operation validates the request and calls one function."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Status

from exam_core import limits
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.files.exporting import CONTENT_TYPES, exam_export
from exam_web.exams.files.importing import file_import
from exam_web.exams.files.reading import FileFaultsError, read_file
from exam_web.exams.files.schemas import (
    ExportLosses,
    FileImported,
    FileLoss,
    FormatName,
    ImportOptions,
    QuestionRead,
)
from exam_web.exams.models import Exam
from exam_web.exams.selectors import exams_visible_to
from exam_web.users.authentication import PersonAuth, person_of
from exam_web.users.models import User

router = Router(tags=["exams"], auth=PersonAuth())

Slug = Annotated[str, Field(max_length=limits.MAX_SLUG, pattern=limits.SLUG_PATTERN)]
LOSSES: Final = "Exam-Losses"
"""The header with the number of losses."""
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, at most 5 MiB",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_FILE: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": f"The file; `{LOSSES}` is how many things the format does not state, `Link` lists them",
            "headers": {LOSSES: {"schema": {"type": "integer"}}},
            "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in CONTENT_TYPES},
        }
    }
}


@router.post(
    "/exams/{slug}/import",
    response={200: FileImported, 201: FileImported},
    openapi_extra=_BODY,
    operation_id="exam_file_import",
)
def file_import_(
    request: HttpRequest,
    slug: Path[Slug],
    options: Query[ImportOptions],
) -> Status[FileImported]:
    """Import a file of questions or an exam document into your draft with this slug; without one, create it.

    The body is the file. All or nothing: with faults, the problem `paper-invalid` lists every one, and nothing is
    stored. With `dry_run` nothing is stored in any case, and the faults are a part of the answer.
    """
    author = person_of(request).doctor
    if request.content_type == "multipart/form-data":
        raise Problem(ProblemKind.INVALID, "send the file itself as the body, not a form: curl --data-binary @FILE")
    try:
        content = read_file(file=options.file, data=request.body, form=options.format)
        outcome = file_import(slug=slug, author=author, content=content, options=options)
    except FileFaultsError as error:
        if not options.dry_run:
            raise error.problem() from error
        body = FileImported(
            exam=slug, format=error.format, stored=False, created=False, questions=[], faults=error.faults
        )
        return Status(200, body)
    body = FileImported(
        exam=slug,
        format=content.format,
        stored=not options.dry_run,
        created=outcome.created,
        questions=[QuestionRead.of(question) for question in outcome.questions],
        warnings=list(content.warnings),
        losses=[FileLoss.of(loss) for loss in (*content.losses, *outcome.losses)],
    )
    return Status(201 if outcome.created and not options.dry_run else 200, body)


@router.get("/exams/{slug}/export", openapi_extra=_FILE)
def exam_file_export(request: HttpRequest, slug: str, format: FormatName) -> HttpResponse:  # noqa: A002 - the parameter
    """Export an exam with its keys, for its author and staff, as an exam document or a file of questions."""
    exported = exam_export(exam=_of_author(request, slug), form=format)
    return HttpResponse(
        exported.data,
        content_type=exported.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{exported.name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            LOSSES: str(len(exported.losses)),
            "Link": f'<{request.path}/losses?{urlencode({"format": format})}>; rel="describedby"',
        },
    )


@router.get("/exams/{slug}/export/losses", response=ExportLosses)
def exam_file_losses(request: HttpRequest, slug: str, format: FormatName) -> ExportLosses:  # noqa: A002
    """List what a format does not state of an exam, for its author and staff."""
    exported = exam_export(exam=_of_author(request, slug), form=format)
    return ExportLosses(format=format, file=exported.name, losses=[FileLoss.of(loss) for loss in exported.losses])


def _of_author(request: HttpRequest, slug: str) -> Exam:
    """Return an exam whose keys the caller may see: a Doctor's own, and for staff those of its permission."""
    user = person_of(request).user
    if user.kind == User.Kind.STUDENT:
        raise Problem(ProblemKind.FORBIDDEN, "files of questions contain the keys: only authors may export them")
    exam = exams_visible_to(user).filter(slug=slug).first()
    if exam is None:
        raise Problem(ProblemKind.NOT_FOUND, f"exam {slug!r} not found")
    return exam
