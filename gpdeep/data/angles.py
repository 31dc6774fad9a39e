r"""The law of the angles between samples, after centring.

    θ_ij = 2 arctan( |u_i - u_j| / |u_i + u_j| ),     u_i = (x_i - m)/|x_i - m|,     θ in [0, π],

over pairs i < j of samples with mean m. This form (Kahan) is accurate to a few units of 1e-16 at every angle;
arccos(u_i · u_j) has no digit left below 1e-8.

Reference: W. Kahan, How futile are mindless assessments of roundoff in floating-point computation? (2006),
§12, "Mangled angles".
"""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import shown
from ..result import FloatArray, IntArray, Result, Status
from .centring import Cloud, no_direction, refuse_directionless
from .reading import Source, read
from .samples import blocks

MAX_PAIRS = 10**6

_STREAM = int.from_bytes(b"pair", "big")
"""Tells the draws of pairs from every other stream that grows from the same seed."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AngleSample(Result):
    """Angles between pairs of samples.

    Parameters
    ----------
    angles : ndarray, shape (pairs,), radians in [0, π]
        In ascending order: a subsample has to be drawn, not cut off.
    mean, median, std : float, radians
        Of `angles`; `std` is that of the law that gives every pair the same weight.
    pairs : int
        Number of pairs.
    features, samples : int
        Shape of the data; `samples` are those that have a direction.
    identical : int
        Pairs at angle exactly 0: equal samples. They belong to the law.
    centred : bool
        Whether the mean over samples was subtracted.
    source : str or None
        What was read; None for an array.
    seed : int or None
        The seed of the draw; None where a stream was given instead of a number.
    """

    angles: FloatArray
    mean: float
    median: float
    std: float
    pairs: int
    features: int
    samples: int
    identical: int
    centred: bool
    source: str | None
    seed: int | None

    def __str__(self) -> str:
        lines = [
            f"angles of {self.pairs} pairs of {self.samples} samples with {self.features} features"
            + ("" if self.centred else ", not centred"),
            f"  mean   {self.mean:.4f} rad",
            f"  median {self.median:.4f} rad",
            f"  std    {self.std:.4f} rad",
        ]
        return "\n".join([*lines, *(f"  note: {message}" for message in self.status.messages)])


def pair_angles(
    X: Source,
    *,
    pairs: int = 2000,
    centre: bool = True,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> AngleSample:
    r"""The law of the angle between two different samples, θ.

    Parameters
    ----------
    X : array_like, shape (samples, features), or any source of `load_inputs`
        Real and finite, at least two samples. A name or a path is recorded in the result.
    pairs : int, from 1 to 1,000,000
        Number of different pairs i < j, drawn uniformly without replacement. Where there are no more than
        that, every pair is used once and the status says so.
    centre : bool
        Subtract the mean over all samples first.
    rng : int, SeedSequence or Generator
        Seed of the draw. A Generator is used as it is (and moves on); the global state is never touched.

    Returns
    -------
    AngleSample
        Samples without a direction (zero, or equal to the mean up to rounding) are dropped before pairs are
        drawn, and the status counts them.

    Raises
    ------
    DomainError
        Fewer than two samples have a direction; `pairs` out of range; `rng` is none of the above. Also what
        `load_inputs` refuses.

    Notes
    -----
    *Why centring.* Pixels are not negative: all raw images lie in one orthant, where no angle exceeds π/2 and
    typical ones are far smaller, since the images share their mean. The shared direction says nothing about
    what tells two images apart, and the network starts with less angle to lose.

    Angles carry an absolute error of a few 1e-16, times |x_i|/|x_i - m| for what centring cancels. Cost: at
    most two passes over the data as stored; only the drawn rows are kept in float64, a block at a time.

    References
    ----------
    W. Kahan, How futile are mindless assessments of roundoff in floating-point computation? (2006), §12.

    Examples
    --------
    Two orthogonal vectors, π/2; centred they point away from their mean in opposite directions, π:

    >>> pair_angles([[2, 0], [0, 3]], centre=False).mean
    1.5707963267948966
    >>> pair_angles([[2, 0], [0, 3]]).mean
    3.141592653589793

    Centring moves the law of the digits from far below π/2 to just about π/2:

    >>> print(f"{pair_angles('digits', centre=False).median:.1f} {pair_angles('digits').median:.1f}")
    0.8 1.6
    """
    wanted, (generator, seed) = _count(pairs), _generator(rng)
    data, source = read(X)
    if len(data) < 2:
        raise DomainError(
            f"There is {len(data)} sample, with {data.shape[1]} features.",
            "A selection kept one sample; an angle needs two.",
            "Give at least two samples, one a row.",
        )
    cloud = Cloud.of(data, centre)
    lost = cloud.without_direction()
    kept = np.delete(np.arange(len(data)), lost)
    if len(kept) < 2:
        refuse_directionless(lost, len(data), centre)

    i, j = _draw(len(kept), wanted, generator)
    angles = np.empty(len(i))
    for block in blocks((len(i), data.shape[1])):
        u, v = cloud.directions(kept[i[block]]), cloud.directions(kept[j[block]])
        angles[block] = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    angles.sort()

    messages = []
    if lost.size:
        messages.append(f"{lost.size} of {len(data)} samples dropped: {no_direction(centre)}.")
    if len(i) < wanted:
        messages.append(f"All {len(i)} pairs of {len(kept)} samples are used; {wanted} were asked for.")
    return AngleSample(
        status=Status(messages=tuple(messages)),
        angles=angles,
        mean=float(angles.mean()),
        median=float(np.median(angles)),
        std=float(angles.std()),
        pairs=len(i),
        features=data.shape[1],
        samples=len(kept),
        identical=int(np.count_nonzero(angles == 0)),
        centred=bool(centre),
        source=source,
        seed=seed,
    )


def _draw(samples: int, wanted: int, generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    """`wanted` different pairs of different samples, or all that there are.

    Pair number k joins sample i = k mod N and the one k // N + 1 further round: as k runs through
    0 .. N(N-1)/2 - 1, every pair appears once.
    """
    total = samples * (samples - 1) // 2
    k = np.arange(total) if total <= wanted else generator.choice(total, wanted, replace=False, shuffle=False)
    i = k % samples
    return i, (i + k // samples + 1) % samples


def _generator(rng: Any) -> tuple[np.random.Generator, int | None]:
    """The stream of the draw of pairs, and the seed where there is one."""
    if isinstance(rng, np.random.Generator):
        return rng, None
    if isinstance(rng, np.random.SeedSequence):
        key = (*rng.spawn_key, _STREAM)
        sequence = np.random.SeedSequence(rng.entropy, spawn_key=key, pool_size=rng.pool_size)
        return np.random.default_rng(sequence), None
    if isinstance(rng, (int, np.integer)) and rng >= 0:
        seed = int(rng)
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,))), seed
    raise DomainError(
        f"rng = {shown(rng)}.",
        "A seed is a whole number from 0; None would make the result impossible to repeat.",
        "Give a seed such as 0, a numpy.random.SeedSequence or a numpy.random.Generator.",
    )


def _count(pairs: Any) -> int:
    try:
        count = operator.index(pairs)
    except TypeError:
        count = 0
    if not 1 <= count <= MAX_PAIRS:
        raise DomainError(
            f"pairs = {shown(pairs)}; it has to be a whole number from 1 to {MAX_PAIRS}.",
            "The number of pairs was computed from something else, or has a digit too many.",
            "Use some 2000 pairs: they give the mean angle to about 1/45 of its spread.",
        )
    return count
