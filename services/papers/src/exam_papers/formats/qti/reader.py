"""Reads QTI: a package, or the XML of one item."""

from typing import Final

from exam_core.authoring.exam import AcceptImage
from exam_papers.formats.archives import MAGIC, Archive
from exam_papers.formats.collector import Collector
from exam_papers.formats.encoding import refusal
from exam_papers.formats.model import Imported, LossCode, Place
from exam_papers.formats.qti.context import Context
from exam_papers.formats.qti.first import FIRST_ROOT, FirstReader
from exam_papers.formats.qti.item import ROOT, ItemReader, Placed
from exam_papers.formats.qti.names import is_known, resolve
from exam_papers.formats.qti.names import normalise as normalised
from exam_papers.formats.qti.package import MANIFEST, ItemFile, Package
from exam_papers.formats.xml_tree import Node, parse

STIMULUS: Final = "assessmentStimulusRef"


def read(data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
    """Read the questions of a QTI package, or of an item's XML file.

    Raises:
        ImportFaults: the file has faults.
    """
    collector = Collector(file, accept_image)
    if not data.startswith(MAGIC):
        root = normalised(parse(data, file))
        _item(collector, root, None, ItemFile(""), ())
        return collector.finish()
    archive = Archive(data, file)
    if MANIFEST not in archive:
        raise refusal(file, f"the archive has no {MANIFEST}: it is no package")
    package = Package(archive, collector, file)
    for item in package.items():
        if (found := package.parse(item.path)) is not None:
            _item(collector, found, archive, item, _stimuli(package, found, item.path))
    collector.file = file
    return collector.finish()


def _item(collector: Collector, root: Node, archive: Archive | None, item: ItemFile, before: tuple[Node, ...]) -> None:
    if root.name == FIRST_ROOT:
        FirstReader(collector, archive, item.path).read(root)
        return
    if root.name != ROOT:
        collector.fault(Place(root.line), f"the root element is <{root.name}> and not <{ROOT}>")
        return
    if not is_known(root.namespace):
        collector.fault(Place(root.line), f"the namespace {root.namespace!r} is none of QTI 2 or 3")
        return
    label = root.attributes.get("title") or root.attributes.get("identifier") or item.path or f"line {root.line}"
    context = Context(collector, label, archive, item.path)
    ItemReader(collector, root, context, Placed(item.category, item.tags, item.factor, before)).read()


def _stimuli(package: Package, root: Node, path: str) -> tuple[Node, ...]:
    """Return the bodies of the stimuli of an item, which stand before its text."""
    found: list[Node] = []
    item_file = package.collector.file
    for ref in root.all(STIMULUS):
        target = resolve(path, ref.attributes.get("href", ""))
        stimulus = package.parse(target) if target is not None else None
        package.collector.file = item_file
        body = stimulus.first("stimulusBody") if stimulus is not None else None
        if body is None:
            package.collector.fault(Place(ref.line), "refers to a stimulus that is not in the package")
            continue
        package.collector.lose(LossCode.LAYOUT, "a stimulus is put before the text of its questions")
        body.name = "div"
        found.append(body)
    return tuple(found)
