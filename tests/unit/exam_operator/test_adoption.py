"""Which Exams may adopt a sitting of a former name."""

from dataclasses import replace
from typing import Any

import pytest

from exam_core.instants import SECOND
from exam_operator.decide.plan import Action, Verb
from exam_operator.model.observed import ObservedState
from exam_operator.model.status import ExamStatus
from exam_operator.runtime.executor import Executor
from exam_operator.testing.world import make_exam

EXAM = make_exam(1_800_000_000 * SECOND)


class FakeWebClient:
    """A web that records the former name of what it provisions."""

    former = ""

    async def provision(self, key: object, spec: object, *, former: str) -> None:
        """Record the former name."""
        del key, spec
        self.former = former


@pytest.mark.parametrize(
    ("sitting", "former"),
    [(None, "exams.midterm."), ("exams.midterm.restored", "exams.midterm."), (EXAM.key.sitting, "")],
)
async def test_an_exam_that_had_its_own_sitting_adopts_none(sitting: str | None, former: str) -> None:
    """If two clusters have my Exam, the newer one has adopted its sitting; the older one does not take it back."""
    web = FakeWebClient()
    client: Any = web
    executor = Executor(client, client, namespace="platform", job_template={})
    exam = replace(EXAM, status=ExamStatus(sitting=sitting))
    await executor.execute(exam, ObservedState(sitting=None), Action(verb=Verb.PROVISION))
    assert web.former == former
