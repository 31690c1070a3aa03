"""The OCI runtime for a host that lacks capabilities drops those from containers, and changes nothing else."""

import importlib.machinery
import importlib.util
import json

import pytest

from exam_harness.environments.docker.engine import RUNTIME


@pytest.fixture
def runtime():
    """The runtime as a module, without running it."""
    loader = importlib.machinery.SourceFileLoader("runc_as_allowed", str(RUNTIME))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def limited(runtime, monkeypatch):
    """The runtime on a host with two capabilities."""
    monkeypatch.setattr(runtime, "host_capabilities", lambda: {"CAP_CHOWN", "CAP_KILL"})
    return runtime


def _process() -> dict:
    requested = ["CAP_CHOWN", "CAP_SYS_RESOURCE"]
    return {"args": ["sh"], "oomScoreAdj": -500, "capabilities": {"bounding": requested, "ambient": []}}


def _allowed() -> dict:
    return {"args": ["sh"], "oomScoreAdj": 0, "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": []}}


@pytest.mark.parametrize(
    "command",
    [
        ["--root", "/run", "create", "--bundle", "HERE", "--pid-file", "p", "id"],
        ["create", "--bundle=HERE", "id"],
        ["run", "-b", "HERE", "id"],
    ],
)
def test_a_container_gets_the_capabilities_of_the_host(limited, tmp_path, command) -> None:
    """If a privileged container is created, it gets the capabilities that the host has."""
    (tmp_path / "config.json").write_text(json.dumps({"process": _process(), "root": {}}))
    limited.rewrite([word.replace("HERE", str(tmp_path)) for word in command])
    assert json.loads((tmp_path / "config.json").read_text()) == {"process": _allowed(), "root": {}}


def test_an_exec_gets_the_capabilities_of_the_host(limited, tmp_path) -> None:
    """If a process is run in a container, it gets the capabilities that the host has."""
    file = tmp_path / "process.json"
    file.write_text(json.dumps(_process()))
    limited.rewrite(["exec", "--process", str(file), "--detach", "id"])
    assert json.loads(file.read_text()) == _allowed()


def test_a_host_with_all_capabilities_changes_nothing(runtime, monkeypatch, tmp_path) -> None:
    """If the host has all capabilities, the container configuration is unchanged."""
    monkeypatch.setattr(runtime, "host_capabilities", lambda: {f"CAP_{name}" for name in runtime.NAMES})
    (tmp_path / "config.json").write_text(json.dumps({"process": _process()}))
    runtime.rewrite(["create", "--bundle", str(tmp_path), "id"])
    assert json.loads((tmp_path / "config.json").read_text()) == {"process": _process()}


@pytest.mark.parametrize("command", [["delete", "--force", "id"], ["kill", "id", "9"], ["--version"]])
def test_other_commands_are_passed_through(limited, command) -> None:
    """If another command is run, no file is changed."""
    limited.rewrite(command)
