"""Bills of materials name what an image installs; an audit that cannot be made is never taken for a clean one."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
from packaging.requirements import Requirement

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.supply_chain import audit, sbom, tools

pytestmark = pytest.mark.integration

ADVISORY = {
    "id": "PYSEC-1",
    "summary": "a fault",
    "affected": [{"package": {"name": "any", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": []}]}],
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The locked programs."""
    return tools.install_tools(tmp_path_factory.mktemp("tools"))


def normalized(name: str) -> str:
    """A package's name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(image: str) -> dict[str, str]:
    """The packages and versions of an image's lock whose conditions hold here."""
    lines = re.findall(r"^\w.*==[^\\\n]+", (REPOSITORY / f"requirements/{image}.txt").read_text(), re.MULTILINE)
    packages = [Requirement(line) for line in lines]
    here = [each for each in packages if each.marker is None or each.marker.evaluate()]
    return {normalized(each.name): str(each.specifier).removeprefix("==") for each in here}


@pytest.mark.parametrize("image", ["grader", "operator"])
def test_an_sbom_names_what_the_image_installs(programs, tmp_path, image) -> None:
    """Each package of the lock is named with its version and its dependencies; nothing of development is."""
    path = sbom.write_sbom(image, programs, work=tmp_path / "work", output=tmp_path)
    document = json.loads(path.read_text())
    named = {normalized(each["name"]): each["version"] for each in document["components"]}
    ours = {f"exam-{Path(member).name}" for member in sbom.members(sbom.IMAGES[image])}
    third = {name: version for name, version in named.items() if name not in ours}
    assert third == locked(image)
    assert document["metadata"]["component"]["name"] == f"exam-{image}"
    assert ours - {f"exam-{image}"} <= set(named)
    assert not {"pytest", "mypy", "exam-harness", "exam-cli"} & set(named)
    assert all(each["purl"].startswith("pkg:pypi/") for each in document["components"] if each["name"] not in ours)
    (root,) = (each for each in document["dependencies"] if each["ref"] == "root-component")
    assert len(root["dependsOn"]) >= 5
    assert not re.search(r"file:|/tmp|/home|/root", path.read_text())


class Database:
    """An advisory database that knows advisories of some packages."""

    def __init__(self) -> None:
        self.vulnerable: set[str] = set()
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                found = {"vulns": [ADVISORY]} if query["package"]["name"] in database.vulnerable else {}
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/query"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def database() -> Iterator[Database]:
    """A running database without advisories."""
    with Database() as running:
        yield running


def test_a_vulnerable_package_fails_the_audit(programs, database, capfd) -> None:
    """A locked package with an advisory is named, and the exit code is 1; without one it is 0."""
    lock = REPOSITORY / "requirements/build.txt"
    database.vulnerable = {"jinja2"}
    assert audit.python_audit(programs, [lock], osv_url=database.url) == audit.CLEAN
    database.vulnerable = {"jinja2", "packaging"}
    assert audit.python_audit(programs, [lock], osv_url=database.url) == audit.VULNERABLE
    assert re.search(r"packaging +\S+ +PYSEC-1", capfd.readouterr().out)


def test_an_audit_without_its_programs_is_not_called_clean(tmp_path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    """Without a package index nothing is audited, and the message says what is missing."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert audit.main(work=tmp_path) == audit.NOT_AUDITED
    assert "NOT AUDITED: the programs of requirements/audit.txt cannot be installed" in capfd.readouterr().err


def test_an_audit_without_advisories_is_not_called_clean(programs, database, capfd) -> None:
    """If the database knows no advisory, not even a well-known one, or does not answer, nothing was audited."""
    for address in (database.url, "http://127.0.0.1:9/v1/query"):
        assert audit.python_audit(programs, [], osv_url=address) == audit.NOT_AUDITED, address
        assert "NOT AUDITED: the advisory database does not answer" in capfd.readouterr().err
