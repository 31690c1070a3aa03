"""Resolve a container's ``env``, ``envFrom`` and ``command`` as a kubelet does before it starts the process."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Pod = Mapping[str, Any]
"""A pod, or a part of one, as parsed JSON of the API."""

Read = Callable[[str, str], Mapping[str, str] | None]
"""Reads the data of a ``Secret`` or ``ConfigMap`` (kind, name) in the pod's namespace; None if it does not exist."""

_REFERENCE = re.compile(r"\$\$|\$\(([^()\s]+)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_SOURCES = (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap"))
_ENV_FROM_SOURCES = (("secretRef", "Secret"), ("configMapRef", "ConfigMap"))


class MissingReferenceError(Exception):
    """The container's environment refers to an object that does not exist or cannot be read yet."""


class UnsupportedPodError(Exception):
    """The pod needs a feature that only a real kubelet has."""


def container_environment(pod: Pod, *, image: Mapping[str, str], read: Read) -> dict[str, str]:
    """Return the environment of the pod's container: the image's, then ``envFrom``, then ``env``, the last one wins.

    Args:
        pod: the pod, with addresses in its status.
        image: the environment that the image sets.
        read: reads Secrets and ConfigMaps.
    """
    container = pod["spec"]["containers"][0]
    env = dict(image)
    for source in container.get("envFrom", ()):
        env |= _env_from(source, read)
    for variable in container.get("env", ()):
        if (value := _value(variable, pod, env, read)) is not None:
            env[variable["name"]] = value
    return env


def command_line(container: Pod, env: Mapping[str, str], entrypoint: Sequence[str]) -> list[str]:
    """Return the container's command line; `entrypoint` is the image's, for a container without a command."""
    command = [_expand(word, env) for word in container.get("command") or entrypoint]
    if not command:
        raise UnsupportedPodError(
            f"container {container['name']} has no command, and the entrypoint of image {container['image']} is unknown"
        )
    return [*command, *(_expand(word, env) for word in container.get("args", ()))]


def check_supported(spec: Pod) -> None:
    """Reject a pod with features that would be ignored silently.

    Raises:
        UnsupportedPodError: the pod has such a feature.
    """
    for field in ("initContainers", "ephemeralContainers"):
        if spec.get(field):
            raise UnsupportedPodError(f"{field} are not supported")
    if len(spec["containers"]) > 1:
        raise UnsupportedPodError("more than one container is not supported")
    # An emptyDir is a folder of this machine; the token volume is added by the API server to every pod.
    ignored = {volume["name"] for volume in spec.get("volumes", ()) if "emptyDir" in volume}
    ignored |= {volume["name"] for volume in spec.get("volumes", ()) if volume["name"].startswith("kube-api-access-")}
    mounted = [mount["name"] for mount in spec["containers"][0].get("volumeMounts", ()) if mount["name"] not in ignored]
    if mounted:
        raise UnsupportedPodError(f"volume mounts are not supported: {', '.join(mounted)}")


def _env_from(source: Pod, read: Read) -> dict[str, str]:
    for field, kind in _ENV_FROM_SOURCES:
        if reference := source.get(field):
            data = read(kind, reference["name"])
            if data is None and not reference.get("optional"):
                raise MissingReferenceError(f'{kind} "{reference["name"]}" not found')
            return {source.get("prefix", "") + name: value for name, value in (data or {}).items()}
    raise UnsupportedPodError(f"envFrom {sorted(source)} is not supported")


def _value(variable: Pod, pod: Pod, env: Mapping[str, str], read: Read) -> str | None:
    """Return a variable's value; None if its source is optional and missing."""
    source = variable.get("valueFrom")
    if source is None:
        return _expand(variable.get("value", ""), env)
    if field := source.get("fieldRef"):
        return _field(pod, field["fieldPath"])
    for name, kind in _SOURCES:
        if reference := source.get(name):
            data = read(kind, reference["name"])
            if data is not None and reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            missing = (
                f'"{reference["name"]}"' if data is None else f'"{reference["name"]}" has no key {reference["key"]}:'
            )
            raise MissingReferenceError(f"{kind} {missing} not found")
    raise UnsupportedPodError(f"valueFrom {sorted(source)} of {variable['name']} is not supported")


def _field(pod: Pod, path: str) -> str:
    if match := _SUBSCRIPT.fullmatch(path):
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    part, _, name = path.partition(".")
    if part not in {"metadata", "spec", "status"} or "." in name:
        raise UnsupportedPodError(f"fieldPath {path} is not supported")
    return str(pod.get(part, {}).get(name, ""))


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Expand ``$(NAME)`` as Kubernetes does: an unknown name is kept, ``$$`` is one dollar sign."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else env.get(match[1], match[0])

    return _REFERENCE.sub(value, text)
