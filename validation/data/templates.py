r"""Images that a linear classifier cannot tell apart: each class is several smooth random pictures, moved and blurred.

    x = s T_{c,j}(r - d) + ν η(r),     c the class,  j one of its templates,  s ~ U[0.7, 1.3],  d ~ U[-1.5, 1.5]²

T and η are Gaussian fields of unit variance on a torus that is larger than the picture, with the spectra e^{-k²ℓ²} of
correlation lengths ℓ_T and ℓ_η. A field is a sum of plane waves, so that a shift by a part of a pixel is a phase, and
nothing is interpolated. With several templates a class has no direction of its own: the mean of its samples is near
that of all others, and what is left for a linear network is little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpdeep.data import LabelledSplit
from gpdeep.errors import DomainError
from gpdeep.result import FloatArray, IntArray

from .streams import stream

MARGIN = 6  # pixels by which the torus exceeds the picture: what leaves on one side does not come in on the other
SHIFT, SCALES, NOISE = 1.5, (0.7, 1.3), 0.6
LENGTHS = {"template": 2.0, "noise": 1.0}  # ℓ, in pixels


def template_split(
    seed: int = 0,
    train: int = 4000,
    test: int = 1000,
    *,
    classes: int = 10,
    per_class: int = 6,
    side: int = 14,
    noise: float = NOISE,
) -> LabelledSplit:
    """Training and test images of one draw of templates.

    Parameters
    ----------
    seed : int
        Of templates and samples.
    train, test : int
        Samples of each part; every class is as likely.
    classes, per_class : int
    side : int
        Pixels of a side.
    noise : float
        ν, the standard deviation of the noise beside templates of standard deviation 1.

    Returns
    -------
    LabelledSplit
        Rows of side² pixels, as drawn: `LabelledSplit.prepared` centres and scales them.

    Raises
    ------
    DomainError
        There is nothing to draw.

    Examples
    --------
    >>> split = template_split(0, train=50, test=20)
    >>> split.train_x.shape, split.test_x.shape, split.classes
    ((50, 196), (20, 196), 10)
    """
    if min(train, test, classes, per_class, side) < 1 or noise < 0:
        raise DomainError(
            f"{train} and {test} samples of {classes} x {per_class} templates of side {side} with noise {noise}.",
            "A number of samples, classes, templates or pixels is 0, or the noise is negative.",
            "Give numbers from 1, and noise of 0 or more.",
        )
    torus = side + MARGIN
    drawn = stream("templates", seed, "templates").standard_normal((classes, per_class, torus, torus))
    waves = _waves(drawn, LENGTHS["template"])
    parts = [
        _part(waves, stream("templates", seed, part), n, side, noise) for part, n in (("train", train), ("test", test))
    ]
    return LabelledSplit(*parts[0], *parts[1], classes=classes)


def _part(
    waves: NDArray[np.complex128], rng: np.random.Generator, samples: int, side: int, noise: float
) -> tuple[FloatArray, IntArray]:
    """Images and their classes."""
    classes, per_class, torus, _ = waves.shape
    label = rng.integers(classes, size=samples)
    which = rng.integers(per_class, size=samples)
    scale = rng.uniform(*SCALES, size=samples)
    moved = rng.uniform(-SHIFT, SHIFT, size=(samples, 2))
    k = 2 * np.pi * np.fft.fftfreq(torus)
    phase = np.exp(-1j * (moved[:, 0, None, None] * k[:, None] + moved[:, 1, None, None] * k))
    shifted = scale[:, None, None] * waves[label, which] * phase
    shifted += noise * _waves(rng.standard_normal((samples, torus, torus)), LENGTHS["noise"])
    images = np.fft.ifft2(shifted).real[:, :side, :side]
    return images.reshape(samples, -1), label.astype(np.int64)


def _waves(white: FloatArray, length: float) -> NDArray[np.complex128]:
    """Amplitudes of the plane waves of smooth fields with unit variance, from white noise on the last two axes."""
    k = 2 * np.pi * np.fft.fftfreq(white.shape[-1])
    decay = np.exp(-((k[:, None] ** 2 + k**2) * length**2) / 2)
    decay /= np.sqrt(np.mean(decay**2))
    return np.asarray(np.fft.fft2(white) * decay)
