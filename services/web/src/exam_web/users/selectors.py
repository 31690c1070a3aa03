"""Queries about users."""

from django.db.models import Q

from exam_core.instants import from_micros
from exam_core.tokens import Access
from exam_web.users.models import Revocation, User


def active_user(pk: int) -> User | None:
    """The user with an id, unless the account is disabled."""
    return User.objects.select_related("level").filter(pk=pk, is_active=True).first()


def is_revoked(access: Access) -> bool:
    """Whether a token's login, or all tokens of its user, were revoked; solvers apply the same rule."""
    login = Q(kind=Revocation.Kind.SESSION, value=str(access.session))
    all_tokens = Q(kind=Revocation.Kind.SUBJECT, value=str(access.subject), before__gt=from_micros(access.issued_at))
    return Revocation.objects.filter(login | all_tokens).exists()
