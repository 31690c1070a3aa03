"""Kopf's part: it watches `Exam`s and says which one to look at. What is done is decided elsewhere (`reconcile.py`)."""

from typing import Any

import kopf

from exam_operator.model.exam import GROUP, PLURAL, VERSION
from exam_operator.runtime.controller import Operator

SERVER_SECONDS = 290
"""After this the API server ends a watch, which is then begun anew; without a bound it may take for ever."""
SILENCE_SECONDS = 70
CONNECT_SECONDS = 5
REQUEST_SECONDS = 15


def register(operator: Operator) -> kopf.OperatorRegistry:
    """Kopf's registry with everything that it is to call."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401 - Kopf's own
        settings.watching.server_timeout = SERVER_SECONDS
        settings.watching.client_timeout = SERVER_SECONDS + CONNECT_SECONDS
        settings.watching.connect_timeout = CONNECT_SECONDS
        settings.watching.inactivity_timeout = SILENCE_SECONDS
        settings.networking.connect_timeout = CONNECT_SECONDS
        settings.networking.request_timeout = REQUEST_SECONDS
        settings.networking.error_backoffs = (0.2, 0.5, 1, 2)
        # Events are made by `reconcile.py`, and new kinds of resources are nothing to us.
        settings.posting.enabled = False
        settings.scanning.disabled = True

    @kopf.on.login(registry=registry)
    def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - Kopf's own
        return kopf.login_with_kubeconfig(settings=settings) or kopf.login_with_service_account(settings=settings)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def watched(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - Kopf's own
        operator.watched(event["object"], gone=event["type"] == "DELETED")

    return registry
