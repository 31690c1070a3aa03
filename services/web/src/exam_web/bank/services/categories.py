"""Create, rename, move and delete categories; a path follows from slugs and parents."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, ProtectedError, Value
from django.db.models.functions import Concat, Substr

from exam_core.problems import Problem, ProblemKind
from exam_web.bank.models import MAX_DEPTH, Category
from exam_web.bank.selectors import category_named


def category_create(*, slug: str, name: str, parent: str | None = None) -> Category:
    """Create a category, within the one at a path.

    Raises:
        Problem: CONFLICT when the path is taken, NOT_FOUND when the parent is missing, INVALID with the field.
    """
    with transaction.atomic():
        category = Category(slug=slug, name=name)
        category.parent = None if parent is None else category_named(parent)
        return category_save(category=category)


def category_change(*, category: Category, changes: Mapping[str, Any]) -> Category:
    """Change slug, name or parent, the latter by its path; the paths of all categories within follow.

    Raises:
        Problem: as `category_create`, and CONFLICT when a category would be within itself.
    """
    with transaction.atomic():
        for name, value in changes.items():
            setattr(category, name, category_named(value) if name == "parent" and value is not None else value)
        return category_save(category=category)


def category_save(*, category: Category) -> Category:
    """Save a new or changed category with its path, and the paths of those within it."""
    with transaction.atomic():
        # All of them: a concurrent move could put two categories into each other.
        paths = dict(Category.objects.select_for_update().values_list("pk", "path"))
        category.path = category_path(category, paths)
        try:
            category.full_clean(validate_unique=False)
        except ValidationError as error:
            faults = [{"where": field, "reason": reason} for field, (reason, *_) in error.message_dict.items()]
            detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults)
            raise Problem(ProblemKind.INVALID, detail, faults=faults) from error
        former = paths.get(category.pk)
        category.save()
        if former is not None and former != category.path:
            within = Category.objects.filter(path__startswith=f"{former}/")
            within.update(path=Concat(Value(category.path), Substr(F("path"), len(former) + 1)))
    return category


def category_path(category: Category, paths: Mapping[int, str]) -> str:
    """Return the path that a category gets, given those of all categories.

    Raises:
        Problem: CONFLICT when it is taken, too deep, or within the category itself.
    """
    around = "" if category.parent_id is None else f"{paths[category.parent_id]}/"
    path, former = f"{around}{category.slug}", paths.get(category.pk)
    if former is not None and around.startswith(f"{former}/"):
        raise Problem(ProblemKind.CONFLICT, f"{former!r} cannot be within itself: choose another parent")
    if any(path == each for pk, each in paths.items() if pk != category.pk):
        raise Problem(ProblemKind.CONFLICT, f"category {path!r} already exists: choose another slug or parent")
    below = [each for each in paths.values() if former is not None and each.startswith(f"{former}/")]
    levels = max((each.removeprefix(former or "").count("/") for each in below), default=0)
    if path.count("/") + 1 + levels > MAX_DEPTH:
        raise Problem(ProblemKind.CONFLICT, f"{path!r}: at most {MAX_DEPTH} categories are within each other")
    return path


def category_delete(*, category: Category) -> None:
    """Delete a category that has neither questions nor categories.

    Raises:
        Problem: CONFLICT when it has.
    """
    try:
        category.delete()
    except ProtectedError as error:
        raise Problem(
            ProblemKind.CONFLICT, f"{category.path!r} has questions or categories: move them to another one first"
        ) from error
