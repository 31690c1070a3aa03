"""``python -m exam_harness.words [PATH...]``: find words that the project does not use, in prose and in names.

The list is in ``pyproject.toml`` under ``[tool.exam-words]``, each word with what to write instead. A word is found in
comments, documentation, messages, ``snake_case`` and ``CamelCase`` names alike. Exit code 1 when one is found.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

SUFFIXES = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".sh",
    ".txt",
    ".html",
    ".tpl",
    ".json",
    ".conf",
    ".j2",
    ".c",
    ".sql",
}
NAMES = {"Makefile", "Dockerfile"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A word at a place, and what to write instead."""

    line: int
    word: str
    instead: str


def find_words(text: str, instead: Mapping[str, str]) -> Iterator[Finding]:
    """The listed words in a text; a key may be several words, which a line break may part."""
    for word, replacement in instead.items():
        for match in _pattern(word).finditer(text):
            yield Finding(text.count("\n", 0, match.start()) + 1, match.group(), replacement)


def tracked_files(root: Path, exclude: Iterable[str]) -> list[Path]:
    """The text files that git tracks below `root`, less those that match a pattern."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git, wherever it is
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    patterns = tuple(exclude)
    return [
        root / name
        for name in listed
        if (Path(name).suffix in SUFFIXES or Path(name).name in NAMES)
        and not any(fnmatch(name, pattern) for pattern in patterns)
        and (root / name).is_file()
    ]


def main(arguments: Sequence[str] = ()) -> int:
    """Check the repository, or what is below some of its paths; the exit code."""
    root = Path.cwd()
    rules = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["exam-words"]
    found = 0
    below = tuple(map(Path, arguments)) or (Path(),)
    for path in tracked_files(root, rules["exclude"]):
        if not any(path.is_relative_to(root / each) for each in below):
            continue
        for finding in find_words(path.read_text(), rules["instead"]):
            sys.stdout.write(
                f"{path.relative_to(root)}:{finding.line}: «{finding.word}»: write {finding.instead} instead\n"
            )
            found += 1
    if found:
        sys.stdout.write(f"{found} words that the project does not use; CONTRIBUTING.md says why\n")
    return 1 if found else 0


def _pattern(word: str) -> re.Pattern[str]:
    """A word between non-letters in any case, or as a part of a CamelCase name."""
    spaced = r"[\s#*_]+".join(re.escape(part) for part in word.split())
    camel = re.escape("".join(part.capitalize() for part in word.split()))
    return re.compile(rf"(?<![A-Za-z])(?i:{spaced})(?![A-Za-z])|(?<=[a-z]){camel}(?![a-z])")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
