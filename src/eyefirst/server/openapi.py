"""What the service says of itself: schemas and examples for /openapi.json."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from eyefirst import __version__

BOX = {"left": 0.31, "top": 0.06, "right": 0.68, "bottom": 0.98}
PLAN_EXAMPLE: dict[str, Any] = {
    "schema": "eyefirst.plan/2",
    "picture": {"name": "<bytes>", "sha256": "0f" * 32, "width": 1600, "height": 1067},
    "revision": "saliency_v18",
    "focal_point": {"x": 0.482, "y": 0.371},
    "anchor": {"x": 0.482, "y": 0.371},
    "object_position": "48.2% 37.1%",
    "attention_box": BOX,
    "objects": [{"box": BOX, "confidence": 0.93}],
    "options": {
        "tightness": 0.0,
        "margin": 0.05,
        "must_keep": [],
        "avoid": [],
        "pad": None,
        "prefer": None,
        "portrait": None,
        "fit": "breathe",
    },
    "frames": {
        "1:1": [
            {
                "box": {"left": 258, "top": 0, "right": 1325, "bottom": 1067},
                "padding": None,
                "kept": 0.934,
                "kept_objects": [1.0],
                "score": 1.207,
                "object_position": "48.41% 50%",
                "warnings": [],
                "severity": 0.0,
                "reason": "all subjects",
            }
        ]
    },
}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
REF_BOX = {"$ref": "#/components/schemas/Box"}
HEAT_MAP = {
    "description": "68 rows of 68 values, the top row first.",
    "type": "array",
    "items": {"type": "array", "items": SHARE},
}
FOUND = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["box", "confidence"],
        "properties": {"box": REF_BOX, "confidence": SHARE},
    },
}
OBSERVED = ("attention", "objectness", "text_rectangles")
SCHEMAS: dict[str, Any] = {
    "Box": {
        "type": "object",
        "description": "Shares of the whole picture, top-left origin.",
        "required": ["left", "top", "right", "bottom"],
        "properties": dict.fromkeys(("left", "top", "right", "bottom"), SHARE),
    },
    "Observation": {
        "type": "object",
        "required": ["kind", "revision", "region_of_interest", "salient_objects", "union_box", "heat_map"],
        "properties": {
            "kind": {"enum": list(OBSERVED)},
            "revision": {"type": "string"},
            "region_of_interest": REF_BOX,
            "salient_objects": FOUND,
            "union_box": {"anyOf": [{"type": "null"}, REF_BOX]},
            "heat_map": HEAT_MAP,
        },
    },
    "Saliency": {
        "type": "object",
        "description": "Each kind that was asked for, as observation.to_dict() gives it.",
        "properties": {
            **{kind: {"$ref": "#/components/schemas/Observation"} for kind in OBSERVED},
            "faces": {"$ref": "#/components/schemas/FaceObservation"},
        },
    },
    "FaceObservation": {
        "type": "object",
        "required": ["kind", "revision", "region_of_interest", "faces", "heat_map"],
        "properties": {
            "kind": {"const": "faces"},
            "revision": {"type": "string"},
            "region_of_interest": REF_BOX,
            "faces": FOUND,
            "heat_map": HEAT_MAP,
        },
    },
    "Faces": {
        "description": "The faces, the most confident first, and what identifies the picture.",
        "allOf": [
            {"$ref": "#/components/schemas/FaceObservation"},
            {
                "type": "object",
                "required": ["picture", "sha256"],
                "properties": {"picture": {"type": "string"}, "sha256": {"type": "string"}},
            },
        ],
    },
    "TextObservation": {
        "type": "object",
        "required": ["kind", "revision", "region_of_interest", "rest", "regions", "texts"],
        "properties": {
            "kind": {"const": "text"},
            "revision": {"type": "string"},
            "region_of_interest": REF_BOX,
            "rest": {"type": "boolean"},
            "regions": {"type": "array", "items": REF_BOX},
            "texts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["text", "confidence", "corners", "box", "saliency"],
                    "properties": {"text": {"type": "string"}, "confidence": SHARE, "box": REF_BOX},
                },
            },
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `code` never changes.",
        "required": ["type", "title", "status", "detail", "code", "source", "reason", "remedy"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "status": {"type": "integer"},
            **{name: {"type": "string"} for name in ("title", "detail", "code", "source", "reason", "remedy")},
        },
        "example": {
            "type": "urn:eyefirst:error:not_a_picture",
            "title": "Unsupported Media Type",
            "status": 415,
            "detail": "the picture: is empty (0 bytes); copy or download it again",
            "code": "not_a_picture",
            "source": "the picture",
            "reason": "is empty (0 bytes)",
            "remedy": "copy or download it again",
        },
    },
}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def picture_body(**fields: object) -> dict[str, Any]:
    """The body of a route that takes a picture. fields: schemas of what a form may hold beside it."""
    form = {"type": "object", "properties": {"picture": BINARY["schema"], **fields}}
    if not fields:
        form["required"] = ["picture"]
    return {
        "requestBody": {
            "required": True,
            "description": "The picture's file as it is, or in the field `picture` of a form.",
            "content": {
                "application/octet-stream": BINARY,
                "image/*": BINARY,
                "multipart/form-data": {"schema": form},
            },
        }
    }


def json_answer(schema: str, example: object = None) -> dict[int | str, dict[str, Any]]:
    """Responses of a route that answers with JSON."""
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example is not None:
        content["example"] = example
    return {200: {"description": "The answer.", "content": {"application/json": content}}, **problems()}


def picture_answer(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Responses of a route that answers with bytes."""
    content = dict.fromkeys(media_types, BINARY)
    return {200: {"description": "The crop.", "content": content}, **problems()}


def problems() -> dict[int | str, dict[str, Any]]:
    """Every other status that a route with work may answer."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": text, "content": content}
        for status, text in {
            400: "Not a form, or not HTTP.",
            401: "No API key, or an unknown one.",
            403: "A signature that is wrong or has expired; an address that may not be fetched.",
            404: "No such picture.",
            408: "The body did not arrive in time.",
            413: "Too many bytes, or too many pixels.",
            415: "Not a picture of a format that is read.",
            421: "The service does not answer for this host.",
            422: "A damaged picture, or an option out of its range.",
            500: "A fault of the service.",
            501: "Needs an extra that is not installed.",
            502: "The origin did not give the picture.",
            503: "Busy, or out of time; Retry-After says when to come back.",
        }.items()
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title="eyefirst",
        version=__version__,
        summary="Where the eye goes first: saliency, and crops that keep what matters.",
        routes=app.routes,
    )
    plan = json.loads((files("eyefirst") / "plan.schema.json").read_bytes())
    parts = {f"Plan_{name}": part for name, part in plan["$defs"].items()}
    parts["CropPlan"] = {k: v for k, v in plan.items() if k not in ("$schema", "$id", "$defs")}
    lifted = json.loads(json.dumps(parts).replace("#/$defs/", "#/components/schemas/Plan_"))
    components = document.setdefault("components", {})
    components["schemas"] = SCHEMAS | lifted
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].get("422", {}).get("content", {}).pop("application/json", None)
            if "post" in operations or path == "/metrics":
                operation["security"] = [{"key": []}, {}]
    app.openapi_schema = document
    return document
