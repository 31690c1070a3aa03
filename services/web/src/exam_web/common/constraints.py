"""Check constraints with the bounds of `exam_core.bounds`, and their migration."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from django.apps.registry import Apps
from django.core.management.base import CommandError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint
from django.db.models import CheckConstraint, Q, TextField
from django.db.models.functions import Cast

from exam_core.bounds import MAX_INSTANT, MIN_INSTANT

MAX_LISTED: Final = 10
"""Rows that are listed for each constraint; the others are counted."""


def instant_bounded(field: str, *, name: str) -> CheckConstraint:
    """Constrain an instant to the bounds of instants, which exclude infinity; null is allowed if the column is."""
    bounds = {f"{field}__gte": MIN_INSTANT, f"{field}__lt": MAX_INSTANT}
    return CheckConstraint(condition=Q(**{f"{field}__isnull": True}) | Q(**bounds), name=name)


def require_valid_rows(
    app: str, additions: Sequence[AddConstraint]
) -> Callable[[Apps, BaseDatabaseSchemaEditor], None]:
    """Make the first step of a migration that adds check constraints to an app: a function for `RunPython`.

    It raises CommandError that lists the rows which violate them, with table, id, columns and remedy.
    """

    def check(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        faults = [
            fault
            for addition in additions
            for fault in _violations(
                apps.get_model(app, addition.model_name),
                cast("CheckConstraint", addition.constraint),
                schema_editor.connection.alias,
            )
        ]
        if faults:
            raise CommandError(
                "these rows are out of bounds, and nothing was migrated:\n  "
                + "\n  ".join(faults)
                + "\nCorrect each value or delete the row as the database's owner, then migrate again"
                " (docs/architecture.md, «Bounds»)."
            )

    return check


def _violations(model: Any, constraint: CheckConstraint, alias: str) -> Iterator[str]:  # noqa: ANN401 - a historical model
    condition = cast("Q", constraint.condition)
    table, columns = model._meta.db_table, sorted(condition.referenced_base_fields)  # noqa: SLF001 - documented
    # As text: an infinite or very large value cannot be read as a datetime or timedelta.
    texts = {f"{column}_text": Cast(column, TextField()) for column in columns}
    rows = model._base_manager.using(alias).filter(~condition).order_by("pk")  # noqa: SLF001
    for pk, *values in rows.annotate(**texts).values_list("pk", *texts)[:MAX_LISTED]:
        shown = ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))
        yield f"{table} id {pk}: {shown} ({constraint.name})"
    if (more := rows.count() - MAX_LISTED) > 0:
        yield f"{table}: {more} more ({constraint.name})"
