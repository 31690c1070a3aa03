"""The runtime of a host that lacks capabilities: what it has not, no container gets; nothing else changes."""

import importlib.machinery
import importlib.util
import json

import pytest

from exam_harness.environments.docker.engine import RUNTIME


@pytest.fixture
def runtime():
    """The runtime's code, without running it."""
    loader = importlib.machinery.SourceFileLoader("runc_as_allowed", str(RUNTIME))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def few(runtime, monkeypatch):
    """A host that has two capabilities."""
    monkeypatch.setattr(runtime, "held", lambda: {"CAP_CHOWN", "CAP_KILL"})
    return runtime


def _process() -> dict:
    asked = ["CAP_CHOWN", "CAP_SYS_RESOURCE"]
    return {"args": ["sh"], "oomScoreAdj": -500, "capabilities": {"bounding": asked, "ambient": []}}


def _allowed() -> dict:
    return {"args": ["sh"], "oomScoreAdj": 0, "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": []}}


@pytest.mark.parametrize(
    "words",
    [
        ["--root", "/run", "create", "--bundle", "HERE", "--pid-file", "p", "id"],
        ["create", "--bundle=HERE", "id"],
        ["run", "-b", "HERE", "id"],
    ],
)
def test_a_container_gets_what_there_is(few, tmp_path, words) -> None:
    """If a privileged container is made, it is given the capabilities that the host has."""
    (tmp_path / "config.json").write_text(json.dumps({"process": _process(), "root": {}}))
    few.rewrite([word.replace("HERE", str(tmp_path)) for word in words])
    assert json.loads((tmp_path / "config.json").read_text()) == {"process": _allowed(), "root": {}}


def test_a_process_in_a_container_gets_what_there_is(few, tmp_path) -> None:
    """If something is run in a container, the same holds for it."""
    file = tmp_path / "process.json"
    file.write_text(json.dumps(_process()))
    few.rewrite(["exec", "--process", str(file), "--detach", "id"])
    assert json.loads(file.read_text()) == _allowed()


def test_a_host_with_everything_changes_nothing(runtime, monkeypatch, tmp_path) -> None:
    """If the host lacks nothing, a container is what was asked for."""
    monkeypatch.setattr(runtime, "held", lambda: {f"CAP_{name}" for name in runtime.NAMES})
    (tmp_path / "config.json").write_text(json.dumps({"process": _process()}))
    runtime.rewrite(["create", "--bundle", str(tmp_path), "id"])
    assert json.loads((tmp_path / "config.json").read_text()) == {"process": _process()}


@pytest.mark.parametrize("words", [["delete", "--force", "id"], ["kill", "id", "9"], ["--version"]])
def test_other_commands_are_runcs_own(few, words) -> None:
    """If anything else is asked of it, no file is touched."""
    few.rewrite(words)
