"""What images are made of carries no test double: neither the wheels nor the build context."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exam_harness.environments.processes.paths import REPOSITORY

MEMBERS = sorted(
    path.parent for path in [*REPOSITORY.glob("services/*/pyproject.toml"), REPOSITORY / "operator/pyproject.toml"]
)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_wheel_carries_no_test_double(member: Path, tmp_path: Path) -> None:
    """If I unpack a service's wheel, there are its modules and no `testing` package."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=member,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    (package,) = (path.name for path in (member / "src").iterdir() if path.is_dir() and path.name.startswith("exam_"))
    assert f"{package}/__init__.py" in names
    assert [name for name in names if "testing" in name] == []


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_no_service_imports_a_test_double(member: Path) -> None:
    """What runs in production never loads a double, so leaving them out of the image breaks nothing."""
    production = [path for path in member.glob("src/**/*.py") if "testing" not in path.relative_to(member).parts]
    assert production
    assert [(path.name, name) for path in production for name in _imports(path) if "testing" in name.split(".")] == []


def test_the_build_context_carries_no_test_double() -> None:
    """The image for development, which keeps the sources, has none either."""
    assert "**/testing" in (REPOSITORY / ".dockerignore").read_text().splitlines()


def _imports(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return names + [
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
