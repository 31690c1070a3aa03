"""Request and response bodies of the bank's API."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Field, Schema

from exam_core import limits
from exam_web.bank.models import MAX_COMMENT, MAX_PATH, MAX_TAG, MAX_TAGS
from exam_web.exams.schemas import Kind

Slug = Annotated[str, Field(max_length=limits.MAX_SLUG, pattern=limits.SLUG_PATTERN)]
Ident = Annotated[str, Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)]
Path = Annotated[str, Field(max_length=MAX_PATH, examples=["maths/algebra"])]
Tags = Annotated[list[Annotated[str, Field(max_length=MAX_TAG)]], Field(max_length=MAX_TAGS)]
Comment = Annotated[str, Field(max_length=MAX_COMMENT)]
Content = Annotated[
    dict[str, Any],
    Field(
        description="A question as exam documents list it (docs/papers.md), without `id`; an `image` is the digest of"
        " an uploaded one",
        examples=[{"kind": "true-false", "text": "0 is even.", "answer": True}],
    ),
]
SHOWN_TEXT = 200
"""Characters of a question's text in a list."""


class CategoryNew(Schema):
    """A new category."""

    slug: Slug
    name: str = Field(min_length=1, max_length=limits.MAX_TITLE)
    parent: Path | None = None


class CategoryChange(Schema):
    """Changes of a category; omitted members keep their values. The paths within follow slug and parent."""

    slug: Slug | None = None
    name: str | None = Field(None, min_length=1, max_length=limits.MAX_TITLE)
    parent: Path | None = Field(None, description="Null: it is in no other category")


class CategoryKept(Schema):
    """A category; `questions` are those directly in it."""

    path: str
    name: str
    questions: int


class CategoryPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[CategoryKept]


class BankQuestionNew(Schema):
    """A new question of the bank."""

    id: Ident
    category: Path
    tags: Tags = Field(default_factory=list, description="In small letters, each once")
    comment: Comment = ""
    content: Content


class BankQuestionChange(Schema):
    """Changes of a question's category and tags; omitted members keep their values."""

    category: Path | None = None
    tags: Tags | None = None


class VersionNew(Schema):
    """A new version."""

    content: Content
    comment: Comment = ""


class Found(Schema):
    """Query parameters of the list of questions; all that are given must be satisfied."""

    category: str | None = Field(None, description="A path; categories within it are included")
    tag: str | None = None
    kind: Kind | None = None
    text: str | None = Field(None, max_length=limits.MAX_TEXT, description="A part of the text, in any case")
    author: str | None = Field(None, description="A user name")


class BankQuestionListed(Schema):
    """A question in a list; kind and text are those of the newest version, the text's first 200 characters."""

    id: str
    category: str
    tags: list[str]
    author: str | None = Field(description="The Doctor who may change it; null: staff")
    kind: Kind
    text: str
    newest: int = Field(description="The number of the newest version")
    created_at: datetime


class BankQuestionPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[BankQuestionListed]


class VersionListed(Schema):
    """A version without its content."""

    number: int
    digest: str = Field(description="SHA-256 of the content's canonical JSON")
    author: str | None
    comment: str
    created_at: datetime


class VersionKept(VersionListed):
    """A version with its key."""

    question: str
    content: Content


class VersionStored(VersionKept):
    """The version with the content that was sent."""

    created: bool = Field(description="False if the newest version has this content already")
    warnings: list[str] = Field(description="What the author may not have meant")


class BankQuestionKept(BankQuestionListed):
    """A question with its versions and the content of the newest one, with its key."""

    versions: list[VersionListed]
    content: Content


class TakeNew(Schema):
    """What an exam takes."""

    question: Ident = Field(description="Its id in the bank")
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="By default the newest")
    id: Ident | None = Field(None, description="Its id in the exam, by default that in the bank")
    position: int | None = Field(
        None, ge=0, le=2**31 - 1, description="How many of the exam's questions come before it, by default all"
    )


class KeepNew(Schema):
    """A question of an exam that the bank is to keep."""

    question: Ident = Field(description="Its id in the exam")
    id: Ident | None = Field(
        None, description="Keep it as a new question with this id; by default as a version of its origin, if it has one"
    )
    category: Path | None = Field(None, description="Of a new question, which needs one")
    tags: Tags = Field(default_factory=list, description="Of a new question")
    comment: Comment = ""


class UseChange(Schema):
    """How a newer version is taken."""

    overwrite: bool = Field(False, description="Whether to discard what was edited in the exam")


class UseShown(Schema):
    """A question of an exam that was taken from the bank."""

    id: str = Field(description="Its id in the exam")
    question: str = Field(description="Its id in the bank")
    version: int
    newer: int | None = Field(description="The number of the newest version, if the exam has an older one")


class UseListed(UseShown):
    """A question of an exam that was taken from the bank, compared with its version."""

    edited: bool = Field(description="Whether its content in the exam is another one than the version's")
