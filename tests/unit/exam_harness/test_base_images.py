"""Base images by digest, where a registry answers."""

from dataclasses import dataclass, field

import pytest

from exam_harness.environments.docker import images
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.process import HarnessError

DIGEST = "sha256:" + "ab" * 32


@dataclass(frozen=True)
class RecordingEngine(Engine):
    """An engine that records commands, and knows the digests of pulled images."""

    digests: tuple[str, ...] = (f"mirror.example/python@{DIGEST}", f"python@{DIGEST}")
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def docker(self, *arguments: str, stdin: str | None = None, seconds: float = 900) -> str:  # noqa: ARG002 - the engine's
        """Record a command."""
        self.commands.append(arguments)
        return "\n".join(self.digests) + "\n" if arguments[:2] == ("image", "inspect") else ""

    def has_image(self, name: str) -> bool:  # noqa: ARG002 - the engine's
        """No image exists."""
        return False


@pytest.mark.parametrize("service", images.SERVICES)
def test_a_service_is_built_on_the_digest_of_its_base(service: str) -> None:
    """The base is pulled, used by its digest, and named in the image's labels."""
    engine = RecordingEngine("", managed=False)
    images.build_service(engine, lambda _: None, service, tag="dev", from_packages=False)
    pull, _, build = engine.commands
    assert pull == ("pull", "--quiet", images.OFFICIAL_PYTHON)
    assert f"--build-arg=PYTHON_IMAGE=python@{DIGEST}" in build
    assert f"--label=org.opencontainers.image.base.digest={DIGEST}" in build
    assert f"--label=org.opencontainers.image.base.name={images.OFFICIAL_PYTHON}" in build


def test_without_a_registry_the_base_is_the_one_built_here() -> None:
    """Where no registry answers, nothing is pulled."""
    engine = RecordingEngine("", managed=False)
    images.build_service(engine, lambda _: None, "web", tag="dev", from_packages=True)
    (build,) = engine.commands
    assert f"--build-arg=PYTHON_IMAGE={images.PYTHON['runtime']}" in build


def test_a_base_without_a_digest_is_refused() -> None:
    """An image that was tagged by hand is never taken for the official one."""
    with pytest.raises(HarnessError, match="reports no digest of python"):
        images.by_digest(RecordingEngine("", managed=False, digests=()), images.OFFICIAL_PYTHON)


def test_the_recipe_has_the_same_base_by_default() -> None:
    """The tag in the recipe is the one that is looked up."""
    recipe = (REPOSITORY / "docker/service.Dockerfile").read_text()
    assert f"ARG PYTHON_IMAGE={images.OFFICIAL_PYTHON}\n" in recipe
