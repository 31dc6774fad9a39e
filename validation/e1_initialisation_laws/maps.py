r"""One layer of every activation: E φ(h_i)φ(h_j) over networks is the infinite-width map, exactly, at every width.

The pre-activations of the first layer are normal with the inputs' Gram matrix, so the mean over networks of
φ(h_i)·φ(h_j)/n has no finite-width correction; only its scatter depends on n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpdeep.activations import activation
from gpdeep.agreement import mean_test
from gpdeep.meanfield import correlation_map, variance_map
from validation.claim import Claim

from .design import Cells, root
from .kept_tests import kept, law_claim, test_of
from .simulate import pair_at

_ANGLE = 1.0


def layer(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Mean square and mean product of post-activations against V(1) and V(1) C(cos θ)."""
    import torch

    from gpdeep.nn import Ensemble
    from gpdeep.nn.one_thread import one_thread

    phi = activation(specification["phi"])
    with one_thread():
        nets = Ensemble(
            f"2,{specification['width']},1",
            specification["networks"],
            activation=phi,
            sigma_w=1.0,
            seeds=root(specification).spawn(specification["networks"]),
            dtype=torch.float64,
            device=device,
        )
        with torch.no_grad():
            h = next(nets.pre_activations(torch.as_tensor(pair_at(_ANGLE), device=device))).cpu().numpy()
    a = np.asarray(phi(h))
    variance = float(variance_map(phi, sigma_w=1.0)(1.0))
    apart = float(correlation_map(phi, q=1.0, sigma_w=1.0).one_minus_c(1 - math.cos(_ANGLE)))
    square, product = (a[:, 0] ** 2).mean(axis=1), (a[:, 0] * a[:, 1]).mean(axis=1)
    return {
        "variance": kept(mean_test(square, variance)),
        "correlation": kept(mean_test(product, variance * (1 - apart), rival=variance * math.cos(_ANGLE))),
    }


def claims(cells: Cells) -> list[Claim]:
    """One claim of all activations."""
    tests = {
        f"{spec['phi']}, {name}": test_of(found[name])
        for spec, found in cells.of("maps")
        for name in ("variance", "correlation")
    }
    return [
        law_claim(
            "E1.maps",
            "Mean square and mean product of one layer's activations are those of the infinite-width maps.",
            "gpdeep.meanfield.variance_map, correlation_map",
            tests,
            2 * cells.declared("maps"),
            rival_name="a layer that keeps the correlation",
            limits="One layer; deeper ones have corrections of order 1/n.",
        )
    ]
