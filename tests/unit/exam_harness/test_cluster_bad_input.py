"""A machine that cannot have a cluster: each reason is told, with what to do about it."""

import os
import shutil
import socket
from collections import namedtuple

import pytest

from exam_harness.environments.cluster.kind import NAME, Cluster, _check_port, configuration
from exam_harness.environments.docker import engine
from exam_harness.environments.processes.process import HarnessError


def test_a_port_that_is_taken_is_named() -> None:
    """If something listens on the port already, I am told how to find it and how to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HarnessError, match=rf"port {port} of 127\.0\.0\.1 .*in use.*HTTP_PORT=8080"):
            _check_port(port)


def test_without_docker_and_without_root(monkeypatch) -> None:
    """If no Docker engine answers and I am not root, I am told both ways out."""
    monkeypatch.setattr(engine, "running", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HarnessError, match=r"no Docker engine answers.*start Docker.*as root"):
        engine.bring_up(lambda _: None)


def test_without_room(monkeypatch, tmp_path) -> None:
    """If the disk is full, I am told where, how much is missing, and how to use another."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as the standard library has it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1024**3))
    with pytest.raises(HarnessError, match=r"has 1\.0 GiB free.*need 12 GiB.*EXAM_CACHE_DIR"):
        engine.check_space(tmp_path / "not/there/yet")


def test_without_debian(monkeypatch) -> None:
    """If this is no Debian, I am told to start Docker myself."""
    monkeypatch.setattr(engine, "_is_installed", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HarnessError, match=r"no Debian: install and start Docker"):
        engine._install(lambda _: None)


@pytest.mark.parametrize("from_packages", [True, False])
def test_the_port_of_the_host_is_the_one_that_was_asked_for(from_packages) -> None:
    """If I choose another port, both hosts are behind it, whichever way the node's image was had."""
    whole = configuration(from_packages=from_packages, port=8080)
    assert whole["nodes"][0]["extraPortMappings"] == [
        {"containerPort": 80, "hostPort": 8080, "listenAddress": "127.0.0.1"}
    ]
    assert ("networking" in whole) == from_packages


@pytest.mark.parametrize(
    ("fails", "told"),
    [("start", r"does not start: port is allocated\n.make down. takes it away"), ("exec", r"is not running")],
)
def test_a_cluster_that_cannot_be_looked_at_is_not_taken_away(monkeypatch, fails, told) -> None:
    """If the cluster that is here does not start, or cannot be looked at, I am told; it is not made anew."""
    troubles = {"start": "port is allocated", "exec": "the container is not running"}

    def docker(_, verb: str, *__: str) -> str:
        if verb == fails:
            raise HarnessError(troubles[verb])
        return NAME

    monkeypatch.setattr(engine.Engine, "docker", docker)
    with pytest.raises(HarnessError, match=told):
        Cluster(engine.Engine("", ours=False)).resume(lambda _: None)


def test_a_cluster_whose_making_was_interrupted_is_to_be_made_anew(monkeypatch) -> None:
    """If the cluster that is here was never whole, I am told, and another is to be made."""
    monkeypatch.setattr(engine.Engine, "docker", lambda *_: NAME)
    said: list[str] = []
    assert not Cluster(engine.Engine("", ours=False)).resume(said.append)
    assert said == ["a cluster is here whose making was interrupted"]
