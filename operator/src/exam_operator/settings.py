"""The operator's settings, from environment variables."""

import socket
from pathlib import Path

from pydantic import Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from exam_runtime.addresses import ALL
from exam_runtime.settings import CommaSeparated, ServiceSettings


class OperatorSettings(ServiceSettings):
    """Variables named ``EXAM_OPERATOR_<FIELD>``; the field of a duration has its unit in its name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_OPERATOR_")

    web_url: HttpUrl
    """The base URL of web's internal API."""
    service_keys_file: Path
    """A private JWK set or PEM keys, which web has too: the first signs requests to web."""
    namespace: str
    """The operator's namespace, with its Jobs, autoscalers and disruption budgets."""
    watch_namespaces: CommaSeparated = ()
    """The namespaces whose Exams are reconciled, separated by commas; empty: all."""
    lease_name: str = "exam-operator"
    """The Lease in the operator's namespace whose holder acts."""
    lease_seconds: int = Field(default=10, ge=1, le=60)
    """How long the Lease is valid after a renewal; another replica acts after it at the latest."""
    identity: str = Field(default_factory=socket.gethostname, min_length=1)
    """This replica's name, which no other one has at the same time: the pod's."""
    solver_deployment: str
    grader_deployment: str
    web_deployment: str
    rack_selector: str = ""
    """The labels of Cassandra's StatefulSets and pods, whose restarts the operator orders; empty: there are none."""
    max_solvers: int = Field(default=100, ge=1)
    """The most solver pods for all sittings together, whatever their specs request."""
    max_graders: int = Field(default=50, ge=1)
    """The most grader pods."""
    max_web: int = Field(default=10, ge=1)
    """The most web pods."""
    web_replicas: int = Field(default=2, ge=1)
    """The web pods without a sitting."""
    candidates_per_web: int = Field(default=1000, ge=1)
    """How many students of open sittings one web pod logs in."""
    job_template_file: Path
    """The PodTemplateSpec of a grading Job, in YAML."""
    max_jobs: int = Field(default=4, ge=1)
    """How many grading Jobs may run at once."""
    workers: int = Field(default=8, ge=1)
    """How many Exams are reconciled at once."""
    resync_seconds: float = Field(default=30.0, gt=0)
    """The interval of full lists."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port of /healthz, /readyz and /metrics."""
    host: str = ALL
