r"""How deep can this network be before its inputs become indistinguishable? The main job.

    L*(x*, c) = max{ l ≤ L : P( ln sin²θ_l ≥ x*  and both inputs alive, not collapsed ) ≥ c },

the predicted degeneracy depth of two inputs at a given angle, or of a random pair of a data set, at finite width;
beside it the infinite-width value, the effective depth t = Σ 1/n_l, the spread of lengths and the survival probability.

What it is not: a statement about training. Above L* the inputs' images differ by less than the threshold in more than
a share 1 - c of all initialisations; being below it is roughly necessary for training, not sufficient. The threshold
is empirical: about -4 for tasks like MNIST, about -1.5 for CIFAR-10 (from the figures of Jakub & Nica 2023, arXiv
2306.01513).
"""

from __future__ import annotations

from .calibration import Calibration, calibrate, read_runs
from .predict import DEFAULT_THRESHOLD, find_width, predict_depth
from .prediction import DegeneracyDepth, DepthPrediction, InfiniteWidth, InitialAngle
from .search import FIRST_WIDTH, WIDE_TO_SAMPLE

__all__ = [
    "DEFAULT_THRESHOLD",
    "FIRST_WIDTH",
    "WIDE_TO_SAMPLE",
    "Calibration",
    "DegeneracyDepth",
    "DepthPrediction",
    "InfiniteWidth",
    "InitialAngle",
    "calibrate",
    "find_width",
    "predict_depth",
    "read_runs",
]
