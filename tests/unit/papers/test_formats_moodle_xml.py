"""What Moodle XML files mean, as statements about Moodle, and each reason why one is not imported."""

import base64
import hashlib
from fractions import Fraction

import pytest

from exam_core.authored import TextFormat
from exam_core.questions.choices import MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.model import outcome, split
from exam_core.questions.numeric import Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_papers.formats import moodle_xml
from exam_papers.formats.model import FileQuestion, ImportFaults, LossCode

F = Fraction
HALF = F(1, 2)
PICTURE = b"picture of a circle"
SHA = hashlib.sha256(PICTURE).hexdigest()
BASE64 = base64.b64encode(PICTURE).decode()


@pytest.fixture
def read(accept_image):
    """Reads questions of Moodle XML, of which the frame is added."""
    return lambda xml: moodle_xml.read(f"<quiz>{xml}</quiz>".encode(), file="q.xml", accept_image=accept_image)


@pytest.fixture
def faults(accept_image):
    """Reads a document that is not imported, and returns its faults."""

    def listed(xml) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            moodle_xml.read(xml.encode(), file="q.xml", accept_image=accept_image)
        return [str(fault) for fault in error.value.faults]

    return listed


def question(kind, inner, text="Which?", attributes=""):
    """A question's element."""
    return (
        f'<question type="{kind}"><name><text>Q</text></name>'
        f"<questiontext {attributes}><text>{text}</text></questiontext>{inner}</question>"
    )


def answer(text, fraction="100", inner=""):
    """An answer's element."""
    return f'<answer fraction="{fraction}"><text>{text}</text>{inner}</answer>'


def earns(interaction, body):
    """What an answer earns; what is shown keeps the author's order."""
    half, key = split(interaction, range)
    return outcome(key, half.parse(0, body))


def only(imported):
    """The only question."""
    (each,) = imported.questions
    return each


def codes(imported) -> list[LossCode]:
    """The codes of all losses."""
    return [loss.code for loss in imported.losses]


def test_true_false_keeps_the_credit_that_moodle_drops(read) -> None:
    """If the wrong answer of true or false has -25, it earns -1/4 here, and I learn that Moodle ignores it."""
    imported = read(question("truefalse", answer("true") + answer("false", "-25")))
    assert only(imported).question.interaction == TrueFalse(answer=True, other_credit=F(-1, 4))
    assert codes(imported) == [LossCode.DIFFERS_FROM_MOODLE]
    reversed_ = read(question("truefalse", answer("false") + answer("true", "0")))
    assert only(reversed_).question.interaction == TrueFalse(answer=False)


def test_fractions_that_files_cannot_state_are_refused(faults) -> None:
    """If a fraction is 33, the file is refused at the line of the answer, and the fault says what to write."""
    xml = "<quiz>\n" + question("multichoice", "\n" + answer("a") + "\n" + answer("b", "33")) + "</quiz>"
    (fault,) = faults(xml)
    assert fault.startswith("q.xml, line 4: question «Q» has an answer with a fraction that is not a credit: '33' %")
    assert fault.endswith("the nearest is 33.33333 %")


@pytest.mark.parametrize(
    ("single", "kind"),
    [
        ("<single>0</single>", MultipleChoice),
        ("<single>false</single>", MultipleChoice),
        ("<single/>", MultipleChoice),
        ("", SingleChoice),
        ("<single>true</single>", SingleChoice),
    ],
)
def test_single_or_multiple(read, single, kind) -> None:
    """If <single> is false, 0 or empty several choices may be selected; without it, one."""
    read_question = only(read(question("multichoice", single + answer("a") + answer("b", "-33.33333")))).question
    assert isinstance(read_question.interaction, kind)
    assert [choice.credit for choice in read_question.interaction.choices] == [1, F(-1, 3)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", OrderingRule.SUCCESSORS),
        ("<gradingtype>-1</gradingtype>", OrderingRule.ALL_OR_NOTHING),
        ("<gradingtype>RELATIVE_TO_CORRECT</gradingtype>", OrderingRule.DISTANCES),
    ],
)
def test_ordering_is_in_the_order_of_the_document(read, rule, expected) -> None:
    """If I import an ordering question, its answers are in the right order, and rule 1 holds without another one."""
    answers = "".join(answer(text, str(place)) for place, text in enumerate("cab", 1))
    interaction = only(read(question("ordering", rule + answers))).question.interaction
    assert isinstance(interaction, Ordering)
    assert ("".join(item.text for item in interaction.items), interaction.rule) == ("cab", expected)


def test_numbers_with_tolerance_and_unit(read) -> None:
    """If I import a number, its tolerance is nominal with both ends, * is any number, and a unit is shown."""
    inner = (
        answer("7", inner="<tolerance>1</tolerance>")
        + answer("*", "50")
        + "<units><unit><multiplier>1</multiplier><unit_name>m</unit_name></unit></units>"
    )
    imported = read(question("numerical", inner))
    interaction = only(imported).question.interaction
    assert interaction.unit == "m"
    assert [earns(interaction, {"value": text}) for text in ("6", "8", "8.0001")] == [1, 1, HALF]
    assert codes(imported) == []
    assert codes(read(question("numerical", answer("7")))) == []
    kilometres = "<units><unit><multiplier>1000</multiplier><unit_name>km</unit_name></unit></units>"
    assert codes(read(question("numerical", answer("7") + kilometres))) == [LossCode.UNITS]


@pytest.mark.parametrize(
    ("by", "tolerance", "low", "high"),
    [
        (Tolerance.ABSOLUTE, F(1), "6", "8"),
        (Tolerance.RELATIVE, F(1, 10), "6.3", "7.7"),
        (Tolerance.GEOMETRIC, F(1), "3.5", "14"),
    ],
)
def test_tolerances_are_written_as_absolute_ones(read, accept_image, by, tolerance, low, high) -> None:
    """If I export a relative or geometric tolerance, the same numbers are accepted, and the losses say how."""
    written = only(read(question("numerical", answer("7")))).question
    near = Numeric(accepted=(Near(value=F(7), tolerance=tolerance, by=by),))
    exported = moodle_xml.write(
        [FileQuestion(question=type(written)(id="q1", text="How much?", interaction=near, format=TextFormat.PLAIN))], {}
    )
    again = only(moodle_xml.read(exported.data, file="f", accept_image=accept_image)).question.interaction
    assert again.accepted[0].interval == near.accepted[0].interval
    assert [earns(again, {"value": end}) for end in (low, high)] == [1, 1]
    assert (LossCode.NUMBER in [loss.code for loss in exported.losses]) == (by is not Tolerance.ABSOLUTE)


def test_short_texts(read) -> None:
    """If I import accepted texts, case counts if the file says so, and * is any run of characters."""
    inner = "<usecase>1</usecase>" + answer("F*og") + answer("Toad", "50")
    interaction = only(read(question("shortanswer", inner))).question.interaction
    typed = {text: earns(interaction, {"value": text}) for text in ("Fat dog", "frog", " Toad ")}
    assert typed == {"Fat dog": 1, "frog": 0, " Toad ": HALF}


def test_matching_and_essays(read) -> None:
    """If a stem is empty its target belongs to none; an essay keeps its limits, notes and template."""
    pairs = "".join(
        f"<subquestion><text>{stem}</text><answer><text>{target}</text></answer></subquestion>"
        for stem, target in (("a", "1 &lt; 2"), ("b", "2"), ("", "3"))
    )
    matching = only(read(question("matching", "<shuffleanswers>true</shuffleanswers>" + pairs))).question.interaction
    assert matching.targets == ("1 &lt; 2", "2", "3")
    assert earns(matching, {"pairs": {"0": 0}}) == HALF
    inner = (
        "<minwordlimit>5</minwordlimit><maxwordlimit>0</maxwordlimit><attachments>2</attachments>"
        '<graderinfo format="html"><text>&lt;b&gt;Look&lt;/b&gt; well</text></graderinfo>'
        '<responsetemplate format="plain_text"><text>Dear</text></responsetemplate>'
    )
    imported = read(question("essay", inner))
    assert only(imported).question.interaction == Essay(min_words=5, notes="Look well", template="Dear")
    assert set(codes(imported)) == {LossCode.ATTACHMENTS, LossCode.TEXT_FORMAT}


@pytest.mark.parametrize(
    ("attributes", "text", "expected"),
    [
        ('format="html"', "&lt;b&gt;a&lt;/b&gt; &amp;amp;", (TextFormat.HTML, "<b>a</b> &amp;")),
        ("", "<![CDATA[<p>2 &lt; 3 &nbsp;</p>]]>", (TextFormat.HTML, "<p>2 &lt; 3 &nbsp;</p>")),
        ('format="moodle_auto_format"', "a\nb", (TextFormat.HTML, "a<br>b")),
        ('format="plain_text"', "a &lt; b", (TextFormat.PLAIN, "a < b")),
        ('format="markdown"', " *a* ", (TextFormat.MARKDOWN, "*a*")),
    ],
)
def test_texts_are_decoded_once(read, attributes, text, expected) -> None:
    """If a text is escaped or in CDATA, it is decoded once, and keeps the format that is named."""
    read_question = only(read(question("essay", "", text, attributes))).question
    assert (read_question.format, read_question.text) == expected


def test_mixed_formats_and_foreign_elements(read) -> None:
    """If choices are plain and the question HTML, they are escaped; elements that papers do not show are named."""
    inner = '<answer fraction="100" format="plain_text"><text>&lt;4</text></answer>' + answer("&lt;four&gt;", "0")
    imported = read(
        question("multichoice", "<shuffleanswers>1</shuffleanswers>" + inner, "<![CDATA[<a href='x'>y</a>]]>")
    )
    assert [choice.text for choice in only(imported).question.interaction.choices] == ["&lt;4", "<four>"]
    assert [str(loss) for loss in imported.losses] == [
        "question «Q»: <a> is not shown",
        "question «Q»: <four> is not shown",
    ]


def test_images_of_texts(read) -> None:
    """If a text shows files, they are kept by their digest; files that are not shown and lost ones are named."""
    text = (
        '<![CDATA[<img src="@@PLUGINFILE@@/a%20b.png" alt=""><img src="data:image/png;base64,' + BASE64 + '">'
        '<img src="@@PLUGINFILE@@/none.png"><img src="https://example.org/x.png">]]>'
    )
    broken = "\n".join(BASE64[n : n + 8] for n in range(0, len(BASE64), 8))
    file = '<file name="a b.png" path="/" encoding="base64">\n' + broken + '\n</file><file name="z">AA==</file>'
    xml = question("essay", "", text).replace("</text></questiontext>", f"</text>{file}</questiontext>")
    imported = read(xml)
    assert only(imported).question.text.count(f'src="sha256:{SHA}"') == 2
    assert set(imported.images) == {SHA}
    assert sorted(str(loss) for loss in imported.losses) == [
        "question «Q»: a file that is no image in the text is dropped",
        "question «Q»: an image has no file",
        "question «Q»: an image on another server is not taken",
    ]


def test_image_of_the_question(read, faults) -> None:
    """If a file has the old element for an image, it is the question's; one that is not accepted is a fault."""
    imported = read(question("essay", f"<image>a.png</image><image_base64>{BASE64}</image_base64>"))
    assert only(imported).question.image.sha256 == SHA
    listed = faults("<quiz>\n\n" + question("essay", "<image_base64>AA==</image_base64>") + "</quiz>")
    assert listed == ["q.xml, line 3: question «Q» has an image that is not usable: it is no picture"]


def test_what_is_beside_a_question(read) -> None:
    """If questions have weights, names, categories and tags, they are kept; feedback and other types are named."""
    xml = (
        '<question type="category"><category><text>$course$/top/a//b/c</text></category></question>'
        + question(
            "essay",
            "<defaultgrade>2.5000000</defaultgrade><idnumber>x1</idnumber><generalfeedback><text>f</text>"
            "</generalfeedback><hint><text>h</text></hint><tags><tag><text>t</text></tag></tags><penalty>0.3</penalty>",
        )
        + question("cloze", "")
        + question("description", "")
    )
    imported = read(xml)
    each = only(imported)
    assert (each.category, each.tags, each.title) == (("a/b", "c"), ("t",), "Q")
    assert (str(each.question.weight), each.question.id) == ("2.5", "x1")
    assert [(loss.code, loss.count) for loss in imported.losses] == [
        (LossCode.FEEDBACK, 2),
        (LossCode.NOT_TAKEN, 1),
        (LossCode.SECTION_TEXT, 1),
    ]


@pytest.mark.parametrize(
    ("xml", "line", "reason"),
    [
        ('<?xml version="1.0"?>\n<quiz>\n<question type=matching>', 3, "is not XML"),
        ("<quiz>\n<question>é & è</question></quiz>", 2, "is not XML"),
        ("<quiz>\n<a>&nbsp;</a></quiz>", 2, "an entity is not defined"),
        ('<!DOCTYPE quiz [<!ENTITY a "b">]>\n<quiz>&a;</quiz>', 1, "the document type declares"),
        ("<other/>", 1, "the root element is <other> and not <quiz>"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><quiz/>', 1, "names another encoding than UTF-8"),
        ("<quiz/>", 1, "contains no question"),
        ("<quiz>" + "<a>" * 100 + "</a>" * 100 + "</quiz>", 1, "has more than 60 levels"),
    ],
)
def test_documents_that_are_refused(faults, xml, line, reason) -> None:
    """If a document is malformed or has entities, it is refused with its line, and nothing is expanded or loaded."""
    (fault,) = faults(xml)
    assert fault.startswith(f"q.xml, line {line}: ")
    assert reason in fault


def test_faults_are_reported_at_once(faults) -> None:
    """If several questions have faults, I get all of them by line, and accepted answers are not quoted."""
    listed = faults(
        "<quiz>\n"
        + question("numerical", answer("1,5"))
        + "\n"
        + question("multichoice", answer("secret", "0") + answer("other", "0"))
        + "\n"
        + question("essay", "<defaultgrade>0.3333333</defaultgrade><minwordlimit>x</minwordlimit>")
        + "\n"
        + question("multichoice", answer("a"), "")
        + "</quiz>"
    )
    assert [fault.split(":")[0] for fault in listed] == [f"q.xml, line {line}" for line in (2, 3, 4, 4, 5, 5)]
    assert not any("secret" in fault or "1,5" in fault for fault in listed)


def test_written_documents_are_readable(read, accept_image) -> None:
    """If I export a question, CDATA holds its markup, also with the end of CDATA in it."""
    imported = read(question("essay", "<idnumber>x</idnumber>", "a ]]&gt; &lt;b&gt;b&lt;/b&gt;"))
    exported = moodle_xml.write(imported.questions, {})
    assert b"<![CDATA[a ]]]]><![CDATA[> <b>b</b>]]>" in exported.data
    assert moodle_xml.read(exported.data, file="f", accept_image=accept_image) == imported
