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


_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_NOT_NEGATIVE = {"type": "number", "minimum": 0}

_FIXED_POINTS = {
    "type": "array",
    "items": _object(
        {"q": _NOT_NEGATIVE, "slope": {"type": "number"}, "chi_1": _NOT_NEGATIVE, "stable": {"type": "boolean"}},
        basin={"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
    ),
}

_LAYER_NUMBERS = _object(dict.fromkeys(("log_sin2", "variance", "sparsity", "log_grad_norm2"), _SERIES))

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
    ),
    "maps": _answer(
        "maps",
        q_star=_NUMBER,
        fixed_points=_FIXED_POINTS,
        chi_1={"type": "number"},
        c_star=_NUMBER,
        one_minus_c_star=_NUMBER,
        xi_q=_NUMBER,
        xi_c=_NUMBER,
        xi_grad=_NUMBER,
        phase={"enum": ["ordered", "chaotic", "edge"]},
        trainable_depth=_NUMBER,
        marginal={"type": "boolean"},
    ),
    "clip": _answer(
        "clip",
        tau=_NUMBER,
        m=_POSITIVE,
        sigma_w=_POSITIVE,
        sigma_b=_NOT_NEGATIVE,
        q_star=_POSITIVE,
        chi_1={"type": "number"},
        slope={"type": "number"},
        curvature={"type": "number"},
        sparsity=_NOT_NEGATIVE,
        linear=_NOT_NEGATIVE,
        clipped=_NOT_NEGATIVE,
        fixed_points=_FIXED_POINTS,
        basin={"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
        escape_threshold=_POSITIVE,
        escape_probability=_NUMBER,
        escape_error=_NUMBER,
        activation={"type": "string"},
        d_chi_1=_NUMBER,
        kappa=_NOT_NEGATIVE,
        noise=_NOT_NEGATIVE,
        c_zero=_NUMBER,
        other_levels={"type": "array", "items": _POSITIVE},
        fold_slope=_NUMBER,
        log_gradient_std=_NUMBER,
        input_second_moment=_POSITIVE,
    ),
    "geodesic": _answer(
        "geodesic",
        action={"type": "number"},
        objective={"type": "number"},
        action_error=_NUMBER,
        hamiltonian={"type": "number"},
        hamiltonian_drift=_NOT_NEGATIVE,
        rank_like={"type": "number"},
        p=_SERIES,
        cost_of_identity=_SERIES,
        cost_of_identity_gamma=_SERIES,
        kinetic=_SERIES,
        rank=_SERIES,
        bottleneck=_object(
            {"rank": _COUNT, "start": _NUMBER, "end": _NUMBER, "reason": {"type": "string"}},
            r_H={"type": "number"},
            r_H_spread=_NOT_NEGATIVE,
            r_W=_COUNT,
            r_S=_NUMBER,
            coi_coarse=_NUMBER,
            coi_fine=_NUMBER,
        ),
        is_minimum={"type": "boolean"},
        critical_points={
            "type": "array",
            "minItems": 1,
            "items": _object(
                {
                    "action": {"type": "number"},
                    "hamiltonian": {"type": "number"},
                    "rank_like": {"type": "number"},
                    "kind": {"enum": ["minimum", "saddle"]},
                },
                objective={"type": "number"},
            ),
        },
        residual=_NOT_NEGATIVE,
        sliding={
            "type": "array",
            "items": _object(
                {
                    "neuron": _COUNT,
                    "sample": _COUNT,
                    "kink": {"type": "number"},
                    "start": _NOT_NEGATIVE,
                    "end": _NOT_NEGATIVE,
                }
            ),
        },
    ),
    "path-length": _answer(
        "path-length",
        average_path_length=_NOT_NEGATIVE,
        normalised_average_path_length=_NOT_NEGATIVE,
        degeneracy_depth=_NUMBER,
        log10_paths=_NUMBER,
        lengths={"type": "array", "items": _COUNT},
        probability={"type": "array", "items": _NOT_NEGATIVE},
        layers={
            "type": "array",
            "items": _object(
                {"name": {"type": "string"}, "channels": {"type": "integer", "minimum": 1}, "nonlinear": _NOT_NEGATIVE},
                kind={"type": "string"},
                contribution=_NOT_NEGATIVE,
            ),
        },
        conventions={"type": "object"},
    ),
    "check": _answer(
        "check",
        predicted=_LAYER_NUMBERS,
        measured=_LAYER_NUMBERS,
        z_scores=_LAYER_NUMBERS,
        predicted_std=_LAYER_NUMBERS,
        p_adjusted=_LAYER_NUMBERS,
        agrees={"type": "boolean"},
        first_departure=_COUNT,
        departing={"type": "array", "items": {"type": "string"}},
        alpha=_POSITIVE,
        seeds=_COUNT,
        path_length={
            "anyOf": [
                {"type": "null"},
                _object(
                    {"average_path_length": _NUMBER, "normalised_average_path_length": _NUMBER},
                    reason={"type": "string"},
                ),
            ]
        },
    ),
    "calibrate": _answer(
        "calibrate",
        threshold={"type": "number"},
        low=_NUMBER,
        high=_NUMBER,
        confidence=_POSITIVE,
        scale=_POSITIVE,
        separated={"type": "boolean"},
        p_value=_NOT_NEGATIVE,
        architecture={"type": "array", "items": {"type": "string"}, "minItems": 2},
        log_sin2=_SERIES,
        trained={"type": "array", "items": {"type": "boolean"}},
    ),
    "eoc": _answer(
        "eoc",
        sigma_w=_POSITIVE,
        sigma_b=_NOT_NEGATIVE,
        q_star=_NOT_NEGATIVE,
        chi_1={"type": "number"},
        slope=_NUMBER,
        curvature=_NUMBER,
        chi_2=_NUMBER,
        kappa=_NOT_NEGATIVE,
        marginal={"type": "boolean"},
        other_solutions={
            "type": "array",
            "items": _object({"sigma_w": _POSITIVE, "sigma_b": _NOT_NEGATIVE, "q_star": _NOT_NEGATIVE}),
        },
    ),
}
