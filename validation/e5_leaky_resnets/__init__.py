"""E5: trained leaky ResNets against the Hamiltonian picture of their layers."""

from ..experiment import Experiment
from .claims import claims
from .design import plan

LIMITS = (
    "One family of tasks, of hidden dimension 2, on Gaussian inputs: --data changes nothing. The quick size has "
    "one draw of the task and one network a cell, and so no standard error. The networks are stationary up to the "
    "residual that is reported, not minima for certain: other starts end in other local minima. Adapted steps are "
    "compared by the objective that was trained; whether they generalise better is told, not claimed."
)

EXPERIMENT = Experiment(
    id="E5",
    title="Leaky ResNets as trajectories",
    question="Do trained leaky ResNets conserve the energy of their layers, narrow to the dimension of the task, and "
    "gain from steps that follow the representation?",
    plan=plan,
    claims=claims,
    limits=LIMITS,
)
