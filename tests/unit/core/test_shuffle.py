"""The order in which a student sees a paper."""

import hashlib
from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.paper import Paper
from exam_core.shuffle import inverse, order_of, permutation, seed_of

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(range(32))
SEEDS = st.integers(0, 2**63 - 1)


@given(SEEDS, st.text(max_size=5), st.integers(0, 60))
def test_every_question_is_shown_exactly_once(seed: int, label: str, size: int) -> None:
    """No question is missing, and none appears twice."""
    assert sorted(permutation(seed, label, size)) == list(range(size))


@given(SEEDS, st.integers(0, 60))
def test_places_map_back_to_numbers(seed: int, size: int) -> None:
    """The choice that I select on my screen is the same choice in the paper."""
    order = permutation(seed, "questions", size)
    places = inverse(order)
    assert [order[places[number]] for number in range(size)] == list(range(size))
    assert inverse(places) == order


def test_the_order_is_the_same_in_every_release() -> None:
    """A device that computes the order itself, or a server of another release, shows me the same order."""
    assert permutation(42, "questions", 10) == (3, 4, 9, 6, 2, 7, 5, 8, 0, 1)
    assert seed_of(SECRET, SITTING, 17) == 2082842966861155805


@given(st.integers(1, 2**53), st.integers(1, 2**53))
def test_each_student_has_a_seed_that_fits_a_bigint(student: int, other: int) -> None:
    """A seed fits a bigint, and two students do not share one."""
    seed = seed_of(SECRET, SITTING, student)
    assert 0 <= seed < 2**63
    assert (seed == seed_of(SECRET, SITTING, other)) is (student == other)


@given(st.integers(1, 2**53), st.binary(min_size=32, max_size=32))
def test_a_seed_needs_the_secret(student: int, guess: bytes) -> None:
    """If I know the ids of the sitting and of my neighbour, I cannot compute the order in which they see the paper."""
    known = hashlib.sha256(b"exam-seed\0%s%d" % (SITTING.bytes, student)).digest()
    seed = seed_of(SECRET, SITTING, student)
    assert seed != int.from_bytes(known[:8]) >> 1
    assert (seed == seed_of(guess, SITTING, student)) is (guess == SECRET)


def test_all_orders_are_equally_likely() -> None:
    """Over many students each of the six orders of three choices occurs about equally often."""
    seen = Counter(permutation(seed_of(SECRET, SITTING, student), "choices/0", 3) for student in range(3_000))
    assert len(seen) == 6
    assert all(420 <= times <= 580 for times in seen.values())


def test_an_order_covers_questions_and_choices(paper: Paper) -> None:
    """Questions and the choices of each are shuffled separately; a numeric question has none."""
    order = order_of(paper, seed=7)
    assert sorted(order.questions) == [0, 1, 2]
    assert [sorted(choices) for choices in order.choices] == [[0, 1], [0, 1, 2, 3], []]
    assert order.to_json() == {
        "questions": list(order.questions),
        "choices": [list(choices) for choices in order.choices],
    }
