"""Recomputes a sitting from its answer log and compares every step with what is recorded; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from exam_cli.audit.records import RevisionRecord, SittingRecord
from exam_core.buckets import bucket_of
from exam_core.canonical import digest
from exam_core.commitments import DegreeContent, attempt_member, commit_to_key, degree_member
from exam_core.fold import SealedAttempt, SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import BucketRoot, buckets_root
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper
from exam_core.scoring import Policy, Scorer, scorer
from exam_core.statements import DegreesStatement, SealStatement

UNREADABLE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""Errors of content that was changed."""


@dataclass(frozen=True)
class Audit:
    """The audit of one sitting: compares the seal with the answer log, and computes everything else from the seal."""

    sitting: SittingRecord

    @cached_property
    def seals(self) -> tuple[SealedBucket, ...]:
        """The buckets as sealed, or what the answer log gives where a seal cannot be read."""
        pairs = zip(self.sitting.stored, self.folded, strict=True)
        return tuple(_readable(stored.seal) or folded for stored, folded in pairs)

    @cached_property
    def paper(self) -> Paper | None:
        """The paper; None if it cannot be read, which is reported by itself."""
        paper = Paper(self.sitting.paper_body)
        try:
            _ = paper.draws
        except (*UNREADABLE, AttributeError):
            return None
        return paper

    @cached_property
    def folded(self) -> tuple[SealedBucket, ...]:
        """The buckets as the answer log gives them now."""
        return tuple(
            seal_bucket(
                sitting=self.sitting.id,
                bucket=number,
                paper=self.paper,
                answers=bucket.answers,
                starts=bucket.starts,
                submissions=bucket.submissions,
            )
            for number, bucket in enumerate(self.sitting.stored)
        )

    @cached_property
    def roots(self) -> tuple[BucketRoot, ...]:
        """The roots over the students of each bucket."""
        secret, sitting = self.sitting.secret, self.sitting.id
        return tuple(
            BucketRoot.of(number, [attempt_member(secret, sitting, attempt) for attempt in bucket.students])
            for number, bucket in enumerate(self.seals)
        )

    @property
    def attempts(self) -> Iterator[SealedAttempt]:
        """The attempts of all students."""
        for bucket in self.seals:
            yield from bucket.students

    def seal_statement(self) -> SealStatement:
        """The statement that follows from the seal."""
        sitting = self.sitting
        return SealStatement(
            sitting=sitting.id,
            name=sitting.name,
            paper=digest(sitting.paper_body),
            buckets=sitting.buckets,
            students=sum(root.students for root in self.roots),
            answers=sum(bucket.count for bucket in self.seals),
            root=buckets_root(self.roots),
            seal=root_digest(sitting.id, [bucket.digest for bucket in self.seals]),
            closed_at=sitting.closed_at,
            drained_at=sitting.drained_at,
            sealed_at=sitting.sealed_at,
        )

    def degrees(self, revision: RevisionRecord) -> dict[int, DegreeContent]:
        """The degrees that follow from seal, key and policy, by student, of students who have an account."""
        paper, key = Paper(self.sitting.paper_body), Key(self.sitting.keys[revision.key])
        shared = scorer(paper, key, Policy.from_json(revision.policy))
        return {
            attempt.student: _degree(shared, attempt)
            for attempt in self.attempts
            if attempt.student in self.sitting.students
        }

    def degrees_statement(self, revision: RevisionRecord) -> DegreesStatement:
        """The statement that follows from seal, key and policy."""
        sitting, roots = self.sitting, self.degree_roots(revision)
        return DegreesStatement(
            sitting=sitting.id,
            name=sitting.name,
            revision=revision.number,
            paper=digest(sitting.paper_body),
            key=commit_to_key(sitting.secret, sitting.id, digest(sitting.keys[revision.key])),
            policy=Policy.from_json(revision.policy).digest,
            seal=root_digest(sitting.id, [bucket.digest for bucket in self.seals]),
            buckets=revision.chunks,
            degrees=sum(root.students for root in roots),
            root=buckets_root(roots),
            graded_at=revision.finished_at or 0,
        )

    def faults(self) -> Iterator[str]:
        """Everything that contradicts the answer log, the seal, or what follows from them, as sentences."""
        yield from guarded("the paper or a key", self._content_faults())
        yield from guarded("the paper or the seal", self._seal_faults())
        for revision in self.sitting.revisions:
            at = f"revision {revision.number}"
            yield from guarded(f"{at}: its policy", self._policy_faults(at, revision))
            yield from guarded(f"{at}: its key, policy or degrees", self._degree_faults(at, revision))

    def _content_faults(self) -> Iterator[str]:
        sitting = self.sitting
        if digest(sitting.paper_body) != sitting.paper:
            yield f"the paper's content has digest {digest(sitting.paper_body)}, recorded is {sitting.paper}"
        for recorded, body in sitting.keys.items():
            if digest(body) != recorded:
                yield f"a key's content has digest {digest(body)}, recorded is {recorded}"
            if Key(body).paper != sitting.paper:
                yield f"key {recorded} belongs to paper {Key(body).paper}, not {sitting.paper}"

    def _seal_faults(self) -> Iterator[str]:
        sitting = self.sitting
        recorded = [record.bucket for record in sitting.records]
        if recorded != list(range(sitting.buckets)):
            yield f"buckets {recorded} are recorded, the sitting has {sitting.buckets}"
            return
        for record, stored, seal, root in zip(sitting.records, sitting.stored, self.seals, self.roots, strict=True):
            at = f"bucket {record.bucket}"
            if _readable(stored.seal) is None:
                yield f"{at}: there is no intact seal"
            yield from (f"{at}: {fault}" for fault in _log_faults(self.folded[record.bucket], seal))
            yield from _differences(
                at,
                found={
                    "digest": record.digest,
                    "answers": record.answers,
                    "students": record.students,
                    "root of the tree": record.tree_root,
                },
                expected={
                    "digest": seal.digest,
                    "answers": seal.count,
                    "students": root.students,
                    "root of the tree": root.root,
                },
            )
        yield from _differences(
            "sitting", found={"digest": sitting.seal}, expected={"digest": self.seal_statement().seal}
        )

    def _policy_faults(self, at: str, revision: RevisionRecord) -> Iterator[str]:
        policy = Policy.from_json(revision.policy)
        yield from _differences(
            f"{at}: policy", found={"digest": revision.policy_digest}, expected={"digest": policy.digest}
        )
        if revision.number == 1 and revision.key != self.sitting.key:
            yield f"{at}: it was graded with key {revision.key}, frozen with the paper was {self.sitting.key}"

    def _degree_faults(self, at: str, revision: RevisionRecord) -> Iterator[str]:
        if revision.finished_at is None:
            return
        found = {degree.student: degree for degree in revision.degrees}
        expected = self.degrees(revision)
        for student in sorted(found.keys() | expected.keys()):
            if found.get(student) != expected.get(student):
                yield f"{at}: student {student} {_shown(found.get(student))}, expected: {_shown(expected.get(student))}"
        roots = self.degree_roots(revision)
        if [entry.chunk for entry in revision.ledger] != [root.bucket for root in roots]:
            yield f"{at}: chunks {[entry.chunk for entry in revision.ledger]} of {revision.chunks} are in the ledger"
            return
        for entry, root in zip(revision.ledger, roots, strict=True):
            yield from _differences(
                f"{at}: chunk {entry.chunk}",
                found={"degrees": entry.degrees, "root of the tree": entry.tree_root},
                expected={"degrees": root.students, "root of the tree": root.root},
            )

    def degree_roots(self, revision: RevisionRecord) -> list[BucketRoot]:
        """The roots over the degrees of each chunk."""
        secret, sitting = self.sitting.secret, self.sitting.id
        chunks: list[list[DegreeContent]] = [[] for _ in range(revision.chunks)]
        for student, degree in sorted(self.degrees(revision).items()):
            chunks[bucket_of(student, revision.chunks)].append(degree)
        return [
            BucketRoot.of(number, [degree_member(secret, sitting, revision.number, degree) for degree in degrees])
            for number, degrees in enumerate(chunks)
        ]


def _degree(shared: Scorer, attempt: SealedAttempt) -> DegreeContent:
    answers = ((answer.question, answer.answer) for answer in attempt.answers)
    result = shared.score(answers, attempt.drawn)
    return DegreeContent(
        student=attempt.student,
        total=decimal_text(result.total),
        maximum=decimal_text(result.maximum),
        answered=result.answered,
        points=tuple(result.to_json()),
    )


def _differences(at: str, *, found: Mapping[str, object], expected: Mapping[str, object]) -> Iterator[str]:
    for name, value in expected.items():
        if found[name] != value:
            yield f"{at}: {name} {found[name]} is recorded, expected {value}"


def _readable(data: bytes | None) -> SealedBucket | None:
    """Return a seal whose content can be read."""
    if data is None:
        return None
    sealed = SealedBucket(data)
    try:
        _by_student(sealed.students)
    except UNREADABLE:
        return None
    return sealed


def guarded(what: str, faults: Iterator[str]) -> Iterator[str]:
    """Report content that was changed so that it cannot be read."""
    try:
        yield from faults
    except UNREADABLE as error:
        yield f"{what} cannot be read: {error!r}"


def _log_faults(folded: SealedBucket, sealed: SealedBucket) -> Iterator[str]:
    """Name the students whose sealed attempt is not what the answer log gives."""
    found, expected = _by_student(sealed.students), _by_student(folded.students)
    for student in sorted(found.keys() | expected.keys()):
        if found.get(student) != expected.get(student):
            yield f"the seal of student {student} is not what the answer log gives"
    if found == expected and sealed.data != folded.data:
        yield "the seal is not in the canonical form"


def _by_student(attempts: Iterable[SealedAttempt]) -> dict[int, SealedAttempt]:
    return {attempt.student: attempt for attempt in attempts}


def _shown(degree: DegreeContent | None) -> str:
    if degree is None:
        return "has no degree"
    return f"has {degree.total} of {degree.maximum} ({degree.answered} answered: {list(degree.points)})"
