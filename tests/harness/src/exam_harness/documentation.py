"""Checks that the documentation refers only to modules, files, sections and make targets that exist.

Checked are code spans (``exam_core.windows.check_change``, ``services/core``, ``make test``), relative links with their
anchors, and in code blocks the make targets and ``python -m`` modules. Modules are resolved by their source text, so
nothing is imported.
"""

import ast
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/**/*.md",
    "charts/*/README.md",
    "services/*/README.md",
    "operator/README.md",
)
SOURCE_FOLDERS = ("services/*/src", "operator/src", "tests/harness/src")
GENERATED = {"build", "backup", ".venv"}
"""Top-level folders that commands create; their files cannot be checked."""

_MODULE = re.compile(r"(?<![\w/.-])exam_[a-z]+(?:\.\w+)+")
_RUN_MODULE = re.compile(r"-m (exam_[a-z]+(?:\.\w+)*)")
_MAKE = re.compile(r"(?<![\w-])make((?: [A-Z_]+=\S+)*) ([a-z][a-z0-9-]*)")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
_FILE_SUFFIXES = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".json",
    ".conf",
    ".tpl",
    ".sh",
    ".txt",
    ".mod",
    ".sum",
    ".go",
}
_CODE_SPAN = re.compile(r"(`+)(.+?)\1")
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"#{1,6} (.+?)\s*#*")
_FENCE = re.compile(r"\s*(```|~~~)(\w*)")


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """A reference that does not resolve: where it is, what it says, and what is missing."""

    line: int
    reference: str
    reason: str


class Repository:
    """The things that documentation can refer to, read once from a working tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = frozenset(_tracked(root))

    def documents(self) -> list[Path]:
        """The checked documents."""
        return sorted(
            {path for pattern in DOCUMENTS for path in self.root.glob(pattern) if self.has(_name(path, self.root))}
        )

    def has(self, path: str) -> bool:
        """Whether a path, which may be a pattern, is a file or a folder of the repository."""
        if "*" in path:
            return any(PurePosixPath(name).match(path) for name in self._paths)
        return path in self._paths

    def has_suffix(self, path: str, below: str = ".") -> bool:
        """Whether the path of some file or folder, in a folder, ends with these components."""
        prefix = "" if below == "." else f"{below}/"
        return any(name == path or name.endswith(f"/{path}") for name in self._paths if name.startswith(prefix))

    @cached_property
    def _paths(self) -> frozenset[str]:
        """All files and the folders that contain them."""
        folders = {str(parent) for name in self.files for parent in PurePosixPath(name).parents}
        return self.files | (folders - {"."})

    @cached_property
    def top_level(self) -> frozenset[str]:
        """The first components of all paths in folders."""
        return frozenset(name.split("/", 1)[0] for name in self.files if "/" in name)

    @cached_property
    def make_targets(self) -> frozenset[str]:
        """The targets of the Makefile."""
        return frozenset(re.findall(r"^([a-z0-9-]+):", (self.root / "Makefile").read_text(), re.MULTILINE))

    def module_fault(self, dotted: str) -> str | None:
        """Return why a module, or an attribute of one, does not resolve; None if it does."""
        package, *names = dotted.split(".")
        found = [_name(folder / package, self.root) for each in SOURCE_FOLDERS for folder in self.root.glob(each)]
        place = next(filter(self.has, found), None)
        if place is None:
            return f"there is no package {package}"
        while names and self.has(f"{place}/{names[0]}"):
            place = f"{place}/{names.pop(0)}"
        if names and self.has(f"{place}/{names[0]}.py"):
            source = f"{place}/{names.pop(0)}.py"
        else:
            source = f"{place}/__init__.py"
        body = ast.parse((self.root / source).read_text()).body if self.has(source) else []
        for name in names:
            definition = _definition(body, name)
            if definition is None:
                return f"{source} has no {name}"
            body = definition.body if isinstance(definition, ast.ClassDef) else []
        return None

    def is_runnable(self, dotted: str) -> bool:
        """Whether ``python -m`` can run a module."""
        path = dotted.replace(".", "/")
        return self.has_suffix(f"{path}/__main__.py") or self.has_suffix(f"{path}.py")


def broken_references(text: str, path: Path, repository: Repository) -> Iterator[BrokenReference]:
    """Yield the references of a document that do not resolve; `path` is where the document is."""
    for number, line, language in _lines(text):
        if language is None:
            prose = _CODE_SPAN.sub("", line)
            code = [match.group(2).strip() for match in _CODE_SPAN.finditer(line)]
            faults = [*_link_faults(prose, text, path, repository), *_span_faults(code, path, repository)]
        else:
            faults = []
            code = [line] if language != "mermaid" else []
        for reference, reason in [*faults, *_command_faults(code, repository)]:
            yield BrokenReference(number, reference, reason)


def anchors(text: str) -> list[str]:
    """The anchors of a document's headings, as GitHub generates them."""
    found: list[str] = []
    for _, line, language in _lines(text):
        heading = _HEADING.fullmatch(line.strip()) if language is None else None
        if heading:
            shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            repeated = sum(each == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", each) is not None for each in found)
            found.append(f"{slug}-{repeated}" if repeated else slug)
    return found


def _lines(text: str) -> Iterator[tuple[int, str, str | None]]:
    """(number, line, language) of each line; the language is None outside of code blocks."""
    language: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence:
            language = fence.group(2) if language is None else None
        else:
            yield number, line, language


def _link_faults(prose: str, text: str, path: Path, repository: Repository) -> Iterator[tuple[str, str]]:
    for target in _LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent.joinpath(name).resolve() if name else path
        relative = _name(linked, repository.root)
        if name and not repository.has(relative):
            yield target, f"there is no {relative}"
        elif anchor and anchor not in anchors(linked.read_text() if name else text):
            yield target, f"{relative} has no section #{anchor}"


def _span_faults(spans: Sequence[str], path: Path, repository: Repository) -> Iterator[tuple[str, str]]:
    for span in spans:
        for dotted in _MODULE.findall(span):
            fault = repository.module_fault(dotted)
            if fault:
                yield dotted, fault
        if _PATH.fullmatch(span) and not _is_known_path(span, path, repository):
            yield span, "there is no such path"


def _is_known_path(span: str, path: Path, repository: Repository) -> bool:
    """Whether a code span is no path, or one from the root, or the end of one.

    In a member's README, it is the end of a path in that member: ``decide/plan.py`` in the operator's.
    """
    first, slash, _ = span.partition("/")
    is_path = PurePosixPath(span).suffix in _FILE_SUFFIXES or (slash and first in repository.top_level)
    if not is_path or first in GENERATED:
        return True
    span = span.rstrip("/")
    member = _name(path.parent, repository.root)
    below = "." if member == "docs" or member.startswith("docs/") else member
    return repository.has(span) or repository.has(f"{member}/{span}") or repository.has_suffix(span, below)


def _command_faults(code: Sequence[str], repository: Repository) -> Iterator[tuple[str, str]]:
    for text in code:
        for _, target in _MAKE.findall(text):
            if target not in repository.make_targets:
                yield f"make {target}", "the Makefile has no such target"
        for module in _RUN_MODULE.findall(text):
            if not repository.is_runnable(module):
                yield f"python -m {module}", "there is no such module to run"


def _definition(body: Sequence[ast.stmt], name: str) -> ast.stmt | None:
    """The statement that defines a name in a module's or a class's body."""
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names = {statement.name}
            case ast.Assign():
                names = {
                    each.id for target in statement.targets for each in ast.walk(target) if isinstance(each, ast.Name)
                }
            case ast.AnnAssign(target=ast.Name(id=target)):
                names = {target}
            case ast.Import() | ast.ImportFrom():
                names = {each.asname or each.name for each in statement.names}
            case _:
                names = set()
        if name in names:
            return statement
    return None


def _name(path: Path, root: Path) -> str:
    """A path as seen from the repository's root."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _tracked(root: Path) -> list[str]:
    """The files that git tracks, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]
