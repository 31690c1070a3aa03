"""Errors of a machine that cannot run a cluster: each names the reason and what to do."""

import os
import shutil
import socket
from collections import namedtuple

import pytest

from exam_harness.environments.cluster.kind import NAME, Cluster, _check_port, configuration
from exam_harness.environments.docker import engine
from exam_harness.environments.processes.process import HarnessError


def test_a_port_in_use_is_an_error() -> None:
    """If the port is in use, the error says how to find the process and how to choose another port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(HarnessError, match=rf"cannot bind 127\.0\.0\.1:{port} .*in use.*HTTP_PORT=8080"):
            _check_port(port)


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
