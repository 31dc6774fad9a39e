"""Does it matter when a network loses its nonlinearity?

A deep network whose activations have a slope a channel is pulled towards linear channels by a penalty, once early and
once late in training, and both are compared at an equal number of nonlinear layers left. The published observation is
that late is better, on tasks that need depth (the abstract of arXiv:2211.17180).

    python -m validation.nonlinear_advantage --task sum --task digit --seeds 5

`run` is the same as a function, `TASKS` what it can be run on, `gaps` the comparison alone.
"""

from .comparison import Gap, gaps
from .design import Design, Member
from .evidence import Evidence
from .experiment import run
from .outcome import Outcome
from .tasks import TASKS

__all__ = ["TASKS", "Design", "Evidence", "Gap", "Member", "Outcome", "gaps", "run"]
