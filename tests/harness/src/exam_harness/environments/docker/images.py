"""The images of services, stores and cluster parts, and what they are called.

Where an image registry answers, bases and stores are the official images. Where none does, everything comes from
package registries: Debian's packages by debootstrap, Python's by hash, Go programs by
`exam_harness.environments.builds`.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exam_harness.environments.builds.binaries import Binary, home
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import CASSANDRA_SOURCES, REPOSITORY, cassandra_home, short_digest
from exam_harness.environments.processes.shell import run

HOST = "localhost"
"""The registry that no image here is ever pulled from."""
DOCKER = REPOSITORY / "docker"
DEBIAN = f"{HOST}/exam-platform/debian:bookworm-slim"
UNREAD = (
    "usr/share/doc/*/changelog*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*",
)
"""What debootstrap leaves behind and nobody reads in a container."""
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
SERVICES: dict[str, dict[str, str]] = {
    "web": {},
    "solver": {},
    "grader": {"MODELS": "services/web"},
    "operator": {"OWN": "operator", "LOG": "services/core"},
}
"""Our services, with what the recipe of all has to be told of each."""
PYTHON = {"runtime": f"{HOST}/exam-platform/python:3.11", "build": f"{HOST}/exam-platform/python:3.11-build"}
STORES = {"postgres": "15", "redis": "7.0", "nginx": "1.22", "cassandra": "5.0.6"}
"""What Debian's packages have of each, and Maven of Cassandra."""


def image_name(name: str, tag: str) -> str:
    """An image of our own making."""
    return f"{HOST}/exam-platform/{name}:{tag}"


def build_bases(engine: Engine, echo: Echo) -> None:
    """What the others are built on and from: Debian, and Python on it."""
    _build_debian(engine, echo)
    _build_python(engine, echo)


def build_stores(engine: Engine, echo: Echo, names: Iterable[str] = STORES) -> list[str]:
    """PostgreSQL, Redis, nginx and Cassandra from packages; their names."""
    built = []
    for name in names:
        image = image_name(name, STORES[name])
        built.append(image)
        echo(f"image {image}")
        with _context(DOCKER / name) as context:
            if name == "cassandra":
                for source in ("jvm.options", "logback.xml"):
                    shutil.copy(CASSANDRA_SOURCES / source, context / source)
                shutil.copytree(cassandra_home() / "lib", context / "lib")
            engine.docker("build", "--quiet", f"--build-arg=DEBIAN_IMAGE={DEBIAN}", f"--tag={image}", str(context))
    return built


def build_service(engine: Engine, echo: Echo, service: str, *, tag: str, from_packages: bool) -> str:
    """The image of one of our services; its name."""
    image = image_name(service, tag)
    if engine.has_image(image):
        return image
    echo(f"image {image}")
    arguments = {"SERVICE": service, **SERVICES[service], "REVISION": tag}
    if from_packages:
        arguments |= {"PYTHON_IMAGE": PYTHON["runtime"], "BUILD_IMAGE": PYTHON["build"]}
    words = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    recipe = str(DOCKER / "service.Dockerfile")
    engine.docker(
        "build", "--quiet", f"--file={recipe}", f"--target={service}", *words, f"--tag={image}", str(REPOSITORY)
    )
    return image


def build_services(engine: Engine, echo: Echo, *, from_packages: bool) -> dict[str, str]:
    """The images of all of our services, named by what they are made of; their tags by service."""
    tag = f"dev-{source_digest()}"
    for service in SERVICES:
        build_service(engine, echo, service, tag=tag, from_packages=from_packages)
    return dict.fromkeys(SERVICES, tag)


def build_program(engine: Engine, echo: Echo, binary: Binary, *, user: int = 65532) -> str:
    """An image with nothing in it but one of the programs that were built from Go modules; its name.

    A program that binds a low port needs `user` 0: a file's capabilities do not survive the plain builder.
    """
    image = image_name(binary.name, binary.version)
    if not engine.has_image(image):
        echo(f"image {image}")
        with tempfile.TemporaryDirectory(prefix="exam-image-") as folder:
            context = Path(folder)
            shutil.copy(home(binary) / binary.name, context / "program")
            shutil.copy(TRUSTED, context / "certificates")
            (context / "Dockerfile").write_text(
                "FROM scratch\nCOPY certificates /etc/ssl/certs/ca-certificates.crt\n"
                f'COPY program /{binary.name}\nUSER {user}:{user}\nENTRYPOINT ["/{binary.name}"]\n'
            )
            engine.docker("build", "--quiet", f"--tag={image}", str(context))
    return image


def source_digest() -> str:
    """A digest of everything that the services' images are made of."""
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
    """A copy of a folder of sources, to which more may be added."""
    with tempfile.TemporaryDirectory(prefix="exam-image-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(sources, context)
        yield context


def _build_debian(engine: Engine, echo: Echo) -> None:
    """The Debian that the others start from, trusting whom this host trusts."""
    if engine.has_image(DEBIAN):
        return
    echo("Debian by debootstrap")
    with tempfile.TemporaryDirectory(prefix="exam-debian-") as folder:
        root = Path(folder) / "root"
        run(["debootstrap", "--variant=minbase", "bookworm", str(root)])
        shutil.copytree(DOCKER / "debian", root, dirs_exist_ok=True)
        # Once as the bundle, once where it becomes part of the bundle that the package ca-certificates makes.
        for place in (root / "etc/ssl/certs/ca-certificates.crt", root / "usr/local/share/ca-certificates/host.crt"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TRUSTED, place)
        archive = Path(folder) / "root.tar"
        run(["tar", "-C", str(root), *(f"--exclude=./{pattern}" for pattern in UNREAD), "-cf", str(archive), "."])
        engine.docker("import", "--change", f"ENV PIP_CERT={TRUSTED}", str(archive), DEBIAN)


def _build_python(engine: Engine, echo: Echo) -> None:
    """The two images that services are built on and from."""
    echo("image Python 3.11")
    for target, image in PYTHON.items():
        words = (f"--build-arg=DEBIAN_IMAGE={DEBIAN}", f"--target={target}", f"--tag={image}", str(DOCKER / "python"))
        engine.docker("build", "--quiet", *words)
