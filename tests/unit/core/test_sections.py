"""Sections and pools: what is drawn for each student, in which order it is shown, and what it can earn."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import parse_answer
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.canonical import canonical
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.choices import Choice, SingleChoice
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.ordering import Ordering
from exam_core.scoring import Policy, score
from exam_core.sections import section_faults
from exam_core.shuffle import drawn, order_of
from exam_harness.strategies.questions import AUTHORED, EXAMS, SECTIONED, permute_by

SEEDS = st.integers(0, 2**63 - 1)
SINGLE = SingleChoice(choices=tuple(Choice(id=text, text=text, credit=Fraction(text == "b")) for text in "abc"))


def exam_of(*sections: Section, weights: Sequence[int] = (), prefix: str = "q") -> AuthoredExam:
    """An exam of single-choice questions in sections."""
    size = sum(section.size for section in sections)
    return AuthoredExam(
        slug="e",
        title="E",
        instructions="",
        sections=sections,
        questions=tuple(
            AuthoredQuestion(id=f"{prefix}{n}", text=f"{prefix} {n}", interaction=SINGLE, weight=Decimal(weight))
            for n, weight in enumerate(weights or [1] * size)
        ),
    )


def frozen(exam: AuthoredExam) -> tuple[Paper, Key]:
    """Its paper and key, numbered as written."""
    return freeze(exam, range, plain_text)


def faults_of(exam: AuthoredExam) -> list[str]:
    """What is wrong with its sections."""
    found = section_faults(exam.sections, [question.weight for question in exam.questions])
    return [f"section {exam.sections[index].id} {reason}" for index, _, reason in found]


def pools(*sizes: tuple[int, int | None]) -> tuple[Section, ...]:
    """Sections of so many questions, of which so many are drawn."""
    return tuple(Section(id=f"s{n}", size=size, draw=draw) for n, (size, draw) in enumerate(sizes))


@given(SECTIONED, SEEDS)
def test_each_student_gets_exactly_as_many_questions_as_a_section_draws(exam: AuthoredExam, seed: int) -> None:
    """If a section draws k of its questions, I get exactly k of it, each once, and section after section."""
    paper, _ = frozen(exam)
    order, got = order_of(paper, seed), drawn(paper, seed)
    assert tuple(sorted(order.questions)) == got
    assert len(got) == len(set(got)) == paper.given
    assert order.questions == tuple(number for section in order.sections for number in section)
    first = 0
    for section, shown in zip(exam.sections, order.sections, strict=True):
        assert len(shown) == (section.draw or section.size)
        assert set(shown) <= set(range(first, first + section.size))
        if not section.shuffle_questions:
            assert list(shown) == sorted(shown)
        first += section.size


@given(SECTIONED, SEEDS)
def test_an_order_says_nothing_of_questions_that_were_not_drawn(exam: AuthoredExam, seed: int) -> None:
    """If a question was not drawn for me, the order that I get does not even say how many choices it has."""
    paper, _ = frozen(exam)
    order = order_of(paper, seed)
    for number, question in enumerate(paper.questions):
        sizes = (*question.half.shuffled, 0, 0)[:2] if number in order.questions else (0, 0)
        assert (len(order.choices[number]), len(order.targets[number])) == sizes
        for shown in (order.choices[number], order.targets[number]):
            assert sorted(shown) == list(range(len(shown)))
            if not question.shuffle:
                assert list(shown) == sorted(shown)


def test_every_question_of_a_pool_is_drawn_for_someone_and_all_as_often() -> None:
    """Over many students each question of a pool is drawn about equally often, and so is each pair of them."""
    paper, _ = frozen(exam_of(*pools((2, None), (6, 2))))
    draws = [drawn(paper, seed) for seed in range(3_000)]
    assert all(got[:2] == (0, 1) for got in draws)
    single = Counter(number for got in draws for number in got[2:])
    assert set(single) == {2, 3, 4, 5, 6, 7}
    assert all(880 <= times <= 1_120 for times in single.values())
    pairs = Counter(got[2:] for got in draws)
    assert len(pairs) == 15
    assert all(140 <= times <= 260 for times in pairs.values())


def test_draws_of_two_sections_are_independent() -> None:
    """If I know what my neighbour got of one section, I know nothing of another one."""
    paper, _ = frozen(exam_of(*pools((3, 1), (3, 1))))
    pairs = Counter(drawn(paper, seed) for seed in range(3_000))
    assert len(pairs) == 9
    assert all(250 <= times <= 420 for times in pairs.values())


@given(SECTIONED, SEEDS)
def test_a_draw_does_not_depend_on_what_questions_contain(exam: AuthoredExam, seed: int) -> None:
    """If a question is corrected before the opening, everyone still gets the questions of the same places."""
    other = exam_of(*exam.sections, prefix="another")
    assert drawn(frozen(exam)[0], seed) == drawn(frozen(other)[0], seed)


def test_a_draw_is_the_same_in_every_release() -> None:
    """A server of another release draws the same questions for me, in the same order."""
    paper, _ = frozen(exam_of(*pools((5, 2), (4, None))))
    assert order_of(paper, 42).sections == ((3, 0), (8, 5, 6, 7))


@given(EXAMS, SEEDS)
def test_without_sections_nothing_changes(exam: AuthoredExam, seed: int) -> None:
    """If an exam has no sections, its paper names none, and everyone gets all of it in one shuffled part."""
    paper, _ = frozen(exam)
    assert "sections" not in json.loads(paper.body)
    assert not paper.draws
    assert paper.given == len(exam.questions)
    assert drawn(paper, seed) == tuple(range(len(exam.questions)))
    assert "sections" not in order_of(paper, seed).to_json()


def test_a_paper_of_an_earlier_release_keeps_its_bytes(paper: Paper) -> None:
    """If an exam without sections is frozen again, its paper is named as an earlier release named it."""
    assert paper.digest == "d106ab18b34ba55a6e1e4db9122e13ff29713ae00b46b4633a12e8dfa57a34b6"


@given(SECTIONED, st.integers(0, 99))
def test_sections_and_shuffling_are_optional_members_of_a_paper(exam: AuthoredExam, permutation: int) -> None:
    """A paper with sections is the paper without them and their members, so that older readers' rules still hold."""
    permute = permute_by(permutation)
    paper, _ = freeze(exam, permute, plain_text)
    plain, _ = freeze(replace(exam, sections=()), permute, plain_text)
    body = json.loads(paper.body)
    sections = body.pop("sections")
    assert canonical(body) == plain.body
    assert [section["title"] for section in sections] == [section.title for section in exam.sections]
    assert [section.get("draw") for section in sections] == [
        section.draw if section.is_pool else None for section in exam.sections
    ]


def test_a_section_that_draws_all_of_its_questions_is_no_pool() -> None:
    """If a section draws all of its questions, everyone gets the same ones, and seals need not state them."""
    paper, _ = frozen(exam_of(*pools((3, 3))))
    assert not paper.draws
    assert "draw" not in json.loads(paper.body)["sections"][0]


@given(AUTHORED, st.integers(0, 99), SEEDS)
def test_a_question_that_is_not_shuffled_is_shown_as_its_author_wrote_it(
    interaction: Authored, permutation: int, seed: int
) -> None:
    """If a question is not shuffled, I see its choices or stems in the author's order; orderings stay shuffled."""
    question = AuthoredQuestion(id="q", text="?", interaction=interaction, shuffle=False)
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=(question,))
    paper, key = freeze(exam, permute_by(permutation), plain_text)
    if isinstance(interaction, Ordering):
        shuffled, _ = freeze(
            replace(exam, questions=(replace(question, shuffle=True),)), permute_by(permutation), plain_text
        )
        assert paper.body == shuffled.body
        return
    order = order_of(paper, seed)
    listed = paper.questions[0].half.contents
    written = [item.text for item in question.interaction.items]
    assert [listed[number].text for number in order.choices[0]] == written
    assert list(key.entries(paper)[0].items) == [item.id for item in question.interaction.items]


def test_targets_that_are_not_shuffled_tell_nothing_of_the_key() -> None:
    """If a matching question is not shuffled, its targets are in the alphabet's order, not in that of the stems."""
    stems = tuple(Stem(id=text, text=text, target=target) for text, target in (("x", "Rome"), ("y", "Bern")))
    exam = exam_of(Section(id="s", size=1))
    matching = AuthoredQuestion(id="m", text="?", interaction=Matching(stems=stems), shuffle=False)
    paper, _ = frozen(replace(exam, questions=(matching,)))
    assert json.loads(paper.body)["questions"][0]["targets"] == ["Bern", "Rome"]
    assert order_of(paper, 3).targets == ((0, 1),)


def test_items_of_an_ordering_question_are_always_shuffled() -> None:
    """If an ordering question is not to be shuffled, its order still does not show the key."""
    items = tuple(Item(id=text, text=text) for text in "dcba")
    question = AuthoredQuestion(id="o", text="?", interaction=Ordering(items=items), shuffle=False)
    paper, _ = frozen(replace(exam_of(Section(id="s", size=1)), questions=(question,)))
    assert len({order_of(paper, seed).choices for seed in range(50)}) > 1


@given(SECTIONED, SEEDS, SEEDS)
def test_all_students_can_reach_the_same_total(exam: AuthoredExam, seed: int, other: int) -> None:
    """Whatever was drawn for me, I can reach as many points as everyone else."""
    assert faults_of(exam) == []
    paper, key = frozen(exam)
    maxima = [score(paper, key, Policy(), [], drawn(paper, each)).maximum for each in (seed, other)]
    assert maxima[0] == maxima[1]


@given(st.data(), SEEDS)
def test_only_drawn_questions_are_scored(data: st.DataObject, seed: int) -> None:
    """My points are those of the questions that were drawn for me; whatever else is stored neither counts nor shows."""
    exam = exam_of(*pools((4, 2), (2, None), (3, 1)), weights=(2, 2, 2, 2, 1, 3, 5, 5, 5))
    paper, key = frozen(exam)
    got = drawn(paper, seed)
    chosen = data.draw(st.dictionaries(st.integers(0, 8), st.integers(-1, 2)))
    bodies = {number: {"choices": [choice] if choice >= 0 else []} for number, choice in chosen.items()}
    answers = [(number, parse_answer(paper, number, body)) for number, body in bodies.items()]
    result = score(paper, key, Policy(), answers, got)
    weights = {number: exam.questions[number].weight for number in got}
    points = {number: weights[number] * (choice == 1) for number, choice in chosen.items() if number in got}
    expected = [points[n] if n in points and chosen[n] >= 0 else None for n in range(9)]
    assert list(result.points) == expected
    assert result.total == sum(points.values())
    assert result.maximum == sum(weights.values()) == 2 + 2 + 1 + 3 + 5
    assert result.answered == sum(each is not None for each in expected)


def test_a_draw_that_is_not_known_is_not_scored() -> None:
    """If nothing states what was drawn for me, I get no degree instead of a wrong one."""
    paper, key = frozen(exam_of(*pools((4, 2))))
    with pytest.raises(ValueError, match="does not state which ones"):
        score(paper, key, Policy(), [])


def test_an_answer_to_a_question_that_was_not_drawn_is_refused() -> None:
    """If I answer a question that was not drawn for me, I read so; one that was drawn is accepted."""
    paper, _ = frozen(exam_of(*pools((4, 2))))
    assert parse_answer(paper, 1, {"choices": [0]}, drawn=(1, 3)).choice == 1
    with pytest.raises(Problem, match="question 2 was not drawn for this attempt") as caught:
        parse_answer(paper, 2, {"choices": [0]}, drawn=(1, 3))
    assert caught.value.kind is ProblemKind.UNKNOWN_QUESTION


@pytest.mark.parametrize(
    ("sections", "weights", "fault"),
    [
        (pools((3, 4)), (1, 1, 1), "section s0 draws 4 of 3 questions"),
        (pools((3, 0)), (1, 1, 1), "section s0 draws 0 of 3 questions"),
        (pools((2, None), (2, 1)), (1, 2, 1, 2), "section s1 draws from questions of different weights"),
        (pools((0, None), (1, None)), (1,), "section s0 has no questions"),
        (pools((1, None)), (1, 1), "section s0 does not end with the exam's last question"),
        ((*pools((1, None)), *pools((1, None))), (1, 1), "section s0 has the id of an earlier one"),
    ],
)
def test_sections_that_cannot_be_drawn_from_are_faults(
    sections: tuple[Section, ...], weights: tuple[int, ...], fault: str
) -> None:
    """If a section draws more than it has, or questions of different weights, its author reads so."""
    faults = faults_of(exam_of(*sections, weights=weights))
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_different_weights_are_no_fault_where_all_questions_are_given() -> None:
    """If a section draws nothing, or all of its questions, their weights may differ."""
    for draw in (None, 3):
        exam = exam_of(Section(id="s", size=3, draw=draw), weights=(1, 2, 3))
        assert faults_of(exam) == []


def test_a_paper_that_draws_more_than_it_has_is_refused() -> None:
    """If a stored paper was damaged so that a section draws too much, no one is shown it."""
    body = json.loads(frozen(exam_of(*pools((3, 2))))[0].body)
    body["sections"][0]["draw"] = 4
    with pytest.raises(ValueError, match="of 3 questions cannot draw 4"):
        _ = Paper(canonical(body)).draws
