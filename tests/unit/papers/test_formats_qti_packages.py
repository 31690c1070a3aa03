"""QTI packages: manifests, tests with sections, images, and packages that are dangerous or damaged."""

import hashlib

import pytest

from exam_papers.formats import qti
from exam_papers.formats.archives import pack
from exam_papers.formats.model import ImportFaults, LossCode

PICTURE = b"picture of a circle"
SHA = hashlib.sha256(PICTURE).hexdigest()
SPACE = 'xmlns="http://www.imsglobal.org/xsd/imsqti_v2p2"'


@pytest.fixture
def read(accept_image):
    """Reads a package of files."""
    return lambda files: qti.read(pack(files), file="p.zip", accept_image=accept_image)


@pytest.fixture
def faults(read):
    """Reads a package that is not imported, and returns its faults."""

    def listed(files) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            read(files)
        return [str(fault) for fault in error.value.faults]

    return listed


def item(ident="q1", text="<p>Is it?</p>", root=SPACE):
    """An item's document, in which x is correct."""
    return (
        f'<assessmentItem {root} identifier="{ident}" title="{ident}">'
        '<responseDeclaration identifier="R" cardinality="single" baseType="string">'
        "<correctResponse><value>x</value></correctResponse></responseDeclaration>"
        f'<itemBody>{text}<p><textEntryInteraction responseIdentifier="R"/></p></itemBody>'
        '<responseProcessing template="match_correct"/></assessmentItem>'
    ).encode()


def manifest(*resources: str) -> dict[str, bytes]:
    """A manifest with resources."""
    return {"imsmanifest.xml": f"<manifest><resources>{''.join(resources)}</resources></manifest>".encode()}


def resource(href, kind="item"):
    """A resource of a manifest."""
    return f'<resource type="imsqti_{kind}_xmlv2p2" href="{href}"><file href="{href}"/></resource>'


def test_metadata_are_named(read) -> None:
    """If a manifest describes the package or its files, I read that this is dropped."""
    files = manifest("<resource><metadata><lom/></metadata></resource>", resource("q.xml")) | {"q.xml": item()}
    assert [loss.code for loss in read(files).losses] == [LossCode.METADATA]


def test_items_without_a_test(read) -> None:
    """If a package has items and no test, they are read in the manifest's order."""
    files = manifest(resource("b/q%201.xml"), resource("a.xml")) | {"b/q 1.xml": item("q1"), "a.xml": item("q2")}
    assert [each.question.id for each in read(files).questions] == ["q1", "q2"]


def test_tests_give_order_sections_and_weights(read) -> None:
    """If a package has a test, its order, sections, categories and weights are taken, and its settings are named."""
    document = f"""<assessmentTest {SPACE} title="T" identifier="t">
      <testPart identifier="p" navigationMode="linear" submissionMode="individual"><timeLimits maxTime="60"/>
      <assessmentSection identifier="s" title="Whole">
        <rubricBlock view="candidate"><p>Read this.</p></rubricBlock>
        <assessmentItemRef identifier="i1" href="../items/b.xml" category="one two">
          <weight identifier="W" value="2.5"/></assessmentItemRef>
        <assessmentSection identifier="s1" title="Part"><selection select="1"/><ordering shuffle="true"/>
          <assessmentItemRef identifier="i2" href="../items/a.xml"/>
          <assessmentSectionRef identifier="s2" href="more.xml"/></assessmentSection>
      </assessmentSection></testPart></assessmentTest>""".encode()
    section = f"""<assessmentSection {SPACE} identifier="s2" title="More">
      <assessmentItemRef identifier="i3" href="../items/c.xml"/></assessmentSection>""".encode()
    names = [resource(f"items/{name}.xml") for name in "abcd"]
    files = manifest(resource("tests/t.xml", "test"), *names)
    files |= {f"items/{name}.xml": item(name) for name in "abcd"}
    imported = read(files | {"tests/t.xml": document, "tests/more.xml": section})
    assert [(each.question.id, each.category, each.tags) for each in imported.questions] == [
        ("b", (), ("one", "two")),
        ("a", ("Part",), ()),
        ("c", ("Part", "More"), ()),
        ("d", (), ()),
    ]
    assert [str(each.question.weight) for each in imported.questions] == ["2.5", "1", "1", "1"]
    assert {loss.code for loss in imported.losses} == {
        LossCode.LIMITS,
        LossCode.SECTION_TEXT,
        LossCode.SUBSET,
        LossCode.LAYOUT,
    }


def test_images_are_relative_to_the_item(read) -> None:
    """If a text has an image, its path is relative to the item, and may have signs that are encoded."""
    text = '<p><img src="../media/a%20b.png" alt="c"/><object data="../media/a b.png" type="image/png">d</object></p>'
    files = manifest(resource("items/q.xml")) | {"items/q.xml": item(text=text), "media/a b.png": PICTURE}
    imported = read(files)
    assert imported.questions[0].question.text == (
        f'<p><img src="sha256:{SHA}" alt="c"><img src="sha256:{SHA}" alt="d"></p>'
    )
    assert list(imported.images) == [SHA]


@pytest.mark.parametrize(
    ("source", "loss"),
    [
        ("none.png", "an image has no file"),
        ("../../etc/passwd", "an image that is not in the package is not taken"),
        ("/etc/passwd", "an image that is not in the package is not taken"),
        ("file:///etc/passwd", "an image that is not in the package is not taken"),
        ("https://example.org/a.png", "an image that is not in the package is not taken"),
        ("http://[", "an image that is not in the package is not taken"),
    ],
)
def test_images_elsewhere_are_named(read, source, loss) -> None:
    """If an image is outside of the package or missing, nothing is fetched, and I read so."""
    files = manifest(resource("q.xml")) | {"q.xml": item(text=f'<p>Is it <img src="{source}" alt=""/>?</p>')}
    assert [each.feature for each in read(files).losses] == [loss]


def test_stimuli_stand_before_the_text(read) -> None:
    """If an item has a stimulus, it is put before the text, and I read so."""
    xml = item(text="<p>Is it?</p>").replace(b"<itemBody>", b'<assessmentStimulusRef href="s.xml"/><itemBody>')
    stimulus = b"<qti-assessment-stimulus><qti-stimulus-body><p>Once.</p></qti-stimulus-body></qti-assessment-stimulus>"
    imported = read(manifest(resource("q.xml")) | {"q.xml": xml, "s.xml": stimulus})
    assert imported.questions[0].question.text == "<div><p>Once.</p></div>\n<p>Is it?</p>"
    assert [loss.code for loss in imported.losses] == [LossCode.LAYOUT]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (manifest(), "the manifest names no item of QTI"),
        (manifest(resource("q.xml")), "p.zip, q.xml, line 1: the manifest or a test names this file, and it is not"),
        (manifest(resource("../q.xml")), "p.zip, imsmanifest.xml, line 1: names '../q.xml', which is not in the"),
        (manifest(resource("http://example.org/q.xml")), "which is not in the package"),
        (manifest(resource("q.xml")) | {"q.xml": b"<assessmentItem>"}, "p.zip, q.xml, line 1: is not XML"),
        (manifest(resource("q.xml")) | {"q.xml": b"<html/>"}, "the root element is <html> and not <assessmentItem>"),
        (manifest(resource("q.xml")) | {"q.xml": item(root='xmlns="urn:x"')}, "the namespace 'urn:x' is none of QTI"),
        ({"imsmanifest.xml": b'<!DOCTYPE m [<!ENTITY x "y">]><manifest>&x;</manifest>'}, "declares entities"),
        ({"q.xml": item()}, "the archive has no imsmanifest.xml"),
        (
            manifest(resource("t.xml", "test"))
            | {
                "t.xml": b'<assessmentTest><testPart><assessmentSection><assessmentSectionRef href="s.xml"/>'
                b"</assessmentSection></testPart></assessmentTest>",
                "s.xml": b'<assessmentSection><assessmentSectionRef href="s.xml"/></assessmentSection>',
            },
            "p.zip, s.xml, line 1: refers to a section that is not in the package, or to itself",
        ),
    ],
)
def test_packages_that_are_refused(faults, files, reason) -> None:
    """If a package is damaged, refers to files outside or to itself, I get the file and the reason."""
    assert any(reason in fault for fault in faults(files))


def test_faults_of_all_files_are_listed(faults) -> None:
    """If several items have faults, I get those of all of them, by file."""
    wrong = item().replace(b"<correctResponse><value>x</value></correctResponse>", b"")
    files = manifest(resource("a.xml"), resource("b.xml")) | {"a.xml": wrong, "b.xml": wrong}
    assert [fault.partition(":")[0] for fault in faults(files)] == ["p.zip, a.xml, line 1", "p.zip, b.xml, line 1"]
