"""Bodies of responses that belong to no app's public API."""

from ninja import Schema


class ExamImported(Schema):
    """An exam that was created or updated from a document."""

    slug: str
    level: str
    questions: int
