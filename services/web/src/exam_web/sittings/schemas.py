"""Bodies of requests and responses about sittings."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import BeforeValidator, ConfigDict

from exam_core.bounds import MAX_CANDIDATES, MAX_EXTRA_PERCENT, MAX_SPAN_US, read_instant
from exam_core.entry import MAX_CODE, MAX_NAMED, MAX_NETWORKS
from exam_web.sittings.models import MAX_REFREEZE


def _read_instant(value: object) -> datetime:
    if not isinstance(value, str):
        # Not a number: seconds could be meant, or milliseconds.
        raise ValueError("an instant is text like 2027-01-15T09:00:00Z")  # noqa: TRY004 - pydantic reports ValueError
    return read_instant(value)


Instant = Annotated[datetime, BeforeValidator(_read_instant)]
"""An instant that a request sets: ISO 8601 with a UTC offset, within the bounds of instants."""
Duration = Annotated[int, Field(strict=True, gt=0, le=MAX_SPAN_US)]
"""A duration that a request sets, in microseconds."""
Candidates = Annotated[int, Field(strict=True, ge=1, le=MAX_CANDIDATES)]
"""An expected number of students that a request sets."""
Username = Annotated[str, Field(max_length=150)]
MultipleName = Literal["all-or-nothing", "proportional"]


class SittingListed(Schema):
    """A sitting in a list."""

    id: str
    name: str
    exam: str
    opens_at: datetime
    closes_at: datetime
    duration_seconds: float
    state: str


class SittingPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[SittingListed]


class SignedStatement(Schema):
    """A signed statement (compact JWS)."""

    statement: str


class SignedProof(Schema):
    """The proof that something is in what a statement states."""

    statement: str
    proof: dict[str, Any]


class RequestBody(Schema):
    """A request's body; a member that does not exist is rejected, because ignoring it would hide a misspelt field."""

    model_config = ConfigDict(extra="forbid")


class SittingSpecBody(RequestBody):
    """The desired state of a sitting; `duration_us` in microseconds."""

    exam: str
    opens_at: Instant
    closes_at: Instant
    duration_us: Duration
    candidates: Candidates = 1000
    publish: Literal["manual", "automatic"] = "manual"
    extra_past_close: bool = True
    multiple: MultipleName | None = Field(None, description="Without this rule and the next, the exam's policy applies")
    negative_total: bool | None = None


class WindowChange(RequestBody):
    """Changes of a window; omitted fields stay."""

    opens_at: Instant | None = None
    closes_at: Instant | None = None
    duration_us: Duration | None = None


class SittingChange(RequestBody):
    """Changes of a sitting besides its window; omitted fields stay."""

    candidates: Candidates | None = None
    multiple: MultipleName | None = None
    negative_total: bool | None = None


class RefreezeRequest(RequestBody):
    """A request to freeze anew; with a name it is applied once."""

    request: str = Field("", max_length=MAX_REFREEZE)


class ExtraTime(RequestBody):
    """A student's extra time, in microseconds."""

    extra_us: int = Field(strict=True, ge=0, le=MAX_SPAN_US)


class EntryRulesChange(RequestBody):
    """Changes of who may start in a sitting; omitted members stay."""

    students: list[Username] | None = Field(
        None, max_length=MAX_NAMED, description="The usernames of the students who may start; null for all of the level"
    )
    code: str | None = Field(None, max_length=MAX_CODE, description="The access code; null for none")
    networks: list[str] = Field(
        default_factory=list, max_length=MAX_NETWORKS, description="In CIDR notation; none for everywhere"
    )


class EntryStatus(Schema):
    """Who may start: how many named students, null for all of the level; whether there is a code; the networks."""

    students: int | None
    code: bool
    networks: list[str]


class ExtraPercent(RequestBody):
    """A student's extra time in all exams, in percent of the duration of an attempt."""

    percent: int = Field(strict=True, ge=0, le=MAX_EXTRA_PERCENT)


class StudentExtraTime(Schema):
    """A student with the extra time in all exams."""

    username: str
    percent: int


class WindowStatus(Schema):
    """The present window."""

    opens_at: datetime
    closes_at: datetime
    duration_us: int
    paused: bool
    stopped_at: datetime | None


class LiveLease(Schema):
    """A lease that a close still waits for; unless it is renewed, it counts until `expires_at` at the latest."""

    holder: str
    acknowledged: int
    expires_at: datetime


class SealStatus(Schema):
    """A seal; `statement` is signed, None if a release without statements sealed the sitting."""

    at: datetime
    answers: int
    students: int
    digest: str
    statement: str | None


class RevisionStatus(Schema):
    """A revision and its progress."""

    number: int
    state: str
    chunks: int
    graded: int
    started_at: datetime
    finished_at: datetime | None


class ContentStatus(Schema):
    """What of the exam changed since the paper was frozen: none, key or paper; `detail` names the differences."""

    change: Literal["none", "key", "paper"]
    detail: str


class SittingStatus(Schema):
    """The status of a sitting; `now` is the time on the database's clock."""

    id: str
    name: str
    exam: str
    state: str
    epoch: int
    now: datetime
    window: WindowStatus
    ends_at: datetime | None
    paper: str
    frozen_at: datetime
    refreeze: str
    content: ContentStatus
    distributed: bool
    candidates: int
    extra_past_close: bool
    multiple: str
    negative_total: bool
    entry: EntryStatus
    drained: bool
    waiting_for: list[LiveLease]
    seal: SealStatus | None
    revisions: list[RevisionStatus]
    publish: str
    published_revision: int
    published_at: datetime | None
