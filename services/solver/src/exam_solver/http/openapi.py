"""The API's description: what FastAPI finds in the routes, and what it cannot know because bodies are read by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from exam_solver.http import schemas

ACCESS = "access"
ATTEMPT = "attempt"
_REFERENCE = "#/components/schemas/{model}"
_SCHEMES = {
    ACCESS: "The access token that logging in at web gives.",
    ATTEMPT: "The attempt token that starting or resuming the attempt gives.",
}


_PARAMETERS = {
    "sitting": {"type": "string", "format": "uuid"},
    "question": {"type": "integer", "minimum": 0, "description": "its number in the paper"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "an image's, as the paper names it"},
}


def addressed(*parameters: str) -> dict[str, Any]:
    """What stands in a route's address."""
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]} for name in parameters
        ]
    }


def ref(model: type[schemas.Described]) -> dict[str, Any]:
    """A body of this form."""
    return {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}


def takes(model: type[schemas.Described]) -> dict[str, Any]:
    """What a route takes as its body."""
    return {"requestBody": {"required": True, "content": {"application/json": ref(model)}}}


def needs(*tokens: str) -> dict[str, Any]:
    """Which token opens a route; any one of them."""
    return {"security": [{token: []} for token in tokens]}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, definitions = models_json_schema(
            [(model, "validation") for model in (schemas.Problem, schemas.AnswerBody, schemas.AnswersBody)],
            ref_template=_REFERENCE,
        )
        components = document.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | definitions["$defs"]
        components["securitySchemes"] = {
            name: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}
            for name, description in _SCHEMES.items()
        }
        app.openapi_schema = document
    return app.openapi_schema
