"""Residual and normalised layers, layers whose channels differ: the law of what networks with real weights show."""

import numpy as np
import pytest
from chance import p_limit, z_limit
from scipy import stats

from gpdeep import DomainError
from gpdeep.activations import Mixture, activation
from gpdeep.finite import Wiring
from gpdeep.finite.layer_statistics import STATISTICS, layer_statistics

X = np.array([[1.0, 0.3, -0.5], [0.2, 1.2, 0.4], [-1.0, 0.1, 0.9], [-0.9, 0.2, 1.0]])
OUTPUTS, REAL, DRAWN = 4, 2500, 5000
RELU, IDENTITY = activation("relu"), activation("identity")
LN = Wiring("ln")


def partly(linear, width):
    return Mixture((RELU, IDENTITY), (1 - linear / width, linear / width))


# widths, activations, σ_w, σ_b, wirings, what is wrong in the negative control
CASES = {
    "residual, with biases and a change of width": (
        (12, 12, 12, 9, 9),
        "tanh",
        1.4,
        0.4,
        Wiring("res", 0.8, 0.5),
        {"wiring": Wiring("res", 0.7, 0.5)},
    ),
    "residual relu": ((14,) * 5, "relu", 2**0.5, 0.0, Wiring("res", 1.0, 0.5), {"wiring": Wiring("res", 1.0, 0.6)}),
    "layer norm tanh": ((12, 9, 15), "tanh", 1.4, 0.3, LN, {"wiring": None}),
    "layer norm relu": ((12,) * 4, "relu", 1.0, 0.2, LN, {"sigma_w": 1.1}),
    "all three, half linear": (
        (10, 10, 8, 8, 8),
        [RELU, partly(5, 10), partly(2, 8), IDENTITY, RELU],
        1.2,
        0.1,
        [Wiring(), Wiring("res", 0.5, 0.9), LN, Wiring(), Wiring("res")],
        {"phi": [RELU, partly(5, 10), partly(4, 8), IDENTITY, RELU]},
    ),
}


def with_weights(widths, phi, sigma_w, sigma_b, wirings, seed):
    """The four statistics of networks whose weight matrices are drawn; gradients by the chain rule, entry by entry."""
    rng = np.random.default_rng([3, seed])
    phis = [activation(phi)] * len(widths) if isinstance(phi, str) else phi
    wirings = [wirings] * len(widths) if isinstance(wirings, Wiring) else wirings
    found = {name: np.empty((REAL, len(widths))) for name in STATISTICS}
    a, h, matrices, jacobians, skips = np.broadcast_to(X, (REAL, *X.shape)), None, [], [], []
    for k, (n, wired, phi) in enumerate(zip(widths, wirings, phis, strict=True)):
        W = rng.normal(size=(REAL, n, a.shape[2])) * sigma_w / np.sqrt(a.shape[2])
        f = a @ W.swapaxes(1, 2) + sigma_b * rng.normal(size=(REAL, 1, n))
        residual = wired.kind == "res" and h is not None and h.shape[2] == n
        h = wired.alpha * h + wired.beta * f if residual else f
        u, own = h, np.broadcast_to(np.eye(n), (REAL, n, n))
        if wired.kind == "ln":
            u = (h - h.mean(axis=2, keepdims=True)) / h.std(axis=2, keepdims=True)
            outer = u[:, 0, :, None] * u[:, 0, None, :]
            own = (np.eye(n) - 1 / n - outer / n) / h[:, 0].std(axis=1)[:, None, None]
        a = phi(u)
        matrices.append((wired.beta if residual else 1.0) * W)
        jacobians.append(phi.derivative(u)[:, 0, :, None] * own)  # ∂a/∂h
        skips.append(wired.alpha if residual else None)
        found["variance"][:, k] = (h**2).mean(axis=(1, 2))
        found["sparsity"][:, k] = (a == 0).mean(axis=(1, 2))
        with np.errstate(all="ignore"):
            unit = a / np.linalg.norm(a, axis=2, keepdims=True)
            c = (unit[:, ::2] * unit[:, 1::2]).sum(axis=2)
            found["log_sin2"][:, k] = np.log(1 - c**2).mean(axis=1)
    W = rng.normal(size=(REAL, OUTPUTS, widths[-1])) * sigma_w / np.sqrt(widths[-1])
    row = rng.normal(size=(REAL, 1, OUTPUTS)) @ W @ jacobians[-1]
    for k in reversed(range(len(widths))):
        with np.errstate(divide="ignore"):
            found["log_grad_norm2"][:, k] = np.log((row**2).sum(axis=(1, 2)))
        if k:
            through = row @ matrices[k] @ jacobians[k - 1]
            row = through if skips[k] is None else skips[k] * row + through
    return found


@pytest.mark.parametrize("name", CASES)
def test_all_four_have_the_law_of_real_networks(name):
    """Kolmogorov-Smirnov and the z-scores of means, at 1e-3 for all cases together; a wrong network has to be seen."""
    widths, phi, sigma_w, sigma_b, wiring, instead = CASES[name]
    seed = list(CASES).index(name)
    options = {"phi": phi, "sigma_w": sigma_w, "sigma_b": sigma_b, "wiring": wiring}
    real = with_weights(widths, phi, sigma_w, sigma_b, wiring, seed)
    drawn = layer_statistics(X, widths, OUTPUTS, n_samples=DRAWN, rng=seed, **options)
    wrong = layer_statistics(X, widths, OUTPUTS, n_samples=DRAWN, rng=seed, **(options | instead))
    comparisons = 2 * len(STATISTICS) * sum(len(case[0]) for case in CASES.values())
    p, z = distances(real, drawn)
    assert p.min() > p_limit(comparisons)
    assert np.abs(z).max() < z_limit(comparisons)
    p, _ = distances(real, wrong)
    assert (p[:, -1] < p_limit(comparisons)).any()


def distances(real, drawn):
    """p-values and z-scores by statistic and layer."""
    p, z = (np.empty((len(STATISTICS), drawn.variance.shape[1])) for _ in range(2))
    for i, name in enumerate(STATISTICS):
        for layer in range(p.shape[1]):
            one, two = (table[:, layer] for table in (real[name], getattr(drawn, name)))
            lost = [np.round(np.nan_to_num(x, nan=-1e3, neginf=-1e3), 12) for x in (one, two)]  # rounding makes no ties
            p[i, layer] = stats.ks_2samp(*lost).pvalue
            one, two = (x[np.isfinite(x)] for x in (one, two))
            error = np.sqrt(one.var() / len(one) + two.var() / len(two))
            z[i, layer] = (one.mean() - two.mean()) / error if error else 0.0
    return p, z


def test_a_skip_alone_hands_gradients_on():
    """β = 0: h^l = α^{l-1} h¹, so that the gradient grows by α a layer on its way back, to rounding."""
    found = layer_statistics(X, [8] * 4, 2, sigma_w=1.0, wiring=Wiring("res", 0.5, 0.0), n_samples=20)
    np.testing.assert_allclose(np.diff(found.log_grad_norm2), 2 * np.log(2), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.variance[:, 1:] / found.variance[:, :-1], 0.25, rtol=1e-12, atol=0)


def test_what_has_no_law_here_is_refused():
    for options, match in (
        ({"wiring": Wiring(weights="orthogonal")}, "orthogonal"),
        ({"wiring": Wiring("ln"), "widths": [3, 1]}, "one neuron"),
        ({"phi": ["relu"]}, "1 activations for 2"),
        ({"phi": ["relu", "tanh"]}, "sigma_w"),
    ):
        with pytest.raises(DomainError, match=match):
            layer_statistics(X, options.pop("widths", [4, 4]), 2, **options)
