"""One pass through a graph gives what the enumeration of all its paths gives, in exact rationals, on random graphs.

The enumeration knows nothing of the pass: it walks channel by channel from the outputs back to the inputs, along every
path, and reads graphs in their JSON form.
"""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_graphs import GRAPHS

from gpdeep.linearize import Graph, VarianceShares, path_length, path_length_distribution

MOST_PATHS = 3000
KNOWN = json.loads((Path(__file__).parents[1] / "reference" / "linearize_graphs.json").read_text())["graphs"]


class Enumeration:
    """All paths of a graph in its dictionary form."""

    def __init__(self, graph, weight, merge=True, shares=None):
        data = graph.to_dict()
        self.nodes, self.outputs = data["nodes"], data["outputs"]
        self.weight, self.merge, self.shares = weight, merge, shares
        self.readers = [[] for _ in self.nodes]
        for k, node in enumerate(self.nodes):
            for source in node["from"]:
                self.readers[source].append(k)
        for k in self.outputs.values():
            self.readers[k].append(None)
        self.count = {}

    def channels(self, k):
        node = self.nodes[k]
        sizes = [self.channels(s) for s in node["from"]]
        return {
            "input": lambda: node["size"],
            "dense": lambda: node["size"],
            "concat": lambda: sum(sizes),
            "index": lambda: len(node["index"]),
        }.get(node["op"], lambda: sizes[0])()

    def before(self, k, c):
        """The channels that channel c of node k is made of, with their weights; None for an input."""
        node = self.nodes[k]
        sources = node["from"]
        if node["op"] == "input":
            return None
        if node["op"] == "dense":
            size, groups = self.channels(sources[0]), node["groups"]
            group = c // (node["size"] // groups)
            part = size // groups
            inputs = range(group * part, (group + 1) * part)
            weights = self.shares.nodes.get(node["name"]) if self.shares else None
            if weights is None:
                return [((sources[0], i), 1) for i in inputs]
            row = weights[list(inputs)] if weights.ndim == 1 else weights[c]
            return [((sources[0], i), Fraction(w)) for i, w in zip(inputs, row.tolist(), strict=True)]
        if node["op"] == "concat":
            for s in sources:
                if c < self.channels(s):
                    return [((s, c), 1)]
                c -= self.channels(s)
        if node["op"] == "index":
            return [] if node["index"][c] < 0 else [((sources[0], node["index"][c]), 1)]
        if node["op"] == "add":
            weights = self.shares.nodes.get(node["name"]) if self.shares else None
            if weights is not None:
                return [((s, c), Fraction(float(w))) for s, w in zip(sources, weights[:, c], strict=True)]
            return [((s, c), 1) for s in (self.operands(k) if self.merge else sources)]
        return [((sources[0], c), 1)]

    def operands(self, k):
        """The operands of a sum, those of sums inside it that nothing else reads included."""
        found = []
        for s in self.nodes[k]["from"]:
            inner, through = s, set(self.readers[s]) == {k}
            while through and self.nodes[inner]["op"] == "copy":
                below = self.nodes[inner]["from"][0]
                through = set(self.readers[below]) == {inner}
                inner = below
            found += self.operands(inner) if through and self.nodes[inner]["op"] == "add" else [s]
        return found

    def number(self, k, c):
        """How many paths end at a channel, the structure as it is written."""
        if (k, c) not in self.count:
            node = self.nodes[k]
            if node["op"] == "input":
                self.count[k, c] = 1
            else:
                saved, self.merge, self.shares = (self.merge, self.shares), False, None
                self.count[k, c] = sum(self.number(*at) for at, _ in self.before(k, c))
                self.merge, self.shares = saved
        return self.count[k, c]

    def unit(self, k, c):
        node = self.nodes[k]
        return int(node["active"][c]) if node["op"] == "activation" else 0

    def paths(self, k, c):
        """Every path that ends at a channel: its probability by the walk, and its length."""
        before = self.before(k, c)
        if before is None:
            yield Fraction(1), 0
            return
        alive = [(at, w) for at, w in before if self.number(*at)]
        total = sum(w for _, w in alive)
        for at, w in alive:
            chance = Fraction(w, 1) / total if total else Fraction(1, len(alive))
            for p, length in self.paths(*at):
                yield p * chance, length + self.unit(k, c)

    def law(self):
        """The probability of each length."""
        found = Counter()
        ends = {o: [c for c in range(self.channels(k)) if self.number(k, c)] for o, k in self.outputs.items()}
        alive = [o for o in ends if ends[o]]
        if self.weight == "path":
            every = [length for o in alive for c in ends[o] for _, length in self.paths(self.outputs[o], c)]
            for length in every:
                found[length] += Fraction(1, len(every))
            return found
        for o in alive:
            for c in ends[o]:
                for p, length in self.paths(self.outputs[o], c):
                    found[length] += p / len(alive) / len(ends[o])
        return found


@st.composite
def graphs(draw):
    """Small graphs of all operations: groups, concatenations, padding, masks, nested sums, skips over sums."""
    wires = [Graph.input(draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 2)))]
    for _ in range(draw(st.integers(2, 9))):
        x = wires[-1] if draw(st.booleans()) else draw(st.sampled_from(wires))
        kind = draw(st.sampled_from(["dense", "act", "add", "add", "concat", "index", "copy", "pad"]))
        if kind == "dense":
            groups = draw(st.sampled_from([g for g in (1, 2, 3) if x.channels % g == 0]))
            wires.append(x.dense(groups * draw(st.integers(1, 2)), groups=groups))
        elif kind == "act":
            wires.append(x.relu(draw(st.lists(st.integers(0, 1), min_size=x.channels, max_size=x.channels))))
        elif kind == "add":
            same = [w for w in wires if w.channels == x.channels]
            others = draw(st.lists(st.sampled_from(same), min_size=1, max_size=2))
            wires.append(x.add(*others))
        elif kind == "concat":
            other = draw(st.sampled_from(wires))
            assume(x.channels + other.channels <= 6)
            wires.append(x.concat(other))
        elif kind == "index":
            wires.append(x.index(draw(st.lists(st.integers(-1, x.channels - 1), min_size=1, max_size=4))))
        elif kind == "copy":
            wires.append(x.normalise())
        else:
            assume(x.channels <= 4)
            wires.append(x.pad(draw(st.integers(0, 1)), draw(st.integers(0, 1))))
    outputs = [wires[-1], *draw(st.lists(st.sampled_from(wires), max_size=1, unique=True))]
    graph = Graph.of(outputs)
    count = Enumeration(graph, "path")
    paths = sum(count.number(k, c) for k in graph.outputs.values() for c in range(graph.nodes[k].channels))
    assume(0 < paths <= MOST_PATHS)
    return graph


def agree(graph, weight, **options):
    law = Enumeration(graph, weight, options.get("merge_additions", True), options.get("shares")).law()
    mean = sum(length * p for length, p in law.items())
    found = path_length(graph, weight=weight, exact=True, **options)
    spread = path_length_distribution(graph, weight=weight, exact=True, **options)
    assert found.exact == mean
    assert {k: p for k, p in enumerate(spread.exact) if p} == {k: p for k, p in law.items() if p}
    assert sum(spread.exact) == 1
    assert sum(k * p for k, p in enumerate(spread.exact)) == found.exact
    floats = path_length(graph, weight=weight, **options)
    np.testing.assert_allclose(floats.value, float(mean), rtol=1e-13, atol=1e-15)  # at most 60 nodes of 8 eps
    np.testing.assert_allclose(sum(x.contribution for x in floats.layers), float(mean), rtol=1e-13, atol=1e-15)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(graphs())
def test_branch_weights(graph):
    agree(graph, "branch")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graphs())
def test_path_weights(graph):
    agree(graph, "path")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(graphs())
def test_sums_as_written(graph):
    agree(graph, "branch", merge_additions=False)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graphs(), st.data())
def test_given_shares(graph, data):
    """Weights for each operand, each input channel, or each edge; zeros among them."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    nodes = {}
    for node in graph.nodes:
        sizes = [graph.nodes[k].channels for k in node.sources]
        kind = type(node.operation).__name__
        if kind == "Add":
            nodes[node.name] = rng.integers(0, 4, (len(sizes), node.channels)).astype(float)
        elif kind == "Dense" and data.draw(st.booleans()):
            nodes[node.name] = rng.integers(0, 4, sizes[0]).astype(float)
        elif kind == "Dense":
            nodes[node.name] = rng.integers(0, 4, (node.channels, sizes[0] // node.operation.groups)).astype(float)
    agree(graph, "variance", merge_additions=False, shares=VarianceShares(nodes=nodes))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graphs())
def test_json_keeps_graphs(graph):
    again = Graph.from_json(graph.to_json())
    assert again == graph
    assert path_length(again, exact=True) == path_length(graph, exact=True)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(graphs(), st.randoms(use_true_random=False))
def test_channel_permutations_change_nothing(graph, random):
    """Every tensor's channels are relabelled; groups stay together, padding and concatenations follow."""
    orders, wires = [], []
    for node in graph.nodes:
        sources = [wires[k] for k in node.sources]
        undone = [np.argsort(orders[k]) for k in node.sources]
        plain = [w.index(back) for w, back in zip(sources, undone, strict=True)]
        made = type(wires[0])(node.operation, plain, node.name) if wires else Graph.input(node.channels)
        order = list(range(node.channels))
        random.shuffle(order)
        orders.append(np.array(order))
        wires.append(made.index(order))
    permuted = Graph.of([wires[k] for k in graph.outputs.values()])
    for weight in ("branch", "path"):  # an index map lies between a sum and its reader now: sums as they are written
        options = {"exact": True, "merge_additions": False, "weight": weight}
        assert path_length(permuted, **options).exact == path_length(graph, **options).exact


def test_the_enumeration_is_no_rubber_stamp():
    """Negative control: forward weights, a sum taken as written, or a mask on other channels are found out."""
    x = Graph.input(2).dense(2)
    graph = Graph.of((x + x.dense(2).relu([1, 0]) + x.dense(2).relu().dense(2)).dense(2))
    right = path_length(graph, exact=True).exact
    assert sum(k * p for k, p in Enumeration(graph, "branch").law().items()) == right
    assert sum(k * p for k, p in Enumeration(graph, "branch", merge=False).law().items()) != right
    assert sum(k * p for k, p in Enumeration(graph, "path").law().items()) != right
    with pytest.raises(AssertionError):
        agree(Graph.of(graph.wires()[-1].relu()), "branch", count={"relu": 2})


@pytest.mark.parametrize("name", [name for name in GRAPHS if "paths" in KNOWN[name]])
def test_known_networks_path_by_path(name):
    for weight, key in (("branch", "NAPL_branch_fraction"), ("path", "APL_path_fraction")):
        law = Enumeration(GRAPHS[name](), weight).law()
        assert sum(length * p for length, p in law.items()) == Fraction(KNOWN[name][key])
