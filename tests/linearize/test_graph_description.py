"""Writing graphs down: what the methods of wires do, what they refuse, and how a graph is kept."""

import json

import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.linearize import Graph, Wire, path_length


def indices(wire):
    return wire.operation.index.tolist()


def test_index_maps_of_all_kinds():
    x = Graph.input(6)
    assert indices(x[1:4]) == [1, 2, 3]
    assert indices(x[::-1]) == [5, 4, 3, 2, 1, 0]
    assert indices(x[[0, -1]]) == [0, 5]
    assert indices(x[2]) == [2]
    assert indices(x[np.array([True, False] * 3)]) == [0, 2, 4]
    assert indices(x.pad(1, 2)) == [-1, 0, 1, 2, 3, 4, 5, -1, -1]
    assert indices(x.flatten(2)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert indices(x.shuffle(2)) == [0, 3, 1, 4, 2, 5]
    assert [indices(part) for part in x.chunk(3)] == [[0, 1], [2, 3], [4, 5]]
    assert indices(x.index([3, -1])) == [3, -1]


def test_operators():
    x, y = Graph.input(2), Graph.input(2)
    assert sum([x, y]).sources == (x, y)
    assert (x - y).sources == (x, y)
    assert float((2 * x).operation.power) == float((x * -2).operation.power) == 4.0
    assert float((-x).operation.power) == 1.0
    assert (x * y).operation.value is None
    with pytest.raises(TypeError):
        _ = x + 1
    with pytest.raises(TypeError):
        _ = 1 + x


def test_names_are_unique_and_numbered():
    x = Graph.input(2)
    graph = Graph.of(x.relu().relu(name="last").relu(name="last").dense(2) + x)
    assert [node.name for node in graph.nodes] == ["input", "relu", "last", "last:2", "dense", "add"]


def test_what_no_output_depends_on_is_left_out_and_shared_parts_come_once():
    x = Graph.input(2)
    h = x.dense(3)
    h.relu()
    graph = Graph.of({"a": h, "b": h + h.relu([1, 0, 1])})
    assert [node.name for node in graph.nodes] == ["input", "dense", "relu", "add"]
    assert graph.outputs == {"a": 1, "b": 3}
    assert graph.consumers() == [[1], [2, 3, -1], [3], [-1]]


def test_a_network_may_go_on_from_a_graph():
    graph = Graph.of(Graph.input(2).dense(3).relu())
    longer = Graph.of(graph.wires()[-1].dense(3).relu())
    assert (path_length(graph).value, path_length(longer).value) == (1.0, 2.0)


def test_a_graph_with_everything_comes_back_from_json():
    x = Graph.input(4, name="image")
    h = x.dense(6, groups=2).activation("prelu", slopes=[0, 1, 0.5, 1, 0, -1]).normalise(2).scale([1, 2, 3, 4, 5, 6])
    h = Graph.concat(h, x.pad(0, 1)).index([0, 3, 9, -1]).copy("max_pool")
    h = h.product(x.opaque(4, "found", "cause", "change"), value=0, policy="value")
    graph = Graph.of({"out": h.add(x, x), "early": x.activation("half", active=0.5)})
    again = Graph.from_json(json.dumps(json.loads(graph.to_json())))
    assert again == graph
    assert again.to_dict() == graph.to_dict()
    assert path_length(again, exact=True) == path_length(graph, exact=True)
    assert graph != Graph.of(x)
    assert graph != "graph"
    assert (
        str(Graph.of(x.relu()))
        == "Graph of 2 nodes: 1 input (4 channels), 1 activation (4 channels), output of 4 channels"
    )
    with pytest.raises(TypeError):
        hash(graph)


X = Graph.input(6)
WRONG = {
    "no channels": lambda: Graph.input(0),
    "a float": lambda: Graph.input(2.0),
    "a truth value": lambda: Graph.input(True),
    "too many": lambda: Graph.input(10**9),
    "groups": lambda: X.dense(4, groups=3),
    "groups of the input": lambda: X.dense(8, groups=4),
    "zero groups": lambda: X.dense(8, groups=0),
    "mask of another length": lambda: X.relu([1, 0]),
    "mask of shares": lambda: X.relu([0.5] * 6),
    "mask of text": lambda: X.relu("all"),
    "share": lambda: X.activation("half", active=1.5),
    "slopes": lambda: X.activation("prelu", slopes=[np.nan] * 6),
    "ragged": lambda: X.activation("prelu", slopes=[[1], [1, 2]]),
    "add": lambda: X + X[:3],
    "add nothing else": lambda: X.add(1.0),
    "product": lambda: X * X[:3],
    "value": lambda: X.product(X, value=2),
    "index": lambda: X.index([6]),
    "index below": lambda: X.index([-2]),
    "index of floats": lambda: X.index([0.5]),
    "index of nothing": lambda: X.index(np.array([], dtype=int)),
    "item": lambda: X[7],
    "chunk": lambda: X.chunk(4),
    "shuffle": lambda: X.shuffle(4),
    "pad": lambda: X.pad(-1),
    "flatten": lambda: X.flatten(0),
    "factors": lambda: X.scale([1, 2]),
    "no factor": lambda: X * "two",
    "norm groups": lambda: X.normalise(4),
    "concat": lambda: Graph.concat(X, 3),
    "no output": lambda: Graph.of([]),
    "output": lambda: Graph.of(3),
    "outputs": lambda: Graph.of({"a": X, "b": None}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused_in_three_parts(name):
    with pytest.raises(DomainError) as caught:
        WRONG[name]()
    assert all((caught.value.found, caught.value.cause, caught.value.change))


def changed(**changes):
    data = json.loads(Graph.of(Graph.input(2).dense(3).relu([1, 0, 1])).to_json())
    for path, value in changes.items():
        *keys, last = path.split("__")
        at = data
        for key in keys:
            at = at[int(key) if key.isdigit() else key]
        if value is KeyError:
            del at[last]
        else:
            at[last] = value
    return data


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 9},
        {"nodes": KeyError},
        {"outputs": KeyError},
        {"outputs": {}},
        {"outputs__output": 5},
        {"nodes__1__from": [2]},
        {"nodes__1__from": [-1]},
        {"nodes__1__from": ["0"]},
        {"nodes__1__op": "attention"},
        {"nodes__1__size": 3.5},
        {"nodes__1__size": KeyError},
        {"nodes__1__groups": -1},
        {"nodes__2__active": [1, 0]},
        {"nodes__2__active": [1, 0, 2]},
        {"nodes__2__active": [1, 0, None]},
        {"nodes__2__slopes": "none"},
        {"nodes__2__name": KeyError},
    ],
    ids=str,
)
def test_changed_files_are_refused(changes):
    Graph.from_dict(changed())
    with pytest.raises(DomainError):
        Graph.from_dict(changed(**changes))


@pytest.mark.parametrize("text", ["", "[1, 2]", "null", "{", 3])
def test_texts_that_hold_no_graph_are_refused(text):
    with pytest.raises(DomainError):
        Graph.from_json(text)


def test_wires_say_what_they_are():
    assert repr(X.dense(4)) == "Wire(Dense, 4 channels)"
    assert repr(X.relu(name="act1")) == "Wire(Act 'act1', 6 channels)"
    assert isinstance(X, Wire)


def test_deep_graphs_do_not_recurse():
    h = Graph.input(1)
    for _ in range(5000):
        h = h.dense(1).relu()
    graph = Graph.of(h)
    del h
    assert path_length(graph).value == 5000.0
    assert Graph.from_json(graph.to_json()) == graph
