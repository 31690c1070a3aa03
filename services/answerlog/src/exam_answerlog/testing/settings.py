"""Settings of a Cassandra that a test started."""

from collections.abc import Mapping

from exam_answerlog.settings import PREFIX, CassandraSettings


def settings_from(variables: Mapping[str, str]) -> CassandraSettings:
    """Read the settings from a mapping of variables instead of the process's environment."""
    fields = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in variables.items()
        if name.startswith(PREFIX) and value
    }
    return CassandraSettings.model_validate(fields)
