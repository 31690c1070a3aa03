"""Replaces the pods of Cassandra one after another when its racks have changed, between sittings."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from exam_operator import metrics
from exam_operator.clients.errors import ConflictError, NotLeadingError, UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.rack_rollout import rack_rollout
from exam_operator.model.exam import ExamKey
from exam_operator.runtime.cache import ExamCache

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
"""Poll interval while pods are being replaced: the API server has no event for a rack that is complete again."""


class RackReplacement:
    """Evicts an outdated pod of Cassandra when all others are available and no sitting is open.

    An eviction respects the disruption budget, so that a node drain at the same time takes no second pod.

    Args:
        kube: the API server.
        cache: all Exams.
        open_sittings: returns the Exams whose sittings are open or about to open.
        selector: the label selector of Cassandra's StatefulSets and pods.
        resync: seconds between two looks while nothing is outdated.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        cache: ExamCache,
        open_sittings: Callable[[], Sequence[ExamKey]],
        *,
        selector: str,
        resync: float,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._open_sittings = open_sittings
        self._selector = selector
        self._resync = resync

    async def run(self) -> None:
        """Replace pods until cancelled. Starts when all Exams are listed: an open sitting must not be overlooked."""
        await self._cache.wait_synced()
        while True:
            try:
                busy = await self.step()
            except (UnavailableError, ConflictError, NotLeadingError) as error:
                log.warning("rack_rollout_deferred", error=str(error))
                busy = True
            await asyncio.sleep(min(POLL_SECONDS, self._resync) if busy else self._resync)

    async def step(self) -> bool:
        """Evict the next pod, if there is one; returns whether any pod is outdated.

        Raises:
            UnavailableError: the API server did not answer, or the disruption budget permits no eviction now.
            ConflictError: the pod was replaced since it was listed.
        """
        racks = await self._kube.list_stateful_sets(self._selector)
        rollout = rack_rollout(racks, await self._kube.list_selected_pods(self._selector))
        metrics.RACK_PODS_OUTDATED.set(len(rollout.outdated))
        if rollout.next is not None and not self._open_sittings():
            name = rollout.next["metadata"]["name"]
            await self._kube.evict_pod(name, rollout.next["metadata"]["uid"])
            log.info("rack_pod_evicted", pod=name, outdated=len(rollout.outdated))
        return bool(rollout.outdated)
