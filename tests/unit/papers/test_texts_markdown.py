"""Texts in Markdown and plain ones, as students see them and as plain text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import TextFormat
from exam_papers.texts import Loss, TextError, TextFault, render
from exam_papers.texts.limits import MAX_MARKDOWN, MAX_SOURCE

DIGEST = "0123456789abcdef" * 4


def _markdown(source) -> tuple[str, str]:
    rendered = render(source, TextFormat.MARKDOWN, images=frozenset({DIGEST}))
    formula = r".*?<annotation[^>]*>(.*?)</annotation></semantics></math>"
    short = re.sub(f"(?s)<math>{formula}", r"[\1]", rendered.html)
    short = re.sub(f'(?s)<math display="block">{formula}', r"[[\1]]", short)
    return short, rendered.text


@pytest.mark.parametrize(
    ("source", "html", "text"),
    [
        ("a *b* **c**", "<p>a <em>b</em> <strong>c</strong></p>", "a b c"),
        ("~~a~~ `b`", "<p><s>a</s> <code>b</code></p>", "~~a~~ b"),
        ("a\n\nb  \nc", "<p>a</p>\n<p>b<br>\nc</p>", "a\n\nb\nc"),
        ("3. a\n4. b\n   - c", None, "3. a\n4. b\n   - c"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", None, "a | b\n1 | 2"),
        ("> a\n> b", "<blockquote>\n<p>a\nb</p>\n</blockquote>", "> a b"),
        ("```\n  a <b>\n```", "<pre><code>  a &lt;b&gt;\n</code></pre>", "  a <b>"),
        ("H<sub>2</sub>O, 10<sup>-3</sup>", "<p>H<sub>2</sub>O, 10<sup>-3</sup></p>", "H_2O, 10^(-3)"),
        ("### a\n\n---", "<h3>a</h3>\n<hr>", "a\n\n---"),
        (f"![a plot](sha256:{DIGEST})", f'<p><img src="sha256:{DIGEST}" alt="a plot"></p>', "a plot"),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>", "1 < 2 & 3"),
        ("<kbd>a\nb</kbd>", "<p><kbd>a\nb</kbd></p>", "a b"),
        ("", "", ""),
    ],
)
def test_markdown(source, html, text) -> None:
    """If I write Markdown, students see it formatted, and clients without HTML get readable text."""
    found, plain = _markdown(source)
    assert html in {None, found}
    assert plain == text


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (r"\(x_1 * y_2 * z_3\)", "<p>[x_1 * y_2 * z_3]</p>"),
        (r"*a \(x*y\) b*", "<p><em>a [x*y] b</em></p>"),
        (r"\(\begin{cases}a\\(b)\end{cases}\)", r"<p>[\begin{cases}a\\(b)\end{cases}]</p>"),
        (r"`\(x\)` and `$$`", r"<p><code>\(x\)</code> and <code>$$</code></p>"),
        (r"\\(x\\)", r"<p><span>\</span>(x\)</p>"),
        (r"\$\$ and $5", "<p><span>$</span>$ and $5</p>"),
        ("$$x$$", "<p>[[x]]</p>"),
        ("a $$x$$ b", "<p>a [[x]] b</p>"),
        ("$$\na\n= b\n- c\n+ d\n$$", "<p>[[a\n= b\n- c\n+ d]]</p>"),
        ("text\n$$\na\n- b\n$$\nmore", "<p>text</p>\n<p>[[a\n- b]]</p>\n<p>more</p>"),
        ("$$x$$ is\n*one* paragraph", "<p>[[x]] is\n<em>one</em> paragraph</p>"),
        ("one\n$$x$$ paragraph\n$$y$$", "<p>one\n[[x]] paragraph</p>\n<p>[[y]]</p>"),
        ("- a\n  $$\n  b\n  $$\n- c", "<ul>\n<li>a[[b]]</li>\n<li>c</li>\n</ul>"),
        ("> $$a\n> b$$", "<blockquote>\n<p>[[a\nb]]</p>\n</blockquote>"),
        ("    $$x$$", "<pre><code>$$x$$\n</code></pre>"),
        (r"[\(x\)](y)", "<p>[x]</p>"),
        (r"<b>\(x\)</b>", "<p><b>[x]</b></p>"),
        ("<div>\n\\(x\\)\n</div>", "<div>\n[x]\n</div>"),
        (r"&#36;&#36;x&#36;&#36;", "<p><span>$</span>$x<span>$</span>$</p>"),
    ],
)
def test_formulas_are_cut_out_of_markdown(source, html) -> None:
    """If a formula contains signs of Markdown, they belong to the formula; in code it is no formula."""
    assert _markdown(source)[0] == html


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("a\n\nb \\(x", 3, r"\( begins a formula that has no \)"),
        ("a\n$$\nx\n\ny", 2, "$$ begins a formula"),
        ("| a |\n|---|\n| b |\n| \\(|x|\\) |", 4, r"\( begins a formula"),
        ("- a\n- b\n  \\(\\foo\\)", 3, r"\foo is unknown"),
        ("> a\n>\n> $$\n> \\foo\n> $$", 4, r"\foo is unknown"),
        ("<div>\n\n\\(\\foo\\)\n</div>", 3, r"\foo is unknown"),
        ("<div>\nx \\(\\foo\\)\n</div>", 2, r"\foo is unknown"),
        ("a\n\n<math><mfrac></mfrac></math>", 3, "<mfrac> of MathML"),
        ("![a\n\\(\\foo\\)](x)", 2, r"\foo is unknown"),
        ("a\nb\x00c", 2, "the text contains the control character U+0000"),
        ("a\n\ud800", 2, "the text contains the control character U+D800"),
    ],
)
def test_faults_have_lines(source, line, reason) -> None:
    """If a text has a mistake, I read on which of its lines."""
    with pytest.raises(TextError) as error:
        _markdown(source)
    assert [(fault.line, fault.reason[: len(reason)]) for fault in error.value.faults] == [(line, reason)]


def test_descriptions_of_images_keep_formulas() -> None:
    """If the description of an image has a formula, it has the formula's source."""
    html, text = _markdown(rf"![the line \(y=x\)](sha256:{DIGEST})")
    assert r'alt="the line \(y=x\)"' in html
    assert text == r"the line \(y=x\)"


def test_links_lose_their_target_and_images_that_are_not_uploaded_are_replaced() -> None:
    """If I link to a page or to an image elsewhere, its words stay, and I read what was removed."""
    rendered = render("[a](https://example.org) ![b](https://example.org/b.png) <c@d.org>", TextFormat.MARKDOWN)
    assert rendered.html == "<p>a b c@d.org</p>"
    assert rendered.losses == (Loss(element="a", count=2), Loss(element="img", attribute="src"))
    assert [str(loss) for loss in rendered.losses] == ["<a> (2 times)", "src of <img>"]


def test_plain_texts() -> None:
    """If a text is plain, it is shown as it is written: signs of Markdown, HTML and TeX too."""
    rendered = render("a *b*\n<c>\n\n\n\\(d\\) $$\n", TextFormat.PLAIN)
    assert rendered.html == "<p>a *b*<br>\n&lt;c&gt;</p>\n<p><span>\\</span>(d\\) <span>$</span>$</p>"
    assert rendered.text == "a *b*\n<c>\n\n\n\\(d\\) $$\n"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\t"), max_size=60))
def test_plain_texts_stay_as_they_are(source) -> None:
    """If a text is plain, its plain text is what was written, and its HTML has the same words."""
    rendered = render(source, TextFormat.PLAIN)
    assert rendered.text == source
    assert render(rendered.html, TextFormat.HTML).text.split() == source.split()


def test_a_text_has_a_limit() -> None:
    """If a text is far too long, it is refused before it is read."""
    with pytest.raises(TextError, match="longer than") as error:
        render("a" * (MAX_SOURCE + 1), TextFormat.PLAIN)
    assert error.value.faults == (TextFault(line=1, reason=f"the text is longer than {MAX_SOURCE} characters"),)
    with pytest.raises(TextError, match=f"longer than {MAX_MARKDOWN}"):
        render("a" * (MAX_MARKDOWN + 1), TextFormat.MARKDOWN)


def test_line_ends_of_other_systems() -> None:
    """If a text was written on Windows, its lines are the same."""
    assert _markdown("a\r\n\r\nb\rc") == _markdown("a\n\nb\nc")
