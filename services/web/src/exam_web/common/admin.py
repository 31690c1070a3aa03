"""Base classes of the admin."""

from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import smart_split, unescape_string_literal
from psycopg.errors import ForeignKeyViolation, UniqueViolation

ModelT = TypeVar("ModelT", bound=Model)

MAX_SELECTED = 5_000
"""How many rows an action may change at once: a page to confirm it posts each, within the bound of a form's fields."""


class ListAdmin(admin.ModelAdmin[ModelT]):
    """An admin whose list works with 100,000 rows.

    Each subclass names in `list_select_related` the rows that its list shows: by default Django joins all that are
    related, papers and images included. A search uses indexes: see `get_search_results`.
    """

    show_full_result_count = False
    unlisted_fields: ClassVar[tuple[str, ...]] = ()
    """Large fields that no page shows, which are not read."""
    search_words: ClassVar[tuple[str, ...]] = ()
    """Text fields in which a search finds words by their beginning; each needs a GIN index of its words."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelT]:
        """All rows without the unlisted fields."""
        return super().get_queryset(request).defer(*self.unlisted_fields)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ModelT], search_term: str
    ) -> tuple[QuerySet[ModelT], bool]:
        """Find each word of the search at the beginning of a search field, or of a word in a text field.

        One query per field, united, because PostgreSQL uses no index for alternatives in different tables.
        """
        rows = self.model._default_manager.order_by()  # noqa: SLF001 - Django's documented name
        fields = self.get_search_fields(request)
        for word in _words(search_term) if fields or self.search_words else ():
            found = [rows.filter(**{f"{field}__istartswith": word}) for field in fields]
            found += [_with_word(rows, field, word) for field in self.search_words]
            first, *more = (matches.values("pk") for matches in found)
            queryset = queryset.filter(pk__in=first.union(*more) if more else first)
        return queryset, False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - Django's signature
        """Serve the page of a row; what a concurrent request made impossible is a message and not an error 500.

        A form is checked before it is saved. Another request may save in between, for example a question at the same
        position, and the database then rejects the second one.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation | ForeignKeyViolation):
                raise
            # Reading the messages removes those of the form, which report that it was saved.
            list(messages.get_messages(request))
            text = "Another request changed the same rows at the same time, so nothing was saved; edit them again."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def response_action(  # type: ignore[override]  # the stubs have an argument of Django's next release
        self, request: HttpRequest, queryset: QuerySet[ModelT]
    ) -> HttpResponse | None:
        """Run an action, unless all rows of a list that is too long are selected."""
        if request.POST.get("select_across", "0") != "0" and (count := queryset.count()) > MAX_SELECTED:
            text = f"{count} rows are selected, and an action changes at most {MAX_SELECTED}: filter or search"
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)


def _words(text: str) -> list[str]:
    # As Django: several words in quotes are one.
    found = [
        unescape_string_literal(word) if word[:1] in "\"'" and word[-1:] == word[:1] else word
        for word in smart_split(text)
    ]
    return [word for word in found if word]


def _with_word(rows: QuerySet[Any], field: str, word: str) -> QuerySet[Any]:
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    query = SearchQuery(f"'{quoted}':*", search_type="raw", config="simple")
    found: QuerySet[Any] = rows.annotate(words=SearchVector(field, config="simple")).filter(words=query)
    return found


class ReadOnlyAdmin(ListAdmin[ModelT]):
    """An admin without add, change and delete, for rows that only services may write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Never."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        """Never."""
        del request, obj
        return False
