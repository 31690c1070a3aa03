"""Texts in HTML: what is kept, what is named as lost, and formulas in MathML."""

import pytest

from exam_core.authored import TextFormat
from exam_papers.texts import Rendered, TextError, render

# ruff: noqa: RUF001  # letters of formulas

DIGEST = "0123456789abcdef" * 4


def _render(source) -> Rendered:
    return render(source, TextFormat.HTML, images=frozenset({DIGEST}))


@pytest.mark.parametrize(
    ("source", "html", "text", "losses"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>", "a\n\nb", []),
        ("<h1>a</h1><h3>b</h3>", "a<h3>b</h3>", "a\n\nb", ["<h1>"]),
        ("<a href='x' onclick='y'>a</a>", "a", "a", ["<a>"]),
        ("<p style='x' class='y' title='z'>a", '<p title="z">a</p>', "a", ["class of <p>", "style of <p>"]),
        ("a<script>b</script><style>c</style>", "a", "a", ["<script>", "<style>"]),
        ("a<svg><path/><text>b</text></svg>c", "ac", "ac", ["<svg>"]),
        ("<font>a</font><font>b</font>", "ab", "ab", ["<font> (2 times)"]),
        ("<!-- a -->b<?c?>", "b", "b", []),
        (f"<img src='sha256:{DIGEST}' width=10>", f'<img src="sha256:{DIGEST}" width="10">', "", []),
        ("<img src='a.png' alt='b'>", "b", "b", ["src of <img>"]),
        ("<img alt='b'>", "b", "b", ["src of <img>"]),
        ("<ol start=3><li>a<li>b</ol>", '<ol start="3"><li>a</li><li>b</li></ol>', "3. a\n4. b", []),
        ("<td>a</td>", "a", "a", []),
        ("<p lang=de dir=up>a", '<p lang="de">a</p>', "a", ["dir of <p>"]),
        ("<dl><dt>a<dd>b</dl>", "<dl><dt>a</dt><dd>b</dd></dl>", "a\n  b", []),
        ("<q>a</q> <del>b</del>", "<q>a</q> <del>b</del>", "“a” ~~b~~", []),
        ("<ruby>a<rp>(</rp><rt>b</rt><rp>)</rp></ruby>", None, "a(b)", []),
        ("<pre>\n\na\n b</pre>", "<pre>\n\na\n b</pre>", "a\n b", []),
        ("<table><caption>a<tr><td>b<td>c<br>d</table>", None, "a\nb | c d", []),
        ("a if a<b then", "a if a", "a if a", ["<b>"]),
        ("a &lt; b &amp; c&nbsp;d", "a &lt; b &amp; c&nbsp;d", "a < b & c\xa0d", []),
    ],
)
def test_html(source, html, text, losses) -> None:
    """If a text is in HTML, its structure is kept, and I read the names of what is not."""
    rendered = _render(source)
    assert html in {None, rendered.html}
    assert rendered.text == text
    assert [str(loss) for loss in rendered.losses] == losses


@pytest.mark.parametrize(
    ("source", "mathml", "text", "losses"),
    [
        ("<mfrac><mi>x</mi><mn>2</mn></mfrac>", "<mfrac><mi>x</mi><mn>2</mn></mfrac>", "x/2", []),
        ("<mrow><mi>&alpha;</mi></mrow>", "<mi>α</mi>", "α", []),
        ("<mi mathvariant='bold'>x</mi>", "<mi>𝐱</mi>", "𝐱", []),
        ("<mi mathvariant='normal'>x</mi>", '<mi mathvariant="normal">x</mi>', "x", []),
        ("<mfenced><mi>x</mi><mi>y</mi></mfenced>", None, "(x,y)", []),
        ("<msqrt><mi>x</mi></msqrt>", "<msqrt><mi>x</mi></msqrt>", "√(x)", []),
        ("<mi onclick='x' href='y'>x</mi>", "<mi>x</mi>", "x", ["href of <mi>", "onclick of <mi>"]),
        ("<maction><mi>x</mi></maction>", "<mi>x</mi>", "x", ["<maction>"]),
        ("<mtext>a <b>c</b></mtext>", "<mrow><mtext>a</mtext><mtext>c</mtext></mrow>", "ac", ["<b>"]),
        ("<mspace width='1000em'/><mi>x</mi>", "<mspace></mspace><mi>x</mi>", "x", ["width of <mspace>"]),
        ("<mtext><img src=x onerror=y></mtext>", "<mtext></mtext>", "", ["<img>"]),
        ("<menclose notation='box'><mi>x</mi></menclose>", '<mrow class="math-box"><mi>x</mi></mrow>', "x", []),
        ("<menclose notation='circle'><mi>x</mi></menclose>", "<mi>x</mi>", "x", ["<menclose>"]),
        ("x &lt;b&gt;", "<mtext>x &lt;b&gt;</mtext>", "x <b>", []),
    ],
)
def test_mathml_in_html(source, mathml, text, losses) -> None:
    """If HTML contains MathML, what browsers show of it is kept."""
    rendered = _render(f"<p><math>{source}</math></p>")
    inner = rendered.html.removeprefix("<p><math>").removesuffix("</math></p>")
    assert mathml in {None, inner.removeprefix("<mrow>").removesuffix("</mrow>"), inner}
    assert rendered.text == text
    assert [str(loss) for loss in rendered.losses] == losses


def test_tex_of_mathml_is_kept() -> None:
    """If imported MathML has its TeX as annotation, that is its plain text; other annotations are removed."""
    rendered = _render(
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><semantics><mi>x</mi>'
        '<annotation encoding="application/x-tex">x&amp;</annotation>'
        '<annotation-xml encoding="text/html"><p>x</p></annotation-xml></semantics></math>'
    )
    assert rendered.html == (
        '<math display="block"><semantics><mrow><mi>x</mi></mrow>'
        '<annotation encoding="application/x-tex">x&amp;</annotation></semantics></math>'
    )
    assert rendered.text == "$$x&$$"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"<p>a \(x &lt; y\) b", r"a \(x < y\) b"),
        ("$$x\n+y$$", "$$x +y$$"),
        (r"\(x&nbsp;y\)", r"\(x y\)"),
        (r"<code>\(x\)</code><pre>$$</pre>", "\\(x\\)\n\n$$"),
    ],
)
def test_tex_in_html(source, text) -> None:
    """If HTML contains TeX, it is a formula, except in code."""
    rendered = _render(source)
    assert rendered.text == text
    assert ("<math" in rendered.html) == ("code" not in source)


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("<p>\n\\(x<br>y\\)", 2, r"\( begins a formula"),
        ("<p>a\n$$", 2, "$$ begins a formula"),
        ("<p>a\n\n\\(a\n\\foo\\)", 4, r"\foo is unknown"),
        ("a\n<math><mi>x</math>", 2, "a tag in MathML closes nothing"),
        ("a\n<math>", 2, "an element of MathML is not closed"),
        ("<math><mi><![CDATA[x]]></mi></math>", 1, "MathML contains a CDATA section"),
        ("<math><mfrac><mi>x</mi></mfrac></math>", 1, "<mfrac> of MathML has too few"),
        ("<math>" + "<mrow>" * 99 + "</mrow>" * 99 + "</math>", 1, "the MathML is nested too deeply"),
        ("<div>" * 99, 1, "elements are nested deeper than"),
        ("<b>" * 99, 1, "more than 10 elements such as <b> are not closed"),
        ("<br>" * 9999, 1, "the HTML has more than"),
    ],
)
def test_faults_in_html(source, line, reason) -> None:
    """If HTML contains a formula that cannot be shown, or is nested without end, it is refused."""
    with pytest.raises(TextError) as error:
        _render(source)
    assert [(fault.line, fault.reason[: len(reason)]) for fault in error.value.faults] == [(line, reason)]
