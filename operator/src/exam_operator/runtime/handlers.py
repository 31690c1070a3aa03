"""Kopf's handlers: Kopf watches `Exam`s and passes its events to the controller; it decides nothing itself."""

from typing import Any

import kopf

from exam_operator.model.exam import GROUP, PLURAL, VERSION
from exam_operator.runtime.controller import Controller

SERVER_SECONDS = 290
"""The API server ends a watch after this, and it is restarted; without a bound it could last for ever."""
SILENCE_SECONDS = 70
CONNECT_SECONDS = 5
REQUEST_SECONDS = 15


def register(controller: Controller) -> kopf.OperatorRegistry:
    """Kopf's registry with the operator's handlers."""
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
        # The reconciler creates Events, and new kinds of resources are of no interest.
        settings.posting.enabled = False
        settings.scanning.disabled = True

    @kopf.on.login(registry=registry)
    def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - Kopf's own
        return kopf.login_with_kubeconfig(settings=settings) or kopf.login_with_service_account(settings=settings)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def on_watch_event(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - Kopf's own
        controller.on_watch_event(event["object"], deleted=event["type"] == "DELETED")

    return registry
