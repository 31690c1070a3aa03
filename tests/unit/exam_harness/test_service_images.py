"""The services' Dockerfile is built with the same arguments by skaffold, Compose and `make up`."""

import re
import tomllib

import pytest
import yaml

from exam_harness.environments.docker.images import SERVICES
from exam_harness.environments.processes.paths import REPOSITORY

BASES = {"PYTHON_IMAGE", "BUILD_IMAGE"}
DEFAULTS = {"MEMBER": "services/core", "LOG": "services/answerlog"}


def _arguments(arguments) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if name not in {*BASES, "<<"}}


def test_skaffold_compose_and_make_build_the_same_images() -> None:
    """If I build with skaffold, Compose or `make up`, an image has the same members."""
    expected = {service: {"SERVICE": service, **arguments} for service, arguments in SERVICES.items()}
    skaffold = yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text())["build"]["artifacts"]
    assert {each["docker"]["target"]: _arguments(each["docker"]["buildArgs"]) for each in skaffold} == expected
    compose = yaml.safe_load((REPOSITORY / "docker/compose.yaml").read_text())["services"].values()
    built = {each["build"]["target"]: _arguments(each["build"]["args"]) for each in compose if "build" in each}
    assert built == {service: arguments for service, arguments in expected.items() if service != "operator"}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_the_members_that_its_service_needs(service) -> None:
    """If a service is built, it has every member that it imports, and none that only others need."""
    arguments = {"OWN": f"services/{service}", **DEFAULTS, **SERVICES[service]}
    dockerfile = (REPOSITORY / "docker/service.Dockerfile").read_text()
    copied = re.findall(r"^COPY (\S+) sources/", dockerfile, re.MULTILINE)
    members = {re.sub(r"^\$\{(\w+)\}$", lambda variable: arguments[variable[1]], source) for source in copied}
    assert members == _dependencies(arguments["OWN"], extras=True)


def _dependencies(member, *, extras=False) -> set[str]:
    """Return a member and its transitive dependencies among the members; `extras` are what only the service needs."""
    project = tomllib.loads((REPOSITORY / member / "pyproject.toml").read_text())["project"]
    optional = project.get("optional-dependencies", {}).values() if extras else ()
    required = [*project["dependencies"], *(each for group in optional for each in group)]
    names = [each.removeprefix("exam-") for each in required if each.startswith("exam-")]
    return {member}.union(*(_dependencies(f"services/{name}") for name in names))
