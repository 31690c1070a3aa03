"""Who may command an exam: the namespaces whose resources may hold it, and the Doctor who owns it.

The operator acts for the namespace of an `Exam` resource. Web decides whether it may, because the service token opens
every exam, while the right to create resources in one namespace is no right to every exam.
"""

from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Exam
from exam_web.settings import ENVIRONMENT
from exam_web.users.models import Doctor


def check_namespace(exam: Exam, namespace: str | None) -> None:
    """Check that the resources of a namespace may command an exam; None is the platform itself, which may.

    Raises:
        Problem: NAMESPACE_NOT_ALLOWED with what to change.
    """
    if namespace is not None and namespace not in exam.namespaces:
        raise Problem(
            ProblemKind.NAMESPACE_NOT_ALLOWED,
            f"exam {exam.slug!r} may not be held from namespace {namespace!r}: its author has to add it to the exam's"
            " Namespaces in the admin",
        )


def owner_named(username: str) -> Doctor:
    """Return the Doctor who is to own an exam.

    Raises:
        Problem: OWNER_REQUIRED when there is no such Doctor.
    """
    doctor = Doctor.objects.named(username)
    if doctor is None:
        raise Problem(
            ProblemKind.OWNER_REQUIRED, f"spec.owner: {username!r} is not a Doctor of the platform: name one who is"
        )
    return doctor


def default_owner(slug: str) -> Doctor:
    """Return the Doctor who owns the exams that come without an owner.

    Raises:
        Problem: OWNER_REQUIRED when none is configured or there is no such Doctor.
    """
    username = ENVIRONMENT.default_owner
    if not username:
        raise Problem(
            ProblemKind.OWNER_REQUIRED,
            f"exam {slug!r} has no owner who would see it and its degrees: name a Doctor in spec.owner, or one for all"
            " exams in the chart's web.defaultOwner",
        )
    doctor = Doctor.objects.named(username)
    if doctor is None:
        raise Problem(
            ProblemKind.OWNER_REQUIRED,
            f"exam {slug!r} has no owner, and the chart's web.defaultOwner, {username!r}, is not a Doctor of the"
            " platform: name one who is in spec.owner or there",
        )
    return doctor
