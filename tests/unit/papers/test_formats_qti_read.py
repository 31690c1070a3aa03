"""What QTI items mean, as statements about QTI, and each reason why one is not imported."""

from decimal import Decimal
from fractions import Fraction

import pytest

from exam_core.authored import TextFormat
from exam_core.questions.choices import ChoiceRule, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.model import Unscored, outcome, split
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import ShortText
from exam_papers.formats import qti
from exam_papers.formats.model import ImportFaults, LossCode

F = Fraction
SPACE = "http://www.imsglobal.org/xsd/imsqti_"
MATCH, MAP = (
    f'<responseProcessing template="http://www.imsglobal.org/question/qti_v2p2/rptemplates/{name}"/>'
    for name in ("match_correct", "map_response.xml")
)
SCORE = '<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float"{}/>'
PLAIN_SCORE = SCORE.format("")


@pytest.fixture
def read(accept_image):
    """Reads the XML of an item."""
    return lambda xml: qti.read(xml.encode(), file="q.xml", accept_image=accept_image)


@pytest.fixture
def faults(accept_image):
    """Reads an item that is not imported, and returns its faults."""

    def listed(xml) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            qti.read(xml.encode(), file="q.xml", accept_image=accept_image)
        return [str(fault) for fault in error.value.faults]

    return listed


def item(body, response="", processing="", *, version="v2p2", score=PLAIN_SCORE):
    """An item's document."""
    return (
        f'<assessmentItem xmlns="{SPACE}{version}" identifier="q1" title="Q" adaptive="false" timeDependent="false">'
        f"{response}{score}<itemBody>{body}</itemBody>{processing}</assessmentItem>"
    )


def response(cardinality="single", base="identifier", correct=(), mapping=""):
    """The declaration of a response."""
    values = "".join(f"<value>{value}</value>" for value in correct)
    return (
        f'<responseDeclaration identifier="R" cardinality="{cardinality}" baseType="{base}">'
        + (f"<correctResponse>{values}</correctResponse>" if correct else "")
        + f"{mapping}</responseDeclaration>"
    )


def mapping(entries, attributes="", each=""):
    """A mapping of keys to scores."""
    mapped = "".join(f'<mapEntry mapKey="{key}" mappedValue="{value}" {each}/>' for key, value in entries.items())
    return f"<mapping {attributes}>{mapped}</mapping>"


def choices(names, attributes='maxChoices="1" shuffle="true"'):
    """A question with choices that are called like their identifiers."""
    inner = "".join(f'<simpleChoice identifier="{name}">The {name}</simpleChoice>' for name in names)
    return f'<choiceInteraction responseIdentifier="R" {attributes}><prompt>Which?</prompt>{inner}</choiceInteraction>'


ENTRY = '<p>Say it.</p><p><textEntryInteraction responseIdentifier="R"/></p>'


def rule(*branches: tuple[str, object], otherwise=""):
    """A response processing of branches, each a condition and a score."""
    names = ["responseIf"] + ["responseElseIf"] * len(branches)
    setting = '<setOutcomeValue identifier="SCORE"><baseValue baseType="float">{}</baseValue></setOutcomeValue>'
    inner = "".join(
        f"<{name}>{test}{setting.format(value)}</{name}>" for name, (test, value) in zip(names, branches, strict=False)
    )
    inner += f"<responseElse>{setting.format(otherwise)}</responseElse>" if otherwise else ""
    return f"<responseProcessing><responseCondition>{inner}</responseCondition></responseProcessing>"


def compare(name, value, attributes=""):
    """A comparison of the response with a constant."""
    return f'<{name} {attributes}><variable identifier="R"/><baseValue baseType="float">{value}</baseValue></{name}>'


def only(imported):
    """The only question."""
    (each,) = imported.questions
    return each.question


def codes(imported) -> list[LossCode]:
    """The codes of all losses."""
    return [loss.code for loss in imported.losses]


def earns(interaction, body):
    """What an answer earns; what is shown keeps the author's order."""
    half, key = split(interaction, range)
    return outcome(key, half.parse(0, body))


def test_sums_have_a_default_and_bounds(read) -> None:
    """If H and O earn 1, Cl costs 1 and anything else 2, within 0 and 2, the shares are those of the standard."""
    keys = mapping({"H": 1, "O": 1, "Cl": -1}, 'lowerBound="0" upperBound="2" defaultValue="-2"')
    body = choices(["H", "O", "Cl", "He"], 'maxChoices="0" shuffle="true"')
    imported = read(item(body, response("multiple", correct=["H", "O"], mapping=keys), MAP))
    question = only(imported)
    assert (question.weight, question.text, imported.losses) == (Decimal(2), "Which?", ())
    shares = {(0, 1): 1, (0,): F(1, 2), (0, 2): 0, (0, 3): 0, (): Unscored.NOT_ATTEMPTED}
    for chosen, share in shares.items():
        assert earns(question.interaction, {"choices": list(chosen)}) == share


def test_sums_count_each_value_once(read) -> None:
    """If AB earns 1.5, CD 2.5 and anything else 1, AB with CD earn 4 of 5."""
    keys = mapping({"AB": "1.5", "CD": "2.5"}, 'defaultValue="1"')
    body = choices(["AB", "CD", "EF"], 'maxChoices="0" shuffle="true"')
    score = SCORE.format(' normalMaximum="5"')
    question = only(read(item(body, response("multiple", mapping=keys), MAP, score=score)))
    assert earns(question.interaction, {"choices": [0, 1]}) == F(4, 5)
    assert question.weight == 5


def test_relative_tolerance_is_a_percentage(read) -> None:
    """If 50 is accepted with a relative tolerance of 10, numbers from 45 to 55 are right, ends included."""
    test = compare("equal", 50, 'toleranceMode="relative" tolerance="10"')
    question = only(read(item(ENTRY, response(base="float"), rule((test, 1)))))
    assert question.interaction == Numeric(accepted=(Near(value=F(50), tolerance=F(1, 10), by=Tolerance.RELATIVE),))
    assert [earns(question.interaction, {"value": v}) for v in ("45", "55", "44.9", "55.1")] == [1, 1, 0, 0]
    assert question.text == "<p>Say it.</p>"


def test_keys_that_overlap(read, faults) -> None:
    """If York and york earn different scores, this is a fault where case does not matter, and fine where it does."""
    keys = response(base="string", mapping=mapping({"York": 1, "york": "0.5"}))
    assert faults(item(ENTRY, keys, MAP)) == [
        (
            "q.xml, line 1: question «Q» has two keys that accept the same text and earn different scores: "
            "write caseSensitive, or drop one"
        )
    ]
    question = only(read(item(ENTRY, keys, MAP, version="v2p1")))
    assert (question.interaction.case, len(question.interaction.accepted)) == (True, 2)
    same = response(base="string", mapping=mapping({"York": 1, "york": 1}))
    assert len(only(read(item(ENTRY, same, MAP))).interaction.accepted) == 1


def test_single_choices(read) -> None:
    """If a choice is correct it earns everything; a mapping gives each its credit, and 0.3333333 is a third."""
    question = only(read(item(choices("abc"), response(correct="b"), MATCH)))
    assert isinstance(question.interaction, SingleChoice)
    assert [(c.id, c.text, str(c.credit)) for c in question.interaction.choices] == [
        ("a", "The a", "0"),
        ("b", "The b", "1"),
        ("c", "The c", "0"),
    ]
    mapped = response(mapping=mapping({"a": 2, "b": "0.6666666", "c": -1}))
    question = only(read(item(choices("abc"), mapped, MAP)))
    assert [c.credit for c in question.interaction.choices] == [1, F(1, 3), F(-1, 2)]
    assert question.weight == 2


def test_multiple_choices(read, faults) -> None:
    """If several choices are correct, only all of them earn; the cardinality decides, and contradictions are faults."""
    body = choices("abc", 'shuffle="true"')
    imported = read(item(body, response("multiple", correct="ac"), MATCH, score=SCORE.format(' normalMaximum="3"')))
    assert only(imported).interaction.rule is ChoiceRule.ALL_OR_NOTHING
    assert [c.credit for c in only(imported).interaction.choices] == [1, 0, 1]
    assert only(imported).weight == 1
    assert "states a maximum of 3, and its complete answer earns 1" in imported.warnings[0].reason
    two = choices("abc", 'maxChoices="2" shuffle="true"')
    assert only(read(item(two, response("multiple", correct="ac"), MATCH))).interaction.max_choices == 2
    (fault,) = faults(item(two, response(correct="a"), MATCH))
    assert "has maxChoices 2 and a response of a single value" in fault


def test_true_and_false(read) -> None:
    """If two choices are called True and False, the question is one of true or false."""
    inner = '<simpleChoice identifier="A">False</simpleChoice><simpleChoice identifier="B">True</simpleChoice>'
    body = f'<p>Is it?</p><choiceInteraction responseIdentifier="R" maxChoices="1">{inner}</choiceInteraction>'
    imported = read(item(body, response(correct="A"), MATCH))
    assert only(imported).interaction == TrueFalse(answer=False)


NOT_NULL = '<not><isNull><variable identifier="R"/></isNull></not>'


@pytest.mark.parametrize(
    ("test", "entry"),
    [
        (compare("equal", "1.5"), Near(value=F(3, 2))),
        (compare("equal", 7, 'toleranceMode="absolute" tolerance="0.5"'), Near(value=F(7), tolerance=F(1, 2))),
        (
            compare("equal", 7, 'toleranceMode="absolute" tolerance="1 2" includeUpperBound="false"'),
            Between(low=F(6), high=F(9), high_open=True),
        ),
        (compare("equal", -10, 'toleranceMode="relative" tolerance="10 20"'), Between(low=F(-12), high=F(-9))),
        (compare("equalRounded", "3.14", 'roundingMode="decimalPlaces" figures="2"'),
         Between(low=F(3135, 1000), high=F(3145, 1000), high_open=True)),
        (compare("equalRounded", "314", 'figures="2"'), Between(low=F(305), high=F(315), high_open=True)),
        (compare("gt", 3), Between(low=F(3), high=None, low_open=True)),
        (f'<and>{compare("gte", 1)}{compare("lt", 2)}</and>', Between(low=F(1), high=F(2), high_open=True)),
        ('<lte><baseValue baseType="float">4</baseValue><variable identifier="R"/></lte>',
         Between(low=F(4), high=None)),
        (f'<and>{NOT_NULL}{compare("match", 2)}</and>', Near(value=F(2))),
        (NOT_NULL, Between(low=None, high=None)),
        ('<match><correct identifier="R"/><variable identifier="R"/></match>', Near(value=F(9))),
    ],
)  # fmt: skip
def test_conditions_about_numbers(read, test, entry) -> None:
    """If the rules compare a number with constants, each condition becomes an accepted value or a range."""
    question = only(read(item(ENTRY, response(base="float", correct="9"), rule((test, 1)))))
    assert question.interaction == Numeric(accepted=(entry,))


def test_chains_keep_their_order(read) -> None:
    """If rules have several branches, the entries keep their order and their scores, and the rest may cost."""
    near = compare("equal", 5, 'toleranceMode="absolute" tolerance="1"')
    processing = rule((compare("equal", 5), 2), (near, 1), otherwise="-0.5")
    question = only(read(item(ENTRY, response(base="integer"), processing)))
    assert question.weight == 2
    assert [earns(question.interaction, {"value": v}) for v in ("5", "6", "7")] == [1, F(1, 2), F(-1, 4)]


def test_conditions_about_texts(read) -> None:
    """If rules compare a text, it may be without case, a pattern of runs, or one of several."""
    either = "".join(compare("stringMatch", text, 'caseSensitive="false"') for text in ("Frog", "Toad"))
    pattern = '<patternMatch pattern="[Nn][Ee].*\\*"><variable identifier="R"/></patternMatch>'
    processing = rule((f"<or>{either}</or>", 1), (pattern, "0.5"))
    interaction = only(read(item(ENTRY, response(base="string"), processing))).interaction
    assert isinstance(interaction, ShortText)
    assert (interaction.case, interaction.wildcards) == (False, True)
    assert [earns(interaction, {"value": v}) for v in ("FROG", "toad", "newt*", "newt")] == [1, 1, F(1, 2), 0]


@pytest.mark.parametrize("test", ['<patternMatch pattern="a+"><variable identifier="R"/></patternMatch>', "<random/>"])
def test_rules_that_are_not_understood(read, faults, test) -> None:
    """If rules are not understood, the correct response alone earns and I read so; without one it is a fault."""
    imported = read(item(ENTRY, response(base="string", correct=["yes"]), rule((test, 3))))
    assert [entry.text for entry in only(imported).interaction.accepted] == ["yes"]
    assert codes(imported) == [LossCode.CREDIT]
    (fault,) = faults(item(ENTRY, response(base="string"), rule((test, 3))))
    assert "has a response processing that is not understood, and no correct response: add one" in fault


def test_matching(read) -> None:
    """If each of the first set has one partner, the question is a matching, and every pair earns its part."""
    sets = "".join(
        "<simpleMatchSet>"
        + "".join(f'<simpleAssociableChoice identifier="{n}" matchMax="{m}">{n}</simpleAssociableChoice>' for n in each)
        + "</simpleMatchSet>"
        for each, m in (("ABC", 1), ("XYZ", 0))
    )
    body = f'<matchInteraction responseIdentifier="R" shuffle="true" maxAssociations="3">{sets}</matchInteraction>'
    keys = mapping({"A X": 1, "B X": 1, "C Y": 1})
    imported = read(item(f"<p>Match.</p>{body}", response("multiple", "directedPair", mapping=keys), MAP))
    interaction = only(imported).interaction
    assert isinstance(interaction, Matching)
    assert [(s.text, s.target) for s in interaction.stems] == [("A", "X"), ("B", "X"), ("C", "Y")]
    assert (interaction.distractors, only(imported).weight, imported.losses) == (("Z",), 3, ())
    correct = response("multiple", "directedPair", correct=["A X", "B X", "C Y"])
    assert codes(read(item(f"<p>Match.</p>{body}", correct, MATCH))) == [LossCode.CREDIT]
    several = response("multiple", "directedPair", correct=["A X", "A Y", "B X", "C Y"])
    with pytest.raises(ImportFaults, match="a matching in which a stem has several targets or none is not taken"):
        read(item(f"<p>Match.</p>{body}", several, MATCH))


def test_scores_of_the_right_answer(read) -> None:
    """If the right answer earns another score than the stated maximum, its score is the weight, with a warning."""
    imported = read(item(choices("ab"), response(correct="a"), MATCH, score=SCORE.format(' normalMaximum="5"')))
    assert [c.credit for c in only(imported).interaction.choices] == [1, 0]
    assert (only(imported).weight, len(imported.warnings)) == (1, 1)
    basic = MATCH.replace("match_correct", "CC2_match_basic")
    most = SCORE.format("").replace("SCORE", "MAXSCORE").replace("/>", "><defaultValue><value>5</value></defaultValue>")
    imported = read(item(choices("ab"), response(correct="a"), basic, score=most + "</outcomeDeclaration>"))
    assert (only(imported).weight, imported.warnings) == (5, ())


def test_ordering(read) -> None:
    """If items are put in order, all or nothing earns; a rule for each place is understood."""
    body = choices("cab", 'shuffle="true"').replace("choiceInteraction", "orderInteraction")
    declared = response("ordered", correct="abc")
    question = only(read(item(body, declared, MATCH)))
    assert isinstance(question.interaction, Ordering)
    assert [i.id for i in question.interaction.items] == ["a", "b", "c"]
    index = "".join(f'<index n="{{0}}"><{name} identifier="R"/></index>' for name in ("variable", "correct"))
    added = '<sum><variable identifier="SCORE"/><baseValue baseType="float">2</baseValue></sum>'
    setting = f'<setOutcomeValue identifier="SCORE">{added}</setOutcomeValue>'
    each = f"<responseCondition><responseIf><match>{index}</match>{setting}</responseIf></responseCondition>"
    rules = "".join(each.format(place) for place in (1, 2, 3))
    question = only(read(item(body, declared, f"<responseProcessing>{rules}</responseProcessing>")))
    assert (question.interaction.rule, question.weight) == (OrderingRule.PLACES, 6)


def test_sliders_and_partial_orders(read, faults) -> None:
    """If a number is set by a slider, it is typed here; an order of some items has no place."""
    body = '<p>How many?</p><sliderInteraction responseIdentifier="R" lowerBound="0" upperBound="9"/>'
    imported = read(item(body, response(base="integer", correct="7"), MATCH))
    assert only(imported).interaction == Numeric(accepted=(Near(value=F(7)),))
    assert codes(imported) == [LossCode.LAYOUT]
    order = choices("abc", 'shuffle="true"').replace("choiceInteraction", "orderInteraction")
    assert (
        "an order of some of its items is not taken" in faults(item(order, response("ordered", correct="ab"), MATCH))[0]
    )
    hexadecimal = ENTRY.replace("textEntryInteraction ", 'textEntryInteraction base="16" ')
    assert "a number that is not decimal" in faults(item(hexadecimal, response(base="integer", correct="7"), MATCH))[0]


def test_essays(read) -> None:
    """If a text is marked by hand, it is an essay, with the notes of its scorer."""
    rubric = '<rubricBlock view="scorer"><p>Look for<br/>this.</p></rubricBlock>'
    body = f'{rubric}<p>Why?</p><extendedTextInteraction responseIdentifier="R" format="xhtml"/>'
    imported = read(item(body, response(base="string"), score=SCORE.format(' normalMaximum="10"')))
    assert only(imported).interaction == Essay(notes="Look for\nthis.")
    assert (only(imported).weight, codes(imported)) == (10, [LossCode.LAYOUT])


def test_fields_in_sentences(read) -> None:
    """If a field or a menu is in the middle of a sentence, its place is shown by a line."""
    menu = '<inlineChoice identifier="a">red</inlineChoice><inlineChoice identifier="b">blue</inlineChoice>'
    body = (
        f'<p>It is <inlineChoiceInteraction responseIdentifier="R" shuffle="true">{menu}</inlineChoiceInteraction>.</p>'
    )
    question = only(read(item(body, response(correct="a"), MATCH)))
    assert question.text == "<p>It is _____.</p>"
    assert [c.text for c in question.interaction.choices] == ["red", "blue"]


def test_contents(read) -> None:
    """If a text has elements with prefixes, formulas or old pictures, plain HTML remains of it."""
    math = '<m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>x</m:mi></m:math>'
    body = f"<div><p>Is {math} &lt; 2?</p><feedbackInline>No.</feedbackInline></div>{choices('ab')}"
    imported = read(item(body.replace("<prompt>Which?</prompt>", ""), response(correct="a"), MATCH))
    assert only(imported).text == "<p>Is <math><mi>x</mi></math> &lt; 2?</p>"
    assert only(imported).format is TextFormat.HTML
    assert codes(imported) == [LossCode.FEEDBACK]


def test_version_3(read) -> None:
    """If an item is of version 3.0, its hyphenated names mean the same."""
    xml = (
        '<qti-assessment-item xmlns="http://www.imsglobal.org/xsd/imsqtiasi_v3p0" identifier="q1" title="Q">'
        '<qti-response-declaration identifier="R" cardinality="single" base-type="identifier">'
        "<qti-correct-response><qti-value>b</qti-value></qti-correct-response></qti-response-declaration>"
        '<qti-item-body><qti-choice-interaction response-identifier="R" max-choices="1" shuffle="true">'
        '<qti-prompt>Which?</qti-prompt><qti-simple-choice identifier="a">x</qti-simple-choice>'
        '<qti-simple-choice identifier="b">y</qti-simple-choice></qti-choice-interaction></qti-item-body>'
        '<qti-response-processing template="https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/match_correct.xml"/>'
        "</qti-assessment-item>"
    )
    assert [c.credit for c in only(read(xml)).interaction.choices] == [0, 1]


def test_questions_without_a_place(faults) -> None:
    """If an item has no place here, it is not taken and named."""
    upload = '<uploadInteraction responseIdentifier="R"/>'
    for body, reason in ((upload, "<uploadInteraction>"), (ENTRY * 2, "2 interactions"), ("<p>x</p>", "without an")):
        (fault,) = faults(item(body, response(base="string"), MATCH))
        assert "the file contains no question: an item with" in fault
        assert reason in fault
    (fault,) = faults(item(ENTRY, response(correct="x").replace('"R"', '"other"'), MATCH))
    assert "has an interaction whose responseIdentifier is not declared" in fault
