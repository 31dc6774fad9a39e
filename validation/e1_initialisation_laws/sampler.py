r"""Networks with real weights beside the samplers: one law of angles, one of lengths, and the exact law of lengths.

Given that an input is alive, with a² the mean square activation of a layer, whose log-law is exact,

    ln(|h^{l+1}|²/n) = ln a_l² + ln σ_w² + ln(χ²_n/n),     the last two independent of the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import polygamma, psi

from gpdeep.agreement import ExactTest, mean_test, same_law_test
from gpdeep.finite import length_law
from gpdeep.finite.layer_statistics import layer_statistics
from gpdeep.result import FloatArray
from validation.claim import Claim

from .design import QUARTER, Cells, root
from .kept_tests import kept, law_claim, test_of
from .simulate import pair_at, real_networks, sampled_layers

_AGAINST = ("angle, chain", "angle, Gram chain", "length, Gram chain")


def cell(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Two-sample tests after a quarter of the layers and after all of them, and the control of twice the width."""
    width, depth = specification["width"], specification["depth"]
    drawn, chains = specification["networks"], specification["chains"]
    streams = root(specification).spawn(4)
    angles, lengths, first = real_networks(width, depth, QUARTER, drawn, streams[0], device)
    sampled = list(sampled_layers(width, depth, QUARTER, chains, streams[1], device))
    wide = list(sampled_layers(2 * width, depth, QUARTER, chains, streams[2], device))
    gram = layer_statistics(pair_at(QUARTER), [width] * depth, 1, n_samples=min(chains, 20_000), rng=streams[3])
    found: dict[str, Any] = {"laws": {}, "lengths": {}, "doubled": {}}
    for layer in registered(depth):
        k = layer - 1
        pairs = (
            (angles[:, k], sampled[k]),
            (angles[:, k], gram.log_sin2[:, k]),
            (lengths[:, k], np.log(gram.variance[:, k])),
        )
        for name, (one, two) in zip(_AGAINST, pairs, strict=True):
            found["laws"][f"{name}, layer {layer}"] = kept(same_law_test(_finite(one), _finite(two)))
        found["lengths"][f"layer {layer}"] = kept(_length_test(first[:, k], width, layer, 2.0))
    found["doubled"] = kept(same_law_test(_finite(angles[:, -1]), _finite(wide[-1])))
    return found


def wrong_weights(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Lengths of networks with the variance σ_w² of the specification, tested as if it were 2."""
    width, depth = specification["width"], specification["depth"]
    _, _, first = real_networks(
        width, depth, QUARTER, specification["networks"], root(specification), device, specification["sigma_w2"]
    )
    return {"test": kept(_length_test(first[:, -1], width, depth, 2.0))}


def registered(depth: int) -> list[int]:
    """The layers that are looked at: a quarter of the way, and the last."""
    return sorted({max(2, depth // 4), depth})


def _length_test(samples: FloatArray, width: int, layer: int, sigma_w2: float) -> ExactTest:
    """ln |h^l|²/n, l ≥ 2, against its exact mean and standard deviation."""
    law = length_law([width] * (layer - 1), sigma_w=math.sqrt(sigma_w2))
    mean = float(law.mean[-1]) + math.log(2 * sigma_w2 / width) + float(psi(width / 2))
    std = math.sqrt(float(law.std[-1]) ** 2 + float(polygamma(1, width / 2)))
    return mean_test(_finite(samples), mean, std=std, rival=math.log(sigma_w2))


def _finite(samples: Any) -> FloatArray:
    values = np.asarray(samples)
    return np.asarray(values[np.isfinite(values)])


def claims(cells: Cells) -> list[Claim]:
    """Samplers and lengths."""
    found = [(f"n = {spec['width']}, L = {spec['depth']}", result) for spec, result in cells.of("sampler")]
    layers = 2 * cells.declared("sampler")
    return [
        law_claim(
            "E1.sampler",
            "Networks with real weights have the law of the samplers, of angles and of lengths.",
            "gpdeep.finite.sample_angles, gpdeep.finite.layer_statistics (Hanin & Nica 2018)",
            {f"{cell}, {name}": test_of(data) for cell, result in found for name, data in result["laws"].items()},
            len(_AGAINST) * layers,
            limits="The larger experiments of E1 use the samplers on the strength of this.",
        ),
        law_claim(
            "E1.length",
            "ln |h|²/n of one input has the exact mean, which finite width lowers by 5/2 Σ1/n.",
            "gpdeep.finite.length_law",
            {f"{cell}, {name}": test_of(data) for cell, result in found for name, data in result["lengths"].items()},
            layers,
            rival_name="infinite width",
        ),
    ]
