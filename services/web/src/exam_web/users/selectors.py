"""Queries about users and what belongs to them."""

from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet

from exam_core.instants import from_micros
from exam_core.tokens import Access
from exam_web.users.models import Revocation, User

RowT = TypeVar("RowT", bound=Model)


def own_rows(rows: QuerySet[RowT], user: User | AnonymousUser, author: str) -> QuerySet[RowT]:
    """For a Doctor the rows whose field `author` is the Doctor, for other users all rows."""
    return rows.filter(**{author: user.pk}) if isinstance(user, User) and user.kind == User.Kind.DOCTOR else rows


def active_user(pk: int) -> User | None:
    """The user with an id, unless the account is disabled."""
    return User.objects.select_related("level").filter(pk=pk, is_active=True).first()


def is_revoked(access: Access) -> bool:
    """Whether a token's login, its chain, or all tokens of its user were revoked; solvers apply the same rule."""
    login = Q(kind__in=(Revocation.Kind.SESSION, Revocation.Kind.CHAIN), value=str(access.session))
    all_tokens = Q(kind=Revocation.Kind.SUBJECT, value=str(access.subject), before__gt=from_micros(access.issued_at))
    return Revocation.objects.filter(login | all_tokens).exists()
