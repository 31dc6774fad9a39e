"""JSON schemas of what the commands print with ``--json``."""

from __future__ import annotations

from typing import Any

from ..result import SCHEMA_VERSION, StatusCode

_NUMBER = {"type": ["number", "null"]}
_SERIES = {"type": "array", "items": _NUMBER, "minItems": 1}
_COUNT = {"type": ["integer", "null"], "minimum": 0}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _answer(command: str, **fields: Any) -> dict[str, Any]:
    """The schema of a command's object: what every command prints, and `fields`."""
    common = {
        "schema_version": {"const": SCHEMA_VERSION},
        "command": {"const": command},
        "inputs": {"type": "object"},
        "status": _object(
            {
                "code": {"enum": [str(code) for code in StatusCode]},
                "messages": {"type": "array", "items": {"type": "string"}},
            }
        ),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"gpdeep {command}",
        **_object(common | fields),
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "depth": _answer(
        "depth",
        finite=_object(
            {
                "method": {"type": "string"},
                "log_sin2_mean": _SERIES,
                "log_sin2_std": _SERIES,
                "log_sin2_median": _SERIES,
                "survival": _SERIES,
                "log_length2_mean": _SERIES,
                "log_length2_std": _SERIES,
                "error": _object({"kind": {"type": "string"}, "log_sin2_mean": _NUMBER, "log_sin2_std": _NUMBER}),
            },
            dead=_SERIES,
            collapsed=_SERIES,
            orthogonal=_SERIES,
            probability_above=_SERIES,
        ),
        infinite=_object({"angle": _SERIES, "log_sin2": _SERIES}),
        degeneracy_depth=_object(
            {
                "finite": _COUNT,
                "infinite": _COUNT,
                "reached": {"type": ["boolean", "null"]},
                "threshold": {"type": "number"},
                "confidence": {"type": "number"},
            }
        ),
        effective_depth={"type": "number", "exclusiveMinimum": 0},
        initial_angle={
            "anyOf": [
                {"type": "number"},
                _object({"mean": _NUMBER, "median": _NUMBER, "std": _NUMBER, "pairs": {"type": "integer"}}),
            ]
        },
        width={"type": ["integer", "null"], "minimum": 1},
    )
}
