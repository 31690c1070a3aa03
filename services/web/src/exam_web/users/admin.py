"""Users in the admin."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_web.common.admin import ListAdmin, ReadOnlyAdmin
from exam_web.common.clock import database_now
from exam_web.users import services, throttle
from exam_web.users.models import Doctor, Level, LoginSession, Revocation, Student, User

_PERSON: Any = ("Person", {"fields": ("kind", "level")})


class LoginForm(AdminAuthenticationForm):
    """The admin's login form, with the limits of the API; failures of both are counted together."""

    def clean(self) -> dict[str, Any]:
        """Check username and password.

        Raises:
            ValidationError: one of them is wrong.
            Problem: the login is limited (`throttle.login_attempt`); the page is `login.admin_login`'s.
        """
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            return super().clean()
        with throttle.login_attempt(cast("HttpRequest", self.request), username):
            return super().clean()


admin.site.login_form = LoginForm


@admin.register(Level)
class LevelAdmin(admin.ModelAdmin[Level]):
    """Levels."""

    list_display = ("slug", "name")
    search_fields = ("slug", "name")


class PersonAdmin(ListAdmin[User], UserAdmin[User]):
    """Users of all kinds."""

    list_display = ("username", "kind", "level", "is_active", "is_staff")
    list_select_related = ("level",)
    list_filter = ("kind", "level", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), _PERSON)
    add_fieldsets = (*UserAdmin.add_fieldsets, _PERSON)
    add_form = AdminUserCreationForm
    # Django and logins set them; a form would accept any year.
    readonly_fields = ("last_login", "date_joined")
    actions = ("disable",)

    @admin.action(description="Disable: revoke all logins and reject new ones", permissions=["change"])
    def disable(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Disable all or none of the accounts."""
        with transaction.atomic():
            for person in people:
                services.account_disable(user=person, now=database_now())
        self.message_user(request, f"{people.count()} accounts disabled")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save; Doctors get access to the admin, and clearing «active» also revokes all logins."""
        obj.is_staff = obj.is_staff or obj.kind == User.Kind.DOCTOR
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            services.account_disable(user=obj, now=database_now())

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Revoke all logins, then delete: solvers verify tokens without looking at accounts."""
        services.account_disable(user=obj, now=database_now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """As `delete_model`, for several."""
        with transaction.atomic():
            for person in queryset:
                services.account_disable(user=person, now=database_now())
            super().delete_queryset(request, queryset)


admin.site.register(User, PersonAdmin)
admin.site.register(Student, PersonAdmin)
admin.site.register(Doctor, PersonAdmin)


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnlyAdmin[LoginSession]):
    """Logins. Deleting one revokes it; it needs the permission to delete users, which deletes their logins too."""

    list_display = ("user", "created_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "created_at", "expires_at", "revoked_at")

    def has_delete_permission(self, request: HttpRequest, obj: LoginSession | None = None) -> bool:
        """Whether the user may delete users."""
        del obj
        return cast("User", request.user).has_perm("users.delete_user")

    def delete_model(self, request: HttpRequest, obj: LoginSession) -> None:
        """Revoke a login, then delete it."""
        services.session_revoke(session=obj, now=database_now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        """As `delete_model`, for several."""
        with transaction.atomic():
            for session in queryset:
                services.session_revoke(session=session, now=database_now())
            super().delete_queryset(request, queryset)


@admin.register(Revocation)
class RevocationAdmin(ReadOnlyAdmin[Revocation]):
    """Revoked logins and users."""

    list_display = ("id", "kind", "value", "before", "expires_at")
    list_filter = ("kind",)
