"""Formulas in TeX: what browsers show of them, and what is refused instead of shown wrongly."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import TextFormat
from exam_papers.texts import TextError, render
from exam_papers.texts.formulas.commands import KNOWN
from exam_papers.texts.formulas.tex import FormulaError, convert
from exam_papers.texts.limits import MAX_FORMULA, MAX_FORMULAS

# ruff: noqa: RUF001  # letters of formulas


def _mathml(tex, opening="\\(", closing="\\)") -> str:
    """Return the content of the formula's first row, without its annotation."""
    html = render(f"{opening}{tex}{closing}", TextFormat.MARKDOWN).html
    match = re.fullmatch(r"<p><math[^>]*><semantics><mrow>(.*)</mrow><annotation.*</p>", html, re.DOTALL)
    assert match
    return match[1]


def _faults(tex) -> list[str]:
    with pytest.raises(TextError) as error:
        render(f"\\({tex}\\)", TextFormat.MARKDOWN)
    return [str(fault) for fault in error.value.faults]


@pytest.mark.parametrize(
    ("tex", "mathml"),
    [
        ("x^2", "<msup><mi>x</mi><mn>2</mn></msup>"),
        (r"\frac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        ("a<b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"\alpha \le β", "<mi>α</mi><mo>≤</mo><mi>β</mi>"),
        ("a≤b", "<mi>a</mi><mo>≤</mo><mi>b</mi>"),
        (r"\mathbb{R}\mathcal{L}\mathbf{x}", "<mi>ℝ</mi><mi>ℒ</mi><mi>𝐱</mi>"),
        (r"\mathfrak{ab}", "<mrow><mi>𝔞</mi><mi>𝔟</mi></mrow>"),
        (r"\bm{\alpha}", "<mrow><mi>𝜶</mi></mrow>"),
        (r"\mathrm{d}", '<mrow><mrow><mi mathvariant="normal">d</mi></mrow></mrow>'),
        (r"\textbf{if} x", "<mtext>𝐢𝐟</mtext><mi>x</mi>"),
        (r"\text{50\% of}", "<mtext>50%\xa0of</mtext>"),
        (r"\text{\% of}x", "<mtext>%\xa0of</mtext><mi>x</mi>"),
        (r"\text{3 cm}", "<mtext>3\xa0cm</mtext>"),
        (r"\text{a \& &lt;b}", "<mtext>a\xa0&amp;\xa0&amp;lt;b</mtext>"),
        (r"\text{}", "<mtext></mtext>"),
        (r"\infty", "<mi>∞</mi>"),
        (r"f:\lfloor x", '<mi>f</mi><mo>:</mo><mo stretchy="false">⌊</mo><mi>x</mi>'),
        (r"\implies", "<mo>⟹</mo>"),
        ("3in", "<mn>3</mn><mrow><mi>i</mi></mrow><mi>n</mi>"),
        (r"a\!b", '<mi>a</mi><mspace width="-0.1667em"></mspace><mi>b</mi>'),
        (r"\hspace{18mu}", '<mspace width="1em"></mspace>'),
        (r"\boxed{x}", '<mrow class="math-box"><mrow><mi>x</mi></mrow></mrow>'),
        (r"\overline{x}", '<mover accent="true"><mrow><mi>x</mi></mrow><mo stretchy="true">‾</mo></mover>'),
        (r"\vec v", '<mover accent="true"><mi>v</mi><mo stretchy="true">→</mo></mover>'),
        (r"\color{red}x", '<mstyle mathcolor="red"><mi>x</mi></mstyle>'),
        (r"\operatorname{sgn}", "<mo>sgn</mo>"),
        (r"\sqrt[3]{x}", "<mroot><mrow><mi>x</mi></mrow><mn>3</mn></mroot>"),
    ],
)
def test_a_formula_becomes_mathml(tex, mathml) -> None:
    """If I write a formula, browsers show it without a script."""
    assert _mathml(tex).replace("&nbsp;", "\xa0") == mathml


def test_cells_of_tables_have_classes() -> None:
    """If a table has aligned columns and lines, its cells have classes for them: browsers ignore the attributes."""
    mathml = _mathml(r"\begin{array}{r|l}a&b\\\hline c&d\end{array}")
    assert '<mtd class="math-right math-line-right math-line-below"><mi>a</mi></mtd>' in mathml
    assert '<mtd class="math-left"><mi>d</mi></mtd>' in mathml


@pytest.mark.parametrize(
    "environment", ["aligned", "align*", "gathered", "cases", "pmatrix", "bmatrix*", "smallmatrix"]
)
def test_environments(environment) -> None:
    """If I write equations or a matrix as I would for print, they are tables."""
    assert "<mtable" in _mathml(rf"\begin{{{environment}}} a & b \\ c & d \end{{{environment}}}", "$$", "$$")


def test_a_displayed_formula_has_room_for_limits() -> None:
    """If I write a sum between `$$`, it stands by itself, with its limits above and below."""
    html = render(r"$$\sum_{i=1}^n \lim_{x\to0} x$$", TextFormat.MARKDOWN).html
    assert '<math display="block">' in html
    assert "<munderover><mo>∑</mo>" in html
    assert '<munder><mo movablelimits="true">lim</mo>' in html


def test_the_source_is_kept() -> None:
    """If a client shows no MathML, it finds the formula's TeX beside it."""
    rendered = render(r"So \(a<b\) and $$ \frac{1}{2} $$", TextFormat.MARKDOWN)
    assert '<annotation encoding="application/x-tex">a&lt;b</annotation>' in rendered.html
    assert rendered.text == r"So \(a<b\) and $$\frac{1}{2}$$"


@pytest.mark.parametrize(
    ("tex", "fault"),
    [
        (r"\alpa", r"line 1: \alpa is unknown; \alpha has a similar name"),
        (r"\R", r"line 1: \R is not supported in formulas; write \mathbb{R}"),
        (r"\mathfoo{x}", r"line 1: \mathfoo is unknown"),
        (r"\newcommand{\a}{b}", r"line 1: \newcommand defines commands; write what the definition stands for"),
        (r"\def\a{b}", r"line 1: \def defines commands"),
        (r"\cancel{x}", r"line 1: \cancel is not supported in formulas"),
        (r"\href{x}{y}", r"line 1: \href is not supported in formulas"),
        (r"\begin{tikzpicture}\end{tikzpicture}", r"line 1: \begin{tikzpicture} is unknown"),
        (r"\begin{cases}a", r"line 1: \begin{cases} has no \end"),
        (r"\end{cases}", r"line 1: \end{cases} closes nothing"),
        (r"\begin{cases}{a\end{cases}", r"line 1: \end{cases} closes nothing"),
        ("{x", "line 1: { has no }"),
        ("x}", "line 1: } closes nothing"),
        (r"\left( x", r"line 1: \left has no \right"),
        (r"x \right)", r"line 1: \right closes nothing"),
        (r"\frac{1}", "line 1: a command has fewer arguments than it needs"),
        (r"{\frac{1}}", "line 1: a command has fewer arguments than it needs"),
        (r"\sqrt", "line 1: a command has fewer arguments than it needs"),
        ("x^", "line 1: ^ or _ has nothing after it"),
        ("x^a^b", "line 1: two superscripts follow each other"),
        (r"a \\ b", r"line 1: \\ begins a line outside of an environment"),
        ("a & b", "line 1: & divides columns, and is in no table"),
        ("50% of x", "line 1: % begins a comment in TeX"),
        ("#1", "line 1: # is not a sign of formulas"),
        ("$x$", "line 1: $ is not a sign of formulas"),
        (r"\text{a \alpha}", r"line 1: \text contains a command, a formula or braces"),
        (r"{\text{a\}}", r"line 1: \text contains a command, a formula or braces"),
        (r"\operatorname*{arg\,max}", r"line 1: \operatorname contains more than letters and spaces"),
        (r"\text x", r"line 1: \text has no braces"),
        (r"\color{red;x}y", r"line 1: \color has an unknown colour"),
        (r"\"a", r"line 1: \" is unknown in a formula"),
        (r"\begin{aligned}a\\[2em]b\end{aligned}", r"line 1: \\ is followed by the height of a gap"),
        (" ", "line 1: the formula is empty"),
        ("x" * (MAX_FORMULA + 1), "line 1: the formula is too long"),
        ("{" * 100 + "x" + "}" * 100, "line 1: the formula is nested too deeply"),
        ("x_a^b" + "_c^d" * 100, "line 1: the formula is nested too deeply"),
    ],
    ids=lambda value: value[:30],
)
def test_a_formula_that_would_be_shown_wrongly_is_refused(tex, fault) -> None:
    """If a formula has a mistake, I read where it is and what to write instead, and students never see it."""
    assert any(found.startswith(fault) for found in _faults(tex))


def test_all_faults_are_listed_at_once() -> None:
    """If a text has several mistakes, I read all of them, each with its line."""
    with pytest.raises(TextError) as error:
        render("a \\(\\foo\n= \\baz\\)\n\n- b $$\\frac{1}$$\n- \\(x", TextFormat.MARKDOWN)
    assert [(fault.line, fault.reason[:10]) for fault in error.value.faults] == [
        (1, r"\foo is un"),
        (2, r"\baz is un"),
        (4, "a command "),
        (5, r"\( begins "),
    ]
    assert str(error.value).count("\n") == 3


def test_faults_quote_nothing_but_names() -> None:
    """If a fault is logged, it contains nothing of the exam but the name of a command."""
    with pytest.raises(TextError) as error:
        render(rf"secret \(\text{{secret}} \{'long' * 20} secret\) secret", TextFormat.MARKDOWN)
    assert "secret" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_text_has_a_limit_of_formulas() -> None:
    """If a text has thousands of formulas, it is refused."""
    with pytest.raises(TextError, match=f"more than {MAX_FORMULAS} formulas"):
        render(r"\(x\) " * (MAX_FORMULAS + 1), TextFormat.MARKDOWN)


SPECIAL = {
    "color": r"\color{red}x",
    "textcolor": r"\textcolor{red}{x}",
    "above": r"a \above 1pt b",
    "abovewithdelims": r"a \abovewithdelims () 1pt b",
    "atopwithdelims": r"a \atopwithdelims () b",
    "genfrac": r"\genfrac(){1pt}{0}{a}{b}",
    "brack": r"a \brack b",
    "limits": r"\int\limits_a^b",
    "nolimits": r"\int\nolimits_a^b",
    "left": r"\left( x \right)",
    "right": r"\left( x \right)",
    "middle": r"\left( x \middle| y \right)",
    "root": r"\root 3 \of x",
    "of": r"\root 3 \of x",
    "sideset": r"\sideset{_a^b}{_c^d}\sum",
    "skew": r"\skew{3}{x}",
    **dict.fromkeys(("hline", "hdashline"), r"\begin{array}{c}a\\\hline b\end{array}"),
    **dict.fromkeys(("nonumber", "notag"), r"\begin{align}a\notag\\ b\nonumber\end{align}"),
}


def _uses(name) -> list[str]:
    return [SPECIAL.get(name, rf"\{name}"), rf"\{name}{{x}}", rf"\{name}{{x}}{{y}}", rf"a\{name} b"]


def _shown(tex) -> list[str] | None:
    try:
        waiting = [convert(tex, display=True).children[0].children[0]]
    except FormulaError:
        return None
    texts = []
    while waiting:
        element = waiting.pop()
        texts.append(element.text)
        waiting.extend(element.children)
    return texts


def test_a_known_command_is_never_shown_as_its_name() -> None:
    """If a command is accepted, some use of it is, and students do not see its source."""
    for name in KNOWN:
        shown = [texts for tex in _uses(name) if (texts := _shown(tex)) is not None]
        assert shown, name
        assert not [text for texts in shown for text in texts if text.startswith("\\") and text != "\\"], name


@given(st.text(alphabet="xy1\\{}^_&$%#()[]|<>' abrqtfc\n", max_size=40))
def test_any_tex_is_converted_or_refused(tex) -> None:
    """If I write any signs as a formula, it is shown or refused: the converter's own errors reach no author."""
    try:
        node = convert(tex, display=False)
    except FormulaError:
        return
    assert node.tag == "math"
