"""The core network equals the network it was made from, and costs what the formulas say."""

import json
from itertools import pairwise

import numpy as np
import pytest

from gpdeep import load
from gpdeep.errors import DomainError, MemoryBudgetError
from gpdeep.linearize import AffineForms, cheapest_cuts, core_network, summarise_units

# Composed matrices: for the networks here sums of some 1e3 products in 12 layers of gain 1, each rounded at eps.
EQUAL = 1e-12


def phi(x, slopes):
    return np.where(x > 0, x, slopes * x)


def chain(rng, widths, fractions, bias=True, slope=None):
    """Weights of gain 1, biases, and slopes: linear but for a fraction of each layer."""
    W = [rng.normal(size=(m, n)) / np.sqrt(n) for n, m in pairwise(widths)]
    b = [rng.normal(size=len(weight)) for weight in W] if bias else None
    a = []
    for n, p in zip(widths[1:-1], fractions, strict=True):
        slopes = np.ones(n)
        active = rng.permutation(n)[: round(p * n)]
        slopes[active] = rng.uniform(-0.5, 0.5, active.size) if slope is None else slope
        a.append(slopes)
    return W, b, a


def forward(W, b, a, x):
    for layer, weight in enumerate(W):
        x = x @ weight.T + (0 if b is None or b[layer] is None else b[layer])
        if layer < len(a):
            x = phi(x, a[layer])
    return x


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_core_network_equals_the_chain(fraction, bias):
    rng = np.random.default_rng(7)
    W, b, a = chain(rng, [20, *[16] * 8, 5], [fraction] * 8, bias)
    x = rng.normal(size=(200, 20))
    expected = forward(W, b, a, x)
    scale = np.abs(expected).max()
    core = core_network(W, b, a)
    np.testing.assert_allclose(core.evaluate(x), expected, rtol=0, atol=EQUAL * scale)
    wrong = [*a[:-1], np.where(a[-1] == 1, 0.99, a[-1])]  # negative control: linear channels that are not quite
    off = np.abs(core_network(W, b, wrong).evaluate(x) - expected).max()
    assert off > 1e6 * EQUAL * scale or fraction == 1.0


@pytest.mark.parametrize("cuts", [(1,), (3, 4), (1, 2, 3, 4, 5, 6), "cheapest"])
def test_cut_chains_are_equal_too(cuts):
    rng = np.random.default_rng(8)
    W, b, a = chain(rng, [12, 30, 3, 20, 20, 20, 9, 4], [0.3, 0.4, 0.9, 0.0, 0.2, 0.5])
    x = rng.normal(size=(50, 12))
    expected = forward(W, b, a, x)
    core = core_network(W, b, a, cuts=cuts)
    np.testing.assert_allclose(core.evaluate(x), expected, rtol=0, atol=EQUAL * np.abs(expected).max())
    if isinstance(cuts, tuple):
        assert len(core.segments) == len(cuts) + 1


def test_matrices_have_the_shapes_of_the_formula():
    rng = np.random.default_rng(9)
    d, o, counts = 10, 3, [4, 0, 2, 1]
    W, b, a = chain(rng, [d, *[8] * 4, o], [k / 8 for k in counts])
    core = core_network(W, b, a)
    K = sum(counts)
    rows, known = [], 1 + d
    for k in counts:
        if k:
            rows.append((k, known))
            known += k
    assert [matrix.shape for matrix in core.matrices] == [*rows, (o, 1 + d + K)]
    pairs = sum(k * m for i, k in enumerate(counts) for m in counts[:i])
    assert core.parameters_after == K * (d + 1) + pairs + o * (1 + d + K)
    assert core.multiplications_after == K * d + pairs + o * (d + K)
    assert core.parameters_before == sum(w.size for w in W) + sum(v.size for v in b)
    assert core.active.tolist() == counts


@pytest.mark.parametrize("seed", range(3))
def test_cheapest_cuts_are_the_cheapest_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 30, 8).tolist()
    active = [int(rng.integers(0, n + 1)) for n in widths[1:-1]]
    W, b, a = chain(rng, widths, [k / n for k, n in zip(active, widths[1:-1], strict=True)])
    found = cheapest_cuts(widths, active)
    costs = {}
    for mask in range(2**6):
        cuts = tuple(layer for layer in range(1, 7) if mask >> (layer - 1) & 1)
        costs[cuts] = core_network(W, b, a, cuts=cuts).multiplications_after
    assert found.multiplications == min(costs.values()) == costs[found.cuts]
    assert found.uncut == costs[()]
    assert found.chain == costs[(1, 2, 3, 4, 5, 6)] == sum(w.size for w in W)


def test_one_layer_pays_below_half_of_its_units():
    n = 10
    for k in range(n + 1):
        found = cheapest_cuts([n, n, n], [k])
        assert found.uncut == n * n + 2 * n * k
        assert found.chain == 2 * n * n
        assert (found.cuts == ()) == (k <= n / 2)  # at k = n/2 both cost the same, and no cut is simpler


def test_sums_and_concatenations_are_affine_forms():
    rng = np.random.default_rng(3)
    d, n = 4, 6
    A, B, C = rng.normal(size=(n, d)), rng.normal(size=(n, n)), rng.normal(size=(3, 2 * n + d))
    one, two = np.where(np.arange(n) % 2, 1.0, 0.2), np.where(np.arange(n) % 3, 1.0, -0.3)
    scale, shift = rng.normal(size=n), rng.normal(size=n)
    x = rng.normal(size=(30, d))
    h = phi(x @ A.T, one)
    g = h + phi(scale * (h @ B.T) + shift, two)
    expected = np.concatenate([h, g, x], axis=1) @ C.T
    forms = AffineForms(d)
    X = forms.input()
    H = forms.activate(forms.dense(X, A), one)
    G = forms.add(H, forms.activate(forms.scale(forms.dense(H, B), scale, shift), two))
    Y = forms.widened(forms.dense(forms.concatenate(H, G, X), C))
    values = np.concatenate([np.ones((30, 1)), x], axis=1)
    for matrix, slopes in zip(forms.matrices, forms.slopes, strict=True):
        values = np.concatenate([values, phi(values @ matrix.T, slopes)], axis=1)
    np.testing.assert_allclose(values @ Y.T, expected, rtol=0, atol=EQUAL * np.abs(expected).max())
    assert [len(matrix) for matrix in forms.matrices] == [3, 2]


def test_shapes_of_inputs_are_kept_and_checked():
    rng = np.random.default_rng(1)
    W, b, a = chain(rng, [5, 6, 2], [0.5])
    core = core_network(W, b, a)
    x = rng.normal(size=(3, 4, 5))
    # a batch may be summed in another order: 5 products
    np.testing.assert_allclose(core.evaluate(x)[1, 2], core.evaluate(x[1, 2]), rtol=0, atol=1e-14)
    assert core.evaluate(x).shape == (3, 4, 2)
    with pytest.raises(DomainError, match="5 features"):
        core.evaluate(np.zeros((2, 6)))


def test_the_result_is_kept_and_shown(tmp_path):
    rng = np.random.default_rng(1)
    W, b, a = chain(rng, [5, 6, 6, 2], [0.5, 0.0])
    core = core_network(W, b, a, cuts=(2,))
    again = load(core.save(tmp_path / "core.json"))
    assert again == core
    x = rng.normal(size=(3, 5))
    np.testing.assert_array_equal(again.evaluate(x), core.evaluate(x))
    assert "3 of 12 units are active" in str(core)
    assert json.loads(json.dumps(core.to_dict()))["inputs"] == 5


def test_memory_is_asked_for_before_it_is_taken():
    W = [np.ones((1000, 1000)), np.ones((2, 1000))]
    with pytest.raises(MemoryBudgetError, match="budget is 1 MiB"):
        core_network(W, None, [0.0], memory_budget=2**20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: core_network([], None, []), "0 weights"),
        (lambda: core_network([np.ones((2, 2))], None, [[1.0, 1.0]]), "1 weights"),
        (lambda: core_network([np.ones((2, 2)), np.ones((2, 3))], None, [0.0]), r"shape \(2, 3\) is given 2"),
        (lambda: core_network([np.ones((2, 2)), np.ones((2, 2))], None, [[0.0, 1.0, 1.0]]), r"slopes\[0\]"),
        (lambda: core_network([np.full((2, 2), np.nan)], None, []), "not finite"),
        (lambda: core_network([np.ones((2, 2))] * 2, None, [0.0], cuts=(2,)), "hidden layers"),
        (lambda: core_network([np.ones((2, 2))] * 2, None, [0.0], cuts="best"), "'best'"),
        (lambda: cheapest_cuts([2, 2], [3]), "do not fit"),
        (lambda: AffineForms(2).add(np.ones((2, 3)), np.ones((3, 3))), "2, 3 features"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(DomainError, match=message):
        call()


# ------------------------------------------------------------------------------------------- summary


def test_summary_of_equal_layers_is_their_number():
    found = summarise_units([8] * 5, [2] * 5)
    assert found.support == 5
    assert found.effective_width == 2
    np.testing.assert_allclose([found.participation_depth, found.centre_of_mass], [5, 3], rtol=1e-15)


def test_summary_sees_widths_fractions_and_places():
    found = summarise_units([10, 20, 40], [5, 0, 10], names=("a", "b", "c"))
    assert found.support == 2
    assert found.effective_width == 7.5
    p = np.array([0.5, 0, 0.25])
    np.testing.assert_allclose(found.participation_depth, p.sum() ** 2 / (p @ p), rtol=1e-15)
    np.testing.assert_allclose(found.centre_of_mass, (1 * 0.5 + 3 * 0.25) / 0.75, rtol=1e-15)
    assert "15 of 70 units" in str(found)


def test_summary_of_a_linear_network_has_no_depth():
    found = summarise_units([3, 3], [0, 0])
    assert found.support == 0
    assert found.effective_width == 0
    assert np.isnan(found.participation_depth)
    assert np.isnan(found.centre_of_mass)


@pytest.mark.parametrize(
    "call",
    [
        lambda: summarise_units([3], [4]),
        lambda: summarise_units([3, 3], [1]),
        lambda: summarise_units([], []),
        lambda: summarise_units([3.0], [1]),
        lambda: summarise_units([3], [1], names=("a", "b")),
    ],
)
def test_counts_that_do_not_fit_are_refused(call):
    with pytest.raises(DomainError):
        call()
