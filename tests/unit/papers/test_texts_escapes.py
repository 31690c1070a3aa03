"""Commands of TeX that YAML's double quotes eat."""

import pytest
import yaml

from exam_papers.texts import eaten_commands


@pytest.mark.parametrize(
    ("scalar", "meant"),
    [
        (r"$$a \times b$$", [r"\times"]),
        (r"\theta \text{x} \tan \to", [r"\theta", r"\text", r"\tan", r"\to"]),
        (r"\nu \neq \nabla", [r"\nu", r"\neq", r"\nabla"]),
        (r"\frac{1}{2} \beta \rho \alpha \vec v", [r"\frac", r"\beta", r"\rho", r"\alpha", r"\vec"]),
        (r"\begin{cases} \end{cases}", [r"\begin", r"\end"]),
        (r"\epsilon \Lambda \Pi x\_1", [r"\epsilon", r"\Lambda", r"\Pi", r"\_"]),
        (r"a\n\nNew line\nin the text\tand tab", []),
        (r"\\times \\\\nu \\(x\\)", []),
        (r"\u00e9 \x41 \U0001d400 \" \0", []),
        ("a \\\n  b", []),
    ],
)
def test_commands_in_double_quotes(scalar, meant) -> None:
    """If I write a formula in double quotes, I am warned of each command that YAML reads as something else."""
    assert [found.meant for found in eaten_commands(scalar, double_quoted=True)] == meant
    assert eaten_commands(scalar, double_quoted=False) == ()
    yaml.safe_load(f'"{scalar}"')


def test_the_warning_says_where_and_what_to_write() -> None:
    """If I am warned, I read the line and both ways to write it."""
    (found,) = eaten_commands("a\nb \\times", double_quoted=True)
    assert (found.line, found.offset) == (2, 4)
    assert str(found) == (r"\t is an escape of YAML in double quotes; for \times use single quotes, or write \\times")
