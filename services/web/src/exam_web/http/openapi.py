"""OpenAPI schema with the problem response that every operation shares."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema

from exam_core.problems import MEDIA_TYPE

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "An error after RFC 9457; `type` is its URI in the catalogue.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "faults": {
            "type": "array",
            "items": {},
            "description": "Each fault, where a request can have several",
        },
    },
}
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class DescribedAPI(NinjaAPI):
    """An API whose OpenAPI schema declares problem+json as the default response of every operation."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Ninja's schema with the problem responses."""
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        schema["components"]["schemas"]["Problem"] = PROBLEM
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"]["default"] = PROBLEM_RESPONSE
        return schema


SOLVER_SCHEMA = "/v1/openapi.json"
"""The solver's schema, which the gateway serves on web's host too."""


class _SolverSwagger(Swagger):
    """Swagger UI for the solver's schema: the solver serves no pages, so that its image has no scripts to keep up."""

    def get_openapi_url(self, api: NinjaAPI, path_params: dict[str, Any]) -> str:
        """The address of the schema that the page shows."""
        del api, path_params
        return SOLVER_SCHEMA


def solver_docs(request: HttpRequest) -> HttpResponse:
    """The page that describes the solver's API."""
    return _SolverSwagger().render_page(request, NinjaAPI(title="Exam solver", urls_namespace="solver-docs"))
