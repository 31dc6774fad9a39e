r"""What training minimises, over λ, with gradient and Hessian times vector: one tangent and one adjoint sweep.

    F(w, E, R) = ½ Σ h_l |w_l|² + C(R A_L)/λ + ½ c_in |E|² + ½ c_out |R|²,      A_0 = E X

in natural time, w_l = W_l/L̃ and h_l = ρ_l L̃. With P_l = ∂F/∂A_l = -B_l (the recursion of `network`) and Z = R A_L

    ∂F/∂w_l = h_l (w_l + P_l Sg(A_{l-1})ᵀ),    ∂F/∂E = c_in E + P_0 Xᵀ,    ∂F/∂R = c_out R + (1/λ)(∂C/∂Z) A_Lᵀ

and along (dw, dE, dR), with ds = s' ∘ dA and primes of A_{l-1}:

    dA_l     = (1 - h_l) dA_{l-1} + h_l (dw_l Sg + w_l ds)
    dP_{l-1} = (1 - h_l) dP_l + h_l [ s' ∘ (w_lᵀ dP_l + dw_lᵀ P_l) + s'' ∘ dA_{l-1} ∘ (w_lᵀ P_l) ]
    d(∂F/∂w_l) = h_l (dw_l + dP_l Sgᵀ + P_l dsᵀ)

The read-in E and the read-out R take part only where they are learned, that is where they have a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..result import FloatArray
from .geometry import Geometry, transposed
from .network import momenta, relative_distance, representations
from .network_cost import Cost


@dataclass(frozen=True, eq=False)
class Parameters:
    """W_l/L̃, E and R, or a change of them; E and R are None where there is none, or where they do not change."""

    w: FloatArray
    read_in: FloatArray | None = None
    read_out: FloatArray | None = None

    @property
    def parts(self) -> list[FloatArray]:
        """The arrays that are there."""
        return [part for part in (self.w, self.read_in, self.read_out) if part is not None]


@dataclass(frozen=True, eq=False)
class Objective:
    """F for one data set, one mesh and one λ.

    Attributes
    ----------
    X : ndarray, shape (d_in, N)
    cost : Cost
    h : ndarray, shape (L,)
    geometry : Geometry
        φ, which has a second derivative, and β.
    terminal_weight : float
        λ.
    read_in, read_out : ndarray, shape (w, d_in) and (d_out, w), or None
        E and R where they are fixed; None for the identity, and where they are learned.
    in_penalty, out_penalty : float or None
        c_in and c_out where E and R are learned.
    """

    X: FloatArray
    cost: Cost
    h: FloatArray
    geometry: Geometry
    terminal_weight: float
    read_in: FloatArray | None = None
    read_out: FloatArray | None = None
    in_penalty: float | None = None
    out_penalty: float | None = None

    def at(self, parameters: Parameters) -> Point:
        """F and its derivatives there."""
        return Point(self, parameters)

    def flat(self, parameters: Parameters) -> FloatArray:
        """What is learned, as one vector."""
        return np.concatenate([part.ravel() for part in self.learned(parameters).parts])

    def learned(self, parameters: Parameters) -> Parameters:
        """The parameters without those that are fixed."""
        return Parameters(
            parameters.w,
            parameters.read_in if self.in_penalty is not None else None,
            parameters.read_out if self.out_penalty is not None else None,
        )

    def unflat(self, vector: FloatArray, like: Parameters) -> Parameters:
        """The inverse of `flat`; what is fixed is None."""
        like = self.learned(like)
        ends = np.cumsum([part.size for part in like.parts])[:-1]
        pieces = iter(np.split(vector, ends))
        w = next(pieces).reshape(like.w.shape)
        read_in = None if like.read_in is None else next(pieces).reshape(like.read_in.shape)
        read_out = None if like.read_out is None else next(pieces).reshape(like.read_out.shape)
        return Parameters(w, read_in, read_out)

    def rescaled(self, ratio: float, terminal_weight: float) -> Objective:
        """The same for L̃ `ratio` times as large, and another λ."""
        return replace(self, h=ratio * self.h, terminal_weight=terminal_weight)


@dataclass(frozen=True, eq=False)
class Point:
    """F around one set of parameters; what several derivatives need is computed once."""

    objective: Objective
    parameters: Parameters

    @cached_property
    def read_in(self) -> FloatArray | None:
        """E; None for the identity."""
        learned = self.objective.in_penalty is not None
        return self.parameters.read_in if learned else self.objective.read_in

    @cached_property
    def read_out(self) -> FloatArray | None:
        """R; None for the identity."""
        learned = self.objective.out_penalty is not None
        return self.parameters.read_out if learned else self.objective.read_out

    @cached_property
    def A(self) -> FloatArray:
        """A_0..A_L, shape (L + 1, w, N)."""
        X = self.objective.X if self.read_in is None else self.read_in @ self.objective.X
        return representations(X, self.parameters.w, self.objective.h, self.objective.geometry)

    @cached_property
    def Z(self) -> FloatArray:
        """R A_L."""
        end: FloatArray = self.A[-1]
        return end if self.read_out is None else self.read_out @ end

    @cached_property
    def action(self) -> float:
        """½ Σ h_l |w_l|²."""
        return 0.5 * float(np.einsum("l,lab,lab->", self.objective.h, self.parameters.w, self.parameters.w))

    @cached_property
    def cost(self) -> float:
        """C(R A_L)."""
        return self.objective.cost.value(self.Z)

    @cached_property
    def penalties(self) -> float:
        """½ c_in |E|² + ½ c_out |R|²."""
        o, total = self.objective, 0.0
        if o.in_penalty is not None and self.read_in is not None:
            total += 0.5 * o.in_penalty * float(np.sum(self.read_in**2))
        if o.out_penalty is not None and self.read_out is not None:
            total += 0.5 * o.out_penalty * float(np.sum(self.read_out**2))
        return total

    @cached_property
    def value(self) -> float:
        """F."""
        return self.action + self.cost / self.objective.terminal_weight + self.penalties

    @cached_property
    def features(self) -> FloatArray:
        """Sg(A_0)..Sg(A_{L-1}), shape (L, m, N)."""
        return self.objective.geometry.features(self.A[:-1])

    @cached_property
    def slope(self) -> FloatArray:
        """s'(A_0)..s'(A_{L-1}), shape (L, w, N)."""
        return self.objective.geometry.phi.slope(self.A[:-1])

    @cached_property
    def square(self) -> FloatArray:
        """The columns of w that multiply s(A), shape (L, w, w)."""
        return self.parameters.w[..., : self.A.shape[1]]

    @cached_property
    def output_gradient(self) -> FloatArray:
        """∂(C/λ)/∂Z."""
        return self.objective.cost.gradient(self.Z) / self.objective.terminal_weight

    @cached_property
    def B(self) -> FloatArray:
        """B_0..B_L, shape (L + 1, w, N)."""
        end = self._pulled_back(-self.output_gradient)
        return momenta(self.slope, end, self.parameters.w, self.objective.h)

    @cached_property
    def gradient(self) -> FloatArray:
        """∂F, flat."""
        o, x = self.objective, self.parameters
        w = o.h[:, None, None] * (x.w - self.B[1:] @ transposed(self.features))
        read_in = read_out = None
        if o.in_penalty is not None and self.read_in is not None:
            read_in = o.in_penalty * self.read_in - self.B[0] @ o.X.T
        if o.out_penalty is not None and self.read_out is not None:
            read_out = o.out_penalty * self.read_out + self.output_gradient @ self.A[-1].T
        return o.flat(Parameters(w, read_in, read_out))

    @cached_property
    def residual(self) -> float:
        """The largest of max_l |w_l - B_l Sgᵀ|/|w_l| and, where E and R are learned, the same for them."""
        o = self.objective
        found = [relative_distance(self.parameters.w, self.B[1:] @ transposed(self.features))]
        if o.in_penalty is not None and self.read_in is not None:
            found.append(relative_distance(self.read_in, self.B[0] @ o.X.T / o.in_penalty))
        if o.out_penalty is not None and self.read_out is not None:
            found.append(relative_distance(self.read_out, -self.output_gradient @ self.A[-1].T / o.out_penalty))
        return max(found)

    def hessian_times(self, vector: FloatArray) -> FloatArray:
        """The Hessian of F times a flat vector."""
        o = self.objective
        d = o.unflat(vector, self.parameters)
        dA, dZ = self.tangent(d)
        output = o.cost.curvature_times(self.Z, dZ) / o.terminal_weight
        end = self._pulled_back(output)
        if d.read_out is not None:
            end = end + d.read_out.T @ self.output_gradient
        ds = self.slope * dA[:-1]
        sources = self.slope * (transposed(d.w[..., : dA.shape[1]]) @ self.B[1:]) + self._bend * dA[:-1]
        dP = self._adjoint(end, -o.h[:, None, None] * sources)
        w = d.w + dP[1:] @ transposed(self.features)
        w[..., : dA.shape[1]] -= self.B[1:] @ transposed(ds)
        read_in = read_out = None
        if d.read_in is not None and o.in_penalty is not None:
            read_in = o.in_penalty * d.read_in + dP[0] @ o.X.T
        if d.read_out is not None and o.out_penalty is not None:
            read_out = o.out_penalty * d.read_out + output @ self.A[-1].T + self.output_gradient @ dA[-1].T
        return o.flat(Parameters(o.h[:, None, None] * w, read_in, read_out))

    def tangent(self, d: Parameters) -> tuple[FloatArray, FloatArray]:
        """DA_0..dA_L, and dZ."""
        h = self.objective.h
        driven = h[:, None, None] * (d.w @ self.features)
        dA = np.empty_like(self.A)
        dA[0] = 0.0 if d.read_in is None else d.read_in @ self.objective.X
        for layer, step in enumerate(h):
            pushed = self.square[layer] @ (self.slope[layer] * dA[layer])
            dA[layer + 1] = (1 - step) * dA[layer] + step * pushed + driven[layer]
        dZ = dA[-1] if self.read_out is None else self.read_out @ dA[-1]
        return dA, dZ if d.read_out is None else dZ + d.read_out @ self.A[-1]

    def cotangent(self, u: FloatArray) -> FloatArray:
        """(∂Z/∂parameters)ᵀ u, flat: the adjoint of `tangent`."""
        o = self.objective
        P = self._adjoint(self._pulled_back(u))
        w = o.h[:, None, None] * (P[1:] @ transposed(self.features))
        read_in = P[0] @ o.X.T if o.in_penalty is not None else None
        read_out = u @ self.A[-1].T if o.out_penalty is not None else None
        return o.flat(Parameters(w, read_in, read_out))

    @cached_property
    def diagonal(self) -> FloatArray:
        """h_l for each entry of w_l, c_in for those of E, c_out for those of R: the Hessian of all but the cost."""
        o = self.objective
        x = o.learned(self.parameters)
        parts = [np.broadcast_to(o.h[:, None, None], x.w.shape).ravel()]
        if x.read_in is not None and o.in_penalty is not None:
            parts.append(np.full(x.read_in.size, o.in_penalty))
        if x.read_out is not None and o.out_penalty is not None:
            parts.append(np.full(x.read_out.size, o.out_penalty))
        return np.concatenate(parts)

    @cached_property
    def _bend(self) -> FloatArray:
        """S'' ∘ (wᵀ B), shape (L, w, N)."""
        return self.objective.geometry.phi.curvature(self.A[:-1]) * (transposed(self.square) @ self.B[1:])

    def _pulled_back(self, u: FloatArray) -> FloatArray:
        """Rᵀ u."""
        return u if self.read_out is None else self.read_out.T @ u

    def _adjoint(self, end: FloatArray, sources: FloatArray | None = None) -> FloatArray:
        """P_0..P_L = end of the linear recursion backwards, with what each layer adds."""
        h = self.objective.h
        P = np.empty_like(self.A)
        P[-1] = end
        for layer in range(len(h) - 1, -1, -1):
            pulled = self.slope[layer] * (self.square[layer].T @ P[layer + 1])
            P[layer] = (1 - h[layer]) * P[layer + 1] + h[layer] * pulled
            if sources is not None:
                P[layer] += sources[layer]
        return P
