"""Who may read the bank, and who may change a question of it."""

from exam_core.problems import Problem, ProblemKind
from exam_web.bank.models import BankQuestion
from exam_web.users.models import User


def check_read(user: User) -> None:
    """Check that a user may read the bank, which has keys: Doctors, and staff by permission.

    Raises:
        Problem: FORBIDDEN.
    """
    _check(user, "bank.view_bankquestion", "only Doctors, and staff with the permission to view it, read the bank")


def check_permission(user: User, permission: str) -> None:
    """Check that a user has a permission, like `bank.add_category`.

    Raises:
        Problem: FORBIDDEN.
    """
    _check(user, permission, f"this needs the permission {permission}")


def may_change(user: User, question: BankQuestion) -> bool:
    """Return whether a user may change a question: its author, and staff by permission."""
    if user.kind == User.Kind.DOCTOR:
        return question.author_id == user.pk
    return user.has_perm("bank.change_bankquestion")


def check_change(user: User, question: BankQuestion) -> None:
    """Check that a user may change a question.

    Raises:
        Problem: FORBIDDEN with what to do instead.
    """
    if not may_change(user, question):
        owner = question.author.username if question.author else "staff"
        raise Problem(
            ProblemKind.FORBIDDEN,
            f"{question.ident!r} belongs to {owner}: keep your question under an id of its own instead",
        )


def _check(user: User, permission: str, reason: str) -> None:
    if user.kind == User.Kind.STUDENT or not user.has_perm(permission):
        raise Problem(ProblemKind.FORBIDDEN, reason)
