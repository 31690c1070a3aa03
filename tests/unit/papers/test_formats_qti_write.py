"""What QTI packages state, and what is read again from each version."""

import io
import zipfile
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.credits import FULL_CREDIT
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import split
from exam_core.questions.numeric import Between, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_papers.formats import qti
from exam_papers.formats.model import FileQuestion, LossCode

F = Fraction
LINES = st.text(st.sampled_from("aBc 0{}=~#:\\%[]/-\n_*!é1.,;+"), min_size=1, max_size=10).map(str.strip).filter(bool)
ONE_LINE = LINES.map(lambda text: " ".join(text.split())).filter(bool)
MARKED = LINES.map(lambda text: f"<b>{text}</b> &lt;") | LINES
CARRIED = {"texts": MARKED, "formats": (TextFormat.HTML,)}
LIMITED = {
    LossCode.LABELS,
    LossCode.LIMITS,
    LossCode.CREDIT,
    LossCode.LAYOUT,
    LossCode.NUMBER,
    LossCode.TEXT_FORMAT,
    LossCode.CASE,
    LossCode.WHITE_SPACE,
    LossCode.NOT_WRITTEN,
}
"""What QTI has no place for: tags, limits of answers, rules of orders, some numbers."""


def question(interaction, text="Which?", **members: Any):
    """A question as files have it."""
    return FileQuestion(
        question=AuthoredQuestion(id="q1", text=text, interaction=interaction, format=TextFormat.HTML, **members)
    )


def files(exported) -> dict[str, str]:
    """The files of a package."""
    with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def item(interaction, version=qti.Version.V2_2):
    """The document of an item, and the losses."""
    exported = qti.write([question(interaction)], {}, version=version)
    return files(exported)["items/item-1.xml"], [loss.code for loss in exported.losses]


@pytest.mark.parametrize("version", qti.Version)
@settings(max_examples=30)
@given(data=st.data())
def test_a_package_states_a_question_or_names_the_loss(data, questions, pictures, accept_image, version) -> None:
    """If I export questions in any version and import the package, each is as it was, or its loss was named."""
    written = data.draw(questions(**CARRIED))
    exported = qti.write(written, pictures, version=version)
    left_out = {loss.question for loss in exported.losses if loss.code is LossCode.NOT_WRITTEN}
    stated = [each for each in written if each.question.id not in left_out]
    if not stated:
        return
    imported = qti.read(exported.data, file="f", accept_image=accept_image)
    for before, after in zip(stated, imported.questions, strict=True):
        lost = {loss.code for loss in exported.losses if loss.question == before.question.id}
        event(f"losses: {sorted(lost)}")
        if not lost:
            assert after == before
        if lost <= {LossCode.LABELS}:
            assert after.question == before.question
        if lost <= {LossCode.LABELS, LossCode.TEXT_FORMAT}:
            shares = [split(each.question.interaction, range)[1] for each in (before, after)]
            assert isinstance(before.question.interaction, Ordering | Matching | ShortText) or shares[0] == shares[1]
    assert {loss.code for loss in exported.losses} <= LIMITED
    assert imported.losses == ()


@pytest.mark.parametrize("version", qti.Version)
@settings(max_examples=20)
@given(data=st.data())
def test_what_qti_carries_is_not_lost(data, questions, pictures, accept_image, version) -> None:
    """If a question has full credits, no special rule and HTML, its export loses nothing and is read again."""
    shape = CARRIED | {"rules": False, "texts": ONE_LINE.map(lambda text: f"<i>{text}</i>")}
    written = data.draw(questions(**shape))
    kept = [each for each in written if not isinstance(each.question.interaction, Ordering | Matching | ShortText)]
    exported = qti.write(kept, pictures, version=version)
    assert exported.losses == ()
    if kept:
        assert list(qti.read(exported.data, file="f", accept_image=accept_image).questions) == kept


CHOICES = tuple(Choice(id=ident, text=f"<i>{ident}</i>", credit=F(ident == "a")) for ident in "abc")


@pytest.mark.parametrize(
    ("interaction", "stated"),
    [
        (
            SingleChoice(choices=CHOICES),
            'template="http://www.imsglobal.org/question/qti_v2p2/rptemplates/match_correct"',
        ),
        (
            SingleChoice(choices=tuple(replace(each, credit=F(1, 2 + n)) for n, each in enumerate(CHOICES))),
            '<mapEntry mapKey="b" mappedValue="0.333333333333333333333333333333"/>',
        ),
        (MultipleChoice(choices=CHOICES, rule=ChoiceRule.ALL_OR_NOTHING), 'cardinality="multiple"'),
        (Numeric(accepted=(Between(low=F(1), high=F(2), low_open=True),)), "<and><gt>"),
        (ShortText(accepted=(AcceptedText(text="a*b?"),), wildcards=True), 'patternMatch pattern="[aA].*[bB]\\?"'),
        (ShortText(accepted=(AcceptedText(text="x & y"),), case=True), 'mapKey="x &amp; y" mappedValue="1" caseS'),
        (Essay(), 'externalScored="human"'),
    ],
)
def test_statements_of_items(interaction, stated) -> None:
    """If I export a question, other platforms find its key in the usual place."""
    xml, losses = item(interaction)
    assert stated in xml
    assert losses == []


def test_versions_differ_in_spelling() -> None:
    """If I export version 3.0, elements are hyphenated; 2.1 and 2.2 differ in their namespaces."""
    xml, _ = item(SingleChoice(choices=CHOICES), qti.Version.V3_0)
    assert "<qti-simple-choice identifier=" in xml
    assert "<i>a</i>" in xml
    assert "v3p0/rptemplates/match_correct.xml" in xml
    exported = qti.write([question(SingleChoice(choices=CHOICES))], {}, version=qti.Version.V2_1)
    assert "QTIv2.1 Package" in files(exported)["imsmanifest.xml"]
    assert 'type="imsqti_item_xmlv2p1"' in files(exported)["imsmanifest.xml"]
    assert "imsqti_v2p1" in files(exported)["items/item-1.xml"]


def test_losses_of_an_export(pictures) -> None:
    """If a question has what QTI cannot state, the export names it."""
    stems = tuple(Stem(id=f"s{n}", text=f"{n}", target="x") for n in range(2))
    given_twice = Matching(stems=stems, distractors=("x", "y"))
    assert item(given_twice)[1] == [LossCode.LAYOUT]
    ordered = Ordering(items=(), rule=OrderingRule.PAIRS)
    assert item(ordered)[1] == [LossCode.CREDIT]
    hidden = ShortText(accepted=(AcceptedText(text="York"), AcceptedText(text="york", credit=F(1, 2))))
    assert item(hidden)[1] == [LossCode.CREDIT]
    assert item(Essay(max_words=5, notes="Look."))[1] == [LossCode.LIMITS]
    same = SingleChoice(choices=(replace(CHOICES[0], text="a&#98;"), replace(CHOICES[1], text="ab")))
    losses = qti.write([question(same)], {}).losses
    assert [loss.feature for loss in losses] == [
        "the question is not written: it has two choices that are the same as HTML"
    ]
    image = next(iter(pictures.values())).ref
    exported = qti.write([question(Essay(), text="<p>a<p>b<svg></svg>", image=image)], {})
    assert [loss.code for loss in exported.losses] == [LossCode.MARKUP, LossCode.TEXT_FORMAT, LossCode.IMAGES]


def test_tex_is_named() -> None:
    """If a text has formulas in TeX, they are written as they are, and I read so."""
    (loss,) = qti.write([question(Essay(), r"Is \(x\) or $$y$$?")], {}).losses
    assert (loss.feature, loss.count) == ("formulas are written as TeX", 2)


def test_formulas_stay(accept_image) -> None:
    """If a text has MathML, it is in its namespace in the package and is the same when it is read."""
    text = 'Is <math display="block"><mi mathvariant="normal">x</mi><mo>&lt;</mo><mn>2</mn></math>?'
    exported = qti.write([question(Numeric(accepted=(Between(low=None, high=F(2), credit=FULL_CREDIT),)), text)], {})
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in files(exported)["items/item-1.xml"]
    imported = qti.read(exported.data, file="f", accept_image=accept_image)
    assert imported.questions[0].question.text == text
    assert exported.losses == imported.losses == ()
