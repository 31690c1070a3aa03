"""A kind node image from packages: Debian, kind's own files, our build of Kubernetes, and images that rarely change.

Those of addons and stores are in it too, because giving them to each new cluster took most of a minute.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from exam_harness.environments.cluster.engine import Engine
from exam_harness.environments.cluster.images import DEBIAN, build_program, named
from exam_harness.environments.control_plane.install import (
    COMPONENTS,
    COREDNS,
    ETCD,
    KIND,
    KUBERNETES,
    LOCAL_PATH,
    copy_module,
    go_module_folder,
    home,
)
from exam_harness.environments.processes.cached import Say
from exam_harness.environments.processes.places import OFFLINE_SOURCES, short_digest
from exam_harness.environments.processes.process import StackError
from exam_harness.waiting import eventually

SOURCES = OFFLINE_SOURCES / "node"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
ETCD_TAG = "3.6.5-0"
PAUSE_TAG = "3.10.1"
HELPER = named("helper", "bookworm")
"""What the storage provisioner makes and removes folders with: any image with a shell."""


def node_image(engine: Engine, say: Say, *, preloaded: Sequence[str]) -> str:
    """Build it with these images in it, unless it is there; its name tells what it is made of."""
    image = named("node", f"{KUBERNETES.version}-{_digest(engine, preloaded)}")
    if engine.has_image(image):
        return image
    say(f"image {image}")
    with tempfile.TemporaryDirectory(prefix="exam-node-") as folder:
        context = Path(folder)
        base = f"{image}-base"
        _fill(context)
        engine.docker("build", "--quiet", f"--build-arg=DEBIAN={DEBIAN}", f"--tag={base}", str(context))
        archive = context / "images.tar"
        engine.docker("save", "--output", str(archive), *_cluster_images(engine, say, context), *preloaded)
        _load_into(engine, say, base=base, archive=archive, image=image)
        engine.docker("rmi", base)
    return image


def _digest(engine: Engine, preloaded: Sequence[str]) -> str:
    """Of all that is put in: programs are named by what they are built from."""
    parts = [path.read_bytes() for path in sorted(SOURCES.rglob("*")) if path.is_file()]
    parts += [home(binary).name.encode() for binary in (KUBERNETES, ETCD, COREDNS, KIND, LOCAL_PATH)]
    parts.append(engine.docker("image", "inspect", "--format={{.Id}}", DEBIAN, *preloaded).encode())
    return short_digest(b"".join(parts) + Path(__file__).read_bytes())[:12]


def _fill(context: Path) -> None:
    shutil.copytree(SOURCES, context, dirs_exist_ok=True)
    copy_module(go_module_folder(KIND, KIND.module) / "images/base/files", context / "files")
    programs = context / "programs"
    programs.mkdir()
    shutil.copy(home(KUBERNETES) / KUBERNETES.name, programs / KUBERNETES.name)
    for name in COMPONENTS:
        (programs / name).symlink_to(KUBERNETES.name)
    (context / "version").write_text(KUBERNETES.version)
    storage = context / "manifests/default-storage.yaml"
    images = {"PROVISIONER_IMAGE": named(LOCAL_PATH.name, LOCAL_PATH.version), "HELPER_IMAGE": HELPER}
    storage.write_text(re.sub("|".join(images), lambda found: images[found[0]], storage.read_text()))
    config = context / "files/etc/containerd/config.toml"
    text, pauses = re.subn(r'"[^"]*/pause:[^"]*"', f'"{named("pause", PAUSE_TAG)}"', config.read_text())
    config.write_text(text)
    if pauses != 1:
        raise StackError(f"kind's {config.name} names its pause image in another way now: see {Path(__file__).name}")


def _cluster_images(engine: Engine, say: Say, context: Path) -> list[str]:
    """What the control plane, the network and storage of a new cluster run."""
    folder = context / "control-plane"
    folder.mkdir()
    shutil.copy(home(KUBERNETES) / KUBERNETES.name, folder / KUBERNETES.name)
    shutil.copy(home(ETCD) / ETCD.name, folder / ETCD.name)
    run_words = ["gcc", "-static", "-Os", "-s", "-o", str(folder / "pause"), str(SOURCES / "pause.c")]
    subprocess.run(run_words, check=True, capture_output=True)
    links = " && ".join(f"ln -s {KUBERNETES.name} /usr/local/bin/{name}" for name in CONTROL_PLANE)
    # kube-proxy calls the iptables of the machine it is on, so it needs one; the others need no more than themselves.
    (folder / "Dockerfile").write_text(
        f"FROM {DEBIAN} AS kubernetes\n"
        "RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends"
        " iptables conntrack kmod ipset && rm -rf /var/lib/apt/lists/*\n"
        f"COPY {KUBERNETES.name} /usr/local/bin/\nRUN {links}\n"
        "FROM scratch AS etcd\nCOPY etcd /usr/local/bin/etcd\nENV PATH=/usr/local/bin\n"
        'FROM scratch AS pause\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n'
    )
    tags = {
        "kubernetes": [named(name, KUBERNETES.version) for name in CONTROL_PLANE],
        "etcd": [named("etcd", ETCD_TAG)],
        "pause": [named("pause", PAUSE_TAG)],
    }
    for target, names in tags.items():
        words = [f"--tag={name}" for name in names]
        engine.docker("build", "--quiet", f"--target={target}", *words, str(folder))
    engine.docker("tag", DEBIAN, HELPER)
    built = [build_program(engine, say, COREDNS, user=0), build_program(engine, say, LOCAL_PATH), HELPER]
    return [*(name for names in tags.values() for name in names), *built]


def _load_into(engine: Engine, say: Say, *, base: str, archive: Path, image: str) -> None:
    """Import images into the node's own store, as kind's build does, and keep the result."""
    say("the node image gets the images that a cluster starts with")
    container = engine.docker(
        "run", "--detach", "--privileged", "--entrypoint=/bin/sleep", base, "infinity", seconds=120
    ).strip()
    try:
        engine.docker("exec", "--detach", container, "containerd")
        eventually(lambda: _answers(engine, container), "containerd answers in the new node", seconds=60)
        engine.docker("cp", str(archive), f"{container}:/images.tar")
        words = ("ctr", "--namespace=k8s.io", "images", "import", "--label=io.cri-containerd.pinned=pinned")
        engine.docker("exec", container, *words, "--all-platforms", "--no-unpack", "--digests", "/images.tar")
        engine.docker("exec", container, "rm", "/images.tar")
        engine.docker("exec", container, "pkill", "containerd")
        entry = '["/usr/local/bin/entrypoint", "/sbin/init"]'
        engine.docker("commit", f"--change=ENTRYPOINT {entry}", "--change=CMD []", container, image)
    finally:
        engine.docker("rm", "--force", "--volumes", container)


def _answers(engine: Engine, container: str) -> bool:
    try:
        engine.docker("exec", container, "ctr", "version")
    except StackError:
        return False
    return True
