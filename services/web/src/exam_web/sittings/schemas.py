"""Bodies of requests and responses about sittings."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import AfterValidator

from exam_core.bounds import MAX_SPAN_US, check_instant

Instant = Annotated[datetime, AfterValidator(check_instant)]
"""An instant that a request sets: with a UTC offset and within the bounds of instants."""


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


class SittingSpecBody(Schema):
    """The desired state of a sitting; `duration_us` in microseconds."""

    exam: str
    opens_at: Instant
    closes_at: Instant
    duration_us: int = Field(gt=0, le=MAX_SPAN_US)
    candidates: int = Field(1000, ge=1, le=1_000_000)
    publish: Literal["manual", "automatic"] = "manual"
    extra_past_close: bool = True
    multiple: Literal["all-or-nothing", "proportional"] = "all-or-nothing"


class WindowChange(Schema):
    """Changes of a window; omitted fields stay."""

    opens_at: Instant | None = None
    closes_at: Instant | None = None
    duration_us: int | None = Field(None, gt=0, le=MAX_SPAN_US)


class ExtraTime(Schema):
    """A student's extra time, in microseconds."""

    extra_us: int = Field(ge=0, le=MAX_SPAN_US)


class WindowStatus(Schema):
    """The present window."""

    opens_at: datetime
    closes_at: datetime
    duration_us: int
    paused: bool
    stopped_at: datetime | None


class LiveLease(Schema):
    """A lease that a close still waits for."""

    holder: str
    acknowledged: int
    expires_at: datetime


class SealStatus(Schema):
    """A seal."""

    at: datetime
    answers: int
    students: int
    digest: str


class RevisionStatus(Schema):
    """A revision and its progress."""

    number: int
    state: str
    chunks: int
    graded: int
    started_at: datetime
    finished_at: datetime | None


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
    distributed: bool
    candidates: int
    drained: bool
    waiting_for: list[LiveLease]
    seal: SealStatus | None
    revisions: list[RevisionStatus]
    publish: str
    published_revision: int
    published_at: datetime | None
