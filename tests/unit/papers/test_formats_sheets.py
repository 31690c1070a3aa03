"""What sheets of questions mean, and each reason why one is not imported."""

import io
from fractions import Fraction

import openpyxl
import pytest

from exam_core.authored import TextFormat
from exam_core.questions.choices import ChoiceRule
from exam_core.questions.model import KindName
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_core.questions.ordering_rules import OrderingRule
from exam_papers.formats import sheets
from exam_papers.formats.archives import pack
from exam_papers.formats.model import ImportFaults, LossCode

F = Fraction


@pytest.fixture
def read(accept_image):
    """Reads a CSV text, or the bytes of a sheet."""
    return lambda data: sheets.read(
        data if isinstance(data, bytes) else data.encode(), file="q.csv", accept_image=accept_image
    )


@pytest.fixture
def faults(read):
    """Reads a sheet that is not imported, and returns its faults."""

    def listed(data) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            read(data)
        return [str(fault) for fault in error.value.faults]

    return listed


def workbook(rows, change=lambda _: None, titles=("questions",)):
    """The bytes of a workbook with the same rows in each of its sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title in titles:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        change(sheet)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_rows_with_choices_in_columns(read) -> None:
    """If I import a sheet with choices in columns, the key names the correct ones by letters or by text."""
    text = (
        "id;kind;text;choice_a;choice_b;choice_c;key;weight;category;tags\n"
        'one;single;"Which; one?\n(of these)";3;5;beide;C;2,5;a//b/c;x; \n'
        "two;multiple;Which?;x;y;z;a; C;;;\n"
    ).replace("a; C", '"a; C"')
    imported = read(text.replace("x; \n", "x\n"))
    one, two = imported.questions
    assert (one.question.text, str(one.question.weight), one.category) == (
        "Which; one?\n(of these)",
        "2.5",
        ("a/b", "c"),
    )
    assert [(c.id, c.credit) for c in one.question.interaction.choices] == [("a", 0), ("b", 0), ("c", 1)]
    assert [c.credit for c in two.question.interaction.choices] == [1, 0, 1]
    assert two.question.interaction.rule is None


def test_rows_for_choices_with_credits(read) -> None:
    """If each choice has a row under the same id, it has a credit of its own; so have accepted answers."""
    text = (
        "id,kind,text,choice,key,credit,tolerance,unit\n"
        "one,multiple,Which?,,,,,\none,,,a,,1/3,,\none,,,b,,2/3,,\n,,,c,,-1,,\n"
        "two,numeric,How much?,,1.5,,10%,m\ntwo,,,,1..5,0.5,,\ntwo,,,,(1..],1/4,,\ntwo,,,,2±0.1,1/4,,\n"
        "three,matching,Match.,,,,,\nthree,,,x,1,,,\nthree,,,y,2,,,\nthree,,,,3,,,\n"
        "four,text,Who?,,Ada,,,\nfour,,,,Ada L*,1/2,,\n"
    )
    one, two, three, four = (each.question.interaction for each in read(text).questions)
    assert [(c.text, c.credit) for c in one.choices] == [("a", F(1, 3)), ("b", F(2, 3)), ("c", -1)]
    assert one.rule is ChoiceRule.SUM_OF_CREDITS
    assert two.accepted == (
        Near(value=F(3, 2), tolerance=F(1, 10), by=Tolerance.RELATIVE),
        Between(low=F(1), high=F(5), credit=F(1, 2)),
        Between(low=F(1), high=None, low_open=True, credit=F(1, 4)),
        Near(value=F(2), tolerance=F(1, 10), credit=F(1, 4)),
    )
    assert (two.unit, three.targets, len(three.stems)) == ("m", ("1", "2", "3"), 2)
    assert [(entry.text, entry.credit) for entry in four.accepted] == [("Ada", 1), ("Ada L*", F(1, 2))]


def test_other_kinds(read) -> None:
    """If a sheet has true or false, ordering and essays, their columns are read; without ids, ids are made."""
    text = (
        "kind\ttext\tkey\tcredit\tchoice_a\tchoice_b\trule\tmin_words\tformat\n"
        "true-false\tIs it?\tFALSE\t-1/4\t\t\t\t\thtml\n"
        "ordering\tSort.\t\t\tx\ty\tplaces\t\t\n"
        "essay\tWrite.\t\t\t\t\t\t5\tplain\n"
    )
    first, second, third = (each.question for each in read(text).questions)
    assert (first.interaction.answer, first.interaction.other_credit) == (False, F(-1, 4))
    assert second.interaction.rule is OrderingRule.PLACES
    assert third.interaction.min_words == 5
    assert [(each.id, each.format) for each in (first, second, third)] == [
        ("q1", TextFormat.HTML),
        ("q2", TextFormat.MARKDOWN),
        ("q3", TextFormat.PLAIN),
    ]


@pytest.mark.parametrize(
    ("choices", "key", "right"),
    [
        (["4", "7", "9"], "7", 1),
        (["3", "2", "1"], "3", None),
        (["1", "2", "3"], "3", 2),
        (["A", "B"], "B", 1),
        (["B", "A"], "B", None),
        (["B", "A"], "A", None),
        (["x", "y"], "2", None),
        (["x", "y"], "", None),
        (["x; y", "z"], "x; y", 0),
    ],
)
def test_keys_are_never_guessed(read, faults, choices, key, right) -> None:
    """If a key can be the text of one choice and the place of another, or neither, I am asked."""
    header = ",".join(["kind", "text", "choice_a", "choice_b", "choice_c"][: 2 + len(choices)])
    text = f'{header},key\nsingle,Which?,{",".join(choices)},"{key}"\n'
    if right is None:
        fault = faults(text)[0]
        assert fault.startswith("q.csv, row 2, column key: question «row 2» ")
    else:
        credits_ = [choice.credit for choice in read(text).questions[0].question.interaction.choices]
        assert credits_.index(1) == right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Frage;A;Lösung\nx;y;A", ["row 1, column ", "row 1: has no column 'kind'", "row 1: has no"]),
        ("kind,text,kind\n", ["row 1, column kind: is a column that occurs twice"]),
        ("kind,text\nessay,a\nessay,b,c", ["row 3: has more cells than the header"]),
        ("kind,text\nriddle,a", ["row 2, column kind: question «row 2» is not one of single"]),
        ("kind,text,key\nessay,a,x", ["row 2, column key: question «row 2» is not used by this kind"]),
        ("id,kind,text\na,essay,x\na,essay,y", ["row 3: question «a» has an id that is given twice"]),
        ("id,kind,text\na b,essay,x", ["row 2: question «a b» has an id that is not letters"]),
        ("id,kind,text,choice\na,essay,x,\nb,,,y", ["row 3, column kind: is empty"]),
        ('kind,text,key\nnumeric,a,"1,234"', ["row 2, column key: question «row 2» can be read in two ways"]),
        ("kind,text,image\nessay,a,x.png", ["row 2, column image: question «row 2» names an image"]),
        ("kind,text,weight\nessay,a,-1", ["row 2, column weight: question «row 2» has a weight that is not from"]),
        ('kind,text\nessay,"open', ["line 2: a quoted cell does not end"]),
        ("kind,text,choice_a,choice_c,key\nsingle,a,x,y,A", ["row 2, column choice_b: question «row 2» is empty"]),
        ("", ["row 1: the sheet is empty"]),
    ],
)  # fmt: skip
def test_each_fault_has_its_cell(faults, text, expected) -> None:
    """If a sheet has a fault, I get its row and column, and nothing is imported."""
    listed = [fault.removeprefix("q.csv, ") for fault in faults(text)]
    assert len(listed) == len([each for each in listed if each.startswith(tuple(expected))])
    assert len(listed) >= len(expected)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_sheets(read, encoding) -> None:
    """If a sheet is UTF-8, or UTF-16 with a byte order mark, it is read."""
    data = 'kind,text\r\nessay,"Der ""Größte"", 3 ٤؟"\r\n'.encode(encoding)
    assert read(data).questions[0].question.text == 'Der "Größte", 3 ٤؟'


def test_sheets_of_excel_are_named(faults) -> None:
    """If a sheet is in the encoding of Excel, the fault says so."""
    assert "Windows-1252 (cp1252), as Excel writes it" in faults("kind,text\nessay,3 €".encode("cp1252"))[0]


def test_formulas_are_neutralised(read) -> None:
    """If texts begin like formulas, they are exported so that no spreadsheet computes them, and read as they were."""
    texts = ["=1+1", "@x", "-a", "'=x", "+", "-5"]
    header = "kind,text,choice_a,choice_b,choice_c,choice_d,choice_e,choice_f,key\n"
    questions = read(
        header + "single,Which?," + ",".join([*(f"'{text}" for text in texts[:5]), texts[5], "A"])
    ).questions
    assert [choice.text for choice in questions[0].question.interaction.choices] == texts
    exported = sheets.write_csv(questions, {}).data
    assert b",'=1+1,'@x,'-a,''=x,'+,-5," in exported
    assert read(exported).questions == questions
    assert read(sheets.write_xlsx(questions, {}).data).questions == questions


def test_workbooks(read) -> None:
    """If a workbook has numbers and booleans, they are read as a person sees them."""
    rows = [["kind", "text", "key", "weight", "choice"], ["numeric", "How much?", 0.1, 2], [None, None, 1e-05]]
    rows.append(["true-false", "Is it?", True, 0.5])
    first, second = (each.question for each in read(workbook(rows)).questions)
    assert [entry.value for entry in first.interaction.accepted] == [F(1, 10), F(1, 100000)]
    assert (str(first.weight), str(second.weight), second.interaction.answer) == ("2", "0.5", True)


@pytest.mark.parametrize(
    ("change", "titles", "reason"),
    [
        (lambda sheet: sheet.merge_cells("A2:A3"), ("questions",), "row 2: has the merged cells A2:A3"),
        (lambda sheet: sheet.row_dimensions.group(2, 2, hidden=True), ("x",), "row 2: is hidden"),
        (lambda sheet: sheet.column_dimensions.group("B", "B", hidden=True), ("x",), "has a hidden column"),
        (lambda sheet: sheet.append(["essay", "=1+1"]), ("x",), "row 3, column B: is a formula without a value"),
        (lambda sheet: sheet.append(["essay", "#REF!"]), ("x",), "row 3, column B: is an error"),
        (lambda _: None, ("a", "b"), "the workbook has the sheets 'a', 'b'"),
    ],
)
def test_workbooks_that_show_something_else(faults, change, titles, reason) -> None:
    """If a workbook has merged or hidden cells, errors, formulas without values or several sheets, I get the place."""
    listed = faults(workbook([["kind", "text"], ["essay", "Write."]], change, titles))
    assert any(reason in fault for fault in listed), listed


def test_dates_are_faults(faults, read) -> None:
    """If Excel made a date of a key, I am asked to write it as text; the named one of several sheets is read."""
    rows = [["kind", "text", "key"], ["text", "Which?", openpyxl.utils.datetime.from_excel(45000)]]
    assert "is a date or time: format the column as text" in faults(workbook(rows))[0]
    rows = [["kind", "text"], ["essay", "Write."]]
    assert len(read(workbook(rows, titles=("notes", "Questions"))).questions) == 1


def test_images_beside_a_sheet(read, pictures, accept_image) -> None:
    """If a ZIP archive has a sheet and images, cells and texts name them; the export is such an archive."""
    text = "id,kind,text,image,choice,credit\na,single,![x](p/2.png) which?,1.png,,\na,,,1.png,,1\na,,,,y,0\n"
    data = pack({"sheet.csv": text.encode(), "1.png": b"picture 1", "p/2.png": b"picture 2"})
    imported = read(data)
    first, second = pictures
    question = imported.questions[0].question
    assert (question.image.sha256, question.text) == (first, f"![x](sha256:{second}) which?")
    assert question.interaction.choices[0].image.sha256 == first
    for write in (sheets.write_csv, sheets.write_xlsx):
        exported = write(imported.questions, pictures)
        assert (exported.suffix, exported.losses) == (".zip", ())
        assert sheets.read(exported.data, file="f", accept_image=accept_image) == imported


def test_images_without_bytes_are_named(read, pictures) -> None:
    """If the bytes of an image are not there, the export names it."""
    data = pack({"sheet.csv": b"kind,text,image\nessay,a,1.png", "1.png": b"picture 1"})
    exported = sheets.write_csv(read(data).questions, {})
    assert [loss.code for loss in exported.losses] == [LossCode.IMAGES]
    assert KindName.ESSAY.encode() in exported.data
