"""Every number of the page is the one that its command prints; where there is none, nothing old is shown."""

import json
import math
import shlex
from dataclasses import replace

import pytest

pytest.importorskip("matplotlib", reason="the page shows pictures")

from gpdeep import GpdeepError
from gpdeep.activations import NAMES, activation
from gpdeep.cli import run
from gpdeep.explore.answers import answer
from gpdeep.explore.choices import ACTIVATIONS, DESIGNED, MOST_LAYERS, WIDTHS, Choices, View

POSITIONS = {
    "defaults": Choices(),
    "small": Choices(width=12, depth=9, sparsity=0.7, slope=0.5, family="cst"),
    "biased": Choices(width=16, depth=5, sigma_b=0.1),
    "chaotic": Choices(width=16, depth=5, activation="tanh", sigma_w=1.7, sigma_b=0.3),
    "ordered": Choices(width=16, depth=5, activation="erf", sigma_w=0.9, sigma_b=0.3),
    "edge": Choices(width=16, depth=5, activation="tanh", sigma_b=0.2, on_edge=True),
    "designed": Choices(width=16, depth=5, activation=DESIGNED, sparsity=0.8, slope=0.6),
    "vanishing": Choices(width=16, depth=5, sigma_w=1.41),
    "growing": Choices(width=16, depth=5, activation="leaky_relu:0.1", sigma_w=2.0),
    "folded": Choices(slope=0.97),
}
CASES = {(view, choices.of_view(view)): f"{view}-{name}" for name, choices in POSITIONS.items() for view in View}


def printed(capsys, command):
    """The object that a command prints."""
    program, *arguments = shlex.split(command)
    assert program == "gpdeep"
    code = run([*arguments, "--json"])
    streams = capsys.readouterr()
    assert code in (0, 3), streams.err
    return json.loads(streams.out)


def at(found, key):
    """The entry of a JSON object at a dotted key."""
    for part in key.split("."):
        found = found[int(part) if isinstance(found, list) else part]
    return found


def differing(capsys, numbers):
    """The numbers that are not what their commands print, to the last digit."""
    objects = {command: printed(capsys, command) for command in {number.command for number in numbers}}
    wanted = {number.name: at(objects[number.command], number.key) for number in numbers}
    return {
        number.name
        for number in numbers
        if (None if isinstance(number.value, float) and not math.isfinite(number.value) else number.value)
        != wanted[number.name]
    }


@pytest.mark.parametrize(("view", "choices"), CASES, ids=CASES.values())
def test_every_number_is_the_commands(capsys, view, choices):
    found = answer(view, choices)
    assert len(found.numbers) >= 8
    assert differing(capsys, found.numbers) == set()
    messages = [message for command in found.commands for message in printed(capsys, command)["status"]["messages"]]
    assert set(found.status.messages) == set(messages)


def test_numbers_of_another_position_are_told(capsys):
    """Negative control: the same comparison, with the command of a network that is one layer deeper."""
    here, there = (answer(View.DEPTH, Choices(width=16, depth=depth)) for depth in (9, 10))
    mixed = [replace(number, command=there.commands[0]) for number in here.numbers]
    assert {"mean of ln sin²θ, last layer", "effective depth Σ1/n"} <= differing(capsys, mixed)


@pytest.mark.parametrize(
    ("view", "choices"),
    [
        (View.DEPTH, Choices(sigma_b=0.2, on_edge=True)),  # ReLU has its edge at σ_b = 0 alone
        (View.MAPS, Choices(activation="identity", sigma_b=0.2, on_edge=True)),
        (View.MAPS, Choices(activation=DESIGNED, sparsity=0.0)),
        (View.CLIP, Choices(sparsity=0.0)),
        (View.CLIP, Choices(slope=1.0)),
        (View.CLIP, Choices(sparsity=0.1, slope=0.9)),  # σ_b² < 0
        (View.DEPTH, Choices(width=0)),
        (View.DEPTH, Choices(sigma_w=0.0)),
        (View.MAPS, Choices(activation="no such")),
    ],
)
def test_what_has_no_answer_says_why(view, choices):
    with pytest.raises(GpdeepError) as caught:
        answer(view, choices)
    assert all((caught.value.found, caught.value.cause, caught.value.change))


def test_sliders_that_are_hidden_do_not_enter():
    """A view at its canonical choices is the view at the choices themselves."""
    choices = Choices(width=24, depth=4, activation="tanh", sigma_w=3.9, sigma_b=0.2, on_edge=True, sparsity=0.6)
    for view in View:
        canonical = choices.of_view(view)
        assert canonical != choices
        assert answer(view, choices).numbers == answer(view, canonical).numbers
    assert answer(View.DEPTH, choices).numbers != answer(View.DEPTH, Choices(width=24, depth=4)).numbers


def test_every_activation_of_the_catalogue_can_be_chosen():
    assert {name.partition(":")[0] for name in ACTIVATIONS} == {*NAMES, DESIGNED}
    for name in ACTIVATIONS:
        assert name == DESIGNED or activation(name).name


def test_sampling_stays_within_reach_of_a_drag():
    """At most four million neurons, or a hundred networks where a single one is large."""
    for width in WIDTHS:
        for depth in (1, 50, MOST_LAYERS):
            samples = Choices(width=width, depth=depth).samples
            assert samples == 100 or samples * width * depth <= 4_000_000
            assert 100 <= samples <= 1000
