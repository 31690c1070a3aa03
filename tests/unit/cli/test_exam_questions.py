"""`exam check`, `exam import`, `exam export` and `exam schema`."""

from pathlib import Path

import pytest

from exam_cli.__main__ import main
from exam_papers.formats import FORMATS

GIFT = "::Sum:: One and one is {=2 ~3 ~%-50%4}\n\n::Yes:: Water is wet. {T}\n"
SAMPLES = Path(__file__).parents[3] / "k8s/samples/papers"
ABOUT = ["--exam", "sums", "--title", "Sums", "--level", "year-1"]


@pytest.fixture
def gift(tmp_path: Path) -> Path:
    """A file of two questions."""
    file = tmp_path / "sums.gift"
    file.write_text(GIFT)
    return file


def test_questions_become_an_exam_document(gift, tmp_path, capsys) -> None:
    """I make an exam of a colleague's file, check it, and export it again: the questions are the same."""
    document, again = tmp_path / "sums.yaml", tmp_path / "again.gift"
    assert main(["import", str(gift), *ABOUT, "-o", str(document)]) == 0
    assert "exam: sums" in document.read_text()
    assert main(["check", str(document), str(gift)]) == 0
    assert main(["export", str(document), "--format", "gift", "-o", str(again)]) == 0
    assert main(["import", str(again), *ABOUT]) == 0
    out = capsys.readouterr().out
    assert f"{document}: 2 questions, no faults\n{gift}: 2 questions, no faults\n" in out
    assert out.endswith(document.read_text())


@pytest.mark.parametrize("name", FORMATS)
def test_every_sample_is_exported_with_its_losses(name, tmp_path, capsys) -> None:
    """I export an exam in any format; what the format cannot state is listed, and what it states can be imported."""
    for sample in sorted(SAMPLES.glob("*.yaml")):
        file = tmp_path / f"{sample.stem}.{name}"
        assert main(["export", str(sample), "--format", name, "-o", str(file)]) == 0
        assert "not written" in capsys.readouterr().err
        assert main(["check", str(file), "--format", name]) == 0


def test_the_schema_of_exam_documents_is_written(tmp_path, capsys) -> None:
    """I write the schema that my editor loads; it is the one that is published."""
    published = (Path(__file__).parents[3] / "docs/schema/exam-document.schema.json").read_text()
    file = tmp_path / "schema.json"
    assert main(["schema"]) == main(["schema", "-o", str(file)]) == 0
    assert capsys.readouterr().out == published == file.read_text()


def test_sections_and_fixed_orders_are_listed_as_losses(tmp_path, capsys) -> None:
    """I export an exam with a pool and a question in a fixed order: I read that no file of questions states them."""
    document = tmp_path / "pool.yaml"
    document.write_text("""
exam: pool
title: Pool
level: year-1
sections:
  - id: pool
    draw: 1
    questions:
      - id: one
        kind: single
        shuffle: false
        text: "1?"
        choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]
      - {id: two, kind: text, shuffle: false, text: "2?", accepted: ["2"]}
""")
    assert main(["export", str(document), "--format", "gift", "-o", str(tmp_path / "pool.gift")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        f"{document}: not written: sections, and how many of their questions are drawn",
        f"{document}: not written: question «one»: the order of what it lists, which is not shuffled",
    ]
    assert not [line for line in lines if "question «two»: the order" in line]


def test_titles_that_a_document_does_not_keep_are_listed(gift, tmp_path, capsys) -> None:
    """Titles of questions have no place in a document: check and import say so."""
    assert main(["check", str(gift)]) == main(["import", str(gift), *ABOUT, "-o", str(tmp_path / "x.yaml")]) == 0
    assert capsys.readouterr().err.count(f"{gift}: not taken: titles of questions (2 times)\n") == 2


def test_all_faults_are_listed_and_nothing_is_written(gift, tmp_path, capsys) -> None:
    """If a file has faults, I read each with its line, and no half of it is written."""
    gift.write_text(GIFT + "\n::Odd:: How many? {#abc}\n\n::Bad:: Which? {~%33%a ~b}\n")
    target = tmp_path / "no.yaml"
    assert main(["check", str(gift)]) == main(["import", str(gift), *ABOUT, "-o", str(target)]) == 1
    err = capsys.readouterr().err
    assert f"{gift}, line 5: question «Odd»" in err
    assert f"{gift}, line 7: question «Bad»" in err
    assert not target.exists()


def test_an_exam_document_with_faults_is_listed_by_line(tmp_path, capsys) -> None:
    """A document's faults have their lines too, also those of its formulas."""
    document = tmp_path / "e.yaml"
    document.write_text(
        "exam: e\ntitle: E\nlevel: l\nquestions:\n  - {id: q, kind: essay, text: '\\(\\foo\\)', cap: 1}\n"
    )
    assert main(["check", str(document)]) == 1
    err = capsys.readouterr().err
    assert f"{document}, line 5: a question of kind essay has no 'cap'" in err
    assert f"{document}, line 5: " in err
    assert "\\foo" in err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["check", "no-such-file.gift"], 2, "no-such-file.gift: No such file or directory"),
        (["import", "FILE", *ABOUT, "--format", "word"], 1, "'word' is not a format of questions: known are gift"),
        (["import", "FILE", "--exam", "Not A Slug", "--title", "T", "--level", "l"], 1, "exam must be small letters"),
        (["import", "FILE", *ABOUT, "-o", "/no-such-folder/x"], 2, "/no-such-folder/x: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said(gift, capsys, arguments, code, reason) -> None:
    """If a file, a format or a name is wrong, I read what and why."""
    assert main([str(gift) if each == "FILE" else each for each in arguments]) == code
    assert reason in capsys.readouterr().err
