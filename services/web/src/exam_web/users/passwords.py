"""What follows from a change of password, by whichever way: admin, command or code."""

from exam_web.common.clock import database_now
from exam_web.users import services
from exam_web.users.models import User


class EndLogins:
    """Accepts every password; Django calls `password_changed` of each validator once a new one is saved.

    Hashing the same password again, as a login does after the hasher's parameters were changed, is no change.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept the password."""

    def get_help_text(self) -> str:
        """The text beside the form's field."""
        return "A new password ends the user's logins; running attempts continue."

    def password_changed(self, password: str, user: User) -> None:
        """Revoke the tokens of all logins of the user."""
        del password
        services.logins_revoke(user=user, now=database_now())
