"""A recorder as strict as a CUDA graph, on the processor: it writes down torch's operations and does them again.

What is recorded is what reaches the device: operations on tensors, the numbers of the host as they were. A tensor that
was there before is used in its place, so a replay sees what was written there since, and nothing else. Reading a
number, or bringing one from the host, is what a GPU refuses while it records.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

READS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "allclose", "masked_select", "item")


class Recording(TorchDispatchMode):
    """Operations in their order, with results as numbered places."""

    def __init__(self):
        super().__init__()
        self.calls, self.places = [], {}
        self.keep = []  # so that no tensor is freed and its id taken by another

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation.__name__.split(".")[0]
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
        if name in READS:
            raise RuntimeError(f"the host reads a number of the device ({name})")
        if not tensors and any("Tensor" in str(result.type) for result in operation._schema.returns):
            raise RuntimeError(f"a tensor comes from the host ({name})")
        given = tree_map(self._place, (args, kwargs))
        results = operation(*args, **kwargs)
        flat = tree_flatten(results)[0]
        for one in flat:
            if isinstance(one, torch.Tensor) and id(one) not in self.places and not any(one is t for t in tensors):
                self.places[id(one)] = len(self.keep)
                self.keep.append(one)
        self.calls.append((operation, given, [self.places.get(id(one)) for one in flat]))
        return results

    def _place(self, one):
        return Place(self.places[id(one)]) if isinstance(one, torch.Tensor) and id(one) in self.places else one

    def replay(self):
        """Do it all again."""
        found = {}

        def at(one):
            return found[one.number] if isinstance(one, Place) else one

        for operation, given, places in self.calls:
            args, kwargs = tree_map(at, given)
            results = tree_flatten(operation(*args, **kwargs))[0]
            found |= {place: one for place, one in zip(places, results, strict=True) if place is not None}


class Place:
    """Where a result of this recording stands."""

    def __init__(self, number):
        self.number = number


class OperationRecorder:
    """What `gpdeep.nn.ensembles.recording` asks of a device; `recordings` keeps what was recorded."""

    def __init__(self):
        self.recordings, self.warm = [], 0

    def aside(self, call):
        self.warm += 1
        call()

    def record(self, call):
        with Recording() as recording:
            call()
        self.recordings.append(recording)

        def replay():
            with torch.no_grad():
                recording.replay()

        return replay
