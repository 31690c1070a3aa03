"""A container's environment and command line are resolved as a kubelet does."""

from collections.abc import Mapping
from typing import Any

import pytest

from exam_harness.environments.control_plane.pods.container_env import (
    MissingReferenceError,
    UnsupportedPodError,
    check_supported,
    command_line,
    container_environment,
)

STORED = {("Secret", "keys"): {"token": "t", "salt": "s"}, ("ConfigMap", "settings"): {"level": "year-1"}}


def read(kind: str, name: str) -> Mapping[str, str] | None:
    """Read a Secret or ConfigMap of the test."""
    return STORED.get((kind, name))


def environment(*env: dict[str, Any], env_from: tuple[dict[str, Any], ...] = (), **metadata: Any) -> dict[str, str]:
    """Resolve the environment of a pod with one container."""
    container = {"name": "main", "image": "one", "env": env, "envFrom": env_from}
    pod = {"metadata": {"name": "p", **metadata}, "spec": {"containers": [container]}, "status": {"podIP": "127.0.0.1"}}
    return container_environment(pod, image={"PATH": "/bin"}, read=read)


def field(path: str) -> dict[str, Any]:
    """A variable with a value from a field of the pod."""
    return {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_later_sources_override_earlier_ones() -> None:
    """The image's environment is overridden by Secrets and ConfigMaps, and these by single variables."""
    env = environment(
        {"name": "C_level", "value": "year-2"},
        env_from=({"prefix": "C_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}),
    )
    assert env == {"PATH": "/bin", "C_level": "year-2", "token": "t", "salt": "s"}


def test_references_are_expanded() -> None:
    """In a value, ``$(NAME)`` is an earlier variable, ``$$`` a dollar sign, and an unknown name is kept."""
    env = environment({"name": "A", "value": "1"}, {"name": "B", "value": "$(A) $$(A) $(NONE) $A"})
    assert env["B"] == "1 $(A) $(NONE) $A"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.labels['app']", "grader"),
        ("metadata.annotations['none']", ""),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_a_variable_can_be_a_field_of_the_pod(path: str, value: str) -> None:
    """A variable may be the pod's name, a label, an annotation or its IP address."""
    assert environment(field(path), labels={"app": "grader"})["FIELD"] == value


@pytest.mark.parametrize("path", ["spec.containers.name", "nothing.name"])
def test_an_unsupported_field_is_an_error(path: str) -> None:
    """An unsupported field is an error that names it, not an empty value."""
    with pytest.raises(UnsupportedPodError, match=path):
        environment(field(path))


def test_a_missing_reference_is_an_error_unless_optional() -> None:
    """A missing Secret or key is an error that names it; if it is optional, the variable is not set."""

    def variable(name: str, key: str, **more: bool) -> dict[str, Any]:
        return {"name": "V", "valueFrom": {"secretKeyRef": {"name": name, "key": key, **more}}}

    with pytest.raises(MissingReferenceError, match='Secret "none" not found'):
        environment(variable("none", "token"))
    with pytest.raises(MissingReferenceError, match='Secret "keys" has no key none'):
        environment(variable("keys", "none"))
    assert "V" not in environment(variable("none", "token", optional=True))
    with pytest.raises(MissingReferenceError, match='ConfigMap "none" not found'):
        environment(env_from=({"configMapRef": {"name": "none"}},))
    assert environment(env_from=({"configMapRef": {"name": "none", "optional": True}},)) == {"PATH": "/bin"}


def test_the_entrypoint_is_the_default_command() -> None:
    """The command is the manifest's or else the image's, followed by the arguments, with variables expanded."""
    env = {"ROLE": "worker"}
    container = {"name": "main", "image": "one", "args": ["$(ROLE)"]}
    assert command_line(container | {"command": ["run"]}, env, ["entry"]) == ["run", "worker"]
    assert command_line(container, env, ["entry"]) == ["entry", "worker"]
    with pytest.raises(UnsupportedPodError, match="has no command"):
        command_line(container, env, [])


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        ({"initContainers": [{"name": "first"}]}, "initContainers"),
        ({"containers": [{"name": "one"}, {"name": "two"}]}, "more than one container"),
        (
            {
                "containers": [{"name": "one", "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}],
                "volumes": [{"name": "keys", "secret": {}}],
            },
            "keys",
        ),
    ],
)
def test_an_unsupported_pod_is_rejected(extra: dict[str, Any], error: str) -> None:
    """A pod that cannot run as a single process is rejected with the reason."""
    with pytest.raises(UnsupportedPodError, match=error):
        check_supported({"containers": [{"name": "one"}], **extra})


def test_empty_dirs_and_token_volumes_are_ignored() -> None:
    """A pod may have an emptyDir and the service account token volume, which Kubernetes adds to every pod."""
    mounts = [{"name": "tmp", "mountPath": "/scratch"}, {"name": "kube-api-access-x", "mountPath": "/var/run"}]
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "kube-api-access-x", "projected": {}}]
    check_supported({"containers": [{"name": "one", "volumeMounts": mounts}], "volumes": volumes})
