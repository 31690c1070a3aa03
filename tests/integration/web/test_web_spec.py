"""A sitting's spec is applied as a whole, or the field that cannot be applied is named."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_core.scoring import MultipleRule
from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.sittings.models import Sitting
from exam_web.sittings.schemas import SittingSpecBody

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
SPECS = st.fixed_dictionaries(
    {
        "candidates": st.sampled_from([1, 100, 900, 40_000]),
        "multiple": st.sampled_from([rule.value for rule in MultipleRule]),
        "negative_total": st.booleans(),
        "publish": st.sampled_from(["manual", "automatic"]),
        "duration_us": st.sampled_from([60_000_000, 1_800_000_000]),
        "extra_past_close": st.booleans(),
        "opens_in": st.sampled_from([10, 3600]),
    }
)


def shown(status: dict[str, Any]) -> dict[str, Any]:
    """The spec's fields as the status has them."""
    members = status | status["window"]
    return {name: members[name] for name in SittingSpecBody.model_fields}


def body(*, opens_in: int, **fields: Any) -> dict[str, Any]:
    """A spec of a sitting that opens in so many seconds, for two hours."""
    now = timezone.now().replace(microsecond=0)
    instants = {"opens_at": now + timedelta(seconds=opens_in), "closes_at": now + timedelta(seconds=opens_in + 7200)}
    return {"exam": "algebra-101"} | {name: each.isoformat() for name, each in instants.items()} | fields


def normal(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec with its instants written as the status writes them."""
    return SittingSpecBody(**spec).model_dump(mode="json")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(st.lists(SPECS, min_size=2, max_size=4))
def test_an_accepted_spec_is_what_the_status_shows(internal, specs: list[dict[str, Any]]) -> None:
    """Whatever spec I PUT in whatever order: after 200 GET shows it all, after a refusal GET shows the one before."""
    Sitting.objects.all().delete()
    internal("PUT", "/exams", PAPER)
    before = None
    for fields in specs:
        spec = body(**fields)
        answer = internal("PUT", "/sittings/midterm", spec)
        status = internal("GET", "/sittings/midterm").json()
        if answer.status_code == 200:
            before = shown(status)
            assert normal(before) == normal(spec)
        else:
            assert answer.status_code == 409
            assert before is not None
            assert shown(status) == before


@pytest.fixture
def first(internal, spec) -> dict[str, Any]:
    """The spec of a provisioned sitting that opens in an hour."""
    internal("PUT", "/exams", PAPER)
    wanted: dict[str, Any] = spec()
    assert internal("PUT", "/sittings/midterm", wanted).status_code == 200
    return wanted


def test_policy_and_candidates_change_before_the_opening(internal, first) -> None:
    """If I PUT another policy or more candidates before the opening, they are applied, buckets included."""
    epoch, buckets = Sitting.objects.values_list("epoch", "buckets").get()
    changed = internal("PUT", "/sittings/midterm", first | {"multiple": "proportional", "candidates": 40_000})
    assert (changed.status_code, changed.json()["multiple"], changed.json()["candidates"]) == (
        200,
        "proportional",
        40_000,
    )
    row = Sitting.objects.get()
    assert row.policy["multiple"] == "proportional"
    assert row.buckets > buckets
    assert row.epoch > epoch


def test_each_rule_of_the_policy_changes_alone(internal, first) -> None:
    """If I change one rule of the policy before the opening, the other one stays; a PUT states both."""
    changed = internal("PATCH", "/sittings/midterm", {"negative_total": True}).json()
    assert (changed["negative_total"], changed["multiple"]) == (True, "all-or-nothing")
    changed = internal("PATCH", "/sittings/midterm", {"multiple": "proportional"}).json()
    assert (changed["negative_total"], changed["multiple"]) == (True, "proportional")
    assert Sitting.objects.get().policy == {"format": 1, "multiple": "proportional", "negative_total": True}
    assert internal("PUT", "/sittings/midterm", first).json()["negative_total"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"multiple": "proportional"}, "multiple"),
        ({"negative_total": True}, "negative_total"),
        ({"candidates": 40_000}, "candidates"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_policy_and_candidates_are_fixed_from_the_opening(internal, first, change, field: str, method: str) -> None:
    """Once the sitting is open, the field that cannot change is named with the way, and nothing changes."""
    Sitting.objects.update(opens_at=timezone.now())
    window = internal("GET", "/sittings/midterm").json()["window"]
    whole = first | {name: window[name] for name in ("opens_at", "closes_at")} | {"publish": "automatic"}
    before = Sitting.objects.values().get()
    refused = internal(method, "/sittings/midterm", whole | change if method == "PUT" else change)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/conflict")
    for part in (field, "could change until", "create another sitting"):
        assert part in refused.json()["detail"]
    assert Sitting.objects.values().get() == before


def test_candidates_that_need_no_other_buckets_can_always_change(internal, first) -> None:
    """While the sitting is open, some more candidates can be stated: the answers are stored as before."""
    Sitting.objects.update(opens_at=timezone.now())
    changed = internal("PATCH", "/sittings/midterm", {"candidates": 101})
    assert (changed.status_code, changed.json()["candidates"]) == (200, 101)
    internal("POST", "/sittings/midterm/stop")
    assert internal("PATCH", "/sittings/midterm", {"candidates": 102}).status_code == 409


def test_provisioning_accepts_the_epoch_it_was_decided_on(internal, first) -> None:
    """A PUT with the epoch of another state is refused, also if the sitting does not exist."""
    epoch = internal("GET", "/sittings/midterm").json()["epoch"]
    changed = first | {"candidates": 101}
    assert internal("PUT", "/sittings/midterm", changed, **{"If-Match": f'"{epoch - 1}"'}).status_code == 412
    assert internal("GET", "/sittings/midterm").json()["candidates"] == 100
    assert internal("PUT", "/sittings/midterm", changed, **{"If-Match": f'"{epoch}"'}).status_code == 200
    assert internal("PUT", "/sittings/other", changed, **{"If-Match": f'"{epoch}"'}).status_code == 412
    assert not Sitting.objects.filter(name="other").exists()


@pytest.mark.parametrize(
    ("method", "path", "change"),
    [
        ("PUT", "", {"policy": {"multiple": "proportional"}}),
        ("PATCH", "", {"policy": {"multiple": "proportional"}}),
        ("PATCH", "/window", {"closesAt": "2027-01-15T09:00:00Z"}),
        ("POST", "/refreeze", {"name": "typo"}),
        ("PUT", "/accommodations/sara", {"extra": 1, "extra_us": 1}),
    ],
)
def test_a_field_that_does_not_exist_is_named(internal, first, people, method: str, path: str, change) -> None:
    """A misspelt field returns 422 with its name, instead of 200 without effect."""
    before = Sitting.objects.values().get()
    sent = first | change if (method, path) == ("PUT", "") else change
    refused = internal(method, f"/sittings/midterm{path}", sent)
    assert refused.status_code == 422
    assert next(iter(change)) in refused.json()["detail"]
    assert Sitting.objects.values().get() == before
