"""How fast networks are trained side by side, beside one by one, and beside what the machine could do.

cases        which networks, by size and device
estimates    operations, bytes and launches of a step, and how long they take on a machine whose limits are known
ceilings     the limits of this machine, measured in the same run
clocks       processor time, or time of the device
contenders   the ways of training that are compared
measuring    all of them in turn, and the least time of each
throughput   what is kept of it, as a table and as JSON

python -m validation benchmark --device cuda --size full
"""

from .measuring import measure
from .throughput import Throughput, all_throughputs, load_throughput

__all__ = ["Throughput", "all_throughputs", "load_throughput", "measure"]
