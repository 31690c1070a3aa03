"""Pagination by limit and offset."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from ninja import Field, Schema

RowT = TypeVar("RowT", bound=Model)
ItemT = TypeVar("ItemT", bound=Schema)


MAX_OFFSET: Final = 2**31
"""No list has as many rows, and PostgreSQL accepts it."""


class Paging(Schema):
    """Query parameters of a paginated list."""

    limit: int = Field(50, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


def page_of(rows: QuerySet[RowT], paging: Paging, serialise: Callable[[RowT], ItemT]) -> dict[str, Any]:
    """One page: the total count, the offset of the next page or None, and the items.

    Raises:
        ValueError: the rows have no order, so that pages would overlap.
    """
    if not rows.ordered:
        raise ValueError("a paginated list needs an order")
    count = rows.count()
    end = paging.offset + paging.limit
    return {
        "count": count,
        "next": end if end < count else None,
        "results": [serialise(row) for row in rows[paging.offset : end]],
    }
