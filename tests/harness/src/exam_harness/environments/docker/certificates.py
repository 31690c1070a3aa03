"""The certificates that this machine trusts, for images that download from where this machine does."""

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from exam_harness.environments.processes.process import HarnessError

BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # openSUSE
    Path("/etc/ssl/cert.pem"),  # Alpine
)


def host_certificates(environ: Mapping[str, str] = os.environ, bundles: Sequence[Path] = BUNDLES) -> Path:
    """Return this machine's bundle of trusted certificates.

    Raises:
        HarnessError: there is none where distributions keep it.
    """
    configured = environ.get("SSL_CERT_FILE")
    own = ssl.get_default_verify_paths().cafile
    candidates = [*([Path(configured)] if configured else []), *bundles, *([Path(own)] if own else [])]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise HarnessError(
        f"no bundle of trusted certificates at {', '.join(map(str, candidates))}: install the package ca-certificates, "
        "or set SSL_CERT_FILE"
    )
