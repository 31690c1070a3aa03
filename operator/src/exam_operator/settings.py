"""The operator's settings: environment variables, checked at start."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class OperatorSettings(BaseSettings):
    """Variables named ``EXAM_OPERATOR_<FIELD>``; spans carry their unit in their name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_OPERATOR_", extra="ignore", env_ignore_empty=True)

    web_url: HttpUrl
    service_token: SecretStr = Field(validation_alias="EXAM_SERVICE_TOKEN")
    namespace: str
    """The operator's own: Jobs, autoscalers and budgets are there."""
    watch_namespaces: Annotated[str, NoDecode] = ""
    """The namespaces whose Exams count, separated by commas; empty: all."""
    solver_deployment: str
    grader_deployment: str
    job_template_file: Path
    """A PodTemplateSpec in YAML: what a grading Job runs."""
    max_jobs: int = Field(default=4, ge=1)
    """How many grading Jobs may run at once."""
    workers: int = Field(default=8, ge=1)
    """How many Exams are worked at at once."""
    resync_seconds: float = Field(default=30.0, gt=0)
    """How often everything is looked at without being asked to."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Where /healthz, /readyz and /metrics are served."""
    host: str = "0.0.0.0"  # noqa: S104 - probes come from outside the pod
    log_level: str = "INFO"

    @property
    def namespaces(self) -> list[str]:
        """The namespaces to watch; none for all."""
        return [name for name in (part.strip() for part in self.watch_namespaces.split(",")) if name]


def read_settings() -> OperatorSettings:
    """The environment as it is now; a missing or wrong variable is named."""
    return OperatorSettings()  # type: ignore[call-arg]  # pydantic fills it from the environment
