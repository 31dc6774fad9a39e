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

from .active_table import ActiveUnits, active_units
from .architecture_of import architecture_of
from .check_report import CheckReport
from .checking import check
from .clipped import CST, CReLU, ReLUTau, SoftThreshold
from .core_form import core_network
from .core_model import CoreModel
from .ensemble import Ensemble
from .ensemble_outcome import EnsembleTraining
from .ensemble_statistics import ensemble_statistics
from .ensemble_training import train_ensemble
from .factory import load_factory
from .fold_report import FoldReport
from .folding import fold
from .graph_rules import register_rule
from .initialisers import init_layer_
from .initialize import initialize
from .leaky_resnet import LeakyResNet
from .leaky_steps import AdaptiveSteps, adapt_steps
from .leaky_training import train_leaky
from .leaky_training_result import LeakyTraining
from .linearity_penalty import LinearityPenalty
from .linearize_schedule import LinearizeSchedule
from .model_graph import graph_of, variance_shares
from .module_of import module_of
from .partial_relu import PartialReLU
from .probe import probe
from .probe_report import ProbeReport
from .replacement import replace_activations
from .replacement_report import Replacement
from .scale_inputs import scale_inputs
from .weights import LayerWeights, weight_report

__all__ = [
    "CST",
    "ActiveUnits",
    "AdaptiveSteps",
    "CReLU",
    "CheckReport",
    "CoreModel",
    "Ensemble",
    "EnsembleTraining",
    "FoldReport",
    "LayerWeights",
    "LeakyResNet",
    "LeakyTraining",
    "LinearityPenalty",
    "LinearizeSchedule",
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
