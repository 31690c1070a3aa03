"""The JSON Schema of exam documents."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exam_core.authored import AuthoredExam
from exam_core.authoring.exam import ExamDocument, read_exam
from exam_core.authoring.interactions import ALL_MEMBERS, MEMBERS
from exam_core.limits import MAX_TITLE
from exam_core.problems import Problem
from exam_core.questions.model import KindName
from exam_core.review import Review
from exam_core.schedule import Attempts
from exam_core.scoring import MultipleRule, Policy
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.strategies.questions import EXAMS, SECTIONED
from exam_papers.documents.schema import exam_schema, schema_text
from exam_papers.documents.writing import write_exam
from exam_papers.images.acceptance import accept_image

PUBLISHED = REPOSITORY / "docs/schema/exam-document.schema.json"
SAMPLES = sorted((REPOSITORY / "k8s/samples/papers").glob("*.yaml"))
SCHEMA = exam_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SETTINGS = st.fixed_dictionaries(
    {
        "attempts": st.none() | st.sampled_from(Attempts),
        "scoring": st.none() | st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans()),
        "review": st.none() | st.sampled_from(Review),
    }
)
WHOLE = """
exam: whole
title: 2026
level: year-1
questions:
  - {id: 1, kind: true-false, text: "1/2 is 0.5.", answer: true}
  - id: several
    kind: multiple
    text: Which?
    weight: "0,5"
    choices: [{id: a, text: 3, correct: true}, {id: b, text: no, credit: -1/3}]
  - {id: number, kind: numeric, text: "How much?", answer: {value: 0.75}}
  - {id: numbers, kind: numeric, text: "How much?", accepted: [3, "1..5", {answer: 2, credit: 0.5}]}
"""
"""A document whose single values YAML reads as numbers, texts and truth values."""
Change = Callable[[Any], object]
_YAML_EXAMPLE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def faults(document: object) -> list[str]:
    """What an editor would underline."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def _without_images(exam: AuthoredExam) -> AuthoredExam:
    """The same exam without images, whose bytes the strategies do not have."""

    def bare(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(bare, value))
        if not hasattr(value, "__dataclass_fields__"):
            return value
        members = {name: bare(getattr(value, name)) for name in value.__dataclass_fields__}
        if members.get("image") is not None:
            members |= {"image": None, "text": members["text"] or "a picture"}
        return replace(value, **members)

    without: AuthoredExam = bare(exam)
    return without


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Exam documents as they are written, read as editors read them."""

    def written(exam: AuthoredExam, own: dict[str, Any]) -> dict[str, Any]:
        document = ExamDocument(exam=_without_images(exam), level="one", images={}, **own)
        node: dict[str, Any] = yaml.safe_load(write_exam(document))
        return node

    return st.builds(written, EXAMS | SECTIONED, SETTINGS)


def mappings(node: object) -> Iterator[dict[str, Any]]:
    """Every mapping in a document."""
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from mappings(each)
    elif isinstance(node, list):
        for each in node:
            yield from mappings(each)


def test_the_published_schema_is_that_of_the_platform() -> None:
    """The schema that my editor loads is the one that the platform has: `exam schema` writes it."""
    Draft202012Validator.check_schema(SCHEMA)
    assert PUBLISHED.read_text() == schema_text()


@settings(max_examples=40)
@given(documents())
def test_every_written_document_satisfies_the_schema(document: dict[str, Any]) -> None:
    """My editor underlines nothing in a document that the platform has written."""
    assert faults(document) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_satisfy_the_schema(sample) -> None:
    """The sample papers satisfy the schema."""
    assert faults(yaml.safe_load(sample.read_text())) == []


def test_examples_of_the_documentation_satisfy_the_schema() -> None:
    """So do the examples of the documentation, of every kind of question."""
    found = []
    for block in _YAML_EXAMPLE.findall((REPOSITORY / "docs/papers.md").read_text()):
        node = yaml.safe_load(block)
        about = {"exam": "e", "title": "E", "level": "l"}
        document = about | ({"questions": node} if isinstance(node, list) else node)
        assert faults(document) == []
        found += [each["kind"] for each in mappings(document) if "kind" in each]
    assert set(found) == set(KindName)


def test_values_without_quotes_satisfy_the_schema() -> None:
    """A title that is a number, as the import accepts it, is not underlined."""
    assert read_exam(WHOLE, accept_image).exam.title == "2026"
    assert faults(yaml.safe_load(WHOLE)) == []


@settings(max_examples=40)
@given(documents(), st.data())
def test_unknown_members_do_not_satisfy_the_schema(document: dict[str, Any], data: st.DataObject) -> None:
    """Wherever I mistype a member, my editor underlines it."""
    target = data.draw(st.sampled_from(list(mappings(document))))
    target["wieght"] = 2
    assert faults(document)


@settings(max_examples=40)
@given(documents(), st.data())
def test_missing_members_do_not_satisfy_the_schema(document: dict[str, Any], data: st.DataObject) -> None:
    """Wherever I forget what the import needs, my editor underlines it."""
    required = {"exam", "title", "level", "questions", "sections", "id", "kind", "stems", "items", "choices", "answer"}
    places = [(each, name) for each in mappings(document) for name in each if name in required]
    places = [(each, name) for each, name in places if name != "title" or "exam" in each]
    place, name = data.draw(st.sampled_from(places))
    del place[name]
    assert faults(document)


@settings(max_examples=40)
@given(documents(), st.data())
def test_wrong_kinds_do_not_satisfy_the_schema(document: dict[str, Any], data: st.DataObject) -> None:
    """A question with a kind that does not exist, or with the members of another kind, is underlined."""
    question = data.draw(st.sampled_from([each for each in mappings(document) if "kind" in each]))
    before = KindName(question["kind"])
    own = set(question) & ALL_MEMBERS
    other = data.draw(st.sampled_from([kind.value for kind in KindName if not own <= MEMBERS[kind]] + ["radio"]))
    if own <= MEMBERS[before] and own:
        question["kind"] = other
        assert faults(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(title="x" * (MAX_TITLE + 1)),
        lambda document: document.update(title=" "),
        lambda document: document.update(title=None),
        lambda document: document.update(exam="Not A Slug"),
        lambda document: document.update(review="everything"),
        lambda document: document.update(attempts="two"),
        lambda document: document.update(scoring={"multiple": "some"}),
        lambda document: document.update(questions=[]),
        lambda document: document.update(sections=[{"id": "s", "questions": document["questions"]}]),
        lambda document: document["questions"][0].update(id="a b"),
        lambda document: document["questions"][0].update(answer="true"),
        lambda document: document["questions"][0].update(weight=1001),
        lambda document: document["questions"][0].update(format="word"),
        lambda document: document["questions"][1].update(rule="pairs"),
        lambda document: document["questions"][1].update(max_choices=0),
        lambda document: document["questions"][1]["choices"].pop(),
        lambda document: document["questions"][1]["choices"][0].update(credit=1),
        lambda document: document["questions"][1]["choices"][1].update(credit=1.5),
        lambda document: document["questions"][1]["choices"][1].pop("text"),
        lambda document: document["questions"][1]["choices"][1].update(image="!"),
        lambda document: document["questions"][2].update(accepted=[3]),
        lambda document: document["questions"][2]["answer"].pop("value"),
    ],
)
def test_what_the_import_refuses_by_its_form_does_not_satisfy_the_schema(change: Change) -> None:
    """Lengths, sets of words and members that exclude each other are underlined while I write."""
    document = yaml.safe_load(WHOLE)
    before = copy.deepcopy(document)
    change(document)
    assert document != before
    assert faults(document)
    with pytest.raises(Problem):
        read_exam(yaml.safe_dump(document), accept_image)


def _known(document: str) -> set[str]:
    """The members that the import names when it finds one that it does not know."""
    with pytest.raises(Problem) as caught:
        read_exam(document, accept_image)
    listed = re.findall(r"known are ([a-z_, ]+)", str(caught.value.detail))
    assert len(listed) == 1, caught.value.detail
    return set(listed[0].split(", "))


def test_the_schema_has_the_members_that_the_import_knows() -> None:
    """The schema has every member that the import reads, and no other, in every mapping of a document."""
    about = "exam: e\ntitle: E\nlevel: l\n"
    question = "{id: q, kind: essay, text: T}"
    assert set(SCHEMA["properties"]) == _known(f"{about}x: 1\nquestions: [{question}]\n")
    definitions = SCHEMA["$defs"]
    assert set(definitions["section"]["properties"]) == _known(
        f"{about}sections: [{{id: s, x: 1, questions: [{question}]}}]\n"
    )
    of_any = _known(f"{about}questions: [{{id: q, kind: essay, text: T, x: 1}}]\n")
    for kind in KindName:
        own = set(definitions[f"{kind}-question"]["properties"])
        assert own == (of_any - ALL_MEMBERS) | MEMBERS[kind]
    listed = {
        "choice": ("single", "choices: [{id: a, text: A, x: 1}]"),
        "stem": ("matching", "stems: [{id: a, text: A, target: T, x: 1}]"),
        "item": ("ordering", "items: [{id: a, text: A, x: 1}]"),
    }
    for name, (word, members) in listed.items():
        known = _known(f"{about}questions: [{{id: q, kind: {word}, text: T, {members}}}]\n")
        assert set(definitions[name]["properties"]) == known
