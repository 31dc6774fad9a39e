"""Architectures from text: what is read, what is refused, and that both agree with printing."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpdeep import Architecture, DomainError, activation, load, predict_depth
from gpdeep.architecture import Block, Kind


def test_widths_are_the_hidden_ones() -> None:
    assert Architecture.parse("784,512,128x3,10").widths == (512, 128, 128, 128)


def test_blocks_carry_their_options() -> None:
    net = Architecture.parse("784, res(128x50, alpha=1, beta=0.1), ln(64x2), 10")
    assert net.blocks == (Block(128, 50, Kind.RESIDUAL, 1.0, 0.1), Block(64, 2, Kind.LAYER_NORM))
    assert net.depth == 52


def test_effective_depth_is_the_sum_of_inverse_widths() -> None:
    assert Architecture.parse("1,4x2,8,1").effective_depth == 0.625


@pytest.mark.parametrize("question", ["widths", "effective_depth", "wirings"])
def test_what_depends_on_an_open_width_is_refused(question: str) -> None:
    with pytest.raises(DomainError, match="unknown width"):
        getattr(Architecture.parse("784,?x3,10"), question)


def test_unknown_width_is_filled_in() -> None:
    net = Architecture.parse("784,?x50,10")
    assert net.has_unknown
    with pytest.raises(DomainError, match="unknown width"):
        _ = net.widths
    assert net.with_width(7).widths == (7,) * 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "784",
        "784,10",
        "784,0,10",
        "784,-3,10",
        "784,3.5,10",
        "784,4x0,10",
        "784,4x,10",
        "784,x4,10",
        "784,4x100001,10",
        "784,1000001,10",
        "784,?,?",
        "?,4,10",
        "784,res(4x2,10",
        "784,4x2),10",
        "784,res(4x2,gamma=1),10",
        "784,res(4x2,alpha=nan),10",
        "784,res(4x2,alpha=1,alpha=2),10",
        "784,ln(4x2,alpha=1),10",
        "784;4;10",
        "784,four,10",
        "784,²,10",
        "784,\n4\n,,10",
    ],
)
def test_bad_text_is_refused_with_the_entry_named(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        Architecture.parse(text)
    assert caught.value.found.startswith("Architecture '")
    assert caught.value.change


def test_wirings_are_those_of_the_layers_that_can_be_residual() -> None:
    net = replace(Architecture.parse("784,res(16x3,alpha=0.5,beta=2),res(8x2),ln(8),10"), weights="orthogonal")
    assert [str(layer.kind) for layer in net.wirings] == ["dense", "res", "res", "dense", "res", "ln"]
    assert {layer.weights for layer in net.wirings} == {"orthogonal"}
    assert (net.wirings[1].alpha, net.wirings[1].beta) == (0.5, 2.0)


def test_a_normalised_layer_of_one_neuron_is_refused() -> None:
    with pytest.raises(DomainError, match="one neuron"):
        _ = Architecture.parse("3,ln(1x2),1").wirings


def test_sigma_w_left_open_is_that_of_the_activation_or_refused() -> None:
    net = Architecture.parse("3,8,1")
    assert net.weight_sigma == 2**0.5
    with pytest.raises(DomainError, match="sigma_w"):
        _ = replace(net, phi=activation("tanh")).weight_sigma
    assert replace(net, phi=activation("tanh"), sigma_w=1.5).weight_sigma == 1.5


def test_weights_of_another_law_are_refused() -> None:
    with pytest.raises(DomainError, match="uniform"):
        replace(Architecture.parse("3,8,1"), weights="uniform")
    with pytest.raises(DomainError, match="'orthogonal' is the nearest name") as refused:
        Architecture.parse("3,8,1", weights="orthog")
    assert "'gaussian', 'orthogonal'" in refused.value.change


widths = st.integers(1, 10**6)
plain = st.builds(Block, widths, st.integers(1, 100))
coefficient = st.floats(-1e3, 1e3)
residual = st.builds(Block, widths, st.integers(1, 100), st.just(Kind.RESIDUAL), coefficient, coefficient)


@given(st.builds(Architecture, widths, st.lists(plain | residual, min_size=1, max_size=4).map(tuple), widths))
def test_printing_and_parsing_are_inverse(net: Architecture) -> None:
    assert Architecture.parse(str(net)) == net


@given(st.text(alphabet="0123456789x,?()=.reslnapb -²٣", max_size=30))
def test_any_text_is_read_or_refused_never_a_traceback(text: str) -> None:
    with contextlib.suppress(DomainError):
        Architecture.parse(text)


@pytest.mark.parametrize(
    "fields", [{"sigma_w": 0.0}, {"sigma_w": -1.0}, {"sigma_b": float("nan")}, {"sigma_w": (1.0, 2.0)}]
)
def test_impossible_variances_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        Architecture(3, (Block(4, 3),), 2, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("1", "text"),
        (True, "truth value"),
        (1j, "complex"),
        (np.float64("nan"), "NaN"),
        (-1.0, "negative"),
        ({1: 2}, "collection"),
        (np.ones((1, 1)), r"shape \(1, 1\)"),
        ((1.0, "1", 1.0), "hidden layer 2 is text"),
    ],
)
@pytest.mark.parametrize("name", ["sigma_w", "sigma_b"])
def test_what_is_no_standard_deviation_is_named(name: str, value: object, cause: str) -> None:
    with pytest.raises(DomainError, match=cause) as refused:
        Architecture.parse("3,4x3,2", **{name: value})
    assert "np.float64" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.array(1.5), 1.5),
        (np.float32(1.5), 1.5),
        (2, 2.0),
        (np.array([1.0, 2.0, 3.0]), (1.0, 2.0, 3.0)),
        ((np.float64(1.0), np.float32(2.0), 3), (1.0, 2.0, 3.0)),
    ],
)
def test_standard_deviations_are_kept_as_floats(value: object, kept: object) -> None:
    net = Architecture.parse("3,4x3,2", sigma_w=value, sigma_b=value)
    assert (net.sigma_w, net.sigma_b) == (kept, kept)
    assert all(type(each) is float for each in np.atleast_1d(np.array(net.sigma_w, dtype=object)).tolist())
    assert hash(net) == hash(Architecture.parse("3,4x3,2", sigma_w=kept, sigma_b=kept))


def test_a_prediction_of_numbers_of_numpy_can_be_kept(tmp_path: Path) -> None:
    net = Architecture(3, (Block(4, 3, Kind.RESIDUAL, np.array(1.0), np.float32(0.5)),), 2, sigma_w=np.array(1.5))  # type: ignore[arg-type]
    found = predict_depth(net, samples=10)
    found.save(tmp_path / "found.json")
    assert load(tmp_path / "found.json").options["sigma_w"] == 1.5
    assert hash(net) == hash(Architecture.parse("3,res(4x3,beta=0.5),2", sigma_w=1.5))


@pytest.mark.parametrize(
    ("text", "missing"),
    [("784,res(128x50,10", r"'\)' is missing"), ("784,ln(128,ln(64),10", r"'\)' is"), ("784,128x50),10", r"'\(' is")],
)
def test_the_bracket_that_is_missing_is_named(text: str, missing: str) -> None:
    with pytest.raises(DomainError, match=missing):
        Architecture.parse(text)


def test_the_size_of_residual_coefficients_has_a_limit_that_is_said() -> None:
    with pytest.raises(DomainError, match=r"1e\+50"):
        Architecture.parse("784,res(128x3,alpha=1e308),10")


def test_an_activation_may_be_named_and_variances_given_beside_the_text() -> None:
    net = Architecture.parse("8,4x2,2", phi="tanh", sigma_w=(1.5, 1.25), sigma_b=0.25, weights="orthogonal")
    assert (net.phi, net.sigma_w, net.sigma_b, net.weights) == (activation("tanh"), (1.5, 1.25), 0.25, "orthogonal")
    assert Architecture(8, net.blocks, 2, phi="tanh", sigma_w=1.5).phi is net.phi  # type: ignore[arg-type]
    assert Architecture.parse("8,4x2,2").phi.name == "relu"


@pytest.mark.parametrize("phi", [None, 3, "tanhh", "crelu:1", lambda x: x])
def test_what_is_no_activation_is_refused(phi: object) -> None:
    with pytest.raises(DomainError, match=r"[Aa]ctivation"):
        Architecture.parse("8,4x2,2", phi=phi)  # type: ignore[arg-type]
