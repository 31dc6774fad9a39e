"""Average path lengths of known networks, what they are invariant to, and how they scale."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from reference_graphs import GRAPHS, cifar_resnet, plain20, preact, skip_over_four, threeway

import gpdeep
from gpdeep.errors import DomainError, ValidityWarning
from gpdeep.gaussian import angle_map
from gpdeep.linearize import (
    Graph,
    VarianceShares,
    moments_at_initialisation,
    path_length,
    path_length_distribution,
)
from gpdeep.result import StatusCode

STORED = json.loads((Path(__file__).parents[1] / "reference" / "linearize_graphs.json").read_text())
KNOWN = STORED["graphs"]
# A pass averages and sums positive numbers; PathLength.error bounds its rounding by 8 eps for each node of the graph:
# 430 nodes in ResNet-110, so 8e-13.
RTOL = 1e-12

# ------------------------------------------------------------------------------------------- known values


@pytest.mark.parametrize("name", GRAPHS)
def test_both_averages_of_known_networks(name):
    graph, known = GRAPHS[name](), KNOWN[name]
    apl, napl = path_length(graph, weight="path"), path_length(graph)
    np.testing.assert_allclose([apl.value, napl.value], [known["APL_path"], known["NAPL_branch"]], rtol=RTOL, atol=0)
    np.testing.assert_allclose(apl.log10_paths, known["log10_paths"], rtol=RTOL, atol=0)


@pytest.mark.parametrize("name", GRAPHS)
def test_fractions_of_known_networks(name):
    graph, known = GRAPHS[name](), KNOWN[name]
    apl, napl = path_length(graph, weight="path", exact=True), path_length(graph, exact=True)
    assert napl.fraction == known["NAPL_branch_fraction"]
    assert apl.fraction == known.get("APL_path_fraction", apl.fraction)
    assert round(10**apl.log10_paths) == known.get("paths", round(10**apl.log10_paths))
    np.testing.assert_allclose(float(apl.exact), known["APL_path"], rtol=4e-16, atol=0)  # the stored one is rounded
    assert abs(float(apl.exact) - path_length(graph, weight="path").value) <= path_length(graph, weight="path").error


def test_a_wrong_weight_is_seen():
    """Negative control: path weights do not pass for branch weights, nor a padded shortcut for a projection."""
    assert path_length(cifar_resnet(3, "B"), weight="path").value != pytest.approx(14.5, rel=0.1)
    assert path_length(cifar_resnet(3, "A")).fraction != path_length(cifar_resnet(3, "B"), exact=True).fraction


def test_nested_sums_taken_as_written_give_three_values():
    values = [path_length(threeway(writing), merge_additions=False).value for writing in ("left", "right", "flat")]
    assert values == [KNOWN["nested_no_flatten_example"][key] for key in ("NAPL_branch", "threeway_right")] + [1.0]


def test_distribution_of_resnet_20_is_ten_plus_a_binomial():
    found = path_length_distribution(cifar_resnet(3, "B"), exact=True)
    known = KNOWN["resnet20_optionB_path_length_distribution_branch"]["prob"]
    assert {k: p for k, p in enumerate(found.fractions) if p != "0"} == {int(k): p for k, p in known.items()}
    assert found.exact[10:] == tuple(Fraction(math.comb(9, k), 512) for k in range(10))
    assert (found.mean, found.std) == (14.5, 1.5)


def test_plain_chains_have_one_length_under_every_weight():
    for weight in ("branch", "path", "variance"):
        found = path_length(plain20(), weight=weight, exact=True, distribution=True)
        assert found.fraction == "19"
        assert found.distribution.fractions == ("0",) * 19 + ("1",)


# ------------------------------------------------------------------------------------------- invariance


def test_three_ways_to_write_a_sum_give_one_value():
    for weight in ("branch", "path"):
        assert (
            len({path_length(threeway(w), weight=weight, exact=True).fraction for w in ("left", "right", "flat")}) == 1
        )


@pytest.mark.parametrize("operation", ["copy", "normalise", "scale"])
@pytest.mark.parametrize("place", range(20))
def test_inserting_a_copy_anywhere_changes_nothing(operation, place):
    """At the place-th tensor of a graph with nested sums, also between a sum and the sum that consumes it."""

    def network(at):
        number = itertools.count()

        def here(wire):
            if next(number) != at:
                return wire
            return wire.scale(3.0) if operation == "scale" else getattr(wire, operation)()

        x = here(here(Graph.input(3)).dense(4))
        for _ in range(2):
            a = here(here(x).dense(4))
            b = here(here(here(x.dense(4)).relu([1, 0, 1, 1])).dense(4))
            x = here(here(x + a) + b)
        return Graph.of(here(here(x).relu()).dense(2))

    for weight in ("branch", "path"):
        assert path_length(network(place), weight=weight, exact=True).exact == (
            path_length(network(-1), weight=weight, exact=True).exact
        )


def test_relabelling_the_channels_of_a_skip_connection_changes_nothing():
    rng = np.random.default_rng(5)

    def network(order):
        mask_in, mask_out = np.array([1, 0, 0, 1, 0, 1]), np.array([1, 1, 0, 0, 0, 1])
        x = Graph.input(2).dense(6).relu(mask_in[order])
        h = x.dense(5).relu([1, 0, 1, 1, 0]).dense(6)
        y = (x + h).relu(mask_out[order])
        return Graph.of(Graph.concat(y[np.argsort(order)], x.dense(3)).dense(4, groups=1))

    reference = path_length(network(np.arange(6)), exact=True, distribution=True)
    for _ in range(5):
        permuted = path_length(network(rng.permutation(6)), exact=True, distribution=True)
        assert permuted.fraction == reference.fraction
        assert permuted.distribution.fractions == reference.distribution.fractions


def test_masks_of_a_skip_connection_do_not_permute_one_by_one():
    """Negative control of the test above: the masks before and after the sum are tied together by the skip."""

    def network(after):
        x = Graph.input(2).dense(4).relu([1, 1, 0, 0])
        return Graph.of((x + x.dense(4)).relu(after).dense(4))

    tied, crossed = (path_length(network(m), exact=True, distribution=True) for m in ([1, 1, 0, 0], [0, 0, 1, 1]))
    assert tied.fraction == crossed.fraction
    assert tied.distribution.fractions != crossed.distribution.fractions


# ------------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize("share", [Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)])
def test_length_is_linear_in_an_equal_share_of_active_channels(share):
    whole, part = (path_length(cifar_resnet(3, "B", s), exact=True).exact for s in (None, float(share)))
    assert part == share * whole


def test_length_is_additive_over_masks():
    rng = np.random.default_rng(3)
    first = rng.integers(0, 2, (5, 6))
    other = np.where(first, 0, rng.integers(0, 2, (5, 6)))

    def network(masks):
        x = Graph.input(3).dense(6)
        for mask, outer in itertools.pairwise(masks):
            x = (x + x.dense(6).relu(mask).dense(6, groups=2)).relu(outer)
        return path_length(Graph.of(x.dense(2)), exact=True).exact

    assert network(first) + network(other) == network(first + other)


def test_all_linear_networks_have_length_zero():
    graph = Graph.of(Graph.input(3).dense(4).relu([0] * 4).dense(4).activation("prelu", slopes=1.0).dense(2))
    found = path_length(graph, weight="path")
    assert (found.value, [layer.nonlinear for layer in found.layers]) == (0.0, [0, 0])


def test_contributions_are_those_of_blocks():
    contributions = [layer.contribution for layer in path_length(cifar_resnet(3, "B"), exact=True).layers]
    assert contributions == [1.0] + [0.5, 1.0] * 9


@pytest.mark.parametrize("weight", ["branch", "path", "variance"])
def test_contributions_sum_to_the_length(weight):
    for name in ("masked_post_resnet_seed0", "inception_c4", "resnet20_cifar_optionA"):
        found = path_length(GRAPHS[name](), weight=weight)
        np.testing.assert_allclose(sum(x.contribution for x in found.layers), found.value, rtol=RTOL, atol=0)


# ------------------------------------------------------------------------------------------- conventions


def test_tensor_level_is_the_channel_level_without_groups_and_padding():
    rng = np.random.default_rng(0)

    def network(pad):
        x = Graph.input(3).dense(4).relu(rng.integers(0, 2, 4))
        for width in (4, 6, 6):
            shortcut = x if width == x.channels else x.pad(1, 1) if pad else x.dense(width)
            x = (shortcut + x.dense(width).relu(rng.integers(0, 2, width)).dense(width)).relu(rng.integers(0, 2, width))
        return Graph.of(Graph.concat(x.dense(5).relu([1, 0, 0, 0, 0]), x.dense(2)).dense(4))

    graph = network(pad=False)
    assert path_length(graph, level="tensor", exact=True).exact == path_length(graph, exact=True).exact
    padded = network(pad=True)
    assert path_length(padded, level="tensor", exact=True).exact != path_length(padded, exact=True).exact
    found = path_length(graph, level="tensor")
    np.testing.assert_allclose(sum(x.contribution for x in found.layers), found.value, rtol=RTOL, atol=0)


def test_concatenations_are_weighted_by_channels_or_by_operands():
    def network(cat):
        x = Graph.input(2).dense(3)
        return Graph.of(cat(x, x.dense(1).relu(), x.dense(4).relu().dense(4).relu()).dense(2))

    flat = network(Graph.concat)
    assert path_length(flat, exact=True).exact == Fraction(0 * 3 + 1 * 1 + 2 * 4, 8)
    assert path_length(flat, concat="operand", exact=True).exact == Fraction(0 + 1 + 2, 3)
    nested = network(lambda x, a, b: Graph.concat(Graph.concat(x, a), b))
    assert path_length(nested, concat="operand", exact=True).exact == 1
    as_written = path_length(nested, concat="operand", merge_additions=False, exact=True).exact
    assert as_written == Fraction(1, 2) * Fraction(1, 2) + Fraction(1, 2) * 2
    assert path_length(flat, level="tensor", concat="operand", exact=True).exact == 1


def test_other_operations_count_where_asked_to():
    graph = Graph.of(Graph.input(2).dense(4).relu().copy("max_pool").activation("sigmoid").dense(2).copy("softmax"))
    assert path_length(graph).value == 2.0
    assert path_length(graph, count={"max_pool": 1, "softmax": 0.5}).value == 3.5
    assert path_length(graph, count={"sigmoid": 0}).value == 1.0
    assert path_length_distribution(graph, count={"max_pool": 2}).mean == 4.0
    assert path_length(graph, count={"max_pool": 1}, level="tensor").value == 3.0


def test_a_counted_copy_between_two_sums_keeps_them_apart():
    x = Graph.input(2).dense(2)
    inner = (x + x.dense(2).relu().dense(2)).copy("max_pool")
    graph = Graph.of(inner + x.dense(2))
    assert path_length(graph, exact=True).exact == Fraction(1, 3)
    assert path_length(graph, count={"max_pool": 1}, exact=True).exact == Fraction(1, 2) * (1 + Fraction(1, 2))


def test_a_sum_that_is_read_twice_stays_a_tensor_of_its_own():
    def network(twice):
        x = Graph.input(2).dense(2)
        inner = x + x.dense(2).relu().dense(2)
        outputs = [inner + x.dense(2).relu().dense(2).relu()]
        return Graph.of(outputs + ([inner] if twice else []))

    assert path_length(network(False), exact=True).exact == 1
    assert (
        path_length(network(True), output=0, exact=True).exact == Fraction(1, 2) * Fraction(1, 2) + Fraction(1, 2) * 2
    )


def test_products_are_refused_until_somebody_says_how_to_pass_them():
    x = Graph.input(4).dense(4)
    gate = x.dense(2).relu().dense(4).activation("sigmoid")
    graph = Graph.of((x.relu().product(gate, value=0)).dense(2))
    with pytest.raises(DomainError, match="have no agreed path length"):
        path_length(graph)
    assert path_length(graph, products="value").value == 1.0
    assert path_length(graph, products="merge").value == 1.5
    assert path_length(graph, products="merge", count={"product": 1}).value == 2.5
    assert path_length(graph, products={"product": 1}).value == 2.0
    assert path_length(graph, products="value", level="tensor").value == 1.0
    assert [layer.name for layer in path_length(graph, products="value").layers] == ["relu"]
    assert path_length(graph, products="merge").conventions.products == {"product": "merge"}
    with pytest.raises(DomainError, match="no operand that is known to carry the features"):
        path_length(Graph.of(x * gate), products="value")


def test_what_is_not_known_is_refused_only_where_paths_run_through_it():
    x = Graph.input(4).dense(4)
    unknown = x.opaque(4, "A sort.", "It is not known.", "Register it.")
    assert path_length(Graph.of(x.relu().product(unknown, value=0)), products="value").value == 1.0
    for products in ("merge", {"product": 1}):
        with pytest.raises(DomainError, match="A sort"):
            path_length(Graph.of(x.relu().product(unknown, value=0)), products=products)
    with pytest.raises(DomainError, match="A sort"):
        path_length(Graph.of(unknown.dense(3)))
    with pytest.raises(DomainError, match="A sort"):
        path_length(Graph.of(unknown.dense(3)), level="tensor")


def test_several_outputs_are_averaged_or_named():
    x = Graph.input(3).dense(4).relu()
    graph = Graph.of({"early": x.dense(2), "late": x.dense(4).relu().dense(5)})
    assert path_length(graph).value == 1.5
    assert path_length(graph, output="late").value == path_length(graph, output=-1).value == 2.0
    assert path_length(graph, level="tensor").value == 1.5
    paths = (3 * 4 * 2, 3 * 4 * 4 * 5)
    expected = Fraction(paths[0] + 2 * paths[1], sum(paths))
    assert path_length(graph, weight="path", exact=True).exact == expected
    assert path_length(graph).conventions.output == "all"


def test_structural_zeros_are_no_operands_and_no_sources():
    x = Graph.input(2).dense(2)
    long = x.dense(4).relu().dense(4).relu()
    total = x.pad(1, 1) + long
    graph = Graph.of({str(c): total[[c]] for c in range(4)})
    assert [path_length(graph, output=c).value for c in range(4)] == [2.0, 1.0, 1.0, 2.0]
    with pytest.raises(DomainError, match="No path leads"):
        path_length(Graph.of(x.pad(1)[[0]].dense(3)))


def test_groups_keep_their_channels_apart():
    x = Graph.input(4).relu([1, 1, 0, 0])
    graph = Graph.of(x.dense(6, groups=2))
    halves = Graph.of({"first": x.dense(6, groups=2)[:3], "second": x.dense(6, groups=2)[3:]})
    assert path_length(graph).value == 0.5
    assert [path_length(halves, output=k).value for k in (0, 1)] == [1.0, 0.0]


# ------------------------------------------------------------------------------------------- second moments


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("preact_9x2", {"blocks": 9}),
        ("preact_9x2_half", {"blocks": 9, "active": 0.5}),
        ("preact_9x1", {"blocks": 9, "layers": 1}),
    ],
)
def test_variance_weighted_g_is_the_degeneracy_depth(name, options):
    """D against its stored value, and against the angle itself: 3π (1/θ_out - 1/θ_in) = D + O(θ_in)."""
    known = STORED["residual_mean_field"]["value"][name]
    graph = preact(**options)
    D = path_length(graph, weight="variance", unit="g").value
    np.testing.assert_allclose(D, known["D_variance_weighted"], rtol=RTOL, atol=0)
    np.testing.assert_allclose(path_length(graph).value, known["NAPL"], rtol=RTOL, atol=0)
    slopes = [3 * math.pi * (1 / _out(theta, **options) - 1 / theta) for theta in (1e-3, 5e-4)]
    np.testing.assert_allclose(slopes[0], known["3pi(1/theta_out-1/theta_in) at 1e-3"], rtol=1e-8, atol=0)
    assert abs(slopes[0] / D - 1) < 1e-4  # the correction is linear in θ: halving it halves the gap
    np.testing.assert_allclose((slopes[0] - D) / (slopes[1] - D), 2.0, rtol=0.02, atol=0)


def _out(theta, blocks, active=None, layers=2):
    """The angle after a pre-activation network whose branches have the second moment of their skip."""
    kink = 1.0 if active is None else active / (2 - active)
    for _ in range(blocks):
        branch = theta
        for _ in range(layers):
            branch = angle_map(branch, kink)
        # 1 - ρ averages over skip and branch; in the angle 2 sin²(θ/2) does so without loss of digits
        theta = 2 * math.asin(math.sqrt((math.sin(theta / 2) ** 2 + math.sin(branch / 2) ** 2) / 2))
    return angle_map(theta, kink)


def test_unmatched_gains_give_other_shares():
    """Negative control: with He weights and half of the channels linear the branch outgrows its skip."""
    graph = preact(9, active=0.5)
    assert abs(path_length(graph, weight="variance", unit="g", shares="he").value - 10 / 3) > 1
    assert path_length(graph, weight="variance", unit="g", shares=4 / 3).value == pytest.approx(10 / 3, rel=RTOL)


def test_a_scaled_branch_has_the_share_of_its_square():
    for beta in (0.1, 0.5, 1.0):
        x = Graph.input(4).dense(8)
        graph = Graph.of(x + beta * x.relu().dense(8).relu().dense(8))
        share = beta**2 / (1 + beta**2)
        np.testing.assert_allclose(path_length(graph, weight="variance").value, 2 * share, rtol=RTOL, atol=0)


def test_normalised_branches_shrink_beside_a_running_sum():
    """Block l of a pre-activation network with normalisation has the share 1/(l + 1): a harmonic sum, not half."""
    x = Graph.input(4).dense(8)
    for _ in range(27):
        x = x + x.normalise().relu().dense(8).normalise().relu().dense(8)
    found = path_length(Graph.of(x.dense(2)), weight="variance")
    np.testing.assert_allclose(found.value, 2 * sum(1 / (block + 1) for block in range(1, 28)), rtol=RTOL, atol=0)
    assert path_length(Graph.of(x.dense(2))).value == 27.0


def test_moments_follow_groups_padding_bias_and_concatenation():
    x = Graph.input(2).scale([1.0, 3.0])
    graph = Graph.of(
        Graph.concat(x.dense(2, groups=2).activation("prelu", slopes=[0.5, 1.0]), x.pad(0, 1)).normalise(1).dense(1)
    )
    found = moments_at_initialisation(graph, 2.0, bias_var=0.5)
    q = np.array([2.5 * 0.625, 18.5, 1.0, 9.0, 0.0])
    np.testing.assert_allclose(found.nodes["dense:2"], q / q.mean(), rtol=RTOL, atol=0)
    np.testing.assert_allclose(found.outputs["output"], [2.5], rtol=RTOL, atol=0)


def test_given_shares_weight_operands_and_edges():
    x = Graph.input(2)
    graph = Graph.of((x + x.relu([1, 0])).dense(2, name="last"))
    shares = VarianceShares(
        nodes={"add": np.array([[1.0, 2.0], [3.0, 2.0]]), "last": np.array([[1.0, 3.0], [1.0, 0.0]])},
        outputs={"output": np.array([1.0, 3.0])},
    )
    # channel 0 of the sum: 3/4 of a unit, channel 1 none; the outputs read 1/4 and all of channel 0.
    expected = Fraction(3, 4) * (Fraction(1, 4) * Fraction(1, 4) + Fraction(3, 4))
    assert path_length(graph, weight="variance", shares=shares, exact=True).exact == expected
    found = path_length(graph, weight="variance", shares=shares)
    np.testing.assert_allclose(found.layers[0].contribution, float(expected), rtol=RTOL, atol=0)
    with pytest.raises(DomainError, match="expected"):
        path_length(Graph.of(x.dense(3, name="last")), weight="variance", shares=shares)


def test_missing_shares_are_reported():
    x = Graph.input(2)
    graph = Graph.of((x + x.relu()).dense(2))
    with pytest.warns(ValidityWarning, match="'add', 'dense'"):
        found = path_length(graph, weight="variance", shares=VarianceShares(nodes={}))
    assert found.value == 0.5
    assert found.status.code is StatusCode.OK


def test_degeneracy_depth_of_post_activation_blocks_is_marked():
    with pytest.warns(ValidityWarning, match="not Gaussian"):
        found = path_length(cifar_resnet(1, "B"), weight="variance", unit="g")
    assert found.status.code is StatusCode.OUTSIDE_VALIDITY
    assert path_length(preact(2), weight="variance", unit="g").status.code is StatusCode.OK


def test_g_counts_slopes():
    graph = Graph.of(Graph.input(2).dense(4).activation("prelu", slopes=[0.0, 1.0, -1.0, 0.5]).dense(1))
    g = [1.0, 0.0, 2.0, 0.25 / 1.25]
    np.testing.assert_allclose(path_length(graph, unit="g").value, np.mean(g), rtol=RTOL, atol=0)
    second = np.array([1, 2, 2, 1.25])
    expected = second @ g / second.sum()
    np.testing.assert_allclose(path_length(graph, unit="g", weight="variance").value, expected, rtol=RTOL, atol=0)
    with pytest.raises(DomainError, match="has no g"):
        path_length(Graph.of(Graph.input(2).activation("gelu").dense(1)), unit="g")
    with pytest.raises(DomainError, match="has no slopes"):
        path_length(Graph.of(Graph.input(2).activation("gelu").dense(1)), weight="variance")


# ------------------------------------------------------------------------------------------- results


def test_results_say_how_they_were_counted_and_come_back_from_a_file(tmp_path):
    found = path_length(cifar_resnet(1, "A", 0.5), weight="path", exact=True, distribution=True)
    assert found.conventions.weight == "path"
    assert (found.conventions.direction, found.conventions.taps) == ("backward", "not counted")
    assert gpdeep.load(found.save(tmp_path / "length.json")) == found
    assert gpdeep.load(found.distribution.save(tmp_path / "law.json")).exact == found.distribution.exact
    assert str(found).startswith("Average path length over all paths: 3.4")
    assert "length  probability" in str(found.distribution)
    assert found.to_dict()["layers"][0] == {
        "name": "relu",
        "kind": "relu",
        "channels": 16,
        "nonlinear": 8,
        "contribution": 0.5,
    }


def test_a_thousand_layers_have_more_paths_than_float64_holds():
    x = Graph.input(3).dense(64)
    for _ in range(1000):
        x = x + x.relu().dense(64)
    found = path_length(Graph.of(x.dense(10)), weight="path")
    np.testing.assert_allclose(found.log10_paths, math.log10(3 * 64 * 10) + 1000 * math.log10(65), rtol=RTOL, atol=0)
    np.testing.assert_allclose(found.value, 1000 * 64 / 65, rtol=found.error / found.value, atol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"weight": "paths"},
        {"unit": "h"},
        {"level": "layer"},
        {"level": "tensor", "weight": "path"},
        {"concat": "both"},
        {"count": {"relo": 1}},
        {"count": {"relu": -1}},
        {"count": {"relu": math.nan}},
        {"products": "gate"},
        {"products": {"p": "value"}},
        {"shares": "he"},
        {"weight": "variance", "shares": "xavier"},
        {"weight": "variance", "shares": -1.0},
        {"output": "logits"},
        {"output": 3},
    ],
    ids=repr,
)
def test_what_is_not_known_is_refused_in_three_parts(options):
    with pytest.raises(DomainError) as caught:
        path_length(skip_over_four(), **options)
    assert all((caught.value.found, caught.value.cause, caught.value.change))


def test_what_is_no_graph_is_refused():
    with pytest.raises(DomainError, match="was given for the graph"):
        path_length([1, 2])
    with pytest.raises(DomainError, match="integers here"):
        path_length_distribution(skip_over_four(), count={"relu": 0.5})
