"""A transcript of one sitting under faults: every call of its clients with its response, and what the stores hold.

It is JSON, so that a run can be judged again from its file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from exam_harness.oracle.content import Content, parse_content
from exam_harness.oracle.paper import kinds_of
from exam_harness.oracle.proofs import Published
from exam_harness.oracle.seal import RawBucket
from exam_harness.oracle.windows import Operation, Window, window_from_json

ANSWER: Final = "answer"
START: Final = "start"
SUBMIT: Final = "submit"
LOGIN: Final = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a client, one for each answer of a batch; instants in µs.

    `sent_at` and `done_at` are by the platform's clock, which faults set forward and back. The order of two calls
    is that of `began` and `ended`, by a clock that is never set.

    Attributes:
        verb: ``start``, ``answer``, ``submit`` or ``login`` (a refresh of its tokens).
        student: the student's id.
        via: the route, such as ``gateway`` or ``solver-1``.
        sent_at: before it was sent.
        done_at: after the response, or after the client gave up.
        began: the same as `sent_at`, by the clock that is never set.
        ended: the same as `done_at`, by the clock that is never set.
        status: the response's status; None when none was received.
        problem: the slug of the problem; empty without one.
        body: the response's JSON as far as it makes a statement.
        question: of an answer.
        seq: of an answer.
        answer: of an answer, its JSON members.
    """

    verb: str
    student: int
    via: str
    sent_at: int
    done_at: int
    began: int
    ended: int
    status: int | None = None
    problem: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    question: int = -1
    seq: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def acknowledged(self) -> bool:
        """Whether the platform confirmed it."""
        return self.status in {200, 201}

    @property
    def unknown(self) -> bool:
        """Whether its outcome is unknown to the client."""
        return self.status is None or self.status in {502, 503, 504}

    def precedes(self, other: "Call") -> bool:
        """Whether it had ended before another one began."""
        return self.ended < other.began

    def __str__(self) -> str:
        """Describe it for a message."""
        subject = f" question {self.question} seq {self.seq} {dict(self.answer)}" if self.verb == ANSWER else ""
        outcome = "no response" if self.status is None else f"{self.status} {self.problem}".rstrip()
        return f"student {self.student}: {self.verb}{subject} via {self.via}: {outcome}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRow:
    """A row of the answer log; `late` rows are in a table that no seal reads."""

    student: int
    question: int
    seq: int
    received_at: int
    deadline_at: int
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Degree:
    """A degree as stored; numbers as texts."""

    student: int
    total: str
    maximum: str
    points: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All that a judgement needs.

    Attributes:
        sitting: the sitting's id.
        document: the authored exam's YAML.
        paper: the paper, with all questions that any student was shown, or None if no attempt was started.
        first: the window as provisioned.
        last: the window in the end.
        operations: the accepted changes of the window, in order.
        row_limit: how many rows an attempt may save.
        buckets: how many buckets the sitting has.
        root: the published digest over all buckets.
        digests: the recorded digest of each bucket.
        sealed: the sealed buckets as stored.
        rows: the answer log.
        degrees: the degrees of the first revision.
        keys: the JWK set that verifies receipts.
        statement_keys: the JWK set that verifies statements.
        seal_proofs: the statement about the seal, and every student's proof; None if there is no statement.
        degree_proofs: the statement about the published degrees, and every student's proof; None likewise.
        calls: what clients sent and received.
        writes_delayed: whether faults held up writes on their way to the answer log beyond the timeout of their solver.
        clock_stepped: whether the platform's clock was set.
        lease_ttl: for how long a solver may not know of a change of the window (µs).
        remarks: what else went wrong, as sentences, such as a sitting that was not graded in time.
    """

    sitting: str
    document: str
    paper: Mapping[str, Any] | None
    first: Window
    last: Window
    operations: Sequence[Operation]
    row_limit: int
    buckets: int
    root: str
    digests: Mapping[int, str]
    sealed: Sequence[RawBucket]
    rows: Sequence[LoggedRow]
    degrees: Sequence[Degree]
    keys: Mapping[str, Any]
    statement_keys: Mapping[str, Any]
    seal_proofs: Published | None
    degree_proofs: Published | None
    calls: Sequence[Call]
    remarks: Sequence[str] = ()
    writes_delayed: bool = False
    clock_stepped: bool = False
    lease_ttl: int = 0

    def answers(self) -> Iterable[Call]:
        """The calls with answers."""
        return (call for call in self.calls if call.verb == ANSWER)

    def kind(self, question: int) -> str:
        """The kind of a question as shown; no answer can count to one that no one was shown, whatever its kind."""
        return "text" if self.paper is None else kinds_of(self.paper)[question] or "text"

    def content(self, call: Call) -> Content:
        """The content of a call with an answer."""
        return parse_content(call.answer, self.kind(call.question))

    def to_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        sealed = [{"bucket": row.bucket, "digest": row.digest, "data": row.data.hex()} for row in self.sealed]
        plain = {"sealed": sealed}
        for name in ("operations", "rows", "degrees", "calls"):
            plain[name] = [asdict(each) for each in getattr(self, name)]
        values = {name: getattr(self, name) for name in self.__slots__}
        proofs = {name: values[name] and asdict(values[name]) for name in ("seal_proofs", "degree_proofs")}
        return values | plain | proofs | {"first": asdict(self.first), "last": asdict(self.last)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Transcript":
        """The inverse of `to_json`, after JSON."""
        return cls(
            **{
                **body,
                "first": window_from_json(body["first"]),
                "last": window_from_json(body["last"]),
                "operations": [Operation(**each) for each in body["operations"]],
                "digests": {int(bucket): digest for bucket, digest in body["digests"].items()},
                "sealed": [
                    RawBucket(each["bucket"], each["digest"], bytes.fromhex(each["data"])) for each in body["sealed"]
                ],
                "rows": [LoggedRow(**each) for each in body["rows"]],
                "seal_proofs": _published_from_json(body["seal_proofs"]),
                "degree_proofs": _published_from_json(body["degree_proofs"]),
                "degrees": [Degree(**{**each, "points": tuple(each["points"])}) for each in body["degrees"]],
                "calls": [Call(**each) for each in body["calls"]],
            }
        )


def _published_from_json(body: Mapping[str, Any] | None) -> Published | None:
    if body is None:
        return None
    return Published(body["statement"], {int(student): proof for student, proof in body["proofs"].items()})
