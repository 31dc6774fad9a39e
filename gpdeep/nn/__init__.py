"""What gpdeep knows about torch modules; the only home of torch.

`architecture_of` reads a module into a `gpdeep.architecture.Architecture`, `weight_report` says from which
law its weights seem to come, `load_factory` gets the module from the user's own file. `CReLU`, `CST`, `ReLUTau` and
`SoftThreshold` are sparsifying activations, `module_of` makes the module of any activation; `initialize` draws the
weights of a network from a sparse design, `init_layer_` those of a layer, `scale_inputs` gives inputs their length.
`LeakyResNet` is a network whose layers are steps along a path, `train_leaky` brings it to a stationary point, and
`adapt_steps` (in a loop of one's own `AdaptiveSteps`) puts layers where the representation changes.
"""

from ..errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    raise MissingExtraError.of("torch", "torch", "gpdeep.nn") from _error

from .architecture_of import architecture_of
from .clipped import CST, CReLU, ReLUTau, SoftThreshold
from .factory import load_factory
from .initialisers import init_layer_
from .initialize import initialize
from .leaky_resnet import LeakyResNet
from .leaky_steps import AdaptiveSteps, adapt_steps
from .leaky_training import train_leaky
from .leaky_training_result import LeakyTraining
from .module_of import module_of
from .probe import probe
from .probe_report import ProbeReport
from .scale_inputs import scale_inputs
from .weights import LayerWeights, weight_report

__all__ = [
    "CST",
    "AdaptiveSteps",
    "CReLU",
    "LayerWeights",
    "LeakyResNet",
    "LeakyTraining",
    "ProbeReport",
    "ReLUTau",
    "SoftThreshold",
    "adapt_steps",
    "architecture_of",
    "init_layer_",
    "initialize",
    "load_factory",
    "module_of",
    "probe",
    "scale_inputs",
    "train_leaky",
    "weight_report",
]
