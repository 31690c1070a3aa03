"""Reading people."""

from django.db.models import Q

from exam_core.instants import from_micros
from exam_core.tokens import Access
from exam_web.users.models import Revocation, User


def active_user(pk: int) -> User | None:
    """The user with an id, if the account is not disabled."""
    return User.objects.select_related("level").filter(pk=pk, is_active=True).first()


def revoked(access: Access) -> bool:
    """Whether a token's login was ended, or everything of its person was revoked since: what solvers go by too."""
    login = Q(kind=Revocation.Kind.SESSION, value=str(access.session))
    everything = Q(kind=Revocation.Kind.SUBJECT, value=str(access.subject), before__gt=from_micros(access.issued_at))
    return Revocation.objects.filter(login | everything).exists()
