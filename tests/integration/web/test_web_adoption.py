"""A sitting of a resource that was created again, as in a rebuilt cluster, is adopted under its new name."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from exam_core.schedule import State
from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.sittings.models import Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
OLD, NEW = "exams.midterm.0000aaaa", "exams.midterm.1111bbbb"
ADOPTING = f"/sittings/{NEW}?former=exams.midterm."


@pytest.fixture
def wanted(internal, spec) -> dict[str, Any]:
    """The spec of a sitting that was provisioned under the former name."""
    internal("PUT", "/exams", PAPER)
    body: dict[str, Any] = spec()
    assert internal("PUT", f"/sittings/{OLD}", body, **{"If-None-Match": "*"}).status_code == 200
    return body


def test_a_scheduled_sitting_is_adopted(internal, wanted) -> None:
    """If my cluster is rebuilt and my manifest applied again, it is the same sitting with the same paper and window."""
    before = internal("GET", f"/sittings/{OLD}").json()
    after = internal("PUT", ADOPTING, wanted | {"candidates": 900}, **{"If-None-Match": "*"})
    assert after.status_code == 200
    changed = {"name", "epoch", "now"}
    same = {name: value for name, value in before.items() if name not in changed}
    assert {name: value for name, value in after.json().items() if name not in changed} == same
    assert (after.json()["name"], after.json()["epoch"] > before["epoch"]) == (NEW, True)
    assert internal("GET", f"/sittings/{OLD}").status_code == 404
    assert Sitting.objects.count() == 1


def test_an_open_sitting_is_adopted(internal, wanted) -> None:
    """If the window opened while my cluster was rebuilt, students go on in the sitting that I operate again."""
    Sitting.objects.update(opens_at=timezone.now() - timedelta(minutes=1))
    assert internal("PUT", ADOPTING, wanted, **{"If-None-Match": "*"}).json()["id"] == str(Sitting.objects.get().id)


def test_without_a_former_name_nothing_is_adopted(internal, wanted) -> None:
    """If nothing says that the sitting is mine, my window overlaps it, and I read its name."""
    refused = internal("PUT", f"/sittings/{NEW}", wanted, **{"If-None-Match": "*"})
    assert (refused.status_code, OLD in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    "other", ["exams.midterm", "exams.midterm.2.0000aaaa", "exams.midterm-2.0000aaaa", "other.midterm.0000aaaa"]
)
def test_sittings_of_other_resources_are_not_adopted(internal, wanted, other: str) -> None:
    """If another resource's name begins like mine, its sitting stays its own."""
    Sitting.objects.update(name=other)
    assert internal("PUT", ADOPTING, wanted, **{"If-None-Match": "*"}).status_code == 409
    assert Sitting.objects.get().name == other


@pytest.mark.parametrize("state", [State.CANCELLED, State.CLOSING, State.SEALED])
def test_a_sitting_that_has_ended_is_not_adopted(internal, wanted, state: State) -> None:
    """If I deleted my Exam before its window and apply it again, it gets a new sitting; results keep their own."""
    Sitting.objects.update(state=state.value)
    assert internal("PUT", ADOPTING, wanted, **{"If-None-Match": "*"}).status_code == 200
    assert set(Sitting.objects.values_list("name", flat=True)) == {OLD, NEW}


def test_of_several_sittings_the_one_with_the_window_is_adopted(internal, wanted, spec) -> None:
    """If two former sittings are scheduled, mine is the one with my window; with neither, I read both names."""
    later = {
        name: (timezone.now() + timedelta(days=day)).replace(microsecond=0).isoformat()
        for name, day in (("opens_at", 10), ("closes_at", 11))
    }
    assert internal("PUT", "/sittings/exams.midterm.0000cccc", spec(**later)).status_code == 200
    neither = wanted | {"closes_at": (timezone.now() + timedelta(days=20)).isoformat()}
    refused = internal("PUT", ADOPTING, neither, **{"If-None-Match": "*"})
    assert refused.status_code == 409
    assert OLD in refused.json()["detail"]
    assert "exams.midterm.0000cccc" in refused.json()["detail"]
    assert internal("PUT", ADOPTING, wanted | later, **{"If-None-Match": "*"}).status_code == 200
    assert set(Sitting.objects.values_list("name", flat=True)) == {OLD, NEW}


def test_the_publication_is_the_new_owners(internal, wanted) -> None:
    """If the operator publishes, an adopted sitting is not published by itself."""
    Sitting.objects.update(publish="automatic")
    assert internal("PUT", ADOPTING, wanted, **{"If-None-Match": "*"}).json()["publish"] == "manual"
