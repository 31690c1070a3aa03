"""Fetches statements and proofs as students do, and checks them with the oracle."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.checker import Mismatch, ObservedDegree
from exam_harness.oracle.history import History
from exam_harness.oracle.proofs import Published, check_degree_proofs, check_seal_proofs
from exam_harness.oracle.receipts import parse_keys
from exam_harness.scenarios.sitting.checks import ScheduledSitting, SittingEvidence
from exam_harness.scenarios.sitting.platform_client import PlatformClient
from exam_harness.students.cohort import Cohort, FetchedProof

SEAL, DEGREES = "seal", "degrees"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedProofs:
    """The public statements by (sitting, part), and every student's proofs by part."""

    statements: Mapping[tuple[str, str], str]
    proofs: Mapping[str, Sequence[FetchedProof]]

    def published(self, sitting: str, part: str, ids: Mapping[str, int]) -> Published:
        """What is published of a part of a sitting; `ids` are the students' by username."""
        proofs = {ids[each.username]: each.proof for each in self.proofs[part] if each.sitting == sitting}
        return Published(self.statements[sitting, part], proofs)

    def degrees(self, sitting: str) -> Iterator[ObservedDegree]:
        """The degrees that the proofs show."""
        for each in self.proofs[DEGREES]:
            if each.sitting == sitting:
                content = each.proof["content"]
                yield ObservedDegree(
                    source="proof",
                    student=content["student"],
                    total=content["total"],
                    maximum=content["maximum"],
                    points=tuple(content["points"]),
                    answered=content["answered"],
                )


async def fetch_proofs(cohort: Cohort, client: PlatformClient, scheduled: Sequence[ScheduledSitting]) -> FetchedProofs:
    """Fetch the statements of all sittings, and the proofs of all students who attended."""
    sittings = {each.document.level: each.id for each in scheduled}
    return FetchedProofs(
        statements={
            (sitting, part): await asyncio.to_thread(client.statement, sitting, part)
            for sitting in sittings.values()
            for part in (SEAL, DEGREES)
        },
        proofs={part: await cohort.fetch_proofs(sittings, part) for part in (SEAL, DEGREES)},
    )


def check_proofs(
    history: History,
    evidence: SittingEvidence,
    fetched: FetchedProofs,
    *,
    jwks: Mapping[str, Any],
    ids: Mapping[str, int],
) -> Iterator[Mismatch]:
    """Every fault of a sitting's statements and proofs; `jwks` are the published keys of statements."""
    sitting, name, keys = evidence.scheduled.id, evidence.scheduled.name, parse_keys(jwks)
    present = sorted(student for in_sitting, student in history.starts if in_sitting == sitting)
    seal, degrees = (fetched.published(sitting, part, ids) for part in (SEAL, DEGREES))
    faults = [
        *check_seal_proofs(evidence.seal, seal, keys, present=present),
        *check_degree_proofs(evidence.seal, degrees, keys, present=present),
    ]
    for part in (SEAL, DEGREES):
        differing = [
            each.username
            for each in fetched.proofs[part]
            if each.sitting == sitting and each.statement != fetched.statements[sitting, part]
        ]
        if differing:
            faults.append(f"{differing[0]} and {len(differing) - 1} others are shown another statement ({part})")
    yield from (Mismatch("proof", name, fault) for fault in faults)
