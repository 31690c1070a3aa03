"""Users in the admin."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from exam_core.problems import Problem
from exam_web.common import locks
from exam_web.common.admin import ListAdmin, ReadOnlyAdmin
from exam_web.common.clock import database_now
from exam_web.users import services
from exam_web.users.logins import second_factor, throttle
from exam_web.users.models import Doctor, Level, LoginSession, Revocation, Student, User

_PERSON: Any = ("Person", {"fields": ("kind", "level")})
_PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions", "kind")
"""Fields that decide what an account may do: superusers alone change them."""


class LoginForm(AdminAuthenticationForm):
    """The admin's login form, with the limits of the API; failures of both are counted together."""

    code = forms.CharField(
        label="Code of your authenticator app, if you have enrolled one",
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )

    def clean(self) -> dict[str, Any]:
        """Check username, password and code.

        Raises:
            ValidationError: one of them is wrong.
            Problem: the login is limited (`throttle.login_attempt`); the page is `login.admin_login`'s.
        """
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            return super().clean()
        with throttle.login_attempt(cast("HttpRequest", self.request), username):
            cleaned = super().clean()
            self._check_code(self.get_user())
            return cleaned

    def _check_code(self, user: User) -> None:
        try:
            # django-otp stores the device in the session when the user is logged in.
            user.otp_device = second_factor.check_code(user, self.cleaned_data.get("code") or "")  # type: ignore[attr-defined]
        except Problem as problem:
            raise ValidationError(f"Not logged in: {problem.detail}.", code="second_factor") from problem


admin.site.login_form = LoginForm
admin.site.login_template = "users/login.html"
admin.site.index_template = "users/index.html"


@admin.register(Level)
class LevelAdmin(admin.ModelAdmin[Level]):
    """Levels."""

    list_display = ("slug", "name")
    search_fields = ("slug", "name")


class NewPersonForm(AdminUserCreationForm[User]):
    """The form of a new account; that of a student or Doctor has this kind."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*arguments, **options)
        self.instance.kind = {Student: User.Kind.STUDENT, Doctor: User.Kind.DOCTOR}.get(
            type(self.instance), User.Kind.STAFF
        )


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # no subscript at run time
    """The form that sets or removes a password."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - Django's signature
        """Save; a removed password ends the logins, as a new one does (`passwords.EndLogins`)."""
        user: User = super().save(commit)
        if not user.has_usable_password():
            services.logins_revoke(user=user, now=database_now())
        return user


@admin.register(User)
class PersonAdmin(ListAdmin[User], UserAdmin[User]):
    """Users of all kinds. Those who are no superusers change accounts without privileges alone."""

    list_display = ("username", "kind", "level", "is_active", "is_staff")
    list_select_related = ("level",)
    list_filter = ("kind", "level", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), _PERSON)
    add_fieldsets = (*UserAdmin.add_fieldsets, _PERSON)
    add_form = NewPersonForm
    change_password_form = PasswordForm
    # Django and logins set them; a form would accept any year.
    readonly_fields = ("last_login", "date_joined")
    actions = ("disable", "remove_second_factor")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:  # noqa: ANN401 - Django's signature
        """Show privileges to those who may not change them."""
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None or _is_superuser(request) else (*fields, *_PRIVILEGES)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the user may add accounts of this kind; superusers alone add those of any kind."""
        return super().has_add_permission(request) and (self.model is not User or _is_superuser(request))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whether the user may change an account, and so set its password."""
        return super().has_change_permission(request, obj) and _may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whether the user may delete an account."""
        return super().has_delete_permission(request, obj) and _may_change(request, obj)

    @admin.action(description="Disable: revoke all logins and reject new ones", permissions=["change"])
    def disable(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Disable all or none of the accounts."""
        kept = [person.username for person in people if not _may_change(request, person)]
        if kept:
            text = f"No account was disabled: a superuser must do it for {', '.join(kept[:5])}"
            self.message_user(request, text, messages.ERROR)
            return
        with transaction.atomic():
            for person in people:
                services.account_disable(user=person, now=database_now())
        self.message_user(request, f"{people.count()} accounts disabled")

    @admin.action(description="Remove the second factor: the password alone logs in", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Remove apps and backup codes, by superusers alone: a second factor guards privileges."""
        if not _is_superuser(request):
            self.message_user(request, "Only a superuser removes a second factor", messages.ERROR)
            return
        for person in people:
            second_factor.remove(person)
        self.message_user(request, f"{people.count()} accounts log in with their password alone")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save; Doctors get access to the admin, students none.

        Clearing «active» also revokes all tokens; another kind or level ends the logins, whose tokens have the former.
        """
        obj.is_staff = obj.kind == User.Kind.DOCTOR or (obj.is_staff and obj.kind == User.Kind.STAFF)
        if change and obj.extra_percent and {"kind", "level"} & set(form.changed_data):
            # The schedule changes when this transaction ends; renewals take its lock before that of revocations.
            locks.lock_exclusively(locks.SCHEDULE)
        super().save_model(request, obj, form, change)
        if change and {"kind", "level"} & set(form.changed_data):
            services.logins_revoke(user=obj, now=database_now())
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


@admin.register(Student)
class StudentAdmin(PersonAdmin):
    """Students."""

    add_fieldsets = (*UserAdmin.add_fieldsets, ("Person", {"fields": ("level",)}))


@admin.register(Doctor)
class DoctorAdmin(PersonAdmin):
    """Doctors."""

    add_fieldsets = UserAdmin.add_fieldsets


def _is_superuser(request: HttpRequest) -> bool:
    return cast("User", request.user).is_superuser


def _may_change(request: HttpRequest, person: User | None) -> bool:
    """Whether changing a person gives the user no rights: not so with superusers, staff and holders of permissions."""
    if person is None or _is_superuser(request):
        return True
    privileged = person.is_superuser or person.kind == User.Kind.STAFF
    return not (privileged or person.groups.exists() or person.user_permissions.exists())


admin.site.unregister(Group)
# Their pages show secrets; a second factor is changed by its user, and removed by `remove_second_factor`.
admin.site.unregister([TOTPDevice, StaticDevice])


@admin.register(Group)
class PrivilegesAdmin(GroupAdmin):
    """Groups, whose permissions their members have: superusers alone change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the user is a superuser."""
        return _is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Whether the user is a superuser."""
        return _is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Whether the user is a superuser."""
        return _is_superuser(request) and super().has_delete_permission(request, obj)


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
