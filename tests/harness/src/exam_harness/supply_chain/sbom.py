"""Bills of materials (CycloneDX) of the Python packages in each image: ``build/sbom/IMAGE.cdx.json``.

Each is made from an environment that is installed as docker/service.Dockerfile installs it, because only installed
packages tell their licences and what depends on what.
"""

import sys
import tomllib
from pathlib import Path

from exam_harness.supply_chain.tools import ROOT, UV, WORK, install, install_tools, run

OUTPUT = ROOT / "build/sbom"
IMAGES = {"web": "services/web", "solver": "services/solver", "grader": "services/grader", "operator": "operator"}
"""The member that each image runs."""


def members(member: str) -> list[str]:
    """Return a member of the workspace, and all members that its image has: its dependencies, and its extras."""
    return sorted(_members(member, extras=True))


def _members(member: str, *, extras: bool = False) -> set[str]:
    project = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
    optional = project.get("optional-dependencies", {}).values() if extras else ()
    required = [*project["dependencies"], *(each for group in optional for each in group)]
    names = [each.removeprefix("exam-") for each in required if each.startswith("exam-")]
    return {member}.union(*(_members(f"services/{name}") for name in names))


def write_sbom(image: str, tools: Path, *, work: Path = WORK, output: Path = OUTPUT) -> Path:
    """Write the bill of materials of one image; the same locks and sources give the same bytes."""
    member = IMAGES[image]
    programs = install(ROOT / f"requirements/{image}.txt", work / image)
    wheels = work / f"{image}-wheels"
    build: list[str | Path] = [
        "--wheel",
        "--quiet",
        "--no-build-isolation",
        "--python",
        ROOT / ".venv/bin/python",
        "--out-dir",
        wheels,
    ]
    for each in members(member):
        run([UV, "build", *build, ROOT / each])
    named = [f"exam-{Path(each).name}" for each in members(member)]
    offline: list[str | Path] = ["--quiet", "--no-deps", "--no-index", "--find-links", wheels]
    run([UV, "pip", "install", *offline, "--python", programs / "python", *named])
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{image}.cdx.json"
    document: list[str | Path] = [
        "--pyproject",
        ROOT / member / "pyproject.toml",
        "--output-reproducible",
        "--of",
        "JSON",
        "-o",
        path,
    ]
    run([tools / "cyclonedx-py", "environment", *document, programs / "python"])
    return path


def main() -> int:
    """Write the bills of materials of all images."""
    tools = install_tools()
    for image in IMAGES:
        sys.stdout.write(f"{write_sbom(image, tools).relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
