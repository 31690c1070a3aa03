"""Bills of materials name what an image installs; an audit that cannot be made is never taken for a clean one."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest
from packaging.requirements import Requirement

from exam_harness.environments.builds.binaries import KUBERNETES, POSTGRES_EXPORTER
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.supply_chain import audit, exit_codes, sbom, tools
from exam_harness.supply_chain.go_audit import go_audit, modules_of

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
    assert audit.python_audit(programs, [lock], osv_url=database.url) == exit_codes.CLEAN
    database.vulnerable = {"jinja2", "packaging"}
    assert audit.python_audit(programs, [lock], osv_url=database.url) == exit_codes.VULNERABLE
    assert re.search(r"packaging +\S+ +PYSEC-1", capfd.readouterr().out)


def test_an_audit_without_its_programs_is_not_called_clean(tmp_path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    """Without a package index nothing is audited, and the message says what is missing."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert audit.audit_python(tmp_path) == exit_codes.NOT_AUDITED
    assert "NOT AUDITED: the programs of requirements/audit.txt cannot be installed" in capfd.readouterr().err


def test_an_audit_without_advisories_is_not_called_clean(programs, database, capfd) -> None:
    """If the database knows no advisory, not even a well-known one, or does not answer, nothing was audited."""
    for address in (database.url, "http://127.0.0.1:9/v1/query"):
        assert audit.python_audit(programs, [], osv_url=address) == exit_codes.NOT_AUDITED, address
        assert "NOT AUDITED: the advisory database does not answer" in capfd.readouterr().err


CANARY = {"GO-2021-0113": ("golang.org/x/text", "0.3.8")}
"""The well-known advisory that is looked up first."""
PROGRAM = [POSTGRES_EXPORTER]


def vulnerability_database(folder: Path, advisories: dict[str, tuple[str, str]]) -> str:
    """The URL of a Go vulnerability database in files; each advisory has a module and the version that is fixed."""
    now = "2026-01-01T00:00:00Z"
    (folder / "ID").mkdir(parents=True)
    (folder / "index").mkdir()
    index: list[dict[str, Any]] = []
    for name, (module, fixed) in advisories.items():
        affected = {
            "package": {"name": module, "ecosystem": "Go"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            "ecosystem_specific": {"imports": [{"path": module}]},
        }
        entry = {"schema_version": "1.3.1", "id": name, "modified": now, "published": now, "details": "a fault"}
        (folder / f"ID/{name}.json").write_text(json.dumps(entry | {"affected": [affected]}))
        index.append({"path": module, "vulns": [{"id": name, "modified": now, "fixed": fixed}]})
    (folder / "index/modules.json").write_text(json.dumps(index))
    (folder / "index/db.json").write_text(json.dumps({"modified": now}))
    return folder.as_uri()


@pytest.mark.parametrize(
    ("advisory", "code"),
    [
        (("example.org/unused", "9.0.0"), exit_codes.CLEAN),
        (("github.com/lib/pq", "1.0.0"), exit_codes.CLEAN),
        (("github.com/lib/pq", "9.0.0"), exit_codes.VULNERABLE),
        (("stdlib", "9.0.0"), exit_codes.VULNERABLE),
    ],
    ids=["of no module", "fixed before", "of a module", "of Go"],
)
def test_a_vulnerable_go_module_fails_the_audit(tmp_path, capfd, advisory, code) -> None:
    """A module of a Go program with an advisory of its version is named, and the exit code is 1; without, it is 0."""
    database = vulnerability_database(tmp_path / "db", CANARY | {"GO-2026-0001": advisory})
    assert go_audit(PROGRAM, database=database) == code
    output = capfd.readouterr().out
    named = re.search(rf"postgres-exporter: {re.escape(advisory[0])}@v\S+: GO-2026-0001", output)
    assert (named is not None) is (code == exit_codes.VULNERABLE), output


def test_a_go_audit_without_advisories_is_not_called_clean(tmp_path, capfd) -> None:
    """If the database lacks the well-known advisory, or does not answer, no Go program was audited."""
    databases = (
        vulnerability_database(tmp_path / "empty", {"GO-2026-0001": ("github.com/lib/pq", "9.0.0")}),
        (tmp_path / "nowhere").as_uri(),
        "http://127.0.0.1:9",
    )
    for database in databases:
        assert go_audit(PROGRAM, database=database) == exit_codes.NOT_AUDITED, database
        assert "Go: NOT AUDITED: the vulnerability database cannot be read" in capfd.readouterr().err


def test_replaced_modules_are_audited_in_the_version_that_is_built() -> None:
    """If a go.mod replaces a module, as that of Kubernetes does, the replacement is looked up."""
    modules = set(modules_of(KUBERNETES))
    assert f"k8s.io/api@{KUBERNETES.version.replace('v1.', 'v0.')}" in modules
    assert not [each for each in modules if each.endswith("@v0.0.0")]
