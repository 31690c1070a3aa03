"""The platform's host names, by which its gateway distinguishes web and solver."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The names of both hosts; clients connect to the loopback and send one of them as Host."""

    web: str
    solver: str


LOCAL = Hosts(web="localhost", solver="solver.localhost")
"""The defaults of every local environment."""
