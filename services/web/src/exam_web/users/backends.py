"""What a person may do in the admin because of what they are, beside what they were granted."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser

from exam_web.users.models import User

DOCTORS_MAY = frozenset(
    {
        f"exams.{verb}_{model}"
        for model in ("exam", "question", "choice")
        for verb in ("add", "change", "delete", "view")
    }
    | {"sittings.view_sitting", "sittings.view_revision", "degrees.view_degree"}
)
"""Each page of the admin narrows this to what is the Doctor's own."""


class DoctorsBackend(BaseBackend):
    """Every Doctor may write exams, however the account was made: no row has to be there that says so."""

    def get_user_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:  # noqa: ANN401 - Django's signature
        """The permissions of a Doctor; none on single objects, which Django asks for apart."""
        if obj is None and isinstance(user_obj, User) and user_obj.is_active and user_obj.kind == User.Kind.DOCTOR:
            return set(DOCTORS_MAY)
        return set()

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        """Whether an app has anything for a person."""
        return any(permission.startswith(f"{app_label}.") for permission in self.get_user_permissions(user_obj))
