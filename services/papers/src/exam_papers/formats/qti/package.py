"""The manifest and the tests of a package: which items there are, in which sections, and with which weight."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from exam_papers.formats.archives import Archive
from exam_papers.formats.collector import Collector
from exam_papers.formats.model import ImportFaults, LossCode, Place
from exam_papers.formats.moodle import point_number
from exam_papers.formats.qti.names import normalise, resolve
from exam_papers.formats.xml_tree import Node, parse

MANIFEST: Final = "imsmanifest.xml"
_RESOURCE: Final = re.compile(r"(?:imsqti_)?(?:(item|test|section|assessment)(?:_xml|v\d|\b)|xmlv1p\d)")
_MAX_SECTIONS: Final = 20
_DROPPED: Final = {
    "timeLimits": (LossCode.LIMITS, "time limits are dropped: a sitting has its own"),
    "itemSessionControl": (LossCode.METADATA, "settings of tries and feedback are dropped"),
    "preCondition": (LossCode.METADATA, "conditions and branches are dropped"),
    "branchRule": (LossCode.METADATA, "conditions and branches are dropped"),
    "testFeedback": (LossCode.FEEDBACK, "feedback on the test is dropped"),
    "rubricBlock": (LossCode.SECTION_TEXT, "the text of a section is dropped"),
    "adaptiveSelection": (LossCode.SUBSET, "an adaptive selection is dropped: all questions are taken"),
}


@dataclass(frozen=True, slots=True)
class ItemFile:
    """An item's file, and what the test states of it."""

    path: str
    category: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    factor: Fraction = Fraction(1)


@dataclass
class Package:
    """Finds the items of a package."""

    archive: Archive
    collector: Collector
    title: str
    """The name of the package, for faults."""
    _items: dict[str, ItemFile] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    """The files of tests and sections that are being read."""

    def parse(self, path: str) -> Node | None:
        """Parse a file of the package; None and faults if it is not usable."""
        self.collector.file = f"{self.title}, {path}"
        if path not in self.archive:
            self.collector.fault(Place(1), "the manifest or a test names this file, and it is not in the package")
            return None
        try:
            return normalise(parse(self.archive.read(path), self.collector.file))
        except ImportFaults as error:
            for fault in error.faults:
                self.collector.fault(fault.place, fault.reason, fault.question)
            return None

    def items(self) -> list[ItemFile]:
        """Return the items: those of the tests in their order, then all others."""
        manifest = self.parse(MANIFEST)
        resources = list(self._resources(manifest)) if manifest is not None else []
        for kind, path in resources:
            if kind in {"test", "assessment"}:
                self._test(path)
        for kind, path in resources:
            if kind == "item" and path not in self._items:
                self._items[path] = ItemFile(path)
        if manifest is not None and has_metadata(manifest):
            self.collector.lose(LossCode.METADATA, "the metadata of the package are dropped")
        if manifest is not None and not resources:
            self.collector.file = f"{self.title}, {MANIFEST}"
            self.collector.fault(Place(1), "the manifest names no item of QTI")
        return list(self._items.values())

    def _resources(self, manifest: Node) -> Iterator[tuple[str, str]]:
        """Yield the kind and the path of each resource that is an item or a test."""
        for group in manifest.all("resources"):
            for node in group.all("resource"):
                kind = _RESOURCE.match(node.attributes.get("type", ""))
                first = node.first("file")
                href = node.attributes.get("href") or (first.attributes.get("href", "") if first else "")
                if kind is None or not href:
                    continue
                base = posixpath.join(*(each.attributes.get("base", "") for each in (manifest, group, node)), href)
                path = resolve(MANIFEST, base)
                if path is None:
                    self.collector.fault(Place(node.line), f"names {href!r}, which is not in the package")
                else:
                    yield kind[1] or "item", path

    def _test(self, path: str) -> None:
        root = self.parse(path)
        if root is None:
            return
        self._open.append(path)
        parts = list(root.all("testPart"))
        top = [section for part in parts for section in part.all("assessmentSection")]
        for node in (root, *parts):
            self._losses(node)
        if root.first("outcomeProcessing") is not None and root.attributes.get("toolName") != TOOL:
            self.collector.lose(LossCode.METADATA, "the processing of a test's outcomes is dropped")
        for section in top:
            names = () if len(top) == 1 else self._named(section, ())
            self._section(section, names, path)
        for part in parts:
            for ref in part.all("assessmentSectionRef"):
                self._section_file(ref, (), path)
        self._open.pop()

    @staticmethod
    def _named(section: Node, names: tuple[str, ...]) -> tuple[str, ...]:
        title = section.attributes.get("title", "").strip()
        return (*names, title) if title else names

    def _section(self, section: Node, names: tuple[str, ...], path: str) -> None:
        self._losses(section)
        selection, order = section.first("selection"), section.first("ordering")
        if selection is not None:
            count = selection.attributes.get("select", "")
            self.collector.lose(LossCode.SUBSET, f"all questions of a section are taken, not {count} of them")
        if order is not None and order.attributes.get("shuffle") in {"true", "1"}:
            self.collector.lose(LossCode.LAYOUT, "the questions of a section are not shuffled")
        for child in section.children:
            if child.name == "assessmentItemRef":
                self._item(child, names, path)
            elif child.name == "assessmentSection":
                self._section(child, self._named(child, names), path)
            elif child.name == "assessmentSectionRef":
                self._section_file(child, names, path)

    def _section_file(self, ref: Node, names: tuple[str, ...], path: str) -> None:
        target = resolve(path, ref.attributes.get("href", ""))
        if target is None or target in self._open or len(self._open) > _MAX_SECTIONS:
            self.collector.fault(Place(ref.line), "refers to a section that is not in the package, or to itself")
            return
        root = self.parse(target)
        if root is not None:
            self._open.append(target)
            self._section(root, self._named(root, names), target)
            self._open.pop()
        self.collector.file = f"{self.title}, {path}"

    def _item(self, ref: Node, names: tuple[str, ...], path: str) -> None:
        target = resolve(path, ref.attributes.get("href", ""))
        if target is None:
            self.collector.fault(Place(ref.line), "refers to an item that is not in the package")
            return
        self._losses(ref)
        factor = Fraction(1)
        if (weight := ref.first("weight")) is not None:
            try:
                factor = point_number(weight.attributes.get("value", ""))
            except ValueError as error:
                self.collector.fault(Place(weight.line), f"has a weight which is not usable: {error}")
        if target in self._items:
            self.collector.lose(LossCode.LAYOUT, "a question that a test has several times is taken once")
            return
        tags = tuple(ref.attributes.get("category", "").split())
        self._items[target] = ItemFile(target, names, tags, factor)

    def _losses(self, node: Node) -> None:
        for child in node.children:
            if child.name in _DROPPED:
                self.collector.lose(*_DROPPED[child.name])


def has_metadata(manifest: Node) -> bool:
    """Return whether a manifest describes the package or its files beyond the names of its schema."""
    owners = [manifest, *(node for group in manifest.all("resources") for node in group.all("resource"))]
    found = {each.name for owner in owners for node in owner.all("metadata") for each in node.children}
    return bool(found - {"schema", "schemaversion"})


TOOL: Final = "exam papers"
"""How tests that this platform writes name the tool that made them."""
