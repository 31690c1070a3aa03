"""The one recipe of the services' images: whoever builds with it says the same of each service."""

import tomllib

import pytest
import yaml

from exam_harness.environments.docker.images import SERVICES
from exam_harness.environments.processes.paths import REPOSITORY

BASES = {"PYTHON_IMAGE", "BUILD_IMAGE"}
DEFAULTS = {"MODELS": "services/core", "LOG": "services/answerlog"}


def _said(arguments) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if name not in {*BASES, "<<"}}


def test_skaffold_compose_and_make_build_the_same_images() -> None:
    """If I build by skaffold, by Compose or by `make up`, an image is made of the same members."""
    expected = {service: {"SERVICE": service, **arguments} for service, arguments in SERVICES.items()}
    skaffold = yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text())["build"]["artifacts"]
    assert {each["docker"]["target"]: _said(each["docker"]["buildArgs"]) for each in skaffold} == expected
    compose = yaml.safe_load((REPOSITORY / "docker/compose.yaml").read_text())["services"].values()
    built = {each["build"]["target"]: _said(each["build"]["args"]) for each in compose if "build" in each}
    assert built == {service: arguments for service, arguments in expected.items() if service != "operator"}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_the_members_that_its_service_needs(service) -> None:
    """If a service is built, it has every member that it imports, and none that only others need."""
    arguments = {"OWN": f"services/{service}", **DEFAULTS, **SERVICES[service]}
    copied = {"services/core", *(arguments[name] for name in ("OWN", *DEFAULTS))}
    assert copied == _needed(arguments["OWN"])


def _needed(member) -> set[str]:
    """A member and the members that it depends on, near and far."""
    project = tomllib.loads((REPOSITORY / member / "pyproject.toml").read_text())["project"]
    names = [each.removeprefix("exam-") for each in project["dependencies"] if each.startswith("exam-")]
    return {member}.union(*(_needed(f"services/{name}") for name in names))
