"""How gunicorn runs web: ``gunicorn --config python:exam_web.gunicorn exam_web.wsgi:application``.

One process with threads: metrics stay in one registry, and replicas are the platform's way to more.
"""

import os

bind = os.environ.get("EXAM_BIND", "0.0.0.0:8000")
workers = 1
threads = int(os.environ.get("EXAM_WEB_THREADS", "8"))
timeout = 30
graceful_timeout = 20
keepalive = 75
# Our own access log has the request id and is JSON.
accesslog = None
control_socket_disable = True


def post_worker_init(_worker: object) -> None:
    """Set up logs, and stop when a key is missing: a service that cannot sign must not come up and say so later."""
    # Django's applications are loaded only by now.
    from exam_web.http.request_context import configure_logs  # noqa: PLC0415
    from exam_web.settings import ENVIRONMENT  # noqa: PLC0415
    from exam_web.users.authentication import signing_keys  # noqa: PLC0415

    configure_logs(ENVIRONMENT.log_level)
    signing_keys()
