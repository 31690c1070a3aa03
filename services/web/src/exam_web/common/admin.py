"""Admin pages that show and change nothing: where a service is the only door."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

ModelT = TypeVar("ModelT", bound=Model)


class ReadOnlyAdmin(admin.ModelAdmin[ModelT]):
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds one by hand."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Nobody changes one by hand."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Nobody deletes one by hand."""
        del request, obj
        return False
