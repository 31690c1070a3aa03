"""Files as the API reads them: content or faults, in one form."""

import io
import random
import zipfile

import pytest

from exam_papers.formats import FORMATS
from exam_web.exams.files.reading import MAX_EXPANDED, MAX_LISTED, FileFaultsError, read_file
from exam_web.exams.files.schemas import FormatName

HEAD = "id,kind,text,choice_a,choice_b,key\n"


def faults_of(data: str) -> FileFaultsError:
    """The faults of a sheet."""
    with pytest.raises(FileFaultsError) as caught:
        read_file(file="f.csv", data=data.encode(), form=None)
    return caught.value


def test_every_format_has_a_name_in_the_api() -> None:
    """The API takes every format of questions, and exam documents."""
    assert set(FormatName.__args__) == {*FORMATS, "yaml"}  # type: ignore[attr-defined]  # a Literal


def test_a_fault_of_a_sheet_has_its_row_and_column() -> None:
    """Faults in sheets have row and column."""
    error = faults_of(f"{HEAD}q,single,T,A,B,A\nr,single,T,A,B,Z\n")
    (fault,) = error.faults
    assert (fault.file, fault.line, fault.column, fault.question) == ("f.csv", 3, "key", "r")
    assert error.problem().extra["faults"] == [
        {"file": "f.csv", "line": 3, "column": "key", "question": "r", "reason": fault.reason}
    ]
    assert error.problem().detail == f"f.csv, line 3, column key: question «r» {fault.reason}"


def test_a_list_of_faults_is_bounded() -> None:
    """A file with thousands of faults gives a list that can be read, and the number of the others."""
    error = faults_of(HEAD + "".join(f"q{n},single,T,A,B,Z\n" for n in range(1, 1002)))
    assert len(error.faults) == MAX_LISTED + 1
    assert error.faults[-1].reason == "and 901 more from here on"


def test_a_file_with_too_many_questions_is_a_fault() -> None:
    """A file has at most as many questions as an exam."""
    (fault,) = faults_of(HEAD + "".join(f"q{n},single,T,A,B,A\n" for n in range(501))).faults
    assert fault.reason == "the exam needs 1 to 500 questions and has 501"


def packed(files: dict[str, bytes]) -> bytes:
    """A ZIP archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize("nested", [False, True], ids=["an archive", "a workbook in an archive"])
def test_an_archive_that_expands_to_more_than_web_has_memory_for_is_a_fault(nested) -> None:
    """A small archive of large files is refused before they are read."""
    chance = random.Random(1)
    large = b"".join(chance.randbytes(8) + bytes(492) for _ in range((MAX_EXPANDED + 1000) // 500))
    data = packed({"imsmanifest.xml": large})
    if nested:
        data = packed({"questions.xlsx": data})
    with pytest.raises(FileFaultsError) as caught:
        read_file(file="f.zip", data=data, form=None)
    (fault,) = caught.value.faults
    assert "the files of the archive have more than 20000000 bytes" in fault.reason


def test_an_unknown_format_is_a_fault_without_a_line() -> None:
    """If a file is in no known format, I read which ones there are."""
    with pytest.raises(FileFaultsError) as caught:
        read_file(file="f", data=b"word by word", form=None)
    (fault,) = caught.value.faults
    assert (fault.line, caught.value.format) == (None, None)
    assert fault.reason.startswith("the format is not known: known are GIFT")


def test_warnings_are_kept() -> None:
    """What the author may not have meant is listed with its place."""
    content = read_file(file="w.gift", data=b"::Q:: Which? {=%50%a =%50%b}\n", form=None)
    assert [(each.file, each.line) for each in content.warnings] == [("w.gift", 1)]
