r"""Kernels of infinitely wide networks: NNGP and neural tangent.

    K_0 = σ_w² X Xᵀ/d + σ_b²,      K_{l+1} = α² K_l + β² (σ_w² E φ(u)φ(v) + σ_b²)
    Θ_0 = K_0,                     Θ_{l+1} = α² Θ_l + β² (σ_w² (E φ(u)φ(v) + E φ'(u)φ'(v) Θ_l) + σ_b²)

with (u, v) normal of the covariance that K_l gives a pair of inputs. K_L is the covariance of the outputs of a
network with L hidden layers; Θ_L is the kernel of gradient descent on all weights and biases in the parametrisation
h = σ_w W φ/√n + σ_b b with W, b ~ N(0, 1). A dense network has α = 0, β = 1.

Neal (1996); Lee et al. (2018), eq. 5; Jacot, Gabriel & Hongler (2018), theorem 1.
"""

from __future__ import annotations

import math
from typing import Any

import array_api_compat
import numpy as np

from ..activations import Activation, activation
from ..activations.closed_forms import ERF_FORM
from ..errors import DomainError
from ..gaussian.arguments import as_array, as_floats, flag, layer_count, real, shown
from ..gaussian.arguments import memory_budget as bytes_of
from ..result import FloatArray
from .kernel_blocks import bytes_needed, coinciding, fill, require_kernel_memory
from .kernel_layers import KernelLayers, inputs_of
from .kernel_profiles import ErfProfile, HomogeneousProfile, Profile
from .kernel_series import MAX_TERMS, SeriesProfile, SeriesTooLong
from .kernel_tables import TableProfile
from .variance_table import TABLE_BYTES, WORTH_A_TABLE, has_tables

MEMORY_BUDGET = 2**31
MAX_DEPTH = 10**5
_LEAST, _LARGEST = 1e-50, 1e50  # of σ, α and β: their squares and products stay within float64


def nngp(
    x1: Any,
    x2: Any = None,
    *,
    phi: str | Activation,
    depth: int,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
    memory_budget: float = MEMORY_BUDGET,
    out: Any = None,
) -> Any:
    r"""The covariance of the outputs of an infinitely wide network at random weights, K_L.

        K_0 = σ_w² x·x'/d + σ_b²,      K_{l+1} = α² K_l + β² (σ_w² E φ(u)φ(v) + σ_b²)

    Parameters
    ----------
    x1 : array_like or torch tensor, shape (N, d)
        One input a row.
    x2 : array_like or torch tensor, shape (M, d), optional
        Inputs of the columns; without it those of `x1`, and the result is symmetric to the last bit.
    phi : str or Activation
        The activation, or its name in the catalogue.
    depth : int
        Number of hidden layers L ≥ 0.
    sigma_w, sigma_b : float or array_like, shape (L+1,)
        Standard deviations of weights (times √fan-in) and biases, for all layers or one after the other, the inputs'
        first; σ_w > 0, σ_b ≥ 0.
    alpha, beta : float
        Residual coefficients: h ← α h + β (W φ(h) + b); β ≠ 0.
    layer_norm : bool
        Whether φ sees h divided by the root of its mean square.
    memory_budget : float
        Bytes that may be taken, `out` not counted.
    out : ndarray or torch tensor, shape (N, M), optional
        Where the result goes: float64, for instance a `numpy.memmap`, with which N is bounded by the disk alone.

    Returns
    -------
    ndarray or torch tensor, shape (N, M)
        The kernel in float64, a tensor on the device of `x1` if that is one. `out` if it was given.

    Raises
    ------
    DomainError
        Inputs are not matrices of finite numbers with the same number of columns, or empty; a zero row without bias;
        σ, α, β or depth out of range; a variance that leaves float64 on the way.
    MemoryBudgetError
        The kernel exceeds the budget; the message gives the bytes and the largest N that fits.

    Warns
    -----
    ValidityWarning
        A covariance of φ exceeds the Cauchy-Schwarz bound by more than rounding.

    Notes
    -----
    *Accuracy.* Absolute: a few units of rounding of √(K_ii K_jj) a layer. Entries of two equal inputs, the diagonal
    above all, come from the exact variances.

    *Cost.* Of order N M (d + L), half of it without `x2`. An entry and layer on one core: 4 to 6 ns for
    ReLU-like φ and erf; 10 ns for other smooth φ where all inputs have one norm, else 60 to 85 ns (GELU) or 300 ns
    (tanh); 2 to 3 µs for piecewise-linear φ with other kinks; 0.1 µs, after 0.1 to 2 s a layer for a table, for ELU,
    SELU and functions of one's own that are smooth but at 0; 0.5 ms for those where squared norms differ by more than
    three decades, and for functions with kinks elsewhere: give such inputs one norm, or use `layer_norm`. ReLU-like φ
    and erf use threads as far as the linear algebra may. Memory: the result, a copy of the inputs, and about 40 MB
    (80 MB with tables); for other smooth φ also the coefficients of every layer, about 1 kB an input and layer.

    References
    ----------
    Lee et al. 2018, ICLR, eq. 5.

    Examples
    --------
    One layer of ReLU on orthogonal unit vectors: 1/π of the diagonal.

    >>> print(nngp(2**0.5 * np.eye(2), phi="relu", depth=1, sigma_w=1.0) * 2 * np.pi)
    [[3.14159265 1.        ]
     [1.         3.14159265]]
    """
    layers = _layers(depth, sigma_w, sigma_b, alpha, beta, layer_norm)
    return _kernel(x1, x2, phi, layers, memory_budget, out, ntk=False)


def ntk(
    x1: Any,
    x2: Any = None,
    *,
    phi: str | Activation,
    depth: int,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
    memory_budget: float = MEMORY_BUDGET,
    out: Any = None,
) -> Any:
    r"""The neural tangent kernel of an infinitely wide network, all weights and biases trained, Θ_L.

        Θ_0 = K_0,      Θ_{l+1} = K_{l+1} + α² (Θ_l - K_l) + β² σ_w² E φ'(u)φ'(v) Θ_l

    Parameters, errors, warnings and costs are those of `nngp`; an entry takes twice the time.

    Parameters
    ----------
    x1, x2, phi, depth, sigma_w, sigma_b, alpha, beta, layer_norm, memory_budget, out
        As for `nngp`.

    Returns
    -------
    ndarray or torch tensor, shape (N, M)
        The kernel in float64.

    Notes
    -----
    With layer normalisation the derivative of the mean square drops out at infinite width, and φ' carries 1/√(q₁q₂).

    *Accuracy.* As for `nngp`; with a kink of φ, E φ'φ' falls like the angle, so two inputs that differ by less than
    1e-7 of their length, but are not equal, are right to 1e-8 a layer only.

    References
    ----------
    Jacot, Gabriel & Hongler 2018, NeurIPS 31, theorem 1.

    Examples
    --------
    With He's weights and no bias the diagonal is that of the inputs times L + 1:

    >>> print(np.diag(ntk([[1.0, 0.0], [0.6, 0.8]], phi="relu", depth=9, sigma_w=2**0.5)).round(12))
    [10. 10.]
    """
    layers = _layers(depth, sigma_w, sigma_b, alpha, beta, layer_norm)
    return _kernel(x1, x2, phi, layers, memory_budget, out, ntk=True)


def _kernel(x1: Any, x2: Any, phi: Any, layers: KernelLayers, memory_budget: float, out: Any, ntk: bool) -> Any:
    profile = profile_of(activation(phi))
    tensors = [x for x in (x1, x2) if array_api_compat.is_torch_array(x)]
    first = _checked("x1", x1)
    second = None if x2 is None else _checked("x2", x2)
    if second is not None and first.shape[1] != second.shape[1]:
        raise DomainError(
            f"x1 has {first.shape[1]} columns and x2 has {second.shape[1]}.",
            "The inputs lie in spaces of different dimension, or one matrix is transposed.",
            "Give x1 of shape (N, d) and x2 of shape (M, d).",
        )
    n, features = first.shape
    m = n if second is None else second.shape[0]
    symmetric = second is None

    numbers = MAX_TERMS + 1 if isinstance(profile, SeriesProfile) else 1

    def needed(rows: int) -> int:
        columns = rows if symmetric else m
        tables = isinstance(profile, TableProfile) and rows * columns >= 2 * WORTH_A_TABLE
        return TABLE_BYTES * tables + bytes_needed(
            rows, columns, features, layers, numbers, symmetric=symmetric, own=out is None, on_processor=on_processor
        )

    device = array_api_compat.device(tensors[0]) if tensors else "cpu"
    on_processor = str(device).startswith("cpu")
    require_kernel_memory(needed, n, bytes_of(memory_budget))
    xp = array_api_compat.array_namespace(tensors[0] if tensors else np.zeros(0))

    def place(values: Any) -> Any:
        return xp.asarray(values, dtype=xp.float64, device=device)

    if out is None:
        out = xp.empty((n, m), dtype=xp.float64, device=device)
    else:
        _check_out(out, (n, m), xp, device)
    scale = float(layers.sigma_w[0]) / math.sqrt(features)
    left = place(first) * scale
    right = None if second is None else place(second) * scale
    try:
        rows = _inputs(left, layers, profile)
        columns = rows if right is None else _inputs(right, layers, profile)
    except SeriesTooLong:
        profile = Profile(profile.phi)
        rows = _inputs(left, layers, profile)
        columns = rows if right is None else _inputs(right, layers, profile)
    if isinstance(profile, TableProfile):
        profile = profile.with_tables(rows.seen, columns.seen, ntk)
    if ntk and not all(np.isfinite(of.tangent).all() for of in (rows, columns)):
        raise DomainError(
            f"The tangent kernel leaves the range of floating-point numbers within {layers.depth} layers.",
            "Gradients explode: χ₁ > 1, and the kernel grows like its power.",
            "Use sigma_w nearer to the edge of chaos (meanfield.edge_of_chaos), or fewer layers.",
        )
    rows_there = rows.placed(place)
    columns_there = rows_there if right is None else columns.placed(place)
    fill(out, xp, profile, layers, left, right, rows_there, columns_there, ntk=ntk, on_processor=on_processor)
    exact = rows.tangent if ntk else rows.q[-1]
    host = _on_host(left)
    for same, too in coinciding(host, host if right is None else _on_host(right)):
        out[xp.asarray(same, device=device), xp.asarray(too, device=device)] = place(exact[same])
    return out


def profile_of(phi: Activation) -> Profile:
    """The coordinates in which the kernel of `phi` is quickest."""
    if phi.homogeneous:
        return HomogeneousProfile(phi)
    parts = phi.parts_with_shares
    if has_tables(phi):
        return TableProfile(phi)
    if len(parts) > 1:  # the series of a mixture is no product of one series for each input
        return Profile(phi)
    if parts[0][1] is not phi:
        return profile_of(parts[0][1])
    if getattr(phi, "closed", None) is ERF_FORM:  # not by name: a function of the user's may be called so
        return ErfProfile(phi)
    return Profile(phi) if phi.kinks else SeriesProfile.of(phi)


def _inputs(x: Any, layers: KernelLayers, profile: Any) -> Any:
    """The variances of the rows of `x`, which carries σ_w/√d, and the vectors of the layers, in numpy."""
    return inputs_of(profile, _on_host((x * x).sum(-1)) + layers.sigma_b[0] ** 2, layers)


def _on_host(x: Any) -> Any:
    return x.cpu().numpy() if array_api_compat.is_torch_array(x) else x


def _checked(name: str, x: Any) -> Any:
    """`x` as a matrix of finite real numbers of its own library, not yet in float64."""
    torch_array = array_api_compat.is_torch_array(x)
    given: Any = x.detach() if torch_array and _has_values(x) else as_array(x)
    torch_array = array_api_compat.is_torch_array(given)
    real = not given.is_complex() and str(given.dtype) != "torch.bool" if torch_array else given.dtype.kind in "iuf"
    shape = tuple(given.shape)
    finite = False
    if real:
        with np.errstate(over="ignore"):
            wide = given.double() if torch_array else given.astype(np.float64, copy=False)
        finite = bool((abs(wide) < _LARGEST).all())
    if len(shape) != 2 or not finite or 0 in shape:
        raise DomainError(
            f"{name} is an array of type {given.dtype} and shape {shape}"
            + (" with NaN or entries beyond 1e50." if real and not finite else "."),
            "A single vector, text, complex numbers, ragged rows, missing values or no inputs at all were given.",
            f"Give {name} as a matrix of finite real numbers, one input a row; a vector v as v[None, :].",
        )
    return given


def _has_values(x: Any) -> bool:
    """Whether a tensor of torch holds numbers in a plain array."""
    return not (x.is_meta or x.is_quantized or x.is_sparse or x.layout != x.new_empty(0).layout)


def _check_out(out: Any, shape: tuple[int, int], xp: Any, device: Any) -> None:
    same = array_api_compat.is_torch_array(out) == (not xp.__name__.endswith("numpy")) and hasattr(out, "dtype")
    if not same or tuple(out.shape) != shape or out.dtype != xp.float64 or array_api_compat.device(out) != device:
        raise DomainError(
            f"out is a {type(out).__name__}" + (f" of {out.dtype} and shape {tuple(out.shape)}." if same else "."),
            f"The result is float64 of shape {shape}, of the library and on the device of the inputs.",
            f"Give for instance numpy.empty({shape}), or leave out= away.",
        )


def _layers(depth: Any, sigma_w: Any, sigma_b: Any, alpha: Any, beta: Any, layer_norm: bool) -> KernelLayers:
    count = layer_count(depth, most=MAX_DEPTH) + 1
    kept, added = (
        real(name, value, -_LARGEST, _LARGEST, meaning)
        for name, value, meaning in (
            ("alpha", alpha, "the share of a layer that is kept"),
            ("beta", beta, "the share of a layer that is added"),
        )
    )
    if abs(added) < _LEAST or 0 < abs(kept) < _LEAST:
        raise DomainError(
            f"alpha = {shown(alpha)} and beta = {shown(beta)}.",
            f"A layer adds nothing where β = 0; squares of numbers below {_LEAST:g} leave float64.",
            "Give a beta other than 0, such as 1.0.",
        )
    return KernelLayers(
        sigma_w=_sigmas("sigma_w", sigma_w, count, positive=True),
        sigma_b=_sigmas("sigma_b", sigma_b, count, positive=False),
        alpha=kept,
        beta=added,
        layer_norm=flag("layer_norm", layer_norm),
    )


def _sigmas(name: str, value: Any, count: int, *, positive: bool) -> FloatArray:
    """One number for each layer, shape (count,); `positive` excludes 0."""
    given = as_floats(value)
    size = np.array(np.nan) if given is None or given.shape not in ((), (count,)) else given
    if not ((size < _LARGEST) & ((size >= _LEAST) | ((size == 0) & (not positive)))).all():
        raise DomainError(
            f"{name} = {shown(value)} is not {'positive' if positive else '0 or more'}, or not one number or {count}.",
            f"It is negative, NaN, text, None, beyond 1e±50{', zero' * positive}, or a list of another length.",
            f"Give {name} as one number, or as {count}: for the inputs, then each layer.",
        )
    return np.broadcast_to(size, (count,)).copy()
