"""What a kubelet makes of a container's ``env`` and ``command`` before it starts the process."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Pod = Mapping[str, Any]
"""A pod, or a part of one, as the API's JSON has it."""

Read = Callable[[str, str], Mapping[str, str] | None]
"""Reads the data of a ``Secret`` or ``ConfigMap`` (kind, name) in the pod's namespace; None when it is not there."""

_REFERENCE = re.compile(r"\$\$|\$\(([^()\s]+)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_SOURCES = (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap"))
_WHOLE_SOURCES = (("secretRef", "Secret"), ("configMapRef", "ConfigMap"))


class MissingReferenceError(Exception):
    """Something that the container's environment refers to does not exist, or cannot be read yet."""


class UnsupportedPodError(Exception):
    """The pod asks for something that only a real kubelet can do."""


def container_environment(pod: Pod, *, image: Mapping[str, str], read: Read) -> dict[str, str]:
    """The environment of the pod's container: the image's, then ``envFrom``, then ``env``, each over what is before.

    Args:
        pod: the pod; its status has the addresses.
        image: what the image would have set.
        read: reads Secrets and ConfigMaps.
    """
    container = pod["spec"]["containers"][0]
    made = dict(image)
    for source in container.get("envFrom", ()):
        made |= _whole(source, read)
    for variable in container.get("env", ()):
        if (value := _value(variable, pod, made, read)) is not None:
            made[variable["name"]] = value
    return made


def command_line(container: Pod, env: Mapping[str, str], entrypoint: Sequence[str]) -> list[str]:
    """The container's command line; `entrypoint` is the image's, for a container that names no command."""
    words = [_expanded(word, env) for word in container.get("command") or entrypoint]
    if not words:
        raise UnsupportedPodError(
            f"container {container['name']} names no command, and image {container['image']} is unknown"
        )
    return [*words, *(_expanded(word, env) for word in container.get("args", ()))]


def check_supported(spec: Pod) -> None:
    """Refuse what would be skipped without a word: a pod that runs here runs as it would elsewhere."""
    for what in ("initContainers", "ephemeralContainers"):
        if spec.get(what):
            raise UnsupportedPodError(f"{what} do not run here")
    if len(spec["containers"]) > 1:
        raise UnsupportedPodError("more than one container does not run here")
    # An emptyDir is the machine's own folder; the token of a service account is a projected volume nobody asked for.
    harmless = {volume["name"] for volume in spec.get("volumes", ()) if "emptyDir" in volume}
    harmless |= {volume["name"] for volume in spec.get("volumes", ()) if volume["name"].startswith("kube-api-access-")}
    wanted = [mount["name"] for mount in spec["containers"][0].get("volumeMounts", ()) if mount["name"] not in harmless]
    if wanted:
        raise UnsupportedPodError(f"volumes are not mounted here: {', '.join(wanted)}")


def _whole(source: Pod, read: Read) -> dict[str, str]:
    for field, kind in _WHOLE_SOURCES:
        if reference := source.get(field):
            data = read(kind, reference["name"])
            if data is None and not reference.get("optional"):
                raise MissingReferenceError(f'{kind} "{reference["name"]}" not found')
            return {source.get("prefix", "") + name: value for name, value in (data or {}).items()}
    raise UnsupportedPodError(f"envFrom {sorted(source)} is not known here")


def _value(variable: Pod, pod: Pod, env: Mapping[str, str], read: Read) -> str | None:
    """A variable's value; None when its source is optional and not there."""
    source = variable.get("valueFrom")
    if source is None:
        return _expanded(variable.get("value", ""), env)
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
    raise UnsupportedPodError(f"valueFrom {sorted(source)} of {variable['name']} is not known here")


def _field(pod: Pod, path: str) -> str:
    if found := _SUBSCRIPT.fullmatch(path):
        return str(pod["metadata"].get(found[1], {}).get(found[2], ""))
    part, _, name = path.partition(".")
    if part not in {"metadata", "spec", "status"} or "." in name:
        raise UnsupportedPodError(f"fieldPath {path} is not known here")
    return str(pod.get(part, {}).get(name, ""))


def _expanded(text: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` as Kubernetes has it: an unknown name stays as it is, ``$$`` is one dollar."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return _REFERENCE.sub(value, text)
