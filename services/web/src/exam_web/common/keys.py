"""Reads files of signing keys."""

from pathlib import Path

from exam_core.keys import SigningKeys
from exam_runtime.settings import SettingsError


def read_signing_keys(variable: str, path: Path | None) -> SigningKeys:
    """Read the signing keys that an environment variable names.

    Raises:
        SettingsError: the variable is not set, or the file is missing or has no usable keys.
    """
    if path is None:
        raise SettingsError(f"{variable} is not set: this component cannot sign")
    try:
        return SigningKeys.read(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{variable}: {path} has no signing keys: {error}") from error
