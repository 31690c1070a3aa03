"""Permissions in the admin that follow from the kind of user, in addition to granted ones."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser

from exam_web.users.models import User

DOCTOR_PERMISSIONS = frozenset(
    {
        f"exams.{verb}_{model}"
        for model in ("exam", "section", "question", "choice")
        for verb in ("add", "change", "delete", "view")
    }
    | {f"sittings.{verb}_accommodation" for verb in ("add", "change", "view")}
    | {f"sittings.{verb}_sittingentry" for verb in ("change", "view")}
    | {f"bank.{verb}_bankquestion" for verb in ("add", "change", "delete", "view")}
    | {"bank.add_category", "bank.view_category", "bank.view_version"}
    | {"sittings.view_sitting", "sittings.view_revision", "degrees.view_degree"}
)
"""The pages of the admin restrict them to the Doctor's own objects; the question bank is read by all of them."""


class DoctorsBackend(BaseBackend):
    """Gives every Doctor the same permissions, without rows in the database that depend on how the account was made."""

    def get_user_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:  # noqa: ANN401 - Django's signature
        """The permissions of a Doctor; none on single objects, which Django queries separately."""
        if obj is None and isinstance(user_obj, User) and user_obj.is_active and user_obj.kind == User.Kind.DOCTOR:
            return set(DOCTOR_PERMISSIONS)
        return set()

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        """Whether the user has any permission in an app."""
        return any(permission.startswith(f"{app_label}.") for permission in self.get_user_permissions(user_obj))
