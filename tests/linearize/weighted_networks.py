"""Networks with a slope for every channel as anyone would write them: weight matrices drawn, inputs multiplied through.

Shares no code with gpdeep.
"""

import numpy as np


def sampled_log_sin2(theta0, slopes, n_samples, seed):
    """ln sin² of the angle between two inputs after each layer, shape (L, N); `slopes` has one array for each layer."""
    rng = np.random.Generator(np.random.PCG64(seed))
    h = np.zeros((n_samples, 2, 3))
    h[:, 0, 0] = h[:, 1, 0] = 1.0
    h[:, 0, :2] = [1.0, 0.0]
    h[:, 1, :2] = [np.cos(theta0), np.sin(theta0)]
    rows = []
    for a in slopes:
        weights = rng.standard_normal((n_samples, h.shape[2], len(a))) * np.sqrt(2 / h.shape[2])
        x = h @ weights
        h = np.where(x > 0, x, np.asarray(a) * x)
        with np.errstate(invalid="ignore", divide="ignore"):
            u, v = (h[:, i] / np.linalg.norm(h[:, i], axis=-1, keepdims=True) for i in (0, 1))
            half = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
            rows.append(2 * np.log(np.sin(2 * half)))
    return np.array(rows)


def z_limit(comparisons, rate=1e-3):
    """Largest |z| to accept, two-sided, for a false-alarm rate of a whole test shared among its comparisons."""
    from scipy.special import ndtri

    return float(-ndtri(rate / comparisons / 2))


def moments(x):
    """Mean, standard deviation and their standard errors, the second by the fourth moment."""
    deviation = x - x.mean()
    var = np.mean(deviation**2)
    se_var = np.sqrt((np.mean(deviation**4) - var**2) / x.size)
    return x.mean(), np.sqrt(var), np.sqrt(var / x.size), se_var / (2 * np.sqrt(var))
