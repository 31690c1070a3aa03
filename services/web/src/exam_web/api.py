"""The two APIs: the public one at /api/, and that of services and tools at /internal/, on a port of its own."""

from ninja import NinjaAPI

from exam_web.bank.api import router as bank
from exam_web.degrees.api import router as degrees
from exam_web.exams.api import router as exams
from exam_web.exams.files.api import router as files
from exam_web.http.openapi import DescribedAPI
from exam_web.http.problems import register_problem_handlers
from exam_web.http.rendering import ExactRenderer
from exam_web.internal.api import router as internal
from exam_web.internal.authentication import Callers
from exam_web.sittings.api import router as sittings
from exam_web.users.api import router as users

public_api = DescribedAPI(
    title="Exam platform",
    version="1",
    description="Log in, exams, the question bank, sittings, degrees. Errors are application/problem+json.",
    renderer=ExactRenderer(),
)
public_api.add_router("", users)
public_api.add_router("", exams)
public_api.add_router("", files)
public_api.add_router("", bank)
public_api.add_router("", sittings)
public_api.add_router("", degrees)
register_problem_handlers(public_api)

internal_api = NinjaAPI(
    title="Exam platform, internal",
    urls_namespace="internal",
    openapi_url=None,
    docs_url=None,
    # No caller, unless a route names some.
    auth=Callers(),
    renderer=ExactRenderer(),
)
internal_api.add_router("", internal)
register_problem_handlers(internal_api)
