"""A container's environment and command line are what a kubelet would make of them."""

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
    """Read what is stored."""
    return STORED.get((kind, name))


def environment(*env: dict[str, Any], env_from: tuple[dict[str, Any], ...] = (), **metadata: Any) -> dict[str, str]:
    """The environment of a pod with one container."""
    container = {"name": "main", "image": "one", "env": env, "envFrom": env_from}
    pod = {"metadata": {"name": "p", **metadata}, "spec": {"containers": [container]}, "status": {"podIP": "127.0.0.1"}}
    return container_environment(pod, image={"PATH": "/bin"}, read=read)


def field(path: str) -> dict[str, Any]:
    """A variable from a field of the pod."""
    return {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_what_is_named_later_is_over_what_is_before() -> None:
    """The image's environment, then whole Secrets and ConfigMaps, then the variables one by one."""
    made = environment(
        {"name": "C_level", "value": "year-2"},
        env_from=({"prefix": "C_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}),
    )
    assert made == {"PATH": "/bin", "C_level": "year-2", "token": "t", "salt": "s"}


def test_a_reference_is_replaced_by_what_came_before_and_an_unknown_one_stays() -> None:
    """In a value ``$(NAME)`` is an earlier variable, ``$$`` a dollar, and an unknown name stays as it is written."""
    made = environment({"name": "A", "value": "1"}, {"name": "B", "value": "$(A) $$(A) $(NONE) $A"})
    assert made["B"] == "1 $(A) $(NONE) $A"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.labels['app']", "grader"),
        ("metadata.annotations['none']", ""),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod_are_values(path: str, value: str) -> None:
    """A variable may be the pod's own name, a label, an annotation or its address."""
    assert environment(field(path), labels={"app": "grader"})["FIELD"] == value


@pytest.mark.parametrize("path", ["spec.containers.name", "nothing.name"])
def test_an_unknown_field_is_refused_by_name(path: str) -> None:
    """A field that the stand-in does not know is named, not left empty."""
    with pytest.raises(UnsupportedPodError, match=path):
        environment(field(path))


def test_what_is_not_there_is_named_unless_it_may_be_absent() -> None:
    """A missing Secret or key is named; an optional one leaves the variable out."""

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


def test_a_command_is_expanded_and_an_images_entrypoint_stands_in_for_none() -> None:
    """The command is the manifest's, or else the image's; its arguments follow; variables are put in."""
    env = {"ROLE": "worker"}
    container = {"name": "main", "image": "one", "args": ["$(ROLE)"]}
    assert command_line(container | {"command": ["run"]}, env, ["entry"]) == ["run", "worker"]
    assert command_line(container, env, ["entry"]) == ["entry", "worker"]
    with pytest.raises(UnsupportedPodError, match="names no command"):
        command_line(container, env, [])


@pytest.mark.parametrize(
    ("more", "named"),
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
def test_what_would_be_skipped_is_refused(more: dict[str, Any], named: str) -> None:
    """A pod that a process alone cannot be is refused, and the reason is named."""
    with pytest.raises(UnsupportedPodError, match=named):
        check_supported({"containers": [{"name": "one"}], **more})


def test_temporary_folders_and_mounted_tokens_are_no_hindrance() -> None:
    """An emptyDir and the service account's token, which Kubernetes adds by itself, do not stop a pod."""
    mounts = [{"name": "tmp", "mountPath": "/scratch"}, {"name": "kube-api-access-x", "mountPath": "/var/run"}]
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "kube-api-access-x", "projected": {}}]
    check_supported({"containers": [{"name": "one", "volumeMounts": mounts}], "volumes": volumes})
