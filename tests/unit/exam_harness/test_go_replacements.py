"""Programs from Go modules with a replaced source file."""

import pytest

from exam_harness.environments.builds import binaries
from exam_harness.environments.builds.binaries import TRAEFIK, Binary, home

MODULE = "module here\n\nrequire example.org/tool v1.2.3\n"
NAME = "example.org/parts/part.go"


@pytest.fixture
def tool(tmp_path, monkeypatch) -> Binary:
    """A program with its sources in a temporary folder."""
    monkeypatch.setattr(binaries, "OFFLINE_SOURCES", tmp_path)
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/go.mod").write_text(MODULE)
    return Binary(name="tool", module="example.org/tool")


def test_a_replaced_file_changes_the_cache_key(tool) -> None:
    """If a replacement of a module's file changes, the program is rebuilt."""
    homes = [home(tool)]
    for text in ("package parts\n", "package parts // other\n"):
        path = tool.sources / "replacements" / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        homes.append(home(tool))
    assert len(set(homes)) == 3
    assert tool.replacements == {NAME: tool.sources / "replacements" / NAME}


def test_traefik_is_built_without_dns_providers() -> None:
    """If Traefik is built, the file that imports the SDK of every DNS provider is replaced."""
    (name,) = TRAEFIK.replacements
    assert name == "github.com/go-acme/lego/v4/providers/dns/zz_gen_dns_providers.go"
