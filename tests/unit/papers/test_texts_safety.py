"""Whatever an author writes, students get words, tables, images by digest and formulas, and nothing that runs."""

import re
from html.parser import HTMLParser

import lxml.html
import nh3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exam_core.authored import TextFormat
from exam_papers.texts import Rendered, TextError, render

DIGEST = "0123456789abcdef" * 4
IMAGES = frozenset({DIGEST})
HTML = """p br hr div span strong b em i u s sub sup small code pre kbd samp var blockquote q ul ol li dl dt dd h3 h4
h5 h6 table caption colgroup col thead tbody tfoot tr th td figure figcaption img abbr dfn bdi bdo ruby rt rp mark
ins del"""
MATHML = """math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder
mover munderover mmultiscripts mprescripts mtable mtr mtd semantics annotation"""
ELEMENTS = {*HTML.split(), *MATHML.split()}
NAMES = """lang dir title alt width height src start colspan rowspan headers scope display encoding displaystyle accent
scriptlevel mathcolor mathbackground mathsize form stretchy symmetric minsize maxsize largeop movablelimits lspace
rspace accentunder linethickness mathvariant depth voffset columnspan class"""
ATTRIBUTES = set(NAMES.split())
CLASSES = {"math-left", "math-right", "math-line-right", "math-line-below", "math-box"}

VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<p style='background:url(javascript:alert(1))' class=x id=y data-z=1>a</p>",
    "<img src='sha256:" + "0" * 64 + "'>",
    f"<img src='sha256:{DIGEST}' onload=alert(1) srcset='x 2x'>",
    f"<img src=' sha256:{DIGEST}'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></annotation-xml></math>",
    "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'></annotation><img src=x onerror=alert(1)>",
    "<math><mi xlink:href='javascript:alert(1)' href='javascript:alert(1)'>x</mi></math>",
    "<math><maction actiontype='statusline' xlink:href='javascript:alert(1)'><mi>x</mi></maction></math>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<math><mtext>&lt;img src=x onerror=alert(1)&gt;</mtext></math>",
    "<math><mtext><![CDATA[<img src=x onerror=alert(1)>]]></mtext></math>",
    "<math><!--<img src=x onerror=alert(1)>--><mi>x</mi></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)>",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><img src=x onerror=alert(1)>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "<title><img title='</title><img src=x onerror=alert(1)>'></title>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<template><img src=x onerror=alert(1)></template>",
    "<p title='<img src=x onerror=alert(1)>'>a</p>",
    r"\(\text{<img src=x onerror=alert(1)>}\)",
    r"\(\text{&lt;img src=x onerror=alert(1)&gt;}\)",
    r"\(\text{&#x3c;img src=x onerror=alert(1)&#x3e;}\)",
    r"\(\mathrm{<script>alert(1)</script>}\)",
    r"\(\href{javascript:alert(1)}{x}\)",
    r"\(\style{background:url(x)}{x}\) \(\class{x}{y}\)",
    r"\(\color{red\" onclick=\"alert(1)}x\)",
    r"\(\unicode{x3c}script\unicode{x3e}\)",
    r"\(\operatorname{</annotation><img>}\)",
    r"\(x </annotation><img src=x onerror=alert(1)>\)",
    "![x](javascript:alert(1))",
    "[x](javascript:alert(1))",
    f'![" onerror=alert(1) x="](sha256:{DIGEST} "" onerror=alert(1)")',
    "```html\n<img src=x onerror=alert(1)>\n```",
    "<base href=//evil><meta http-equiv=refresh content=0><link rel=stylesheet href=//evil>",
    "<details open ontoggle=alert(1)>x</details>",
    "<b\x0bonclick=alert(1)>x",
    "<img/src=x/onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<select><math><mtext></select><img src=x onerror=alert(1)>",
    "<table><math><mi><table><img src=x onerror=alert(1)>",
    "<p><math><mi><p><img src=x onerror=alert(1)>",
]
TAGS = """<p> </p> <b> </b> <table> <tr> <td> </table> </pre> <code> </code> <ul> <li> </ul> <ruby> <rt> <q> <br> <hr/>
<dl> <dd> </div> <caption> <col> <math> </math> <mi> </mi> <mtext> <semantics> <mglyph> <svg> </svg> <style> </style>
<script> <!-- --> <![CDATA[ ]]> <title> </a> <form> </form> <select> <template> <noscript> <foreignObject> <math/>"""
TEX = r"""\( \) $$ $ \ x_1^2 \frac{1}{2} \text{<b>} { } \alpha \begin{cases}a&b\end{cases} \boxed{x} \lim_{x\to0}"""
SIGNS = """* - 1. > ` ``` ** _ ~~ | |-|-| [ ]( ) ![a](sha256: &lt; &amp; &nbsp; &#36; &#13; &#0; & < \" ' = a ä &#92;"""
PIECES = [*TAGS.split(), *TEX.split(), *SIGNS.split(), DIGEST, " ", "\n", "\n\n", "    ", "\u202e", "\x7f"]
PIECES += ["\x85", "\xa0", "<mtd class='math-left'>"]
PIECES += ["<pre>\n", "<i title='a>b'>", "<div dir=rtl>", "<annotation-xml encoding='text/html'>", "<p onclick='x'>"]
PIECES += ["<img src=x onerror=alert(1)>", f"<img alt='$$' src=sha256:{DIGEST}>", "<a href=x>"]
SOURCES = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)


class _Reader(HTMLParser):
    """Collects the tags that a second parser, unlike the sanitiser's, sees."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def _as_a_browser_reads_it(html: str) -> str:
    """Return the HTML once parsed by the rules of HTML 5, MathML included."""
    names = {element: ATTRIBUTES - {"lang", "dir", "title"} for element in ELEMENTS} | {"*": {"lang", "dir", "title"}}
    parsed = nh3.clean(html, tags=ELEMENTS, attributes=names, url_schemes={"sha256"}, link_rel=None)
    return re.sub(r"<pre(?: [^>]*)?>\n", r"\g<0>\n", parsed)


def _check(html: str) -> None:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    tree = lxml.html.fragment_fromstring(html, create_parent="section")
    seen = [(element.tag, dict(element.attrib)) for element in tree.iterdescendants()]
    assert not reader.others
    for tag, attributes in [*reader.tags, *seen]:
        assert tag in ELEMENTS
        assert attributes.keys() <= ATTRIBUTES
        assert attributes.get("src", f"sha256:{DIGEST}") == f"sha256:{DIGEST}"
        assert set((attributes.get("class") or "math-box").split()) <= CLASSES
        assert attributes.get("encoding", "application/x-tex") == "application/x-tex"
    assert _as_a_browser_reads_it(html) == html.replace("&#x27;", "'")


def _rendered(source: str, text_format: TextFormat) -> Rendered | None:
    try:
        return render(source, text_format, images=IMAGES)
    except TextError:
        return None


@pytest.mark.parametrize("text_format", list(TextFormat))
@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_that_runs_reaches_a_student(vector, text_format) -> None:
    """If I hide a script in a text, in any way that has worked elsewhere, students get none."""
    for source in (vector, f"a {vector} b", f"a\n\n{vector}\n\nb", f"<p>{vector}</p>", f"<math>{vector}</math>"):
        if rendered := _rendered(source, text_format):
            _check(rendered.html)


@given(SOURCES, st.sampled_from(TextFormat))
@example("<pre>\n\n\nx</pre>", TextFormat.HTML)
@example("\\\\(x\\$$", TextFormat.MARKDOWN)
@example("$&#36;x$$", TextFormat.HTML)
def test_whatever_is_written_is_safe_and_stable(source, text_format) -> None:
    """If I write anything at all, the HTML has what is allowed, and rendering it once more changes nothing."""
    if rendered := _rendered(source, text_format):
        _check(rendered.html)
        again = render(rendered.html, TextFormat.HTML, images=IMAGES)
        assert again.html == rendered.html
        assert again.losses == ()


@given(SOURCES, st.sampled_from(TextFormat))
def test_rendering_depends_on_the_text_alone(source, text_format) -> None:
    """If a paper is frozen twice, both have the same HTML."""
    assert _rendered(source, text_format) == _rendered(source, text_format)


def test_the_check_of_these_tests_notices() -> None:
    """If the HTML contained a script, a handler, a style or a foreign image, the tests here would fail."""
    for html in (
        "<script>x</script>",
        "<p onclick=x>",
        "<p style=x>",
        "<img src=x>",
        "<!--x-->",
        "<p class=x>",
        "<svg>",
    ):
        with pytest.raises(AssertionError):
            _check(html)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text_format", list(TextFormat))
@pytest.mark.parametrize(
    "source",
    [
        "[" * 10_000,
        "![" * 5000,
        "$$" * 5000,
        "\\(" * 5000,
        "\\(" + "\\\\" * 4900,
        "$$" + "{" * 1900 + "$$",
        "$$" + r"\sqrt " * 300 + "x$$",
        "$$" + "x_a^b" + "_c^d" * 450 + "$$",
        r"\(\aaaa\)" * 1000,
        "> " * 5000,
        "- " * 5000,
        "`" * 10_000,
        "*a_" * 3300,
        "|a" * 2400 + "\n" + "|-" * 2400,
        "<" * 10_000,
        "<!" * 5000,
        "<b>" * 3000,
        "<b><p>" * 1500,
        "".join(f"<b title={number}><p>" for number in range(480)),
        "<div>" * 2000,
        "<math>" * 1500,
        "<math>" + "<mrow>" * 1600,
        "<p a=" + "x " * 4900,
        "&" * 10_000,
    ],
    ids=lambda source: source[:12],
)
def test_a_text_takes_a_bounded_time(source, text_format) -> None:
    """If a text is nested or repeated to exhaust the server, it is rendered or refused, and the test ends."""
    _rendered(source, text_format)


def test_a_placeholder_cannot_be_forged() -> None:
    """If I write what stood for a formula in another text, it is only text."""
    first = render(r"\(x\)", TextFormat.MARKDOWN)
    assert first.html.count("<math>") == 1
    forged = render(r"\(x\) 0x 0123456789abcdef0123456789abcdefx0x", TextFormat.MARKDOWN)
    assert forged.html.count("<math>") == 1
    assert "0123456789abcdef0123456789abcdefx0x" in forged.text
