"""Pagination by limit and offset."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Field, Schema

RowT = TypeVar("RowT", bound=Model)
ItemT = TypeVar("ItemT", bound=Schema)


class Paging(Schema):
    """Query parameters of a paginated list."""

    limit: int = Field(50, ge=1, le=1000)
    offset: int = Field(0, ge=0)


def page_of(rows: QuerySet[RowT], paging: Paging, serialise: Callable[[RowT], ItemT]) -> dict[str, Any]:
    """One page: the total count, the offset of the next page or None, and the items."""
    count = rows.count()
    end = paging.offset + paging.limit
    return {
        "count": count,
        "next": end if end < count else None,
        "results": [serialise(row) for row in rows[paging.offset : end]],
    }
