"""What random networks show by their exact law is what networks with real weights show."""

import numpy as np
import pytest
from scipy import stats

from gpdeep import DomainError, activation
from gpdeep.finite.layer_statistics import STATISTICS, layer_statistics

X = np.array([[1.0, 0.3, -0.5], [0.2, 1.2, 0.4], [-1.0, 0.1, 0.9], [-0.9, 0.2, 1.0]])
WIDTHS, OUTPUTS, NETWORKS = (12, 9, 15), 4, 3000


def with_weights(phi, sigma_w, sigma_b, x=X, seed=1):
    """The same four statistics of networks whose weight matrices are drawn."""
    rng, phi = np.random.default_rng(seed), activation(phi)
    found = {name: np.empty((NETWORKS, len(WIDTHS))) for name in STATISTICS}
    for network in range(NETWORKS):
        a, hs, Ws = x.T, [], []
        for k, n in enumerate(WIDTHS):
            W = rng.normal(size=(n, len(a))) * sigma_w / np.sqrt(len(a))
            h = W @ a + sigma_b * rng.normal(size=(n, 1))
            a = phi(h)
            hs.append(h[:, 0])
            Ws.append(W)
            found["variance"][network, k] = (h**2).mean()
            found["sparsity"][network, k] = (a == 0).mean()
            with np.errstate(all="ignore"):
                u = a / np.sqrt((a**2).sum(0))
                sin2 = 1 - (u[:, ::2] * u[:, 1::2]).sum(0) ** 2
                found["log_sin2"][network, k] = np.log(sin2).mean()
        W = rng.normal(size=(OUTPUTS, len(a))) * sigma_w / np.sqrt(len(a))
        back = W.T @ rng.normal(size=OUTPUTS)
        for k in (2, 1, 0):
            delta = back * phi.derivative(hs[k])
            with np.errstate(divide="ignore"):
                found["log_grad_norm2"][network, k] = np.log((delta**2).sum())
            back = Ws[k].T @ delta
    return found


@pytest.mark.parametrize(
    ("phi", "sigma_w", "sigma_b"), [("relu", 2**0.5, 0.0), ("tanh", 1.4, 0.3), ("crelu:0.3,1", 1.5, 0.4)]
)
def test_all_four_have_the_law_of_real_networks(phi, sigma_w, sigma_b):
    """Kolmogorov-Smirnov at 1e-5 in each of 12 comparisons; a σ_w 10 % off has to be seen in the same test."""
    real = with_weights(phi, sigma_w, sigma_b)
    options = {"phi": phi, "sigma_b": sigma_b, "n_samples": NETWORKS}
    drawn = layer_statistics(X, WIDTHS, OUTPUTS, sigma_w=sigma_w, **options)
    wrong = layer_statistics(X, WIDTHS, OUTPUTS, sigma_w=1.1 * sigma_w, **options)
    for name in STATISTICS:
        for layer in range(len(WIDTHS)):
            one, two = (
                np.nan_to_num(table[:, layer], nan=-1e3, neginf=-1e3) for table in (real[name], getattr(drawn, name))
            )
            assert stats.ks_2samp(one, two).pvalue > 1e-5, (name, layer)
    assert stats.ks_2samp(real["variance"][:, -1], wrong.variance[:, -1]).pvalue < 1e-5


def test_gradient_and_representation_of_a_network_are_drawn_together():
    """Forward and backward pass the same weights: the length of a network's representation and gradient correlate."""
    same = X[[0, 0]]  # variances of the one input whose gradient it is
    real = with_weights("relu", 2**0.5, 0.0, same)
    drawn = layer_statistics(same, WIDTHS, OUTPUTS, n_samples=NETWORKS)

    def correlation(variance, gradient):
        fine = np.isfinite(gradient[:, 0]) & (variance[:, -1] > 0)
        return np.corrcoef(np.log(variance[fine, -1]), gradient[fine, 0])[0, 1]

    one = correlation(real["variance"], real["log_grad_norm2"])
    two = correlation(drawn.variance, drawn.log_grad_norm2)
    assert one > 0.15  # fresh weights on the way back would give about 0, with a standard error of 0.02
    assert abs(one - two) < 4 * np.sqrt(2 / NETWORKS)


def test_gradients_of_relu_have_the_exact_law_of_their_length():
    from gpdeep.finite import gradient_law

    law = gradient_law([32] * 10)
    drawn = layer_statistics(X[:2], [32] * 10, 1, n_samples=4000).log_grad_norm2
    ratio = drawn - np.mean(drawn[:, -1:])
    assert abs((ratio[:, 0].mean() - ratio[:, -1].mean()) - (law.mean[0] - law.mean[-1])) < 4 * law.std[0] / np.sqrt(
        4000
    )


def test_blocks_and_seeds():
    one = layer_statistics(X, WIDTHS, OUTPUTS, n_samples=50, rng=3)
    two = layer_statistics(X, WIDTHS, OUTPUTS, n_samples=50, rng=3)
    np.testing.assert_array_equal(one.variance, two.variance)
    assert one.log_sin2.shape == (50, 3)


@pytest.mark.parametrize("inputs", [X[:3], X[0], X * np.nan, np.empty((0, 3))])
def test_inputs_come_in_pairs(inputs):
    with pytest.raises(DomainError, match="inputs"):
        layer_statistics(inputs, WIDTHS, OUTPUTS)
