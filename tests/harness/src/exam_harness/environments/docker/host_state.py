"""Snapshots of the host's network, mounts and processes, to undo what a container engine leaves behind."""

import json
import shlex
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from exam_harness.environments.processes.shell import run

SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)
INTERFACES = Path("/sys/class/net")
TABLES = ("iptables", "ip6tables")
PROGRAMS = (
    "dockerd",
    "containerd",
    "docker-proxy",
    "runc",
    "kubectl",
    "kubelet",
    "kube-",
    "etcd",
    "coredns",
    "traefik",
)
WAIT_FOR_LOCK = "--wait=10"


@dataclass(frozen=True)
class HostState:
    """A snapshot of the parts of a host that container engines change.

    Attributes:
        links: names of the network interfaces.
        rules: lines of ``iptables-save`` and ``ip6tables-save`` by command and table, without counters.
        sysctls: kernel settings by path below /proc/sys.
        mounts: mount points.
        processes: processes of engines, clusters and their tools, by name and process id.
    """

    links: tuple[str, ...]
    rules: dict[str, list[str]]
    sysctls: dict[str, str]
    mounts: tuple[str, ...]
    processes: tuple[str, ...] = ()

    @classmethod
    def capture(cls) -> Self:
        """Take a snapshot."""
        links = tuple(sorted(path.name for path in INTERFACES.iterdir()))
        rules = {f"{command} {table}": lines for command in TABLES for table, lines in _saved(command).items()}
        sysctls = {name: path.read_text().strip() for name in SYSCTLS if (path := Path("/proc/sys", name)).exists()}
        mounts = tuple(sorted({line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}))
        return cls(links, rules, sysctls, mounts, _processes())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a snapshot from a file."""
        saved = json.loads(path.read_text())
        return cls(
            tuple(saved["links"]),
            saved["rules"],
            saved["sysctls"],
            tuple(saved["mounts"]),
            tuple(saved["processes"]),
        )

    def save(self, path: Path) -> None:
        """Save it to a file."""
        path.write_text(json.dumps(asdict(self), indent=1))

    def added_since(self, before: Self) -> list[str]:
        """Return one line for each addition since `before`; a table that the kernel created empty is none."""
        earlier = {line for lines in before.rules.values() for line in lines}
        return [
            *(f"interface {link}" for link in sorted(set(self.links) - set(before.links))),
            *(
                f"{key} {line}"
                for key, lines in self.rules.items()
                for line in lines
                if line not in earlier and not line.endswith(" ACCEPT")
            ),
            *(
                f"{name} is {value}, not {before.sysctls[name]}"
                for name, value in self.sysctls.items()
                if before.sysctls.get(name, value) != value
            ),
            *(f"mount {mount}" for mount in sorted(set(self.mounts) - set(before.mounts))),
            *(f"process {name}" for name in sorted(set(self.processes) - set(before.processes))),
        ]

    def restore(self) -> None:
        """Undo what was added since this snapshot; foreign rules in an added chain are removed with the chain."""
        now = type(self).capture()
        for mount in sorted(set(now.mounts) - set(self.mounts), reverse=True):
            if mount.startswith("/run/exam-platform/"):
                run(["umount", mount])
        for link in set(now.links) - set(self.links):
            if link == "docker0" or link.startswith("br-"):
                run(["ip", "link", "delete", link])
        for key, lines in now.rules.items():
            command, table = key.split()
            _undo_rules(command, table, before=self.rules.get(key, []), now=lines)
        for name, value in self.sysctls.items():
            Path("/proc/sys", name).write_text(value)


def _processes() -> tuple[str, ...]:
    names = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text().strip()
            # The state follows the name, which may have spaces; Z is a zombie.
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if name.startswith(PROGRAMS) and state != "Z":
            names.append(f"{name} {entry.name}")
    return tuple(sorted(names))


def _saved(command: str) -> dict[str, list[str]]:
    """Return the lines of each table: ``:CHAIN POLICY`` and ``-A CHAIN ...``."""
    if shutil.which(f"{command}-save") is None:
        return {}  # It is installed with the engine; before that nothing here adds rules.
    tables: dict[str, list[str]] = {}
    table = ""
    for line in run([f"{command}-save"]).splitlines():
        if line.startswith("*"):
            table = line[1:]
            tables[table] = []
        elif line.startswith(":"):
            tables[table].append(" ".join(line.split()[:2]))
        elif line.startswith("-A"):
            tables[table].append(line)
    return tables


def _undo_rules(command: str, table: str, *, before: list[str], now: list[str]) -> None:
    iptables = [command, WAIT_FOR_LOCK, "-t", table]
    old_chains = {line.split()[0]: line.split()[1] for line in before if line.startswith(":")}
    chains = {line.split()[0]: line.split()[1] for line in now if line.startswith(":")}
    for line in now:
        if (
            line.startswith("-A")
            and line not in before
            and f":{line.split()[1]}" in {**old_chains, **_built_in(chains)}
        ):
            run([*iptables, "-D", *shlex.split(line)[1:]])
    new = [chain[1:] for chain, policy in chains.items() if chain not in old_chains and policy == "-"]
    for action in ("-F", "-X"):
        for chain in new:
            run([*iptables, action, chain])
    for chain, policy in _built_in(chains).items():
        if policy != old_chains.get(chain, "ACCEPT"):
            run([*iptables, "-P", chain[1:], old_chains.get(chain, "ACCEPT")])


def _built_in(chains: dict[str, str]) -> dict[str, str]:
    """Return the kernel's built-in chains: those with a policy."""
    return {chain: policy for chain, policy in chains.items() if policy != "-"}
