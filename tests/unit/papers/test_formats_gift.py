"""What GIFT files mean, as a table of records, answers and right values; each is a documented behaviour of Moodle."""

from fractions import Fraction

import pytest

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.questions.choices import MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.model import Unscored, outcome, split
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import ShortText
from exam_papers.formats import gift
from exam_papers.formats.model import ImportFaults, LossCode
from exam_papers.formats.moodle import RULES

F = Fraction
HALF = F(1, 2)


@pytest.fixture
def read(accept_image):
    """Reads a GIFT text."""
    return lambda text: gift.read(text.encode(), file="q.gift", accept_image=accept_image)


@pytest.fixture
def question(read):
    """Reads the only question of a GIFT text."""

    def only(text) -> AuthoredQuestion:
        (each,) = read(text).questions
        return each.question

    return only


@pytest.fixture
def faults(read):
    """Reads a GIFT text that is not imported, and returns its faults."""

    def listed(text) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            read(text)
        return [str(fault) for fault in error.value.faults]

    return listed


def earns(interaction, body):
    """What an answer earns; what is shown keeps the author's order."""
    half, key = split(interaction, range)
    return outcome(key, half.parse(0, body))


def numbers(interaction, *texts: str):
    """What each of these numbers or texts earns."""
    return [earns(interaction, {"value": text}) for text in texts]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{#3:0.5 =%50%3:1}", {"2.5": 1, "3.5": 1, "3.6": HALF, "4": HALF, "4.01": 0}),
        ("{#=%50%3:1 =3:0.5}", {"3": HALF}),
        ("{#1..5}", {"1": 1, "5": 1, "5.0001": 0}),
        ("{#3.141..3.142}", {"3.141": 1, "3.142": 1, "3.1420000001": 0}),
        ("{# 1.414:0.001 ~#no}", {"1.413": 1, "1.4150000000001": 0}),
        ("{#=1850:0 =%50%1850:3}", {"1850": 1, "1847": HALF, "1846": 0}),
        ("{#-1e-2:-.01}", {"0": 1, "-0.02": 1, "0.001": 0}),
        ("{#=7 =%50%*}", {"7": 1, "8": HALF}),
    ],
)
def test_numbers_keep_their_ends(question, block, expected) -> None:
    """If I import numbers with tolerances, ranges and steps, exactly the numbers of the file are accepted."""
    read = question(f"How much? {block}").interaction
    assert {text: earns(read, {"value": text}) for text in expected} == expected


def test_first_match_counts_with_a_warning(read) -> None:
    """If a later number gives more credit where an earlier one matches, the first counts and I am warned."""
    (warning,) = read("Now {#=%50%3:1 =3:0.5}").warnings
    assert "can never match" in str(warning)


@pytest.mark.parametrize(
    ("block", "reason"),
    [("{#1,5}", "write it with a decimal point"), ("{#}", "has no key"), ("{#abc}", "is not a number"), ("{#1:}", "")],
)
def test_what_is_no_number_is_a_fault(faults, block, reason) -> None:
    """If a key is no number, the file is not imported; Moodle would accept any answer."""
    (fault,) = faults(f"\n::Q::How much? {block}")
    assert fault.startswith("q.gift, line 2: question «Q» has ")
    assert reason in fault


def chosen(interaction, letters):
    """What choosing these choices earns."""
    ids = [choice.id for choice in interaction.choices]
    return earns(interaction, {"choices": [ids.index(letter) for letter in letters]})


@pytest.mark.parametrize(
    ("block", "kind", "expected"),
    [
        (
            "{~%33.33333%a ~%33.33333%b ~%33.33333%c ~%-100%d}",
            MultipleChoice,
            {"abc": 1, "ab": F(2, 3), "abd": 0, "d": 0},
        ),
        ("{=a ~%50%b ~c}", SingleChoice, {"a": 1, "b": HALF, "c": 0}),
        ("{~%50%a ~%50%b ~%-50%c}", MultipleChoice, {"ac": 0, "abc": HALF, "c": 0}),
        ("{a ~b =c}", SingleChoice, {"a": 0, "b": 0, "c": 1}),
        ("{ ~%100%a\n~%-25% b # feedback }", MultipleChoice, {"a": 1, "ab": F(3, 4)}),
    ],
)
def test_choices_earn_their_weights(question, block, kind, expected) -> None:
    """If I import choices with weights, they earn exactly these, and = decides whether one or several are chosen."""
    read = question(f"Which? {block}").interaction
    assert isinstance(read, kind)
    assert {letters: chosen(read, letters) for letters in expected} == expected


def test_weight_after_an_equals_sign_is_text(read) -> None:
    """If I put a weight after =, it is part of the text as in Moodle, and I am warned."""
    imported = read("Which? {=%50%a ~b}")
    assert [(c.text, c.credit) for c in imported.questions[0].question.interaction.choices] == [("%50%a", 1), ("b", 0)]
    assert "begins like a weight" in str(imported.warnings[0])


@pytest.mark.parametrize(
    ("percent", "credit"),
    [("33", None), ("33.333", F(1, 3)), ("66.67", None), ("66.66667", F(2, 3)), ("14.286", F(1, 7)), ("2.5", None)],
)
def test_weights_are_exact_or_refused(question, faults, percent, credit) -> None:
    """If a weight is a rounded third it is exactly a third, and if it is near none of Moodle's it is refused."""
    text = f"Which?\n{{=a\n~%{percent}%b}}"
    if credit is None:
        (fault,) = faults(text)
        assert fault.startswith("q.gift, line 3: has a weight that is not a credit")
    else:
        assert question(text).interaction.choices[1].credit == credit


@pytest.mark.parametrize(("block", "answer"), [("{T#no#yes}", True), ("{ FALSE }", False), ("{F####why}", False)])
def test_true_and_false_are_capitals(read, block, answer) -> None:
    """If an answer is T, TRUE, F or FALSE, the question is true or false; feedback is a named loss."""
    imported = read(f"It rains. {block}")
    assert imported.questions[0].question.interaction == TrueFalse(answer=answer)
    assert {loss.code for loss in imported.losses} == ({LossCode.FEEDBACK} if "#" in block else set())


def test_small_letters_are_a_short_text(question) -> None:
    """If an answer is «true» in small letters, it is a short text as in Moodle."""
    read = question("It rains. {true}").interaction
    assert isinstance(read, ShortText)
    assert numbers(read, "TRUE", "t") == [1, 0]


def test_gap_in_the_middle(question) -> None:
    """If answers stand within a sentence, their place is a gap."""
    read = question("Two and two is {=four =4}.")
    assert read.text == "Two and two is _____."
    assert numbers(read.interaction, "four", "4", "5") == [1, 1, 0]


def test_texts_ignore_case_and_have_runs(question) -> None:
    """If I import accepted texts, case is ignored, * is any run, an escaped * a star, and é is é."""
    assert numbers(question("Which? {=Frog}").interaction, "  FROG ", "frogs") == [1, 0]
    assert numbers(question("Which? {=F*og}").interaction, "Fog", "Fat dog") == [1, 1]
    assert numbers(question("Which? {=\\*}").interaction, "*", "x") == [1, 0]
    assert numbers(question("Which? {=caf\u00e9}").interaction, "cafe\u0301") == [1]


def test_matching_with_a_target_alone(question) -> None:
    """If a stem is empty, its target belongs to no stem; an open stem is wrong."""
    read = question("Match. {=a->1 =b->2 =->3}").interaction
    assert (len(read.stems), read.targets, read.distractors) == (2, ("1", "2", "3"), ("3",))
    assert earns(read, {"pairs": {"0": 0}}) == HALF
    assert earns(read, {"pairs": {}}) is Unscored.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("written", "text"), [(r"\nu", "<br>u"), (r"\\nu", r"\nu"), (r"\(x\)", r"\(x\)"), (r"\{\=\~\#\:\}", "{=~#:}")]
)
def test_escapes_are_resolved_once(question, written, text) -> None:
    """If a text has escapes, they are resolved once; TeX needs its backslash doubled only before n and signs."""
    assert question(f"a{written}b {{}}").text == f"a{text}b"


def test_category_paths(read, faults) -> None:
    """If a category is set it holds until the next; a slash in a name is doubled, and a blank line must follow."""
    text = "$CATEGORY: $course$/top/a//b/c\n\nOne {}\n\nTwo {}\n\n$CATEGORY: top\n\nThree {}\n"
    assert [each.category for each in read(text).questions] == [("a/b", "c")] * 2 + [()]
    assert faults("$CATEGORY: a\nOne {}\n\nTwo {}") == [
        "q.gift, line 2: follows $CATEGORY: directly: put a blank line between them"
    ]


def test_names_in_comments(read) -> None:
    """If a comment directly above a question has an id and tags, they are its; after a blank line they are not."""
    text = "// [id:one] [tag:a\\]b] [tag:c]\nOne {}\n\n// [id:two]\n\nTwo {\n// inside\n}"
    first, second = read(text).questions
    assert (first.question.id, first.tags) == ("one", ("a]b", "c"))
    assert (second.question.id, second.tags) == ("q2", ())
    assert [str(loss) for loss in read(text).losses] == ["comments are dropped"]


def test_ids_that_are_not_usable_are_replaced(read) -> None:
    """If an id is given twice or is none here, the question gets another one and the loss names it."""
    text = "// [id:q2]\nOne {}\n\n// [id:a b]\nTwo {}\n\n// [id:q2]\nThree {}"
    assert [each.question.id for each in read(text).questions] == ["q2", "q2_", "q3"]
    assert [(loss.code, loss.question) for loss in read(text).losses] == [
        (LossCode.IDENTIFIER, "a b"),
        (LossCode.IDENTIFIER, "q2"),
    ]


@pytest.mark.parametrize(
    ("marker", "text", "expected"),
    [
        ("", "a\nb", (TextFormat.HTML, "a<br>b")),
        ("[html]", "<b>a</b>", (TextFormat.HTML, "<b>a</b>")),
        ("[markdown]", "*a*", (TextFormat.MARKDOWN, "*a*")),
        ("[plain]", "a < b", (TextFormat.PLAIN, "a < b")),
        ("[other]", "a", (TextFormat.HTML, "[other]a")),
    ],
)
def test_text_formats(question, marker, text, expected) -> None:
    """If a text names its format it has this one; without it, line ends are breaks as in Moodle."""
    read = question(f"::t::{marker}{text}{{=x ~y}}")
    assert (read.format, read.text) == expected


def test_mixed_formats_become_html(read) -> None:
    """If a question is Markdown and a choice HTML, all is HTML with formulas as they were, and the loss is named."""
    imported = read(r"[markdown]*a* \\(x_1 < x_2\\) {=[html]<b>b</b> ~[plain]c < d}")
    read_question = imported.questions[0].question
    assert read_question.format is TextFormat.HTML
    assert read_question.text == r"<em>a</em> \(x_1 &lt; x_2\)"
    assert [c.text for c in read_question.interaction.choices] == ["<b>b</b>", "c &lt; d"]
    assert [loss.code for loss in imported.losses] == [LossCode.TEXT_FORMAT]


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        (">6", OrderingRule.SUCCESSORS),
        (">6 ALL VERTICAL ABS", OrderingRule.PLACES),
        (">4 REL H LONGEST_ORDERED_SUBSET SHOW abc", OrderingRule.LONGEST_SUBSEQUENCE),
        (">0 ALL_OR_NOTHING", OrderingRule.ALL_OR_NOTHING),
    ],
)
def test_ordering(read, header, rule) -> None:
    """If I import an ordering question, its lines are the items in the right order, and its options the rule."""
    imported = read(f"Sort. {{{header}\nHello\n2\n[html]c\n=d\ne # f\n6\n}}")
    read_question = imported.questions[0].question.interaction
    assert isinstance(read_question, Ordering)
    assert [item.text for item in read_question.items] == ["Hello", "2", "c", "=d", "e # f", "6"]
    assert read_question.rule is rule
    assert (LossCode.SUBSET in {loss.code for loss in imported.losses}) == ("REL" in header)


SHARES = {
    "3 2 4 5 6 1": "0 1/6 2/5 1/3 1/3 3/5 2/3 2/3 2/3",
    "6 2 3 4 5 1": "0 2/3 3/5 1/2 1/2 2/5 2/3 2/3 2/3",
    "6 5 4 3 2 1": "0 0 0 0 0 0 0 0 2/5",
    "1 3 2 4": "0 1/2 0 1/4 1/4 5/6 3/4 1/2 5/6",
}


@pytest.mark.parametrize("order", SHARES)
@pytest.mark.parametrize("number", range(-1, 8))
def test_ordering_rules_earn_what_they_do_in_moodle(question, order, number) -> None:
    """If items are put in this order, each of Moodle's nine rules gives the share that Moodle gives."""
    places = order.split()
    names = sorted(places)
    header = f">{len(names)} {list(RULES)[number + 1]}"
    read = question("Sort. {" + header + "\n" + "\n".join(names) + "\n}").interaction
    given = {"order": [int(place) - 1 for place in places]}
    assert earns(read, given) == F(SHARES[order].split()[number + 1])


def test_essays_and_texts_between_questions(read) -> None:
    """If braces are empty the question is an essay; a text without braces is a named loss."""
    imported = read("::Rules::Read well.\n\nWrite. {}")
    assert [each.question.interaction for each in imported.questions] == [Essay()]
    assert [str(loss) for loss in imported.losses] == ["question «Rules»: a text without answers is not taken"]


def test_faults_are_reported_at_once(faults) -> None:
    """If several records have faults, I get all of them with line and reason, and nothing is imported."""
    text = (
        "$LEVEL: 3\n$CATEGORY: empty/one\n\n$CATEGORY: filled/one\n\n"
        "::nothing is right::Which colour has the letter b? {~red ~green ~grey}\n\n"
        "::no braces:: What does this print: for (i = 0;;) { out[i] = i; }\n=0 1 2\n~1 2 3\n\n"
        "open {=a\n\nclosed }\n\n{\n~%33.33333%radius\n~%-100%chord\n}\n\ngood {T}\n\nMatch {=a->b =c}"
    )
    listed = faults(text)
    assert [fault.split(":")[0] for fault in listed] == [f"q.gift, line {n}" for n in (2, 6, 9, 12, 14, 16, 23)]
    assert "has no key: mark a choice as correct" in listed[1]
    assert "after the closing brace" in listed[2]
    assert "has { without }" in listed[3]
    assert "has } without {" in listed[4]
    assert "has no text" in listed[5]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfeO\0", "UTF-16: save it as UTF-8"),
        ("Étude {}".encode("latin-1"), "Latin-1 (ISO 8859-1): save it as UTF-8"),
        ("Œdème {}".encode("cp1252"), "Windows-1252 (cp1252), as Excel writes it: save it as UTF-8"),
        (b"\n a\0 {}", "U+0000 cannot be displayed"),
        (b"", "contains no question"),
    ],
)
def test_encodings_are_named(accept_image, data, reason) -> None:
    """If a file is not UTF-8, the fault names the encoding that it has."""
    with pytest.raises(ImportFaults, match=r"^q\.gift, line ") as error:
        gift.read(data, file="q.gift", accept_image=accept_image)
    assert reason in str(error.value)


def test_line_ends_and_byte_order_mark(accept_image) -> None:
    """If a file has a byte order mark and CRLF, it is read like any other."""
    data = "\ufeffÉtude ?\r\n{}\r\n\rTwo {}".encode()
    assert [each.question.text for each in gift.read(data, file="f", accept_image=accept_image).questions] == [
        "Étude ?",
        "Two",
    ]


def test_written_records_are_readable(read) -> None:
    """If I export a question, its record looks as a person would write it."""
    text = "// [id:pi] [tag:maths]\n::Pi::[markdown]How \\{large\\}\\nis pi? {#\n=3.14:0.01\n=%50%3..4\n}\n"
    exported = gift.write(read("$CATEGORY: a/b\n\n" + text).questions, {})
    assert exported.data.decode() == "$CATEGORY: a/b\n\n" + text
    assert exported.losses == ()


def test_values_are_near(question) -> None:
    """If a tolerance is negative, it is made positive as in Moodle."""
    assert question("a {#3:-1}").interaction == Numeric(accepted=(Near(value=F(3), tolerance=F(1)),))
