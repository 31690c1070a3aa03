"""Formats by name and by content, and archives that are refused before anything of them is read."""

import io
import stat
import zipfile

import pytest

from exam_papers.formats import FORMATS, UnknownFormatError, detect, format_named
from exam_papers.formats.archives import Archive, pack
from exam_papers.formats.model import Finding, ImportFaults, Loss, LossCode, Place


@pytest.mark.parametrize(
    ("file", "data", "name"),
    [
        ("q.gift", b"anything", "gift"),
        ("q.txt", b"::Q::Is it? {T}", "gift"),
        ("q.txt", b"Which?\nA) x\nB) y\nANSWER: A\n", "aiken"),
        ("q", b"\xef\xbb\xbf<?xml version='1.0'?><!-- c --><quiz/>", "moodle-xml"),
        ("q.csv", b"Frage;A", "csv"),
        ("q", b"kind,text\n", "csv"),
        ("q", "kind\ttext\n".encode("utf-16"), "csv"),
        ("q.zip", pack({"a.csv": b"", "a.png": b""}), "csv"),
        ("q", pack({"xl/workbook.xml": b""}), "xlsx"),
        ("q", b"<x:assessmentItem/>", "qti"),
        ("q", b"<qti-assessment-item/>", "qti"),
        ("q", b"<questestinterop/>", "qti"),
        ("q", pack({"imsmanifest.xml": b""}), "qti"),
    ],
)
def test_formats_are_recognised(file, data, name) -> None:
    """If I import a file, its format is found by content, and where this does not decide by name."""
    assert detect(file, data).name == name


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"exam\n", "the format is not known: known are GIFT (.gift)"),
        (b"exam: x\nquestions: {a: b}", "this is an exam document"),
        (b"<x:assessmentTest/>", "this is a QTI test without its package"),
        (b"<html><quiz/></html>", "this is an XML document of the element <html>"),
        (b"< x", "this is markup"),
        (pack({"a.txt": b""}), "this is a ZIP archive with a.txt"),
        (b"PK\x03\x04", "is not a readable ZIP archive"),
    ],
)
def test_unknown_formats_are_named(data, reason) -> None:
    """If a file is in a format that is not read, I get what it seems to be and which formats are known."""
    with pytest.raises(UnknownFormatError) as error:
        detect("q.dat", data)
    assert str(error.value).startswith("q.dat")
    assert reason in str(error.value)


def test_formats_have_names() -> None:
    """If I name a format it is found; an unknown name lists those that are known."""
    assert format_named("GIFT") is FORMATS["gift"]
    with pytest.raises(UnknownFormatError, match="known are gift, aiken, moodle-xml, csv, xlsx"):
        format_named("docx")


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]):
    """An archive of entries, each a name or ZipInfo, and its bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for info, data in entries:
            file.writestr(info, data)
    return stream.getvalue()


def link():
    """An entry that is a symbolic link."""
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def compressed(name, method=zipfile.ZIP_DEFLATED):
    """An entry that is compressed."""
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(("/etc/x", b"")), "has a path that is not accepted"),
        (archive(("a/../x", b"")), "has a path that is not accepted"),
        (archive(("c:x", b"")), "has a path that is not accepted"),
        (archive(("a\\x", b"")), "has a path that is not accepted"),
        (archive((link(), b"/etc")), "is a link"),
        (archive(("a.csv", b""), ("A.csv", b"")), "twice"),
        (archive((compressed("a", zipfile.ZIP_BZIP2), b"x" * 999)), "is compressed in a way that is not read"),
        (archive((compressed("a"), bytes(5_000_000))), "is compressed too much"),
        (archive(("a", b"1"), ("b", b"2"))[:-30], "is not a readable ZIP archive"),
    ],
)
def test_archives_that_are_refused(data, reason) -> None:
    """If an archive has paths, links or sizes that are dangerous, it is refused before anything of it is read."""
    with pytest.raises(ImportFaults) as error:
        Archive(data, "q.zip")
    assert reason in str(error.value)


def test_damaged_and_overlapping_entries() -> None:
    """If the bytes of an entry are damaged, or two entries share them, the archive is refused."""
    damaged = archive(("a", b"content")).replace(b"content", b"CONTENT")
    with pytest.raises(ImportFaults, match="is damaged"):
        Archive(damaged, "q.zip").read("a")
    twice = bytearray(archive(("a", b"content"), ("b", b"content")))
    second = twice.rindex(b"PK\x01\x02")
    twice[second + 42 : second + 46] = bytes(4)
    with pytest.raises(ImportFaults, match=r"overlap|damaged|readable"):
        Archive(bytes(twice), "q.zip").read("b")


def test_messages() -> None:
    """If a file has many faults, the first hundred are listed; places and losses read like sentences."""
    faults = ImportFaults(tuple(Finding("f", Place(n), None, "is wrong") for n in range(1, 103)))
    assert str(faults).splitlines()[0] == "f, line 1: is wrong"
    assert str(faults).splitlines()[-1] == "and 2 more"
    assert str(Place(3, "key", "questions")) == "sheet 'questions', row 3, column key"
    assert str(Loss(LossCode.FEEDBACK, "feedback is dropped", "Q", 2)) == "question «Q»: feedback is dropped (2 times)"
