"""The OpenAPI document: FastAPI's, completed with the bodies and tokens that FastAPI cannot know of."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from exam_solver.http import schemas

ACCESS = "access"
ATTEMPT = "attempt"
_REFERENCE = "#/components/schemas/{model}"
_BODIES = (schemas.StartBody, schemas.AnswerBody, schemas.AnswersBody)
_SECURITY_SCHEMES = {
    ACCESS: "The access token that logging in at web returns.",
    ATTEMPT: "The attempt token that starting or resuming the attempt returns.",
}
_PARAMETERS = {
    "sitting": {"type": "string", "format": "uuid"},
    "question": {"type": "integer", "minimum": 0, "description": "its number in the paper"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "the image's digest in the paper"},
}


def path_parameters(*names: str) -> dict[str, Any]:
    """The parameters of a route's path."""
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]} for name in names]
    }


def media_type_of(model: type[schemas.Described]) -> dict[str, Any]:
    """A media type object whose schema is the model."""
    return {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}


def json_body(model: type[schemas.Described], *, required: bool = True) -> dict[str, Any]:
    """The request body of a route."""
    return {"requestBody": {"required": required, "content": {"application/json": media_type_of(model)}}}


def security(*tokens: str) -> dict[str, Any]:
    """The tokens that a route accepts; any one of them suffices."""
    return {"security": [{token: []} for token in tokens]}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, generated once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, definitions = models_json_schema(
            [(model, "validation") for model in (schemas.Problem, *_BODIES)], ref_template=_REFERENCE
        )
        components = document.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | definitions["$defs"]
        components["securitySchemes"] = {
            name: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}
            for name, description in _SECURITY_SCHEMES.items()
        }
        app.openapi_schema = document
    return app.openapi_schema
