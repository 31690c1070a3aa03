"""Configuration of gunicorn: ``gunicorn --config python:exam_web.gunicorn exam_web.wsgi:application``.

One process with threads keeps all metrics in one registry; to scale, add replicas.
"""

import logging
import sys

from exam_runtime.addresses import bind_tcp
from exam_runtime.logging import configure_logging
from exam_runtime.settings import EXIT_CONFIG, SettingsError

try:
    from exam_web.settings import ENVIRONMENT
except SettingsError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(EXIT_CONFIG)

if ENVIRONMENT.owner_database_url is not None:
    sys.stderr.write("EXAM_OWNER_DATABASE_URL is set: web serves as a role that owns nothing; only `migrate` gets it\n")
    sys.exit(EXIT_CONFIG)


def _bound(address: str) -> str:
    """Bind an address, so that `[::]` serves both families whatever the kernel's default is; gunicorn's name for it."""
    host, _, port = address.rpartition(":")
    return f"fd://{bind_tcp(host.strip('[]'), int(port)).detach()}"


configure_logging(service="web", level=ENVIRONMENT.log_level)
# Refused requests are in the access log; of Django's own records only errors, with their traceback, are kept.
logging.getLogger("django.request").setLevel(logging.ERROR)

bind = [_bound(ENVIRONMENT.bind), _bound(ENVIRONMENT.internal_bind)]
workers = 1
threads = ENVIRONMENT.web_threads
timeout = 30
graceful_timeout = 20
keepalive = 75
# gunicorn's messages go through the root logger. Parts left empty replace gunicorn's defaults.
logconfig_dict = {
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
    "root": {},
    "handlers": {},
    "formatters": {},
}
# RequestContext logs requests, with their ids.
accesslog = None
control_socket_disable = True


def post_worker_init(_worker: object) -> None:
    """Read the signing keys at start-up: a worker that cannot sign must not start and fail at the first login."""
    # Models can be imported only after Django has loaded its apps.
    from exam_web.internal.authentication import caller_keys  # noqa: PLC0415
    from exam_web.sittings.statements import statement_keys  # noqa: PLC0415
    from exam_web.users.authentication import signing_keys  # noqa: PLC0415

    signing_keys()
    statement_keys()
    caller_keys()
