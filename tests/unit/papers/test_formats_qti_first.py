"""What files of QTI 1.2 and Canvas mean, as statements about them."""

import hashlib
import html
from fractions import Fraction

import pytest

from exam_core.questions.choices import ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.text import AcceptedText, ShortText
from exam_papers.formats import qti
from exam_papers.formats.archives import pack
from exam_papers.formats.model import ImportFaults, LossCode

F = Fraction
PICTURE = b"picture of a circle"
SHA = hashlib.sha256(PICTURE).hexdigest()


def document(*items: str, before=""):
    """A document with items in Canvas's section."""
    return (
        '<questestinterop xmlns="http://www.imsglobal.org/xsd/ims_qtiasiv1p2"><assessment ident="a" title="Quiz">'
        f'<section ident="root_section">{before}{"".join(items)}</section></assessment></questestinterop>'
    )


def item(kind, responses, conditions="", text="Which?", points="2"):
    """An item; without a kind it has no metadata."""
    fields = {"question_type": f"{kind}_question", "points_possible": points} if kind else {}
    metadata = "".join(
        f"<qtimetadatafield><fieldlabel>{name}</fieldlabel><fieldentry>{value}</fieldentry></qtimetadatafield>"
        for name, value in fields.items()
    )
    return (
        f'<item ident="i1" title="Q"><itemmetadata><qtimetadata>{metadata}</qtimetadata></itemmetadata>'
        f"<presentation>{material(text, 'text/html')}{responses}</presentation>"
        f"<resprocessing>{conditions}</resprocessing></item>"
    )


def material(text, kind="text/plain"):
    """A text."""
    return f'<material><mattext texttype="{kind}">{html.escape(text)}</mattext></material>'


def choose(labels="abc", cardinality="Single", ident="response1", stem=""):
    """A response of which labels are chosen."""
    inner = "".join(f'<response_label ident="{each}">{material(f"The {each}")}</response_label>' for each in labels)
    first = material(stem) if stem else ""
    return (
        f'<response_lid ident="{ident}" rcardinality="{cardinality}">{first}'
        f"<render_choice>{inner}</render_choice></response_lid>"
    )


FIELD = '<response_str ident="response1" rcardinality="Single"><render_fib/></response_str>'


def condition(inner, score=100, action="Set"):
    """A condition and what it sets the score to."""
    setting = f'<setvar action="{action}" varname="SCORE">{score}</setvar>'
    return f"<respcondition><conditionvar>{inner}</conditionvar>{setting}</respcondition>"


def equal(value, ident="response1", attributes=""):
    """The condition that the response is a value."""
    return f'<varequal respident="{ident}" {attributes}>{value}</varequal>'


PERCENT = equal(50, attributes='margin="10" margintype="percent"')


@pytest.fixture
def read(accept_image):
    """Reads a document."""
    return lambda xml: qti.read(xml.encode(), file="q.xml", accept_image=accept_image)


@pytest.fixture
def interaction(read):
    """Reads the only question of an item."""
    return lambda xml: read(document(xml)).questions[0].question.interaction


@pytest.mark.parametrize(
    ("inner", "entry"),
    [
        (
            f'<or>{equal(77)}<and><vargte respident="r">70</vargte><varlte respident="r">84</varlte></and></or>',
            Near(value=F(77), tolerance=F(7)),
        ),
        (
            f'<or>{equal(77)}<and><vargte respident="r">77</vargte><varlte respident="r">77</varlte></and></or>',
            Near(value=F(77)),
        ),
        (
            '<vargt respident="r">999.995</vargt><varlte respident="r">1000.005</varlte>',
            Between(low=F("999.995"), high=F("1000.005"), low_open=True),
        ),
        (
            f"<or>{PERCENT}</or>",
            Near(value=F(50), tolerance=F(1, 10), by=Tolerance.RELATIVE),
        ),
    ],
)
def test_numbers(interaction, inner, entry) -> None:
    """If Canvas accepts a value with a margin or a range, the same numbers are accepted, with open ends."""
    assert interaction(item("numerical", FIELD, condition(inner))) == Numeric(accepted=(entry,))


def test_single_choices(read, interaction) -> None:
    """If a choice sets the score to 100, it is correct; scores may also vary by answer, in points."""
    imported = read(document(item("multiple_choice", choose(), condition(equal("b")))))
    (each,) = imported.questions
    assert isinstance(each.question.interaction, SingleChoice)
    assert [(c.text, str(c.credit)) for c in each.question.interaction.choices] == [
        ("The a", "0"),
        ("The b", "1"),
        ("The c", "0"),
    ]
    assert (each.title, each.question.id, each.question.weight) == ("Q", "i1", 2)
    varied = condition(equal("a"), 2) + condition(equal("b"), 1)
    assert [c.credit for c in interaction(item("multiple_choice", choose(), varied)).choices] == [1, F(1, 2), 0]


def test_true_and_false(interaction) -> None:
    """If two choices are True and False, the question is one of true or false."""
    labels = "".join(
        f'<response_label ident="{n}">{material(word)}</response_label>' for n, word in enumerate(("True", "False"))
    )
    responses = f'<response_lid ident="response1"><render_choice>{labels}</render_choice></response_lid>'
    assert interaction(item("true_false", responses, condition(equal(1)))) == TrueFalse(answer=False)


def test_multiple_choices(interaction) -> None:
    """If the score needs all right choices and no other one, only these earn; scores that are added are credits."""
    inner = f"<and>{equal('a')}<not>{equal('b')}</not>{equal('c')}</and>"
    question = interaction(item("multiple_answers", choose(cardinality="Multiple"), condition(inner)))
    assert isinstance(question, MultipleChoice)
    assert ([str(c.credit) for c in question.choices], question.rule) == (["1", "0", "1"], ChoiceRule.ALL_OR_NOTHING)
    added = condition(equal("a"), "33.3333", "Add") + condition(equal("b"), -50, "Add")
    question = interaction(item("", choose(cardinality="Multiple"), added))
    assert ([c.credit for c in question.choices], question.rule) == ([F(1, 3), F(-1, 2), 0], ChoiceRule.SUM_OF_CREDITS)


def test_texts_and_essays(interaction) -> None:
    """If several texts are accepted, each earns everything; a field without a key is an essay."""
    keys = condition(equal("ox*") + equal("cow"))
    accepted = (AcceptedText(text="ox*"), AcceptedText(text="cow"))
    assert interaction(item("short_answer", FIELD, keys)) == ShortText(accepted=accepted)
    assert interaction(item("", FIELD, keys)) == ShortText(accepted=accepted)
    assert interaction(item("", FIELD)) == interaction(item("essay", FIELD)) == Essay()


def test_matching(interaction) -> None:
    """If several responses share their labels, each is a stem, and labels that no stem has are distractors."""
    responses = choose("xyz", ident="r1", stem="one") + choose("xyz", ident="r2", stem="two")
    keys = condition(equal("x", "r1"), "50.00", "Add") + condition(equal("z", "r2"), "50.00", "Add")
    expected = Matching(
        stems=(Stem(id="s1", text="one", target="The x"), Stem(id="s2", text="two", target="The z")),
        distractors=("The y",),
    )
    assert interaction(item("matching", responses, keys)) == interaction(item("", responses, keys)) == expected


def test_groups_and_questions_without_a_place(read) -> None:
    """If a group draws questions, all are taken with its points; kinds without a place here are named."""
    selection = (
        "<selection_ordering><selection><selection_number>1</selection_number><selection_extension>"
        "<points_per_item>3</points_per_item></selection_extension></selection></selection_ordering>"
    )
    taken = item("essay", FIELD)
    others = item("file_upload", "") + item("text_only", "") + item("multiple_dropdowns", choose())
    imported = read(document(f'<section ident="g" title="Group">{selection}{taken}</section>', others))
    (each,) = imported.questions
    assert (each.category, each.question.weight) == (("Group",), 3)
    assert [loss.code for loss in imported.losses] == [
        LossCode.SUBSET,
        LossCode.NOT_TAKEN,
        LossCode.SECTION_TEXT,
        LossCode.NOT_TAKEN,
    ]


def test_images_and_formulas_of_canvas(accept_image) -> None:
    """If a Canvas package has images, they are found from the package's folder, and pictures of formulas become TeX."""
    text = (
        '<p><img src="$IMS-CC-FILEBASE$/a%20b.png?canvas_download=1" alt="c">'
        '<img class="equation_image" data-equation-content="\\frac{1}{2} &lt; 1" src="/equation"></p>'
    )
    resource = (
        '<manifest><resources><resource type="imsqti_xmlv1p2"><file href="g/g.xml"/></resource></resources></manifest>'
    )
    files = {
        "imsmanifest.xml": resource.encode(),
        "g/g.xml": document(item("essay", FIELD, text=text)).encode(),
        "web_resources/a b.png": PICTURE,
    }
    imported = qti.read(pack(files), file="p.zip", accept_image=accept_image)
    assert imported.questions[0].question.text == (
        f'<p><img src="sha256:{SHA}" alt="c">\\(\\frac{{1}}{{2}} &lt; 1\\)</p>'
    )


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (item("numerical", FIELD, condition(equal("1,5"))), "has an accepted number which is not a number"),
        (item("matching", choose(stem="one"), ""), "has a stem without a target"),
        (item("essay", FIELD, points="x"), "has a number in <item> which is not a number"),
        (item("", choose(cardinality="Ordered")), "a question of the type 'ordered response' is not taken"),
        (item("", choose() + FIELD), "an item with 2 responses is not taken"),
    ],
)
def test_files_that_are_refused(read, xml, reason) -> None:
    """If an item has faults, or no item has a place here, I get the reason."""
    with pytest.raises(ImportFaults) as error:
        read(document(xml))
    assert reason in str(error.value)
