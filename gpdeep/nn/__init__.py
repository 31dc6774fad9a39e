"""What gpdeep knows about torch modules; the only home of torch.

`architecture_of` reads a module into a `gpdeep.architecture.Architecture`, `weight_report` says from which
law its weights seem to come, `load_factory` gets the module from the user's own file. `CReLU`, `CST`, `ReLUTau` and
`SoftThreshold` are sparsifying activations, `module_of` makes the module of any activation; `initialize` draws the
weights of a network from a sparse design, `init_layer_` those of a layer, `scale_inputs` gives inputs their length.
`LeakyResNet` is a network whose layers are steps along a path, `train_leaky` brings it to a stationary point, and
`adapt_steps` (in a loop of one's own `AdaptiveSteps`) puts layers where the representation changes.
`replace_activations` puts `PartialReLU` in place of ReLUs, `LinearityPenalty` and `LinearizeSchedule` make channels of
it linear in training; of what is left `active_units` makes a table, `core_network` the network of active units alone
(`CoreModel` as a module), and `fold` merges the affine layers that nothing separates any more. `graph_of` reads a
module into the graph of its channels, whose path lengths `gpdeep.linearize` computes; `variance_shares` measures
weights for them, `register_rule` says how an operation is read.
"""

from ..errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    raise MissingExtraError.of("torch", "torch", "gpdeep.nn") from _error

from .ensembles.full_precision import LowPrecisionError
from .ensembles.members import Ensemble
from .ensembles.outcome import EnsembleTraining
from .ensembles.recording import EagerTrainingWarning
from .ensembles.statistics import ensemble_statistics
from .ensembles.training import train_ensemble
from .factory import load_factory
from .folding.core_form import core_network
from .folding.core_model import CoreModel
from .folding.fold_report import FoldReport
from .folding.merging import fold
from .graphs.model_graph import graph_of, variance_shares
from .graphs.rules import register_rule
from .initialising.architecture_of import architecture_of
from .initialising.initialisers import init_layer_
from .initialising.initialize import initialize
from .initialising.scale_inputs import scale_inputs
from .leaky.resnet import LeakyResNet
from .leaky.steps import AdaptiveSteps, adapt_steps
from .leaky.training import train_leaky
from .leaky.training_result import LeakyTraining
from .linearising.active_table import ActiveUnits, active_units
from .linearising.linearity_penalty import LinearityPenalty
from .linearising.linearize_schedule import LinearizeSchedule
from .linearising.replacement import replace_activations
from .linearising.replacement_report import Replacement
from .modules.clipped import CST, CReLU, ReLUTau, SoftThreshold
from .modules.module_of import module_of
from .modules.partial_relu import PartialReLU
from .probing.check_report import CheckReport
from .probing.checking import check
from .probing.probe import probe
from .probing.report import ProbeReport
from .reading.weights import LayerWeights, weight_report

__all__ = [
    "CST",
    "ActiveUnits",
    "AdaptiveSteps",
    "CReLU",
    "CheckReport",
    "CoreModel",
    "EagerTrainingWarning",
    "Ensemble",
    "EnsembleTraining",
    "FoldReport",
    "LayerWeights",
    "LeakyResNet",
    "LeakyTraining",
    "LinearityPenalty",
    "LinearizeSchedule",
    "LowPrecisionError",
    "PartialReLU",
    "ProbeReport",
    "ReLUTau",
    "Replacement",
    "SoftThreshold",
    "active_units",
    "adapt_steps",
    "architecture_of",
    "check",
    "core_network",
    "ensemble_statistics",
    "fold",
    "graph_of",
    "init_layer_",
    "initialize",
    "load_factory",
    "module_of",
    "probe",
    "register_rule",
    "replace_activations",
    "scale_inputs",
    "train_ensemble",
    "train_leaky",
    "variance_shares",
    "weight_report",
]
