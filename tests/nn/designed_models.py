"""Stand-ins for designs, the networks that tests of `initialize` use, and whether their weights have changed."""

import itertools
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from gpdeep.activations import activation
from gpdeep.meanfield import edge_of_chaos
from gpdeep.nn import module_of


def stand_in(name, q=1.0):
    """What a design has, from the edge of chaos of any activation."""
    edge = edge_of_chaos(name, q=q)
    return SimpleNamespace(
        phi=activation(name), sigma_w=edge.sigma_w, sigma_b=edge.sigma_b, q_star=q,
        input_second_moment=(q - edge.sigma_b**2) / edge.sigma_w**2,
    )  # fmt: skip


DESIGN = stand_in("crelu:1.0364,1.1704")
WIDE = stand_in("cst:2.0728,2.3408", q=4.0)


def phi():
    return module_of(DESIGN)


def mlp(widths, design=DESIGN, **kwargs):
    layers = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Linear(n, m, **kwargs), module_of(design)]
    return nn.Sequential(*layers[:-1])


def variances(model, x):
    """Mean square of what each activation is given, over channels, positions and inputs."""
    found = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: found.append(args[0].detach().double().square().mean().item()))
        for layer in model.modules()
        if hasattr(layer, "phi")
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return np.array(found)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Clamped(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(torch.clamp(self.a(x), 0, 1))
