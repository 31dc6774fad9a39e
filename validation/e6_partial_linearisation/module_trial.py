"""One convolutional network or transformer: linearised early, late, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..data import number_words
from ..data.number_words import PAD, START
from ..data.streams import stream
from .tasks import SUM, split_of
from .windows import Training, orders, train

_AT_ONCE = 500


def trial(specification: Mapping[str, Any], device: str = "cpu", source: str | None = None) -> dict[str, Any]:
    """Accuracy, active units and normalised average path length of a network of its own."""
    import torch

    from gpdeep.linearize import path_length
    from gpdeep.nn import active_units, graph_of, replace_activations
    from gpdeep.nn.ensembles.full_precision import full_precision
    from gpdeep.nn.one_thread import one_thread

    s = specification
    with one_thread(), full_precision(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(s["seed"])
        build = _translation if s["model"] == "transformer" else _images
        original, example, samples, loss, score = build(s, device, source)
        model = replace_activations(original, example=example).model.to(device)
        if s["arm"] == "linear":
            for _, phi in _partial(model):
                phi.freeze(torch.ones_like(phi.frozen))
        rng = stream("partial linearisation", s["model"], "order", s["seed"])

        def batches() -> Iterator[Any]:
            for index in orders(rng, samples, training.batch):
                yield torch.as_tensor(index, device=device)

        training = Training(**s["training"])
        finite = train(model, loss, batches(), training, s["arm"], s["omega"])
        accuracy = score(model)
        model.to("cpu")
        units = active_units(model)
        length = path_length(graph_of(model, example, products="value")).value
    return {
        "accuracy": accuracy if finite else None,
        "diverged": not finite,
        "names": list(units.names),
        "channels": units.channels,
        "active": units.active,
        "napl": length,
    }


_Built = tuple[Any, Any, int, Callable[[Any, Any], Any], Callable[[Any], float]]


def _images(s: Mapping[str, Any], device: str, source: str | None) -> _Built:
    """A convolutional network on square images; a pair of digits is two channels."""
    import torch
    import torch.nn.functional as F

    from .modules import Convolutional

    split = split_of(s, source)
    channels = 2 if s["data"] == SUM else 1
    side = round(np.sqrt(split.train_x.shape[1] / channels))
    x, test = (
        torch.as_tensor(part, dtype=torch.float32, device=device).view(-1, channels, side, side)
        for part in (split.train_x, split.test_x)
    )
    y, answer = (torch.as_tensor(part, device=device) for part in (split.train_y, split.test_y))
    model = Convolutional(channels, s["width"], s["depth"], split.classes, skips=s["skips"])

    def loss(net: Any, index: Any) -> Any:
        return F.cross_entropy(net(x[index]), y[index])

    def score(net: Any) -> float:
        with torch.no_grad():
            said = torch.cat([net(part).argmax(1) for part in test.split(_AT_ONCE)])
        return float((said == answer).double().mean())

    return model, torch.zeros(2, channels, side, side), len(y), loss, score


def _translation(s: Mapping[str, Any], device: str, source: str | None) -> _Built:
    """A transformer from English to German numbers; a sentence is right if all its words are."""
    import torch
    import torch.nn.functional as F

    from .modules import Translator, translate

    text = number_words(s["data_seed"], s["sentences"], s["test_sentences"])
    x, y, test, answer = (
        torch.as_tensor(part, device=device)
        for part in (text.train_source, text.train_target, text.test_source, text.test_target)
    )
    model = Translator(len(text.source_words), len(text.target_words), s["width"], s["hidden"], s["heads"], s["depth"])

    def loss(net: Any, index: Any) -> Any:
        said = net(x[index], y[index, :-1])
        return F.cross_entropy(said.flatten(0, 1), y[index, 1:].flatten(), ignore_index=PAD)

    def score(net: Any) -> float:
        said = torch.cat([translate(net, part, answer.shape[1], START) for part in test.split(_AT_ONCE)])
        there = answer != PAD  # what comes after the end counts for nothing
        return float(((said == answer) | ~there).all(1).double().mean())

    return model, (text_example(x), text_example(y[:, :-1])), len(x), loss, score


def text_example(words: Any) -> Any:
    """Two sentences, on the processor."""
    return words[:2].cpu()


def _partial(model: Any) -> Iterator[tuple[str, Any]]:
    from gpdeep.nn.modules.partial_relu import partial_relus

    return partial_relus(model)
