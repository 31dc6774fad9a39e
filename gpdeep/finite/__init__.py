r"""Finite width: the law of the angle between inputs, of lengths and of gradients, in random networks.

`angle_law` answers the main question; `sample_angles`, `sample_pairs` and `sample_gram` draw from the exact laws;
`length_law` and `gradient_law` are exact; `lyapunov` and `readout_cumulants` describe clouds of inputs and the last
linear layer.
"""

from .chain import ChainState, sample_angles, sample_pairs
from .cumulants import angle_cumulants
from .events import event_probabilities
from .gram import sample_gram
from .jakub_nica import jakub_nica_recursion, jakub_nica_step
from .law import AngleLaw, LawError, Method
from .lengths import LengthLaw, gradient_law, length_law
from .lyapunov import lyapunov, readout_cumulants
from .methods import angle_law
from .small_angle import mean_inverse_stretch, small_angle_cdf, small_angle_cumulants
from .wiring import Kind, Weights, Wiring

__all__ = [
    "AngleLaw",
    "ChainState",
    "Kind",
    "LawError",
    "LengthLaw",
    "Method",
    "Weights",
    "Wiring",
    "angle_cumulants",
    "angle_law",
    "event_probabilities",
    "gradient_law",
    "jakub_nica_recursion",
    "jakub_nica_step",
    "length_law",
    "lyapunov",
    "mean_inverse_stretch",
    "readout_cumulants",
    "sample_angles",
    "sample_gram",
    "sample_pairs",
    "small_angle_cdf",
    "small_angle_cumulants",
]
