"""``python -m exam_operator``: run the operator until SIGTERM."""

import asyncio
import sys

import kopf
import yaml

from exam_core.canonical import JsonObject
from exam_core.keys import SigningKeys
from exam_core.service_tokens import Caller, sign_service_token
from exam_operator import metrics
from exam_operator.clients.kubernetes import KubernetesClient, connect
from exam_operator.clients.web import WebClient
from exam_operator.decide.demand import PlatformLimits
from exam_operator.model.exam import ExamKey
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.canary import Canary
from exam_operator.runtime.controller import Controller, utc_now
from exam_operator.runtime.executor import Executor
from exam_operator.runtime.handlers import register
from exam_operator.runtime.leadership import Leadership
from exam_operator.runtime.probes import serve_probes
from exam_operator.runtime.rack_rollout import RackReplacement
from exam_operator.runtime.reconciler import Reconciler
from exam_operator.runtime.scaling import Deployments, Scaling
from exam_operator.runtime.workqueue import WorkQueue
from exam_operator.settings import OperatorSettings
from exam_runtime.logging import configure_logging
from exam_runtime.settings import EXIT_CONFIG, SettingsError, load_settings


async def run(settings: OperatorSettings, keys: SigningKeys, job_template: JsonObject) -> None:
    """Run all tasks of the operator until Kopf receives SIGTERM; those that change something while it leads."""
    namespaces = list(settings.watch_namespaces)
    async with await connect() as api:
        leadership = Leadership(
            KubernetesClient(api, settings.namespace),
            name=settings.lease_name,
            identity=settings.identity,
            duration=settings.lease_seconds,
            utc=utc_now,
        )
        kube = KubernetesClient(api, settings.namespace, guard=leadership.check)

        def token(now: int) -> str:
            return sign_service_token(Caller.OPERATOR, keys, now=now)

        web = WebClient(str(settings.web_url), token, utc_now, guard=leadership.check)
        queue = WorkQueue[ExamKey](utc_now)
        cache = ExamCache()
        limits = PlatformLimits(
            solvers=settings.max_solvers,
            graders=settings.max_graders,
            jobs=settings.max_jobs,
            web=settings.max_web,
            web_baseline=settings.web_replicas,
            candidates_per_web=settings.candidates_per_web,
        )
        deployments = Deployments(
            namespace=settings.namespace,
            solvers=settings.solver_deployment,
            graders=settings.grader_deployment,
            web=settings.web_deployment,
        )
        scaling = Scaling(
            kube,
            cache,
            lambda: web.now,
            deployments,
            limits,
            resync=settings.resync_seconds,
        )
        controller = Controller(kube, queue, Canary(), cache, namespaces=namespaces, resync=settings.resync_seconds)
        cache.subscribe(scaling.wake)
        scaling.subscribe(controller.requeue_warm)
        racks = RackReplacement(
            kube, cache, scaling.open_sittings, selector=settings.rack_selector, resync=settings.resync_seconds
        )
        executor = Executor(kube, web, namespace=settings.namespace, job_template=job_template)
        reconciler = Reconciler(kube, web, executor, scaling, cache, max_jobs=settings.max_jobs)

        async def act() -> None:
            """Reconcile and scale while this process holds the Lease."""
            controller.requeue_all()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(scaling.run())
                    if settings.rack_selector:
                        tasks.create_task(racks.run())
                    for _ in range(settings.workers):
                        tasks.create_task(controller.work(reconciler))
            finally:
                reconciler.stand_down()

        def update_gauges() -> None:
            controller.update_gauges()
            metrics.LEADING.set(leadership.leading)
            if not leadership.leading:
                # What this process last did is no longer so, or another replica's.
                for gauge in (metrics.QUEUE, metrics.SOLVERS_WANTED, metrics.SOLVERS_READY, metrics.RACK_PODS_OUTDATED):
                    gauge.set(0)

        probes = serve_probes(
            settings.host,
            settings.port,
            liveness={"watch": controller.check_watch},
            readiness={"exams_listed": controller.check_synced},
            scrape=update_gauges,
        )
        try:
            async with probes, asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(controller.resync()),
                    tasks.create_task(leadership.run(act)),
                ]
                scope = {"namespaces": namespaces} if namespaces else {"clusterwide": True}
                # Kopf handles SIGTERM: this call returns.
                await kopf.operator(registry=register(controller), standalone=True, **scope)
                for task in background:
                    task.cancel()
        finally:
            await web.close()


def main() -> int:
    """Run the operator; returns the exit code."""
    try:
        settings = load_settings(OperatorSettings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    try:
        job_template = yaml.safe_load(settings.job_template_file.read_text())
    except (OSError, yaml.YAMLError) as error:
        sys.stderr.write(f"EXAM_OPERATOR_JOB_TEMPLATE_FILE: {error}\n")
        return EXIT_CONFIG
    try:
        keys = SigningKeys.read(settings.service_keys_file.read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"EXAM_OPERATOR_SERVICE_KEYS_FILE: {error}\n")
        return EXIT_CONFIG
    # Kopf logs a line per event and object.
    configure_logging(service="operator", level=settings.log_level, quiet=("kopf.objects",))
    asyncio.run(run(settings, keys, job_template))
    return 0


if __name__ == "__main__":
    sys.exit(main())
