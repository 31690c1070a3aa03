"""``python -m exam_operator``: run the operator until SIGTERM."""

import asyncio
import sys

import kopf
import yaml
from pydantic import ValidationError

from exam_core.canonical import JsonObject
from exam_operator.clients.kubernetes import Kube, connect
from exam_operator.clients.web import Platform
from exam_operator.logs import configure_logs
from exam_operator.model.exam import Key
from exam_operator.runtime.cache import Inventory
from exam_operator.runtime.canary import Canary
from exam_operator.runtime.controller import Operator, utc_now
from exam_operator.runtime.executor import Hands
from exam_operator.runtime.handlers import register
from exam_operator.runtime.probes import serving
from exam_operator.runtime.reconciler import Reconciler
from exam_operator.runtime.scaling import Scaling
from exam_operator.runtime.workqueue import DueQueue
from exam_operator.settings import Environment, read_environment

USAGE = 2


async def run(environment: Environment, job_template: JsonObject) -> None:
    """Everything, until told to stop."""
    async with await connect() as api:
        kube = Kube(api, environment.namespace)
        platform = Platform(str(environment.web_url), environment.service_token.get_secret_value(), utc_now)
        queue = DueQueue[Key](utc_now)
        inventory = Inventory()
        scaling = Scaling(
            kube,
            inventory,
            lambda: platform.now,
            namespace=environment.namespace,
            solvers=environment.solver_deployment,
            graders=environment.grader_deployment,
            max_jobs=environment.max_jobs,
        )
        operator = Operator(
            kube,
            queue,
            Canary(),
            inventory,
            namespaces=environment.namespaces,
            resync=environment.resync_seconds,
        )
        inventory.subscribe(scaling.wake)
        scaling.subscribe(operator.wake_warm)
        hands = Hands(kube, platform, namespace=environment.namespace, job_template=job_template)
        reconciler = Reconciler(kube, platform, hands, scaling, inventory, max_jobs=environment.max_jobs)
        probes = serving(
            environment.host,
            environment.port,
            live=operator.live,
            ready=operator.ready,
            measure=operator.measure,
        )
        try:
            async with probes, asyncio.TaskGroup() as beside:
                background = [
                    beside.create_task(operator.resync()),
                    beside.create_task(scaling.run(resync=environment.resync_seconds)),
                    *(beside.create_task(operator.work(reconciler)) for _ in range(environment.workers)),
                ]
                watching = {"namespaces": environment.namespaces} if environment.namespaces else {"clusterwide": True}
                # Kopf answers SIGTERM by coming back.
                await kopf.operator(registry=register(operator), standalone=True, **watching)
                for task in background:
                    task.cancel()
        finally:
            await platform.close()


def main() -> int:
    """Run; the exit code."""
    try:
        environment = read_environment()
        job_template = yaml.safe_load(environment.job_template_file.read_text())
    except (ValidationError, OSError, yaml.YAMLError) as error:
        sys.stderr.write(f"the operator cannot start: {error}\n")
        return USAGE
    configure_logs(environment.log_level)
    asyncio.run(run(environment, job_template))
    return 0


if __name__ == "__main__":
    sys.exit(main())
