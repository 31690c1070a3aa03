"""``migrate``: Django's command, run as the role that owns the schema."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from exam_web.common.roles import Roles, separate_roles
from exam_web.settings import ENVIRONMENT


class Command(migrate.Command):
    """Migrate, and give web's role the rights on rows that it has at runtime.

    Before and after: tables that exist change their owner first, and Django creates its own table of migrations.
    """

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Migrate; only separate the roles if migrations are applied."""
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        if ENVIRONMENT.owner_database_url is None:
            raise CommandError(
                "EXAM_OWNER_DATABASE_URL is not set: migrations run as the role that owns the schema, which web at"
                f" runtime ({ENVIRONMENT.web_role}) must not. Once, as a superuser: CREATE ROLE exam_owner LOGIN"
                f" PASSWORD '…'; GRANT {ENVIRONMENT.web_role} TO exam_owner; and set the variable, or the key owner-url"
                " of the chart's postgres.existingSecret, to its URL (docs/operations.md, «Stores of your own»)"
            )
        connection = connections[options["database"]]
        roles = Roles(web=ENVIRONMENT.web_role, solver=ENVIRONMENT.solver_role, grader=ENVIRONMENT.grader_role)
        separate_roles(connection, roles)
        super().handle(*args, **options)
        separate_roles(connection, roles)
