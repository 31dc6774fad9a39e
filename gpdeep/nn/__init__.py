"""What gpdeep knows about torch modules; the only home of torch.

`architecture_of` reads a module into a `gpdeep.architecture.Architecture`, `weight_report` says from which
law its weights seem to come, `load_factory` gets the module from the user's own file.
"""

from ..errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    raise MissingExtraError.of("torch", "torch", "gpdeep.nn") from _error

from .architecture_of import architecture_of
from .factory import load_factory
from .weights import LayerWeights, weight_report

__all__ = ["LayerWeights", "architecture_of", "load_factory", "weight_report"]
