"""E6: what is left of a network when units lose their nonlinearity, and whether late is better than early."""

from ..experiment import Experiment
from .claims import claims
from .design import plan

LIMITS = (
    "The published direction, late better than early, was seen on convolutional and residual networks with careful "
    "recipes. Here it is told with its interval for every comparison and never asserted. On plain chains linear units "
    "also cure the degeneracy of angles, which speaks for starting with them. Convolutional networks and the "
    "transformer are a code path at the quick size: their numbers say nothing there."
)

EXPERIMENT = Experiment(
    id="E6",
    title="Partial linearisation",
    question="How many units can become linear, where do nonlinear ones survive, and does it matter when?",
    plan=plan,
    claims=claims,
    limits=LIMITS,
)
