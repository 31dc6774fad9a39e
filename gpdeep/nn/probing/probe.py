r"""Measuring the activations of a module on a batch of inputs, beside what theory predicts for them.

    q^l,  shares of units that are zero, linear, clipped,  ln |∂(v·y)/∂h^l|²,       l over the activations

A network that was initialised as intended shows q^l near its prediction and a flat gradient; where a layer departs,
the table says which and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation
from ...errors import DomainError
from ...finite.backend import seed_sequence
from ...result import Status, StatusCode
from ..reading.recording import record
from ..reading.tracing import unwrapped
from ..reading.weights import require_module
from ..undisturbed import undisturbed
from .arguments import aim, batch_of, scalar_of, sites_of
from .layer_status import mismatch, non_finite, not_in_a_chain, quantiles_of
from .prediction import ProbePrediction, predict
from .report import ProbeReport


def probe(
    model: nn.Module,
    inputs: Any,
    design: Any = None,
    *,
    sigma_w: float | None = None,
    sigma_b: float | None = None,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
    loss: Callable[[Any], torch.Tensor] | None = None,
    activations: nn.Module | Iterable[nn.Module] | Mapping[nn.Module, str | Activation] = (),
) -> ProbeReport:
    r"""What happens at each activation of `model` on these inputs: q^l, shares of units, gradients.

    The model runs once forwards and once backwards, in the mode in which it is (``model.eval()`` turns dropout off),
    and is left as it was: mode, gradients, flags, buffers, attributes, hooks, and torch's random state (but what its
    forward does to lists of its own stays done). It may be called inside ``torch.no_grad`` and
    ``torch.inference_mode``.

    Assumptions
    -----------
    Activations are modules, called as such. The first axis of the inputs, and of what each activation is given, runs
    over inputs. What is predicted is a plain chain of dense or convolutional layers with independent weights of
    variance σ_w²/fan-in, at infinite width. What else runs before the last activation is named in the status: other
    modules, and functions that autograd records between the first activation and the last, such as the sum of a skip.

    Parameters
    ----------
    model : torch.nn.Module
        On any device, in any real type.
    inputs : array_like or torch.Tensor, shape (N, ...)
        Real numbers; taken to the device and type of the model's parameters. Integers stay integers where the model
        has an embedding.
    design : object, optional
        With the attributes `phi`, `sigma_w`, `sigma_b` and `q_star`, such as `gpdeep.sparse.design` returns. `phi`
        stands in for the activations whose function is not known.
    sigma_w, sigma_b : float, optional
        In place of a design: standard deviations of the weights (times √fan-in) and the biases. σ_b is 0 where only
        σ_w is given; without both nothing is predicted.
    rng : int, SeedSequence or Generator
        Seed of v and of the model's own random numbers (dropout). Global states are not touched.
    loss : callable, optional
        From the model's output to a real tensor, whose sum is differentiated in place of v·y. A mean over the batch
        makes every gradient N times smaller.
    activations : module, iterable of modules, or mapping from modules to their φ, optional
        Modules of one's own to look at besides torch's and gpdeep's activations.

    Returns
    -------
    ProbeReport
        Numbers that are not finite are given as they are, and the status names the first layer that has them
        (`outside_validity`).

    Raises
    ------
    DomainError
        No activation is a module, the output carries no gradient, inputs or options are not as said above.

    Notes
    -----
    *The gradient* is that of S = Σ_i v_i·y_i, v standard normal: for input i that of a random direction of its output.
    Its expectation over v is |∂y_i/∂h_i|²_F. Where inputs see each other (batch normalisation in training mode), it is
    that of the whole sum.

    *What scatters.* All inputs share the weights, so that many inputs do not average out a width: q^l of one network
    deviates by O(√(l/n)) from the prediction, ln|g|² by about √(5l/n) for ReLU. The first q is the measured one, with
    its own deviation √(2/n).

    Cost: the activations of one forward pass and as many gradients are in memory at once.

    References
    ----------
    Poole et al., "Exponential expressivity in deep neural networks through transient chaos", NIPS 2016.

    Schoenholz, Gilmer, Ganguli & Sohl-Dickstein, "Deep information propagation", ICLR 2017.

    Examples
    --------
    He's weights in a ReLU network: half of the units are zero, and neither q nor the gradient drifts:

    >>> _ = torch.manual_seed(0)
    >>> layers = [nn.Linear(1000, 1000, bias=False) for _ in range(4)]
    >>> for layer in layers:
    ...     _ = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    >>> net = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
    >>> report = probe(net, torch.randn(20, 1000), sigma_w=2**0.5)
    >>> report.names, report.sparsity.round(1).tolist(), report.predicted_sparsity.round(1).tolist()
    (('1', '3', '5', '7'), [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5])
    >>> bool(np.abs(report.q / report.predicted_q - 1).max() < 0.3)
    True
    """
    require_module(model)
    model = unwrapped(model)  # replicas would be other modules than those that are looked at
    phi, sigma_w, sigma_b, q_star = aim(design, sigma_w, sigma_b)
    sites = sites_of(model, activations, phi)
    batch = batch_of(model, inputs)
    stream = np.random.default_rng(seed_sequence(rng, "probe"))
    seed = int(stream.integers(2**63))
    differentiable = batch.is_floating_point()
    scalar = scalar_of(stream, loss)
    values: list[torch.Tensor] = []

    def noted(output: Any) -> torch.Tensor:
        values.append(scalar(output))
        return values[-1]

    with undisturbed(model, seed=seed, differentiable=not differentiable):
        # A copy behind a leaf: the first module may work in place.
        given = batch.detach().clone().requires_grad_(differentiable).clone()
        records = record(model, given, sites, noted)
    if not records:
        raise DomainError(
            f"None of the {len(sites)} activation modules was called.",
            "forward takes functions instead, or the module is compiled or scripted.",
            "Call the modules themselves in forward, as self.act(x).",
        )
    messages = non_finite(records, float(values[0].detach()), "random sum of the outputs" if loss is None else "loss")
    status = Status(StatusCode.OUTSIDE_VALIDITY if messages else StatusCode.OK, tuple(messages))
    predicted = ProbePrediction.unknown(len(records))
    if sigma_w is not None and sigma_b is not None:
        with np.errstate(all="ignore"):  # what becomes 0 or infinite is said in words
            predicted, notes = predict(records, sigma_w, sigma_b)
        notes += not_in_a_chain(records)
        status &= Status(StatusCode.OUTSIDE_VALIDITY if notes else StatusCode.OK, tuple(notes))
        status &= Status(messages=tuple(mismatch(records, phi, q_star)))
    quantiles = np.array([quantiles_of(layer.q) for layer in records])
    with np.errstate(invalid="ignore"):  # infinities of both signs
        log_grad_norm2 = np.array([layer.log_grad_norm2.mean() for layer in records])
    return ProbeReport(
        status=status,
        names=tuple(layer.name for layer in records),
        kinds=tuple(layer.kind for layer in records),
        units=np.array([layer.units for layer in records]),
        inputs=len(batch),
        q=np.array([layer.q.mean() for layer in records]),
        q_low=quantiles[:, 0],
        q_median=quantiles[:, 1],
        q_high=quantiles[:, 2],
        sparsity=np.array([layer.sparsity for layer in records]),
        linear=np.array([layer.linear for layer in records]),
        clipped=np.array([layer.clipped for layer in records]),
        log_grad_norm2=log_grad_norm2,
        predicted_q=predicted.q,
        predicted_sparsity=predicted.sparsity,
        predicted_linear=predicted.linear,
        predicted_clipped=predicted.clipped,
        predicted_log_grad_norm2=predicted.log_grad_norm2,
        predicted_q_std=predicted.q_std,
        predicted_sparsity_std=predicted.sparsity_std,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        q_star=q_star,
        seed=int(rng) if isinstance(rng, (int, np.integer)) else None,
    )
