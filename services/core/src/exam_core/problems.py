"""The catalogue of problem types (RFC 9457), shared by all services.

Domain code raises `Problem`; HTTP handlers return it as ``application/problem+json`` with `Problem.body`.
The type's URI ends in the entry's slug: ``https://examplatform.dev/problems/<slug>``.
"""

from dataclasses import dataclass
from enum import Enum

from exam_core.canonical import Json

MEDIA_TYPE = "application/problem+json"
BASE = "https://examplatform.dev/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One entry of the catalogue: its slug, HTTP status and title."""

    slug: str
    status: int
    title: str


class ProblemKind(Enum):
    """All problem types of the platform."""

    # Requests
    MALFORMED = Kind("malformed", 400, "The request is malformed")
    INVALID = Kind("invalid", 422, "The content of the request is not valid")
    BODY_TOO_LARGE = Kind("body-too-large", 413, "The request body is too large")
    UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "The request body must be application/json")
    NOT_FOUND = Kind("not-found", 404, "Not found")
    METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "Method not allowed")
    CONFLICT = Kind("conflict", 409, "The request conflicts with the current state")
    EPOCH_CHANGED = Kind("epoch-changed", 412, "The resource has changed since it was read")
    TOO_MANY_REQUESTS = Kind("too-many-requests", 429, "Too many requests")
    # Authentication
    UNAUTHENTICATED = Kind("unauthenticated", 401, "A valid token is required")
    BAD_CREDENTIALS = Kind("bad-credentials", 401, "The name or the password is wrong")
    TOKEN_EXPIRED = Kind("token-expired", 401, "The token has expired")
    TOKEN_REVOKED = Kind("token-revoked", 401, "The token was revoked")
    FORBIDDEN = Kind("forbidden", 403, "Permission denied")
    # Exams
    NAMESPACE_NOT_ALLOWED = Kind("namespace-not-allowed", 403, "The exam may not be held from this namespace")
    OWNER_REQUIRED = Kind("owner-required", 422, "The exam needs a Doctor as its owner")
    # Papers
    PAPER_INVALID = Kind("paper-invalid", 422, "The paper is not valid")
    PAPER_CHANGED = Kind("paper-changed", 409, "The exam no longer matches the sitting's frozen paper")
    PAPER_FROZEN = Kind("paper-frozen", 409, "The paper of this sitting can no longer be replaced")
    EXAM_DRAFT = Kind("exam-draft", 409, "The exam is a draft")
    # Degrees
    POINTS_WITHHELD = Kind("points-withheld", 409, "The points of the questions are not shown yet")
    REVIEW_WITHHELD = Kind("review-withheld", 403, "The exam's review policy does not show this")
    # Sittings
    WRONG_LEVEL = Kind("wrong-level", 403, "This sitting is for another level")
    NOT_NAMED = Kind("not-named", 403, "This sitting is for named students")
    ADDRESS_NOT_ALLOWED = Kind("address-not-allowed", 403, "This sitting is not taken at this address")
    ACCESS_CODE_REQUIRED = Kind("access-code-required", 403, "This sitting has an access code")
    ACCESS_CODE_WRONG = Kind("access-code-wrong", 403, "The access code is wrong")
    NOT_OPEN_YET = Kind("not-open-yet", 409, "The sitting has not opened yet")
    STARTS_OVER = Kind("starts-over", 409, "The sitting no longer accepts starts")
    ALREADY_ATTEMPTED = Kind("already-attempted", 409, "The exam was begun in another sitting")
    PAUSED = Kind("sitting-paused", 409, "The sitting is paused")
    CANCELLED = Kind("sitting-cancelled", 409, "The sitting was cancelled")
    WINDOW_FROZEN = Kind("window-frozen", 409, "The window can no longer be changed in this way")
    STATE_CONFLICT = Kind("state-conflict", 409, "The sitting's state does not allow this")
    # Answers
    UNKNOWN_QUESTION = Kind("unknown-question", 422, "The paper has no such question")
    UNKNOWN_CHOICE = Kind("unknown-choice", 422, "The question has no such choice")
    TOO_MANY_CHOICES = Kind("too-many-choices", 422, "More choices than the question allows")
    BAD_NUMBER = Kind("bad-number", 422, "The answer is not a valid number")
    WRONG_ANSWER_KIND = Kind("wrong-answer-kind", 422, "The question requires another kind of answer")
    SEQ_TOO_LOW = Kind("seq-too-low", 409, "A later answer to this question is already saved")
    LATE = Kind("deadline-passed", 409, "The answer came after the deadline")
    TOO_MANY_ANSWERS = Kind("too-many-answers", 429, "The attempt has reached its limit of saved answers")
    # Service faults
    OVERLOADED = Kind("overloaded", 503, "Too many requests are in flight")
    NOT_KNOWN_SAVED = Kind("not-known-saved", 503, "The answer is not known to be saved; send it again")
    UNAVAILABLE = Kind("unavailable", 503, "A required service is unavailable")
    INTERNAL = Kind("internal", 500, "Internal server error")

    @property
    def slug(self) -> str:
        """The last segment of the type's URI."""
        return self.value.slug

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value.status

    @property
    def title(self) -> str:
        """The summary, which is the same for every occurrence."""
        return self.value.title

    @property
    def uri(self) -> str:
        """The type's URI."""
        return BASE + self.value.slug


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A rejected request, with the reason.

    Args:
        kind: the catalogue's entry.
        detail: the fault in this occurrence, its place, and how to correct it.
        retry_after: seconds after which the same request may succeed; None if it cannot.
        extra: members added to the body beside RFC 9457's own.
    """

    def __init__(self, kind: ProblemKind, detail: str, *, retry_after: int | None = None, **extra: Json) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.extra = extra

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers of the response."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.kind.status == 401:  # noqa: PLR2004 - the one status with a header of its own (RFC 9110)
            headers["WWW-Authenticate"] = "Bearer"
        return headers

    def body(self, *, instance: str | None = None) -> dict[str, Json]:
        """Return the RFC 9457 members; `instance` is the request's path or id."""
        body: dict[str, Json] = {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if instance is not None:
            body["instance"] = instance
        return body | self.extra
