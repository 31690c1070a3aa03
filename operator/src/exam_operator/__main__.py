"""``python -m exam_operator``: run the operator until SIGTERM."""

import asyncio
import sys

import kopf
import yaml
from pydantic import ValidationError

from exam_core.canonical import JsonObject
from exam_operator.clients.kubernetes import KubernetesClient, connect
from exam_operator.clients.web import WebClient
from exam_operator.logs import configure_logs
from exam_operator.model.exam import ExamKey
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.canary import Canary
from exam_operator.runtime.controller import Operator, utc_now
from exam_operator.runtime.executor import Executor
from exam_operator.runtime.handlers import register
from exam_operator.runtime.probes import serving
from exam_operator.runtime.reconciler import Reconciler
from exam_operator.runtime.scaling import Scaling
from exam_operator.runtime.workqueue import WorkQueue
from exam_operator.settings import OperatorSettings, read_settings

USAGE = 2


async def run(settings: OperatorSettings, job_template: JsonObject) -> None:
    """Everything, until told to stop."""
    async with await connect() as api:
        kube = KubernetesClient(api, settings.namespace)
        web = WebClient(str(settings.web_url), settings.service_token.get_secret_value(), utc_now)
        queue = WorkQueue[ExamKey](utc_now)
        cache = ExamCache()
        scaling = Scaling(
            kube,
            cache,
            lambda: web.now,
            namespace=settings.namespace,
            solvers=settings.solver_deployment,
            graders=settings.grader_deployment,
            max_jobs=settings.max_jobs,
        )
        operator = Operator(
            kube,
            queue,
            Canary(),
            cache,
            namespaces=settings.namespaces,
            resync=settings.resync_seconds,
        )
        cache.subscribe(scaling.wake)
        scaling.subscribe(operator.wake_warm)
        executor = Executor(kube, web, namespace=settings.namespace, job_template=job_template)
        reconciler = Reconciler(kube, web, executor, scaling, cache, max_jobs=settings.max_jobs)
        probes = serving(
            settings.host,
            settings.port,
            live=operator.live,
            ready=operator.ready,
            measure=operator.measure,
        )
        try:
            async with probes, asyncio.TaskGroup() as beside:
                background = [
                    beside.create_task(operator.resync()),
                    beside.create_task(scaling.run(resync=settings.resync_seconds)),
                    *(beside.create_task(operator.work(reconciler)) for _ in range(settings.workers)),
                ]
                watching = {"namespaces": settings.namespaces} if settings.namespaces else {"clusterwide": True}
                # Kopf answers SIGTERM by coming back.
                await kopf.operator(registry=register(operator), standalone=True, **watching)
                for task in background:
                    task.cancel()
        finally:
            await web.close()


def main() -> int:
    """Run; the exit code."""
    try:
        settings = read_settings()
        job_template = yaml.safe_load(settings.job_template_file.read_text())
    except (ValidationError, OSError, yaml.YAMLError) as error:
        sys.stderr.write(f"the operator cannot start: {error}\n")
        return USAGE
    configure_logs(settings.log_level)
    asyncio.run(run(settings, job_template))
    return 0


if __name__ == "__main__":
    sys.exit(main())
