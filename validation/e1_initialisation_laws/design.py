"""How much is drawn at each size, the units that draw it, and how their results are found again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.experiment import Results, Settings, Size
from validation.sweep import Unit, canonical_json

FUNCTION = "validation.e1_initialisation_laws:trial"
QUARTER = 0.7853981633974483  # π/4
RIGHT = 1.5707963267948966  # π/2
LAYERS = 8  # of a chain at vanishing angle

ACTIVATIONS = (
    "relu",
    "leaky_relu:0.1",
    "abs",
    "hard_tanh",
    "relu_tau:0.5",
    "st:0.5",
    "crelu:0.5,1.5",
    "cst:0.5,1.5",
    "tanh",
    "erf",
    "sigmoid",
    "gelu",
    "silu",
    "softplus",
    "sin",
    "elu",
    "selu",
)


@dataclass(frozen=True)
class Design:
    """Widths, depths and numbers of networks.

    Parameters
    ----------
    real_widths, real_networks : tuple of int, int
        Networks with real weights at a vanishing angle.
    chain_widths, chain_networks : tuple of int, int
        The sampler at a vanishing angle.
    cells : tuple of (width, depth)
        Real networks beside the samplers, from π/4.
    cell_networks, cell_chains : int
        Real ones; sampled ones.
    control, control_networks : (width, depth), int
        Networks with wrong weights, so many that 1 % of the variance is found with 99 % probability.
    mean_widths, mean_layers : tuple of int
        Where ln sin²θ from π/4 is averaged.
    mean_networks, chunk : int
        In all, and in one unit.
    shape : tuple of (width, depth)
        Where the law is compared with the normal one.
    map_networks : int
    curves : tuple of (width, depth, networks)
        Real networks whose ln sin²θ from π/2 is told after every layer.
    """

    real_widths: tuple[int, ...]
    real_networks: int
    chain_widths: tuple[int, ...]
    chain_networks: int
    cells: tuple[tuple[int, int], ...]
    cell_networks: int
    cell_chains: int
    control: tuple[int, int]
    control_networks: int
    mean_widths: tuple[int, ...]
    mean_layers: tuple[int, ...]
    mean_networks: int
    chunk: int
    shape: tuple[tuple[int, int], ...]
    map_networks: int
    curves: tuple[tuple[int, int, int], ...]


DESIGNS = {
    Size.SMOKE: Design(
        real_widths=(16, 32),
        real_networks=400,
        chain_widths=(8, 32, 64),
        chain_networks=4000,
        cells=((32, 12),),
        cell_networks=400,
        cell_chains=2000,
        control=(32, 40),
        control_networks=1500,
        mean_widths=(32, 64),
        mean_layers=(1, 5, 10, 20),
        mean_networks=8000,
        chunk=8000,
        shape=((32, 20),),
        map_networks=200,
        curves=((32, 32, 300),),
    ),
    Size.QUICK: Design(
        real_widths=(16, 32, 64, 96, 128),
        real_networks=1000,
        chain_widths=(8, 16, 32, 64, 128, 256),
        chain_networks=20_000,
        cells=((32, 20), (64, 20), (128, 20)),
        cell_networks=1000,
        cell_chains=10_000,
        control=(32, 40),
        control_networks=1500,
        mean_widths=(32, 64, 128, 256),
        mean_layers=(1, 5, 10, 20, 50),
        mean_networks=20_000,
        chunk=20_000,
        shape=((32, 20), (128, 20)),
        map_networks=1000,
        curves=((256, 32, 300), (32, 32, 1500)),
    ),
    Size.FULL: Design(
        real_widths=(16, 32, 64, 128, 256),
        real_networks=4000,
        chain_widths=(8, 16, 32, 64, 128, 256, 512, 1024, 2048),
        chain_networks=1_000_000,
        cells=((32, 20), (64, 50), (64, 100), (128, 20)),
        cell_networks=4000,
        cell_chains=1_000_000,
        control=(64, 40),
        control_networks=10_000,
        mean_widths=(32, 64, 128, 256, 512, 1024, 2048),
        mean_layers=(1, 5, 10, 20, 50, 100, 200, 500),
        mean_networks=1_000_000,
        chunk=125_000,
        shape=((32, 20), (128, 20), (512, 50), (2048, 500)),
        map_networks=20_000,
        curves=((256, 32, 4000), (32, 32, 40_000)),
    ),
}


def units(settings: Settings) -> list[Unit]:
    """All units of a size, the longest first."""
    found = sorted(_specifications(DESIGNS[settings.size], settings.seed), key=lambda pair: -pair[1])
    return [Unit(FUNCTION, specification, flops, {"device": settings.device}) for specification, flops in found]


def _specifications(design: Design, seed: int) -> Iterator[tuple[dict[str, Any], float]]:
    """Specifications, each with a measure of its work."""
    for part, widths, networks in (
        ("small_angle_networks", design.real_widths, design.real_networks),
        ("small_angle_chain", design.chain_widths, design.chain_networks),
    ):
        for width in widths:
            real = part == "small_angle_networks"
            yield _named(part, seed, width=width, networks=networks), networks * _work(width, LAYERS, real)
    for width, depth in design.cells:
        specification = _named("sampler", seed, width=width, depth=depth, networks=design.cell_networks)
        work = design.cell_networks * _work(width, depth, True) + 5 * design.cell_chains * _work(width, depth, False)
        yield specification | {"chains": design.cell_chains}, work
    width, depth = design.control
    for sigma_w2 in (2.0, 2.02, 2.2, 1.0):
        specification = _named("wrong_weights", seed, width=width, depth=depth, networks=design.control_networks)
        yield specification | {"sigma_w2": sigma_w2}, design.control_networks * _work(width, depth, True)
    for width in design.mean_widths:
        shape = sorted(depth for n, depth in design.shape if n == width)
        for start in range(0, design.mean_networks, design.chunk):
            size = min(design.chunk, design.mean_networks - start)
            specification = _named("means", seed, width=width, layers=list(design.mean_layers), networks=size)
            yield specification | {"shape": shape, "first": start}, size * _work(width, max(design.mean_layers), False)
    for phi in ACTIVATIONS:
        yield _named("maps", seed, phi=phi, width=128, networks=design.map_networks), 1e4 * design.map_networks
    for width, depth, networks in design.curves:
        specification = _named("by_layer", seed, width=width, depth=depth, networks=networks)
        yield specification, networks * _work(width, depth, True)


def _named(part: str, seed: int, **rest: Any) -> dict[str, Any]:
    return {"experiment": "E1", "part": part, "seed": seed, **rest}


def _work(width: int, depth: int, real: bool) -> float:
    """Operations of a network, about: 60 a normal number and what is done with it."""
    return 60.0 * depth * (width * width if real else 2 * width)


def root(specification: Mapping[str, Any]) -> np.random.SeedSequence:
    """The seed of a unit: no two units share a stream."""
    return np.random.SeedSequence([specification["seed"], zlib.crc32(canonical_json(specification).encode())])


class Cells:
    """Specifications beside their results."""

    def __init__(self, plan: Sequence[Unit], results: Results) -> None:
        self._pairs = [(dict(unit.specification), result) for unit, result in zip(plan, results, strict=True)]

    def of(self, part: str) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
        """What has come in of a part."""
        return [(spec, found) for spec, found in self._pairs if spec["part"] == part and found is not None]

    def declared(self, part: str) -> int:
        """Units of a part in the plan."""
        return sum(spec["part"] == part for spec, _ in self._pairs)
