"""A machine that has kind, kubectl and helm, and an image registry: nothing is compiled."""

from pathlib import Path

import pytest

from exam_harness.environments.builds import tools
from exam_harness.environments.builds.binaries import TRAEFIK, required_version
from exam_harness.environments.cluster.deploy import gateway_definitions
from exam_harness.environments.cluster.up import OFFICIAL_ADDONS
from exam_harness.environments.docker import images
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.process import HarnessError


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache."""
    monkeypatch.setenv("EXAM_CACHE_DIR", str(tmp_path / "cache"))


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    """Install programs on a PATH of their own."""
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_installed_programs_are_used(monkeypatch, tmp_path: Path, nothing_built) -> None:
    """If I have kind, kubectl and helm, they are used and nothing is compiled."""
    install(monkeypatch, tmp_path / "bin", "kind", "kubectl", "helm")
    assert [tools.tool(name) for name in tools.TOOLS] == [tmp_path / "bin" / name for name in tools.TOOLS]
    assert tools.missing_tools() == []


def test_what_is_missing_is_built(monkeypatch, tmp_path: Path, nothing_built) -> None:
    """If I lack helm, helm alone is built; until then, an error names it."""
    install(monkeypatch, tmp_path / "bin", "kind", "kubectl")
    assert [binary.name for binary in tools.missing_tools()] == ["helm"]
    with pytest.raises(HarnessError, match="helm is neither installed nor built: install it, or run make up"):
        tools.tool("helm")


def test_addons_have_the_versions_that_are_built_elsewhere(monkeypatch) -> None:
    """If an image registry can be reached, metrics-server and Traefik are pulled, once, in the pinned versions."""
    commands: list[tuple[str, ...]] = []

    def docker(_: Engine, *arguments: str) -> str:
        commands.append(arguments)
        return ""

    present = OFFICIAL_ADDONS[0]
    monkeypatch.setattr(Engine, "has_image", lambda _, name: name == present)
    monkeypatch.setattr(Engine, "docker", docker)
    assert images.pull(Engine("", managed=False), lambda _: None, OFFICIAL_ADDONS) == list(OFFICIAL_ADDONS)
    assert commands == [("pull", "--quiet", f"traefik:{TRAEFIK.version}")]


def test_the_gateway_api_has_the_version_of_traefik() -> None:
    """If nothing is built, the Gateway API's definitions are those of the release that Traefik is built with."""
    version = required_version(TRAEFIK.sources / "go.mod", "sigs.k8s.io/gateway-api")
    assert gateway_definitions(from_packages=False).endswith(f"/{version}/standard-install.yaml")
