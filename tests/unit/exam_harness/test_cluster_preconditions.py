"""Errors of a machine that cannot run a cluster: each names the reason and what to do."""

import errno
import os
import shutil
import socket
import ssl
from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from exam_harness.environments.cluster.kind import NAME, Cluster, configuration
from exam_harness.environments.cluster.port import FALLBACK, check_port, choose_port
from exam_harness.environments.docker import engine, registry
from exam_harness.environments.docker.certificates import host_certificates
from exam_harness.environments.processes.process import HarnessError

ENGINE = engine.Engine("", managed=False)


def test_a_port_in_use_is_an_error() -> None:
    """If the port is in use, the error says how to find the process and how to choose another port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(HarnessError, match=rf"cannot bind 127\.0\.0\.1:{port} .*in use.*HTTP_PORT=8080"):
            check_port(ENGINE, port)


def test_another_port_is_used_if_80_is_taken(monkeypatch) -> None:
    """If I name no port and another program has port 80, port 8080 is used, and I am shown why."""
    monkeypatch.setattr(socket.socket, "bind", _refusing({80: errno.EADDRINUSE}))
    messages: list[str] = []
    assert choose_port(ENGINE, messages.append, None) == FALLBACK
    assert "cannot bind 127.0.0.1:80" in messages[0]
    with pytest.raises(HarnessError, match=r"cannot bind 127\.0\.0\.1:80 "):
        choose_port(ENGINE, messages.append, 80)


@pytest.mark.parametrize(("options", "port"), [("[name=seccomp]", 80), ("[name=rootless]", FALLBACK)])
def test_port_80_needs_no_root_if_the_engine_has_it(monkeypatch, options: str, port: int) -> None:
    """If I am not root, port 80 is published by an engine that is, and 8080 by one that is not."""
    monkeypatch.setattr(socket.socket, "bind", _refusing({80: errno.EACCES}))
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: errno.ECONNREFUSED)
    monkeypatch.setattr(engine.Engine, "docker", lambda *_: options)
    assert choose_port(ENGINE, lambda _: None, None) == port


def _refusing(errors: dict[int, int]) -> Callable[..., None]:
    """A bind that fails for some ports."""

    def bind(_: socket.socket, address: tuple[str, int]) -> None:
        if address[1] in errors:
            raise OSError(errors[address[1]], os.strerror(errors[address[1]]))

    return bind


def _pull_fails(monkeypatch, error: str) -> None:
    def run(*_: object, **__: object) -> str:
        raise HarnessError(error)

    monkeypatch.setattr(engine.Engine, "has_image", lambda *_: False)
    monkeypatch.setattr(registry, "run", run)


@pytest.mark.parametrize(
    "error",
    [
        "dial tcp: lookup of the registry: no such host",
        "dial tcp 127.0.0.1:443: connect: connection refused",
        "denied: requested access to the resource is denied",
    ],
)
def test_without_a_registry_images_are_built(monkeypatch, error: str) -> None:
    """If no image registry can be reached, images are built from package registries."""
    _pull_fails(monkeypatch, error)
    assert registry.uses_packages(ENGINE, {})


@pytest.mark.parametrize(
    "error",
    [
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "timed out after 60 s: docker pull --quiet hello-world",
        "net/http: TLS handshake timeout",
        "context deadline exceeded",
        "received unexpected HTTP status: 503 Service Unavailable",
    ],
)
def test_a_busy_registry_is_not_taken_for_none(monkeypatch, error: str) -> None:
    """If the registry is slow or limits my pulls, I am shown what to do, and nothing is compiled for half an hour."""
    _pull_fails(monkeypatch, error)
    with pytest.raises(HarnessError, match=r"slow or limits requests.*docker login.*EXAM_IMAGES=packages"):
        registry.uses_packages(ENGINE, {})


def test_the_source_of_images_can_be_set(monkeypatch) -> None:
    """If I set EXAM_IMAGES, no registry is probed; a wrong value is an error."""
    _pull_fails(monkeypatch, "must not be called: timeout")
    assert registry.uses_packages(ENGINE, {"EXAM_IMAGES": "packages"})
    assert not registry.uses_packages(ENGINE, {"EXAM_IMAGES": "official"})
    with pytest.raises(HarnessError, match="EXAM_IMAGES is 'mine': set it to official or packages"):
        registry.uses_packages(ENGINE, {"EXAM_IMAGES": "mine"})


def test_certificates_are_found_where_the_distribution_keeps_them(tmp_path, monkeypatch) -> None:
    """Trusted certificates are found wherever my distribution keeps them; without any, the error names the places."""
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=None))
    bundle = tmp_path / "bundle.pem"
    with pytest.raises(HarnessError, match=r"no bundle of trusted certificates at .*bundle\.pem.*SSL_CERT_FILE"):
        host_certificates({}, [bundle])
    bundle.touch()
    assert host_certificates({}, [tmp_path / "absent.crt", bundle]) == bundle
    assert host_certificates({"SSL_CERT_FILE": str(bundle)}, []) == bundle


def test_no_docker_and_no_root_is_an_error(monkeypatch) -> None:
    """If no Docker engine is running and I am not root, the error names both remedies."""
    monkeypatch.setattr(engine, "find_running", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HarnessError, match=r"cannot connect to a Docker engine.*start Docker.*as root"):
        engine.start_or_connect(lambda _: None)


def test_a_full_disk_is_an_error(monkeypatch, tmp_path) -> None:
    """If the disk is full, the error names the folder, the space required, and the variable for another folder."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as in the standard library
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1024**3))
    with pytest.raises(HarnessError, match=r"has 1\.0 GiB free.*need 12 GiB.*EXAM_CACHE_DIR"):
        engine.check_space(tmp_path / "not/there/yet")


def test_no_debian_is_an_error(monkeypatch) -> None:
    """If this is not Debian, the error tells me to install and start Docker myself."""
    monkeypatch.setattr(engine, "_is_installed", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HarnessError, match=r"not Debian: install and start Docker"):
        engine._install(lambda _: None)


@pytest.mark.parametrize("from_packages", [True, False])
def test_the_host_port_is_configurable(from_packages) -> None:
    """If I choose another port, both hosts are served on it, whichever node image is used."""
    config = configuration(from_packages=from_packages, port=8080)
    assert config["nodes"][0]["extraPortMappings"] == [
        {"containerPort": 80, "hostPort": 8080, "listenAddress": "127.0.0.1"}
    ]
    assert ("networking" in config) == from_packages


@pytest.mark.parametrize(
    ("fails", "error"),
    [("start", r"does not start: port is allocated\nrun .make down. to delete it"), ("exec", r"is not running")],
)
def test_a_cluster_that_cannot_be_inspected_is_kept(monkeypatch, fails, error) -> None:
    """If the existing cluster does not start or cannot be inspected, that is an error; it is not recreated."""
    errors = {"start": "port is allocated", "exec": "the container is not running"}

    def docker(_, verb: str, *__: str) -> str:
        if verb == fails:
            raise HarnessError(errors[verb])
        return NAME

    monkeypatch.setattr(engine.Engine, "docker", docker)
    with pytest.raises(HarnessError, match=error):
        Cluster(engine.Engine("", managed=False)).resume(lambda _: None)


def test_an_incomplete_cluster_is_not_resumed(monkeypatch) -> None:
    """If the creation of the existing cluster was interrupted, the error says so, and it is to be recreated."""
    monkeypatch.setattr(engine.Engine, "docker", lambda *_: NAME)
    messages: list[str] = []
    assert not Cluster(engine.Engine("", managed=False)).resume(messages.append)
    assert messages == ["the existing cluster is incomplete: its creation was interrupted"]
