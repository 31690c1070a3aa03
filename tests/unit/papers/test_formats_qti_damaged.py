"""Items that lack a part or have another one instead: each is read, or refused with a reason."""

import io
import zipfile
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from exam_core.authored import TextFormat
from exam_papers.formats import qti
from exam_papers.formats.archives import pack
from exam_papers.formats.model import FileQuestion, Finding, ImportFaults

VALUES = st.sampled_from(["", "0", "-1", "1e99", "x", "a b", "a", "multiple", "single", "float", "string", "../x", "ä"])


def damage(draw, document) -> bytes:
    """Change one element or attribute of a document."""
    root = etree.fromstring(document)
    nodes = [each for each in root.iter() if isinstance(each.tag, str)]
    node = nodes[draw(st.integers(0, len(nodes) - 1))]
    what = draw(st.sampled_from(["remove", "empty", "text", "attribute", "attribute", "twice"]))
    if what == "remove" and node is not root:
        node.getparent().remove(node)
    elif what == "twice" and node is not root:
        node.addnext(deepcopy(node))
    elif what == "empty":
        for child in list(node):
            node.remove(child)
    elif what == "attribute" and node.attrib:
        name = draw(st.sampled_from(sorted(node.attrib)))
        node.set(name, draw(VALUES))
    else:
        node.text = draw(VALUES)
    return etree.tostring(root)


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_packages_are_read_or_refused(data, questions, pictures, accept_image) -> None:
    """If a part of a package is missing or wrong, it is read without it, or I get the file and the reason."""
    written = data.draw(questions(formats=(TextFormat.PLAIN,)))
    exported = qti.write(written, pictures, version=data.draw(st.sampled_from(qti.Version)))
    with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(each for each in files if each.endswith(".xml"))))
    for _ in range(data.draw(st.integers(1, 3))):
        files[name] = damage(data.draw, files[name])
    faults: tuple[Finding, ...] = ()
    taken: tuple[FileQuestion, ...] = ()
    try:
        taken = qti.read(pack(files), file="p.zip", accept_image=accept_image).questions
    except ImportFaults as error:
        faults = error.faults
    assert bool(faults) is not bool(taken)
    assert all(fault.reason and fault.file.startswith("p.zip") for fault in faults)
    assert [fault for each in taken for fault in each.question.interaction.faults()] == []
