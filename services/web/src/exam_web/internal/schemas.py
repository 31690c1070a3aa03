"""Bodies of responses of the internal API."""

from ninja import Schema


class ExamImported(Schema):
    """An exam that was imported from a document."""

    slug: str
    level: str
    questions: int
