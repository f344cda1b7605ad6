"""The OpenAPI description as a page's view model: operations and schemas as plain rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]
_REF: Final = "#/components/schemas/"
_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type in words; `schema` is the schema it links to, if any."""

    text: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status and what comes with it."""

    status: str
    description: str
    type: TypeName


@dataclass(frozen=True, slots=True)
class Operation:
    """One route."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    body: TypeName | None
    answers: tuple[Answer, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schema."""

    name: str
    type: TypeName
    required: bool
    description: str
    default: str


@dataclass(frozen=True, slots=True)
class SchemaRows:
    """One schema."""

    name: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ApiPage:
    """The whole page."""

    title: str
    version: str
    operations: tuple[Operation, ...]
    schemas: tuple[SchemaRows, ...]


def api_page(openapi: Mapping[str, Any], base: str) -> ApiPage:
    """Turn the OpenAPI document that FastAPI makes into rows; `base` begins all addresses."""
    schemas: Mapping[str, Schema] = openapi.get("components", {}).get("schemas", {})
    return ApiPage(
        title=openapi["info"]["title"],
        version=openapi["info"]["version"],
        operations=tuple(
            _operation(base, path, method, item[method], schemas)
            for path, item in openapi["paths"].items()
            for method in _METHODS
            if method in item
        ),
        schemas=tuple(_schema(name, schema) for name, schema in schemas.items()),
    )


def _operation(
    base: str, path: str, method: str, operation: Schema, schemas: Mapping[str, Schema]
) -> Operation:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = _type(content["schema"]) if content else None
    return Operation(
        method=method.upper(),
        path=path,
        anchor=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        body=body,
        answers=tuple(
            Answer(status, answer.get("description", ""), _answer_type(answer))
            for status, answer in operation.get("responses", {}).items()
        ),
        example=_example(method, base + path, body, schemas),
    )


def _answer_type(answer: Schema) -> TypeName:
    content = answer.get("content", {}).get("application/json")
    return _type(content["schema"]) if content else TypeName("")


def _example(method: str, url: str, body: TypeName | None, schemas: Mapping[str, Schema]) -> str:
    """Write the request as one would type it."""
    if body is None or not body.schema:
        return f"curl {url}" if method == "get" and "{" not in url else ""
    examples = schemas.get(body.schema, {}).get("examples", [])
    if not examples:
        return ""
    content = json.dumps(examples[0], indent=2)
    return f"curl {url} --json @- <<'END'\n{content}\nEND"


def _schema(name: str, schema: Schema) -> SchemaRows:
    required = set(schema.get("required", []))
    return SchemaRows(
        name=name,
        description=schema.get("description", ""),
        fields=tuple(
            Field(
                name=field,
                type=_type(about),
                required=field in required,
                description=about.get("description", ""),
                default=_default(about),
            )
            for field, about in schema.get("properties", {}).items()
        ),
    )


def _default(about: Schema) -> str:
    value = about.get("default")
    return "" if value in (None, "", []) else json.dumps(value)


def _type(schema: Schema) -> TypeName:
    """Name a type: `list of string`, `integer or null`, `"little" or "big"`."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REF)
        return TypeName(name, name)
    if "anyOf" in schema:
        names = [_type(option) for option in schema["anyOf"]]
        linked = next((name.schema for name in names if name.schema), "")
        return TypeName(" or ".join(name.text for name in names), linked)
    if "enum" in schema:
        return TypeName(" or ".join(json.dumps(value) for value in schema["enum"]))
    if "const" in schema:
        return TypeName(json.dumps(schema["const"]))
    if schema.get("type") == "array":
        items = _type(schema.get("items", {}))
        return TypeName(f"list of {items.text}", items.schema)
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        values = _type(schema["additionalProperties"])
        return TypeName(f"object of {values.text}", values.schema)
    return TypeName(str(schema.get("type", "any")))
