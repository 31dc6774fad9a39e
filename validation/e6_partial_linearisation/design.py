"""Which networks are trained, at each size. Data are the templates unless a folder is given: digits are too easy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..data import data_name
from ..experiment import Settings, Size
from ..sweep import Unit

ARMS = ("late", "early", "same", "per_layer", "anywhere")
SHARES = (1.0, 0.5, 0.25)  # of ReLU units, in the networks that are not trained
_STACK, _MODULE, _SUMS, _START = (
    f"{__package__}.{name}:trial" for name in ("stack_trial", "module_trial", "sums", "start")
)

_QUICK_TRAINING = {"steps": 2000, "rate": 0.02}
_QUICK_OMEGAS: tuple[float, ...] = (0.007, 0.01, 0.016, 0.03)
_TINY: dict[str, Any] = {"steps": 30, "batch": 32, "rate": 0.05}
_QUICK_SUMS: dict[str, Any] = {"seeds": 3, "epochs": 60, "omegas": [0.012, 0.016, 0.03, 0.06]}
_FULL_SUMS: dict[str, Any] = {
    "seeds": 10,
    "epochs": 60,
    "omegas": [0.006, 0.009, 0.012, 0.016, 0.022, 0.03, 0.042, 0.06],
}


def plan(settings: Settings) -> list[Unit]:
    """Networks that are not trained first; then chains, sums, and the other kinds."""
    units = list(_start(settings))
    if settings.size is not Size.SMOKE:
        units += [*_stacks(settings), *_sums(settings), *_modules(settings)]
    return units


def data_of(settings: Settings) -> tuple[str, dict[str, str]]:
    """Name of the data, and the setting that says where a folder of this name is."""
    if settings.data in ("digits", "templates"):
        return "templates", {}
    return data_name(settings.data), {"source": settings.data}


def _start(settings: Settings) -> Iterator[Unit]:
    networks = {Size.SMOKE: 2000, Size.QUICK: 4000, Size.FULL: 100_000}[settings.size]
    for share in SHARES:
        s = {
            "width": 64,
            "depth": 6,
            "angle": math.pi / 3,
            "share": share,
            "networks": networks,
            "seed": settings.seed,
        }
        yield Unit(_START, {"experiment": "E6", "part": "start", **s}, flops=4.0 * networks * 6 * 64 * 64)


def _stacks(settings: Settings) -> Iterator[Unit]:
    own, where = data_of(settings)
    if settings.size is Size.QUICK:
        shapes, omegas, seeds = [(own, 4, False)], _QUICK_OMEGAS, 4
        training = _QUICK_TRAINING
    else:
        shapes = [(own, depth, skips) for depth, skips in ((4, False), (8, False), (8, True), (16, False), (32, True))]
        shapes += [("sum", 8, skips) for skips in (False, True)]
        omegas, seeds = (0.004, 0.007, 0.01, 0.016, 0.03), 5
        training = {"steps": 3000, "rate": 0.02}
    for data, depth, skips in shapes:
        s = {
            "experiment": "E6",
            "part": "stack",
            "data": data,
            "data_seed": settings.seed,
            "width": 64,
            "depth": depth,
        }
        s |= {"skips": skips, "training": training, "seeds": [settings.seed + seed for seed in range(seeds)]}
        options = {"device": settings.device, **(where if data == own else {})}
        one = 6.0 * training["steps"] * 128 * seeds * 64 * (196 + 64 * depth)
        yield Unit(_STACK, s, flops=2 * one, settings=options)
        yield Unit(_STACK, {**s, "shuffled": True}, flops=one, settings=options)
        for omega in omegas:
            yield Unit(_STACK, {**s, "omega": omega}, flops=len(ARMS) * one, settings=options)


def _sums(settings: Settings) -> Iterator[Unit]:
    size = _QUICK_SUMS if settings.size is Size.QUICK else _FULL_SUMS
    for seed in range(settings.seed, settings.seed + size["seeds"]):
        s = {
            "experiment": "E6",
            "part": "sums",
            "task": "sum",
            "seed": seed,
            **{k: size[k] for k in ("epochs", "omegas")},
        }
        yield Unit(_SUMS, s, flops=6.0 * 1920 * 256 * 32 * 32 * 15 * (2 + 2 * len(size["omegas"])))


def _modules(settings: Settings) -> Iterator[Unit]:
    own, where = data_of(settings)
    if settings.size is Size.QUICK:
        seeds = 1
        images: list[dict[str, Any]] = [{"width": 4, "depth": 2, "skips": True, "training": _TINY}]
        texts: list[dict[str, Any]] = [
            {
                "width": 16,
                "hidden": 16,
                "heads": 2,
                "depth": 1,
                "sentences": 200,
                "test_sentences": 50,
                "training": {**_TINY, "rate": 0.1},
            }
        ]
        omegas: dict[str, tuple[float, ...]] = {"cnn": (0.3,), "transformer": (0.3,)}
        sources = [own]
    else:
        seeds, sources = 3, [own, "sum"]
        images = [
            {"width": 32, "depth": 8, "skips": skips, "training": {"steps": 2000, "rate": 0.1}}
            for skips in (False, True)
        ]
        texts = [
            {
                "width": 64,
                "hidden": 256,
                "heads": 4,
                "depth": 3,
                "sentences": 6000,
                "test_sentences": 2000,
                "training": {"steps": 4000, "rate": 0.05},
            }
        ]
        omegas = {"cnn": (0.004, 0.01, 0.03), "transformer": (0.002, 0.005, 0.015)}
    designs = [("cnn", data, shape) for data in sources for shape in images] + [
        ("transformer", "numbers", t) for t in texts
    ]
    for model, data, shape in designs:
        for seed in range(settings.seed, settings.seed + seeds):
            for arm, omega in [("active", 0.0), ("linear", 0.0)] + [
                (arm, omega) for arm in ("early", "late") for omega in omegas[model]
            ]:
                s = {
                    "experiment": "E6",
                    "part": "module",
                    "model": model,
                    "data": data,
                    "data_seed": settings.seed,
                    **shape,
                }
                options = {"device": settings.device, **(where if model == "cnn" and data == own else {})}
                yield Unit(_MODULE, {**s, "arm": arm, "omega": omega, "seed": seed}, flops=_work(s), settings=options)


def _work(s: dict[str, Any]) -> float:
    """Rough, for the time that is left."""
    steps, batch = s["training"]["steps"], s["training"].get("batch", 128)
    if s["model"] == "cnn":
        return float(6 * steps * batch * s["depth"] * 9 * s["width"] ** 2 * 100)
    return float(6 * steps * batch * 16 * s["depth"] * (10 * s["width"] ** 2 + 4 * s["width"] * s["hidden"]))
