"""Build a kind node image from packages: Debian, kind's own files, Kubernetes, and the images a cluster starts with.

The images of addons and stores are preloaded too: loading them into each new cluster took most of a minute.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from exam_harness.environments.builds.binaries import COMPONENTS, COREDNS, ETCD, KIND, KUBERNETES, LOCAL_PATH, home
from exam_harness.environments.builds.go import copy_module, go_module_folder
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.docker.images import DEBIAN, build_program, image_name
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import OFFLINE_SOURCES, short_digest
from exam_harness.environments.processes.process import HarnessError
from exam_harness.waiting import eventually

SOURCES = OFFLINE_SOURCES / "node"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
ETCD_TAG = "3.6.5-0"
PAUSE_TAG = "3.10.1"
HELPER = image_name("helper", "bookworm")
"""The image with which the storage provisioner creates and removes folders: any image with a shell."""


def build_node_image(engine: Engine, echo: Echo, *, preloaded: Sequence[str]) -> str:
    """Build the node image unless it exists; its tag is a digest of its inputs.

    Args:
        engine: the Docker engine to build with.
        echo: receives progress messages.
        preloaded: images to load into the node's image store.

    Returns:
        The name of the image.
    """
    image = image_name("node", f"{KUBERNETES.version}-{_digest(engine, preloaded)}")
    if engine.has_image(image):
        return image
    echo(f"building image {image}")
    with tempfile.TemporaryDirectory(prefix="exam-node-") as folder:
        context = Path(folder)
        base = f"{image}-base"
        _write_context(context)
        engine.docker("build", "--quiet", f"--build-arg=DEBIAN={DEBIAN}", f"--tag={base}", str(context))
        archive = context / "images.tar"
        engine.docker("save", "--output", str(archive), *_cluster_images(engine, echo, context), *preloaded)
        _load_into(engine, echo, base=base, archive=archive, image=image)
        engine.docker("rmi", base)
    return image


def _digest(engine: Engine, preloaded: Sequence[str]) -> str:
    """Return a digest of all inputs; the cache folder of a program is named by its sources."""
    parts = [path.read_bytes() for path in sorted(SOURCES.rglob("*")) if path.is_file()]
    parts += [home(binary).name.encode() for binary in (KUBERNETES, ETCD, COREDNS, KIND, LOCAL_PATH)]
    parts.append(engine.docker("image", "inspect", "--format={{.Id}}", DEBIAN, *preloaded).encode())
    return short_digest(b"".join(parts) + Path(__file__).read_bytes())[:12]


def _write_context(context: Path) -> None:
    shutil.copytree(SOURCES, context, dirs_exist_ok=True)
    copy_module(go_module_folder(KIND, KIND.module) / "images/base/files", context / "files")
    programs = context / "programs"
    programs.mkdir()
    shutil.copy(home(KUBERNETES) / KUBERNETES.name, programs / KUBERNETES.name)
    for name in COMPONENTS:
        (programs / name).symlink_to(KUBERNETES.name)
    (context / "version").write_text(KUBERNETES.version)
    storage = context / "manifests/default-storage.yaml"
    images = {"PROVISIONER_IMAGE": image_name(LOCAL_PATH.name, LOCAL_PATH.version), "HELPER_IMAGE": HELPER}
    storage.write_text(re.sub("|".join(images), lambda found: images[found[0]], storage.read_text()))
    config = context / "files/etc/containerd/config.toml"
    text, pauses = re.subn(r'"[^"]*/pause:[^"]*"', f'"{image_name("pause", PAUSE_TAG)}"', config.read_text())
    config.write_text(text)
    if pauses != 1:
        raise HarnessError(
            f"expected one pause image in kind's {config.name}, found {pauses}: adapt {Path(__file__).name}"
        )


def _cluster_images(engine: Engine, echo: Echo, context: Path) -> list[str]:
    """Build the images of the control plane, network and storage of a new cluster; return their names."""
    folder = context / "control-plane"
    folder.mkdir()
    shutil.copy(home(KUBERNETES) / KUBERNETES.name, folder / KUBERNETES.name)
    shutil.copy(home(ETCD) / ETCD.name, folder / ETCD.name)
    compile_pause = ["gcc", "-static", "-Os", "-s", "-o", str(folder / "pause"), str(SOURCES / "pause.c")]
    subprocess.run(compile_pause, check=True, capture_output=True)
    links = " && ".join(f"ln -s {KUBERNETES.name} /usr/local/bin/{name}" for name in CONTROL_PLANE)
    # kube-proxy runs iptables, so its image needs a distribution; the other programs are static.
    (folder / "Dockerfile").write_text(
        f"FROM {DEBIAN} AS kubernetes\n"
        "RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends"
        " iptables conntrack kmod ipset && rm -rf /var/lib/apt/lists/*\n"
        f"COPY {KUBERNETES.name} /usr/local/bin/\nRUN {links}\n"
        "FROM scratch AS etcd\nCOPY etcd /usr/local/bin/etcd\nENV PATH=/usr/local/bin\n"
        'FROM scratch AS pause\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n'
    )
    tags = {
        "kubernetes": [image_name(name, KUBERNETES.version) for name in CONTROL_PLANE],
        "etcd": [image_name("etcd", ETCD_TAG)],
        "pause": [image_name("pause", PAUSE_TAG)],
    }
    for target, names in tags.items():
        words = [f"--tag={name}" for name in names]
        engine.docker("build", "--quiet", f"--target={target}", *words, str(folder))
    engine.docker("tag", DEBIAN, HELPER)
    built = [build_program(engine, echo, COREDNS, user=0), build_program(engine, echo, LOCAL_PATH), HELPER]
    return [*(name for names in tags.values() for name in names), *built]


def _load_into(engine: Engine, echo: Echo, *, base: str, archive: Path, image: str) -> None:
    """Import images into the containerd store of a node, as kind's own build does, and commit the result."""
    echo("loading the images a cluster starts with into the node image")
    container = engine.docker(
        "run", "--detach", "--privileged", "--entrypoint=/bin/sleep", base, "infinity", seconds=120
    ).strip()
    try:
        engine.docker("exec", "--detach", container, "containerd")
        eventually(lambda: _is_ready(engine, container), "containerd is ready in the new node", seconds=60)
        engine.docker("cp", str(archive), f"{container}:/images.tar")
        words = ("ctr", "--namespace=k8s.io", "images", "import", "--label=io.cri-containerd.pinned=pinned")
        engine.docker("exec", container, *words, "--all-platforms", "--no-unpack", "--digests", "/images.tar")
        engine.docker("exec", container, "rm", "/images.tar")
        engine.docker("exec", container, "pkill", "containerd")
        entry = '["/usr/local/bin/entrypoint", "/sbin/init"]'
        engine.docker("commit", f"--change=ENTRYPOINT {entry}", "--change=CMD []", container, image)
    finally:
        engine.docker("rm", "--force", "--volumes", container)


def _is_ready(engine: Engine, container: str) -> bool:
    try:
        engine.docker("exec", container, "ctr", "version")
    except HarnessError:
        return False
    return True
