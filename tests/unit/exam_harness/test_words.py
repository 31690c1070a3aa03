"""The check of words: what it finds and what it leaves alone."""

import subprocess
from pathlib import Path

import pytest

from exam_harness import words
from exam_harness.words import Finding, find_words

INSTEAD = {"told": "receives", "sees to it": "ensures"}


@pytest.mark.parametrize(
    "text",
    [
        "He is told.",
        "# Told, at last",
        "told_at = 1",
        "was_told",
        "class NotToldError:",
        "it sees to it that",
        "# it sees\n# to it",
        "class ItSeesToIt:",
        "def sees_to_it():",
    ],
)
def test_a_word_is_found_in_prose_and_in_names(text: str) -> None:
    """Comments, snake_case and CamelCase are all read."""
    assert [finding.line for finding in find_words(text, INSTEAD)] == [1]


@pytest.mark.parametrize("text", ["untold", "a toldo", "retold stories", "he sees it"])
def test_a_part_of_another_word_is_not_found(text: str) -> None:
    """Only the word itself counts."""
    assert list(find_words(text, INSTEAD)) == []


def test_a_finding_names_the_line_and_the_replacement() -> None:
    """I am shown where, and what to write."""
    assert list(find_words("a\nb\nhe is told", INSTEAD)) == [Finding(3, "told", "receives")]


def test_the_check_fails_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word in a new file fails the check; an excluded file and other file types do not."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # noqa: S607 - git, wherever it is
    (tmp_path / "pyproject.toml").write_text(
        '[tool.exam-words]\nexclude = ["old/*", "pyproject.toml"]\ninstead = {told = "«receives»"}\n'
    )
    (tmp_path / "old").mkdir()
    for name in ("old/x.md", "new.md", "picture.png"):
        (tmp_path / name).write_text("x\nI was told\n")
    monkeypatch.chdir(tmp_path)
    assert words.main() == 1
    first, _ = capsys.readouterr().out.splitlines()
    assert first == "new.md:2: «told»: write «receives» instead"
    (tmp_path / "new.md").write_text("I receive it\n")
    assert words.main() == 0
