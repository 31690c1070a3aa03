"""What a container engine adds to a machine's network and mounts, and does not take away when it ends."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from exam_harness.environments.processes.shell import run

SWITCHES = (
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)
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
PATIENCE = "--wait=10"


@dataclass(frozen=True)
class HostState:
    """A machine's network as it is at one moment, as far as engines change it.

    Attributes:
        links: the names of its interfaces.
        rules: the lines of ``iptables-save`` and ``ip6tables-save`` by command and table, without counters.
        switches: kernel settings by their path below /proc/sys.
        mounts: where something is mounted.
        processes: what runs of an engine, a cluster and their tools, by name and process id.
    """

    links: tuple[str, ...]
    rules: dict[str, list[str]]
    switches: dict[str, str]
    mounts: tuple[str, ...]
    processes: tuple[str, ...] = ()

    @classmethod
    def present(cls) -> Self:
        """What is there now."""
        links = tuple(sorted(link["ifname"] for link in json.loads(run(["ip", "-json", "link"]))))
        rules = {f"{command} {table}": lines for command in TABLES for table, lines in _saved(command).items()}
        switches = {name: path.read_text().strip() for name in SWITCHES if (path := Path("/proc/sys", name)).exists()}
        mounts = tuple(sorted({line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}))
        return cls(links, rules, switches, mounts, _processes())

    @classmethod
    def load(cls, path: Path) -> Self:
        """What was saved."""
        saved = json.loads(path.read_text())
        return cls(
            tuple(saved["links"]),
            saved["rules"],
            saved["switches"],
            tuple(saved["mounts"]),
            tuple(saved["processes"]),
        )

    def save(self, path: Path) -> None:
        """Keep it in a file."""
        path.write_text(json.dumps(asdict(self), indent=1))

    def added_since(self, before: Self) -> list[str]:
        """What is there that was not before, a line each; a table as the kernel itself makes it does not count."""
        had = {line for lines in before.rules.values() for line in lines}
        return [
            *(f"interface {link}" for link in sorted(set(self.links) - set(before.links))),
            *(
                f"{key} {line}"
                for key, lines in self.rules.items()
                for line in lines
                if line not in had and not line.endswith(" ACCEPT")
            ),
            *(
                f"{name} is {value}, not {before.switches[name]}"
                for name, value in self.switches.items()
                if before.switches.get(name, value) != value
            ),
            *(f"mount {mount}" for mount in sorted(set(self.mounts) - set(before.mounts))),
            *(f"process {name}" for name in sorted(set(self.processes) - set(before.processes))),
        ]

    def restore(self) -> None:
        """Take away what was added since; what somebody else added to a chain of ours goes with the chain."""
        now = type(self).present()
        for mount in sorted(set(now.mounts) - set(self.mounts), reverse=True):
            if mount.startswith("/run/exam-platform/"):
                run(["umount", mount])
        for link in set(now.links) - set(self.links):
            if link == "docker0" or link.startswith("br-"):
                run(["ip", "link", "delete", link])
        for key, lines in now.rules.items():
            command, table = key.split()
            _take_away(command, table, before=self.rules.get(key, []), now=lines)
        for name, value in self.switches.items():
            Path("/proc/sys", name).write_text(value)


def _processes() -> tuple[str, ...]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name = (place / "comm").read_text().strip()
            # After the name, which may have spaces; Z: ended, and not yet noticed by whoever is its parent.
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if name.startswith(PROGRAMS) and state != "Z":
            found.append(f"{name} {place.name}")
    return tuple(sorted(found))


def _saved(command: str) -> dict[str, list[str]]:
    """The lines of each table: ``:CHAIN POLICY`` and ``-A CHAIN ...``."""
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


def _take_away(command: str, table: str, *, before: list[str], now: list[str]) -> None:
    words = [command, PATIENCE, "-t", table]
    old_chains = {line.split()[0]: line.split()[1] for line in before if line.startswith(":")}
    chains = {line.split()[0]: line.split()[1] for line in now if line.startswith(":")}
    for line in now:
        if (
            line.startswith("-A")
            and line not in before
            and f":{line.split()[1]}" in {**old_chains, **_built_in(chains)}
        ):
            run([*words, "-D", *shlex.split(line)[1:]])
    new = [chain[1:] for chain, policy in chains.items() if chain not in old_chains and policy == "-"]
    for action in ("-F", "-X"):
        for chain in new:
            run([*words, action, chain])
    for chain, policy in _built_in(chains).items():
        if policy != old_chains.get(chain, "ACCEPT"):
            run([*words, "-P", chain[1:], old_chains.get(chain, "ACCEPT")])


def _built_in(chains: dict[str, str]) -> dict[str, str]:
    """The chains that the kernel has itself: those with a policy."""
    return {chain: policy for chain, policy in chains.items() if policy != "-"}
