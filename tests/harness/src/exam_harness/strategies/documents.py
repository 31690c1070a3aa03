"""Hypothesis strategies for exams as documents, whose scalars are texts, and for the answers that clients send."""

from random import Random
from typing import Any, NoReturn

import yaml
from hypothesis import strategies as st

from exam_core.authoring.exam import read_exam
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.ordering_rules import OrderingRule

CREDITS = st.sampled_from(["1", "0", "1/3", "2/3", "-1/3", "0.25", "-0.5", "\u22121", "1/7", "0,05"])
NUMBERS = st.decimals(-30, 30, places=2).map(str) | st.integers(-5, 5).map(str)
WORDS = st.text("aAbBéÉ\u0301ßẞ\u03c3\u03c2*\\ -", min_size=1, max_size=6)


def _tolerances() -> st.SearchStrategy[str]:
    width = st.decimals(0, 5, places=1).map(str)
    factor = st.sampled_from(["1", "1.5", "3"])
    signs = st.sampled_from(["±", "+-", "+/-", " ± "])
    return st.one_of(
        st.builds("{}{}{}".format, NUMBERS, signs, width),
        st.builds("{}{}{}%".format, NUMBERS, signs, width),
        st.builds("{}*/{}".format, NUMBERS, factor),
    )


def _ranges() -> st.SearchStrategy[str]:
    ends = st.lists(st.integers(-30, 30), min_size=2, max_size=2, unique=True).map(sorted)
    brackets = st.sampled_from(["{}..{}", "[{}..{}]", "({}..{}]", "[{}..{})", "({}..{})"])
    return st.one_of(
        st.builds(lambda form, both: form.format(*both), brackets, ends),
        NUMBERS.map("{}..".format),
        NUMBERS.map("..{}".format),
        st.just("*"),
    )


def _accepted(answers: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    """Accepted answers, the last of which has a positive credit."""
    entry = answers | st.fixed_dictionaries({"answer": answers}, optional={"credit": CREDITS})
    return st.builds(lambda entries, last: [*entries, last], st.lists(entry, max_size=3), answers)


def _items(member: str, least: int, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    body = st.fixed_dictionaries({}, optional=others)
    named = st.lists(body, min_size=least, max_size=6).map(
        lambda bodies: [{"id": f"i{n}", "text": f"item {n}", **each} for n, each in enumerate(bodies)]
    )
    return named.map(lambda items: {member: items})


def _choices() -> st.SearchStrategy[dict[str, Any]]:
    """Choices of which the first has a positive credit."""

    def keyed(listed: dict[str, Any]) -> dict[str, Any]:
        first, *rest = listed["choices"]
        return {"choices": [{**{name: first[name] for name in ("id", "text")}, "correct": "true"}, *rest]}

    return _items("choices", 2, credit=CREDITS).map(keyed)


def _matching(stems: int, targets: list[str], distractors: list[str]) -> dict[str, Any]:
    listed = [{"id": f"s{n}", "text": f"stem {n}", "target": targets[n % len(targets)]} for n in range(stems)]
    return {"stems": listed, "distractors": [*distractors, "a target without a stem"]}


QUESTIONS = st.one_of(
    _choices().map(lambda body: {"kind": "single", **body}),
    st.builds(
        lambda answer, other: {"kind": "true-false", "answer": answer, "other_credit": other},
        st.sampled_from(["true", "false", "yes", "off"]),
        CREDITS.filter(lambda credit: credit != "1"),
    ),
    st.builds(lambda body: {"kind": "multiple", **body}, _choices()),
    st.builds(
        lambda body, floor, cap: {"kind": "multiple", "rule": "sum-of-credits", "floor": floor, "cap": cap, **body},
        _choices(),
        st.sampled_from(["0", "-1", "-1/3"]),
        st.sampled_from(["1", "2/3"]),
    ),
    st.builds(lambda body: {"kind": "multiple", "rule": "all-or-nothing", **body}, _choices()),
    _items("choices", 3).map(
        lambda body: {
            "kind": "multiple",
            "choices": [{**each, "correct": "true" if n < 2 else "false"} for n, each in enumerate(body["choices"])],
        }
    ),
    st.builds(
        lambda value, tolerance: {"kind": "numeric", "answer": {"value": value, "tolerance": tolerance}},
        NUMBERS,
        st.decimals(0, 3, places=1).map(str),
    ),
    _accepted(NUMBERS | _tolerances() | _ranges()).map(lambda accepted: {"kind": "numeric", "accepted": accepted}),
    st.builds(
        lambda accepted, case, wildcards: {"kind": "text", "accepted": accepted, "case": case, "wildcards": wildcards},
        _accepted(WORDS.filter(str.strip)),
        st.sampled_from(["true", "false"]),
        st.sampled_from(["true", "false"]),
    ),
    st.builds(
        lambda *parts: {"kind": "matching", **_matching(*parts)},
        st.integers(2, 6),
        st.lists(st.sampled_from(["Rome", "Oslo", "Bern"]), min_size=1, max_size=3),
        st.lists(st.sampled_from(["Riga", "Oslo"]), max_size=2),
    ),
    st.builds(
        lambda body, rule: {"kind": "ordering", "rule": rule.value, **body},
        _items("items", 2),
        st.sampled_from(OrderingRule),
    ),
    st.just({"kind": "essay", "notes": "two reasons", "template": "Since "}),
)
DOCUMENTS = st.lists(st.tuples(QUESTIONS, st.sampled_from(["1", "2.5", "0.10", "0"])), min_size=1, max_size=6).map(
    lambda drawn: {
        "exam": "random",
        "title": "Random",
        "level": "year-1",
        "questions": [
            {"id": f"q{n}", "text": f"Question {n}?", "weight": weight, **body}
            for n, (body, weight) in enumerate(drawn)
        ],
    }
)


@st.composite
def _sectioned(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = dict(draw(DOCUMENTS))
    rest: list[dict[str, Any]] = [
        {**each, "shuffle": draw(st.sampled_from(["true", "false"]))} for each in document.pop("questions")
    ]
    sections: list[dict[str, Any]] = []
    while rest:
        size = draw(st.integers(1, len(rest)))
        part, rest = rest[:size], rest[size:]
        section: dict[str, Any] = {"id": f"s{len(sections)}", "shuffle": draw(st.sampled_from(["true", "false"]))}
        if draw(st.booleans()):
            section |= {"draw": str(draw(st.integers(1, size))), "instructions": "Some *of* them."}
            part = [{**each, "weight": part[0]["weight"]} for each in part]
        sections.append({**section, "questions": part})
    return {**document, "sections": sections}


SECTIONED_DOCUMENTS = _sectioned()
"""Documents in sections, whose pools have questions of one weight; some are not shuffled."""


class _Quoted(yaml.SafeDumper):
    """Writes texts as the reader has to see them: booleans bare, everything else as it is."""


def _scalar(dumper: _Quoted, text: str) -> yaml.ScalarNode:
    style = None if text in {"true", "false", "yes", "off"} else '"'
    tag = "tag:yaml.org,2002:str" if style else "tag:yaml.org,2002:bool"
    return dumper.represent_scalar(tag, text, style=style)


_Quoted.add_representer(str, _scalar)


def _no_image(data: bytes) -> NoReturn:
    raise ValueError(f"documents here have no images, not {len(data)} bytes")


def frozen_document(document: dict[str, Any], rng: Random) -> tuple[str, Paper, Key]:
    """A document as YAML, with the paper and the key that are frozen from it in a random numbering."""
    text = str(yaml.dump(document, Dumper=_Quoted, allow_unicode=True, sort_keys=False))
    exam = read_exam(text, _no_image).exam
    return text, *freeze(exam, lambda size: rng.sample(range(size), size), plain_text)


def random_body(shown: dict[str, Any], draw: st.DataObject) -> dict[str, Any]:
    """Any valid answer to a question as shown."""
    match shown["kind"]:
        case "numeric":
            return {"value": draw.draw(st.none() | NUMBERS)}
        case "text" | "essay":
            return {"value": draw.draw(st.none() | WORDS | st.sampled_from(["*", "\\*", "ÉA", "e\u0301"]))}
        case "matching":
            targets = st.none() | st.integers(0, len(shown["targets"]) - 1)
            stems = st.sampled_from([str(stem) for stem in range(len(shown["stems"]))])
            return {"pairs": draw.draw(st.dictionaries(stems, targets))}
        case "ordering":
            return {"order": draw.draw(st.permutations(range(len(shown["items"]))) | st.just([]))}
    numbers = st.integers(0, len(shown.get("choices", "tf")) - 1)
    most = shown.get("max_choices", 1)
    return {"choices": draw.draw(st.lists(numbers, unique=True, max_size=most))}
