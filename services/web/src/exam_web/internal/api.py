"""Endpoints of the internal API: each parses the request and calls one service."""

from collections.abc import Callable
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from exam_core.documents import decode
from exam_core.problems import Problem, ProblemKind
from exam_core.scoring import MultipleRule
from exam_core.service_tokens import Caller
from exam_papers.documents.reading import read_document
from exam_papers.images.acceptance import DocumentImages
from exam_web.exams.ownership import check_namespace, owner_named
from exam_web.exams.selectors import sittings_keeping_papers
from exam_web.exams.services import exam_import
from exam_web.internal.authentication import Callers
from exam_web.internal.namespace import acting_namespace
from exam_web.internal.precondition import expected_absent, expected_epoch
from exam_web.internal.schemas import AccessToken, ExamImported
from exam_web.sittings import selectors, services
from exam_web.sittings.distribution import paper_distribute
from exam_web.sittings.models import Sitting
from exam_web.sittings.schemas import (
    EntryRulesChange,
    ExtraPercent,
    ExtraTime,
    RefreezeRequest,
    SittingChange,
    SittingSpecBody,
    SittingStatus,
    StudentExtraTime,
    WindowChange,
)
from exam_web.sittings.status import sitting_status
from exam_web.users.authentication import introspect
from exam_web.users.models import Student

router = Router()
OPERATION = Callers(Caller.OPERATOR, Caller.TOOLS)
"""Holding sittings: what an Exam resource has done."""
SUPPORT = Callers(Caller.TOOLS)
INTROSPECTION = Callers(Caller.SOLVER)


@router.put("/exams", auth=OPERATION, response=ExamImported)
def exam_put(request: HttpRequest, slug: str | None = None, owner: str | None = None) -> ExamImported:
    """Create or update an exam from the YAML document in the body, whose slug must be `slug` if that is given.

    An exam without an author becomes that of `owner`, a Doctor's username.
    """
    document = read_document(decode(request.body), DocumentImages())
    if slug is not None and document.exam.slug != slug:
        raise Problem(
            ProblemKind.PAPER_INVALID,
            f"the document has the slug {document.exam.slug!r}, expected {slug!r}",
        )
    author = None if owner is None else owner_named(owner)
    exam = exam_import(document=document, author=author, namespace=acting_namespace(request))
    return ExamImported(
        slug=exam.slug,
        level=exam.level.slug,
        questions=len(document.exam.questions),
        frozen_for=sittings_keeping_papers(exam),
    )


@router.put("/sittings/{name}", auth=OPERATION, response=SittingStatus)
def sitting_put(request: HttpRequest, name: str, body: SittingSpecBody, former: str = "") -> SittingStatus:
    """Provision a sitting, or adopt an existing one and apply the spec; distributes its paper to the solvers.

    A sitting that is adopted from a `former` name keeps its window, paper and candidates until they are changed.
    """
    spec = services.SittingSpec(
        exam=body.exam,
        opens_at=body.opens_at,
        closes_at=body.closes_at,
        duration=timedelta(microseconds=body.duration_us),
        candidates=body.candidates,
        publish=Sitting.Publish(body.publish),
        extra_past_close=body.extra_past_close,
        multiple=None if body.multiple is None else MultipleRule(body.multiple),
        negative_total=body.negative_total,
    )
    sitting = services.sitting_provision(
        name=name,
        spec=spec,
        namespace=acting_namespace(request),
        absent=expected_absent(request),
        epoch=expected_epoch(request),
        former=former,
    )
    paper_distribute(paper=sitting.paper)
    return sitting_status(sitting)


@router.patch("/sittings/{name}", auth=OPERATION, response=SittingStatus)
def sitting_patch(request: HttpRequest, name: str, body: SittingChange) -> SittingStatus:
    """Change candidates or policy, as far as their rules allow."""
    multiple = None if body.multiple is None else MultipleRule(body.multiple)
    return _change(
        request,
        name,
        services.sitting_change,
        candidates=body.candidates,
        multiple=multiple,
        negative_total=body.negative_total,
    )


@router.post("/sittings/{name}/refreeze", auth=OPERATION, response=SittingStatus)
def refreeze(request: HttpRequest, name: str, body: RefreezeRequest | None = None) -> SittingStatus:
    """Replace the frozen paper and key by the exam's present content, before the window opens."""
    named = "" if body is None else body.request
    return _change(request, name, services.sitting_refreeze, distribute=paper_distribute, named=named)


@router.post("/sittings/{name}/distribute", auth=OPERATION, response=SittingStatus)
def distribute(request: HttpRequest, name: str) -> SittingStatus:
    """Distribute a sitting's paper to the solvers, if provisioning failed after freezing it; idempotent."""
    del request
    sitting = selectors.sitting_named(name)
    paper_distribute(paper=sitting.paper)
    return sitting_status(sitting)


@router.get("/sittings/{name}", auth=OPERATION, response=SittingStatus)
def sitting_get(request: HttpRequest, name: str) -> SittingStatus:
    """The status of a sitting."""
    del request
    return sitting_status(selectors.sitting_named(name))


@router.patch("/sittings/{name}/window", auth=OPERATION, response=SittingStatus)
def window_patch(request: HttpRequest, name: str, body: WindowChange) -> SittingStatus:
    """Change a window, as far as its rules allow."""
    duration = None if body.duration_us is None else timedelta(microseconds=body.duration_us)
    return _change(
        request, name, services.window_change, opens_at=body.opens_at, closes_at=body.closes_at, duration=duration
    )


@router.post("/sittings/{name}/pause", auth=OPERATION, response=SittingStatus)
def pause(request: HttpRequest, name: str) -> SittingStatus:
    """Pause a sitting."""
    return _change(request, name, services.pause_begin)


@router.post("/sittings/{name}/resume", auth=OPERATION, response=SittingStatus)
def resume(request: HttpRequest, name: str) -> SittingStatus:
    """Resume a sitting."""
    return _change(request, name, services.pause_end)


@router.post("/sittings/{name}/stop", auth=OPERATION, response=SittingStatus)
def stop(request: HttpRequest, name: str) -> SittingStatus:
    """End a sitting now."""
    return _change(request, name, services.sitting_stop)


@router.post("/sittings/{name}/cancel", auth=OPERATION, response=SittingStatus)
def cancel(request: HttpRequest, name: str) -> SittingStatus:
    """Cancel a sitting, whose answers will not be graded."""
    return _change(request, name, services.sitting_cancel)


@router.post("/sittings/{name}/close", auth=OPERATION, response=SittingStatus)
def close(request: HttpRequest, name: str) -> SittingStatus:
    """Close a sitting after its last deadline."""
    del request
    return sitting_status(services.sitting_close(sitting=selectors.sitting_named(name).id))


@router.post("/sittings/{name}/drain", auth=OPERATION, response=SittingStatus)
def drain(request: HttpRequest, name: str) -> SittingStatus:
    """Record that a closed sitting has drained, if it has; the status says what it waits for otherwise. Idempotent."""
    del request
    sitting = selectors.sitting_named(name)
    services.sitting_drain(sitting=sitting.id)
    return sitting_status(sitting)


@router.put("/sittings/{name}/accommodations/{username}", auth=SUPPORT, response=SittingStatus)
def accommodation_put(request: HttpRequest, name: str, username: str, body: ExtraTime) -> SittingStatus:
    """Set a student's extra time in a sitting, beside the one in all exams."""
    student = _student(username)
    extra = timedelta(microseconds=body.extra_us)
    return _change(request, name, services.accommodation_set, student=student, extra=extra)


@router.patch("/sittings/{name}/entry", auth=SUPPORT, response=SittingStatus)
def entry_patch(request: HttpRequest, name: str, body: EntryRulesChange) -> SittingStatus:
    """Change who may start in a sitting: named students, an access code, networks."""
    change = services.EntryChange(**body.model_dump(exclude_unset=True))
    return _change(request, name, services.entry_change, change=change)


@router.put("/students/{username}/extra-time", auth=SUPPORT, response=StudentExtraTime)
def extra_time_put(request: HttpRequest, username: str, body: ExtraPercent) -> StudentExtraTime:
    """Set a student's extra time in all exams."""
    del request
    student = services.extra_percent_set(student=_student(username), percent=body.percent)
    return StudentExtraTime(username=student.username, percent=student.extra_percent)


@router.put("/sittings/{name}/revisions/{number}", auth=OPERATION, response=SittingStatus)
def revision_put(request: HttpRequest, name: str, number: int) -> SittingStatus:
    """Open a grading revision, which freezes key and policy."""
    sitting = _commanded(request, name)
    services.revision_open(sitting=sitting.id, number=number)
    return sitting_status(sitting)


@router.post("/sittings/{name}/revisions/{number}/publish", auth=OPERATION, response=SittingStatus)
def revision_publish(request: HttpRequest, name: str, number: int) -> SittingStatus:
    """Publish a graded revision's degrees."""
    sitting = _commanded(request, name)
    return sitting_status(services.revision_publish(revision=selectors.revision_numbered(sitting, number)))


@router.post("/tokens/verify", auth=INTROSPECTION)
def token_verify(request: HttpRequest, body: AccessToken) -> HttpResponse:
    """Introspect an access token (after RFC 7662): whether it is active, and its claims."""
    del request
    return JsonResponse(introspect(body.token))


def _change(request: HttpRequest, name: str, service: Callable[..., Sitting], **arguments: object) -> SittingStatus:
    """Change a sitting by a service, on the condition in the request's If-Match."""
    sitting = _commanded(request, name)
    return sitting_status(service(sitting=sitting.id, epoch=expected_epoch(request), **arguments))


def _student(username: str) -> Student:
    student = Student.objects.named(username)
    if student is None:
        raise Problem(ProblemKind.NOT_FOUND, f"student {username!r} not found")
    return student


def _commanded(request: HttpRequest, name: str) -> Sitting:
    """Return the sitting to command, whose exam names the namespace that the request acts for.

    Distributing, closing and draining need no permission: they complete what was started, when the database says so.
    """
    sitting = selectors.sitting_named(name)
    check_namespace(sitting.exam, acting_namespace(request))
    return sitting
