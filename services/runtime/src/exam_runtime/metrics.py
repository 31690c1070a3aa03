"""Prometheus metrics that HTTP services have in common."""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""The media type of `exposition`."""
REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds: from an answer that is saved to a login that hashes a password under load."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_histogram(service: str, registry: CollectorRegistry = REGISTRY) -> Histogram:
    """The histogram ``exam_<service>_request_seconds`` by method, route and status."""
    return Histogram(
        f"exam_{service}_request_seconds",
        "Duration of HTTP requests in seconds.",
        ("method", "route", "status"),
        registry=registry,
        buckets=REQUEST_BUCKETS,
    )


def method_label(method: str | None) -> str:
    """The method as a label value; unknown methods share one, so that callers cannot create time series."""
    return method if method in METHODS else "OTHER"


def exposition(registry: Collector = REGISTRY) -> bytes:
    """The metrics of a registry in Prometheus' text format."""
    return generate_latest(registry)
