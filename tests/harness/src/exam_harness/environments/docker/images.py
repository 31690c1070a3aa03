"""Build the images of services, stores and cluster components.

Where an image registry is available, base and store images are the official ones. Otherwise everything comes from
package registries: Debian packages with debootstrap, Python packages by hash, Go programs from
`exam_harness.environments.builds`.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exam_harness.environments.builds.binaries import Binary, home
from exam_harness.environments.docker.certificates import host_certificates
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import CASSANDRA_SOURCES, REPOSITORY, cassandra_home, short_digest
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.servers.install import install_cassandra
from exam_harness.environments.processes.shell import run

HOST = "localhost"
"""The registry part of image names, so that they are never pulled from a real registry."""
DOCKER = REPOSITORY / "docker"
DEBIAN = f"{HOST}/exam-platform/debian:bookworm-slim"
EXCLUDED = (
    "usr/share/doc/*/changelog*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*",
)
"""Files of debootstrap that are not needed in a container."""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where images built here, which are Debian's, have the trusted certificates."""
OFFICIAL_PYTHON = "python:3.11-slim-bookworm"
"""The base image of the services where a registry answers."""
SERVICES: dict[str, dict[str, str]] = {
    "web": {"MEMBER": "services/papers"},
    "solver": {},
    "grader": {"MEMBER": "services/web"},
    "operator": {"OWN": "operator", "LOG": "services/core"},
}
"""The platform's services, with the build arguments of each."""
PYTHON = {"runtime": f"{HOST}/exam-platform/python:3.11", "build": f"{HOST}/exam-platform/python:3.11-build"}
STORES = {"postgres": "15", "redis": "7.0", "nginx": "1.22", "cassandra": "5.0.6"}
"""Tags: the versions of Debian's packages, and of Cassandra from Maven."""
EXPORTERS = {"redis-exporter": "1.45"}
"""The exporters that come from Debian too; postgres_exporter is a program built from its Go module."""


def image_name(name: str, tag: str) -> str:
    """Return the full name of an image that is built here."""
    return f"{HOST}/exam-platform/{name}:{tag}"


def build_bases(engine: Engine, echo: Echo) -> None:
    """Build the base images: Debian, and Python on Debian."""
    _build_debian(engine, echo)
    _build_python(engine, echo)


def build_stores(engine: Engine, echo: Echo, names: Iterable[str] = STORES) -> list[str]:
    """Build PostgreSQL, Redis, nginx, Cassandra or exporters from packages; return their names."""
    install_cassandra(echo)
    built = []
    for name in names:
        image = image_name(name, (STORES | EXPORTERS)[name])
        built.append(image)
        echo(f"building image {image}")
        with _context(DOCKER / name) as context:
            if name == "cassandra":
                for source in ("jvm.options", "logback.xml"):
                    shutil.copy(CASSANDRA_SOURCES / source, context / source)
                shutil.copytree(cassandra_home() / "lib", context / "lib")
            engine.docker("build", "--quiet", f"--build-arg=DEBIAN_IMAGE={DEBIAN}", f"--tag={image}", str(context))
    return built


def build_service(engine: Engine, echo: Echo, service: str, *, tag: str, from_packages: bool) -> str:
    """Build the image of a service unless it exists; return its name."""
    image = image_name(service, tag)
    if engine.has_image(image):
        return image
    echo(f"building image {image}")
    arguments = {"SERVICE": service, **SERVICES[service], "REVISION": tag}
    labels: list[str] = []
    if from_packages:
        arguments |= {"PYTHON_IMAGE": PYTHON["runtime"], "BUILD_IMAGE": PYTHON["build"]}
    else:
        arguments["PYTHON_IMAGE"] = base = by_digest(engine, OFFICIAL_PYTHON)
        labels = [
            f"--label=org.opencontainers.image.base.name={OFFICIAL_PYTHON}",
            f"--label=org.opencontainers.image.base.digest={base.partition('@')[2]}",
        ]
    build_args = [*(f"--build-arg={name}={value}" for name, value in arguments.items()), *labels]
    recipe = str(DOCKER / "service.Dockerfile")
    engine.docker(
        "build", "--quiet", f"--file={recipe}", f"--target={service}", *build_args, f"--tag={image}", str(REPOSITORY)
    )
    return image


def by_digest(engine: Engine, image: str) -> str:
    """Pull an official image and return its name with the digest instead of the tag, which may move.

    Raises:
        HarnessError: it cannot be pulled, or the engine does not know its digest.
    """
    engine.docker("pull", "--quiet", image)
    digests = engine.docker("image", "inspect", '--format={{join .RepoDigests "\\n"}}', image).split()
    repository = image.rpartition(":")[0]
    pinned = next((each for each in digests if each.startswith(f"{repository}@sha256:")), None)
    if pinned is None:
        raise HarnessError(f"docker reports no digest of {image}: it was not pulled from a registry")
    return pinned


def build_services(engine: Engine, echo: Echo, *, from_packages: bool) -> dict[str, str]:
    """Build the images of all services, tagged by a digest of their sources; return the tags by service."""
    tag = f"dev-{source_digest()}"
    for service in SERVICES:
        build_service(engine, echo, service, tag=tag, from_packages=from_packages)
    return dict.fromkeys(SERVICES, tag)


def build_program(engine: Engine, echo: Echo, binary: Binary, *, user: int = 65532) -> str:
    """Build an image that has only a program built from a Go module; return its name.

    A program that binds a privileged port needs `user` 0: the legacy builder drops file capabilities.
    """
    image = image_name(binary.name, binary.version)
    if not engine.has_image(image):
        echo(f"building image {image}")
        with tempfile.TemporaryDirectory(prefix="exam-image-") as folder:
            context = Path(folder)
            shutil.copy(home(binary) / binary.name, context / "program")
            shutil.copy(host_certificates(), context / "certificates")
            (context / "Dockerfile").write_text(
                "FROM scratch\nCOPY certificates /etc/ssl/certs/ca-certificates.crt\n"
                f'COPY program /{binary.name}\nUSER {user}:{user}\nENTRYPOINT ["/{binary.name}"]\n'
            )
            engine.docker("build", "--quiet", f"--tag={image}", str(context))
    return image


def pull(engine: Engine, echo: Echo, names: Sequence[str]) -> list[str]:
    """Pull the images that the engine lacks; return their names."""
    for name in names:
        if not engine.has_image(name):
            echo(f"pulling image {name}")
            engine.docker("pull", "--quiet", name)
    return list(names)


def source_digest() -> str:
    """Return a digest of all inputs of the services' images."""
    tree = hashlib.sha256()
    roots = [*(REPOSITORY / "services").glob("*/src"), REPOSITORY / "operator/src"]
    files = [
        *(REPOSITORY / "requirements").glob("*.txt"),
        *(REPOSITORY / "services").glob("*/pyproject.toml"),
        REPOSITORY / "operator/pyproject.toml",
        *DOCKER.glob("*ockerfile"),
        *(DOCKER / "python").iterdir(),
        *(path for root in roots for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts),
    ]
    for path in sorted(files):
        tree.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes() + b"\0")
    return short_digest(tree.digest())[:12]


@contextmanager
def _context(sources: Path) -> Iterator[Path]:
    """Yield a copy of a source folder as a build context, to which files may be added."""
    with tempfile.TemporaryDirectory(prefix="exam-image-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(sources, context)
        yield context


def _build_debian(engine: Engine, echo: Echo) -> None:
    """Build the Debian base image, with the host's trusted certificates."""
    if engine.has_image(DEBIAN):
        return
    echo("building Debian with debootstrap")
    with tempfile.TemporaryDirectory(prefix="exam-debian-") as folder:
        root = Path(folder) / "root"
        run(["debootstrap", "--variant=minbase", "bookworm", str(root)])
        shutil.copytree(DOCKER / "debian", root, dirs_exist_ok=True)
        # As the bundle itself, and as an input of the bundle that the package ca-certificates generates.
        for place in (root / "etc/ssl/certs/ca-certificates.crt", root / "usr/local/share/ca-certificates/host.crt"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(host_certificates(), place)
        archive = Path(folder) / "root.tar"
        run(["tar", "-C", str(root), *(f"--exclude=./{pattern}" for pattern in EXCLUDED), "-cf", str(archive), "."])
        engine.docker("import", "--change", f"ENV PIP_CERT={CA_BUNDLE}", str(archive), DEBIAN)


def _build_python(engine: Engine, echo: Echo) -> None:
    """Build Python's runtime and build images."""
    echo("building image Python 3.11")
    for target, image in PYTHON.items():
        options = (f"--build-arg=DEBIAN_IMAGE={DEBIAN}", f"--target={target}", f"--tag={image}", str(DOCKER / "python"))
        engine.docker("build", "--quiet", *options)
