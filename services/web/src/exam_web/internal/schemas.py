"""Bodies of requests and responses of the internal API."""

from ninja import Schema


class AccessToken(Schema):
    """An access token."""

    token: str


class ExamImported(Schema):
    """An exam that was imported from a document; `frozen_for` names scheduled sittings, which keep their papers."""

    slug: str
    level: str
    questions: int
    frozen_for: list[str]
