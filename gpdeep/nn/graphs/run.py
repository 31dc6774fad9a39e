"""One forward pass of a model, every operation of which is seen and turned into nodes of a graph.

The model runs on an example, in eval mode and without gradients, under a `torch.overrides.TorchFunctionMode`: each call
of a torch function or method passes through here with its real arguments, and its rule says how the channels of the
result are made of those it was given. So loops and decisions of a forward are those that the example takes, sizes are
numbers, and what works in place changes what torch changes. Tensors that do not depend on the input are constants: no
path comes from them. A tensor that was made out of sight (by compiled code) is refused, not taken for a constant.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from ...errors import DomainError
from ...linearize.operations import Policy
from .call import Call, RefusedError
from .channel_labels import Blocked, State, Tracked
from .measured_moments import Moments
from .nested_tensors import tensors
from .rules import Rule, Rulebook, operation_name

_NOT_THE_USERS = tuple(str(Path(file).parent) for file in (torch.__file__, __file__))
_SEEN_ONLY = ("requires_grad", "retain_grad", "register_hook", "share_memory", "pin_memory", "record_stream")
_READ_OUT = ("item", "tolist", "numpy", "float", "complex", "array", "dlpack")


@dataclass
class _Frame:
    """A module whose forward is running; `rule` if it is read as a whole, with what it was given."""

    name: str
    module: nn.Module
    rule: Rule | None
    states: dict[int, State]
    values: dict[int, torch.Tensor]


class Run(TorchFunctionMode):  # type: ignore[misc]
    """The mode that a model runs under; `state` afterwards says what is known of a tensor."""

    def __init__(
        self,
        model: nn.Module,
        rules: Rulebook,
        leaf_rule: Callable[[nn.Module], Rule | None],
        policy: Policy | None,
        moments: Moments | None,
        guessing: bool,
    ) -> None:
        super().__init__()
        self._guessing = guessing
        self._rules, self._leaf_rule, self._policy, self._moments = rules, leaf_rule, policy, moments
        self._states: Any = WeakTensorKeyDictionary()  # to a state and the version of the tensor
        self._constants: Any = WeakTensorKeyDictionary()  # what was there before, and what is made of that
        self._written: Any = WeakTensorKeyDictionary()  # versions of a tensor's memory that writes through it made
        self._changed: dict[int, torch.Tensor] = {}  # storages that a write through a view has changed
        for existing in [o for o in gc.get_objects() if type(o) in (torch.Tensor, nn.Parameter)]:
            self._constants[existing] = True
        self._stack: list[_Frame] = [_Frame("", model, None, {}, {})]
        self._aside = 0

    # ------------------------------------------------------------------------------------------ tensors

    def start(self, tensor: torch.Tensor, state: Tracked) -> None:
        """Let a tensor be an input."""
        self._states[tensor] = state, _version(tensor)

    def state(self, tensor: torch.Tensor) -> State | None:
        """What is known of a tensor; None for a constant.

        Raises
        ------
        DomainError
            The tensor was made, or changed, out of sight.
        """
        found = self._states.get(tensor)
        if found is not None and found[1] == _version(tensor):
            known: State = found[0]
            return known
        if found is not None or self._is_changed(tensor):
            raise DomainError(
                f"The forward pass{self.where()} uses a tensor of shape {tuple(tensor.shape)} that was changed in "
                "place through another name.",
                "A slice or view of it was written to, and what has become of its channels is not followed.",
                "Write x[:, :k] = y on the tensor itself, join parts by torch.cat, or use operations not in place.",
            )
        if tensor in self._constants or _of_numpy(tensor):
            return None
        raise DomainError(
            f"The forward pass{self.where()} uses a tensor of shape {tuple(tensor.shape)} that comes from an operation "
            "which was not seen.",
            "It was computed by torch.jit, torch.compile, another extension, or outside of torch.",
            "Use the model before it is scripted or compiled, or register a rule for the module around it: "
            "gpdeep.nn.register_rule(TheModule, rule).",
        )

    def _refresh(self, base: torch.Tensor, place: Any, value: Any) -> None:
        """Before base[place] = value: what x[place] += y has written there through the slice is no hidden change."""
        found = self._states.get(base)
        if found is None or not isinstance(value, torch.Tensor) or found[1] == _version(base):
            return
        with self.aside():
            there = base[place]
            same = (there.data_ptr(), there.shape, there.stride()) == (value.data_ptr(), value.shape, value.stride())
        if same and set(range(found[1] + 1, _version(base) + 1)) <= self._written.get(value, set()):
            self._states[base] = found[0], _version(base)

    def _is_changed(self, tensor: torch.Tensor) -> bool:
        return bool(self._changed) and tensor.layout is torch.strided and _storage(tensor) in self._changed

    def _record(self, result: Any, outcome: Any) -> None:
        """Remember what the tensors of a result are."""
        if isinstance(result, torch.Tensor):
            if outcome is None:
                self._constants[result] = True
                self._states.pop(result, None)
                return
            if isinstance(outcome, Tracked) and tuple(outcome.shape) != tuple(result.shape):
                raise DomainError(
                    f"A rule made a tensor of shape {outcome.shape} where torch makes {tuple(result.shape)}.",
                    "The rule does not fit the operation.",
                    "Correct the rule that was registered for it.",
                )
            if isinstance(outcome, Blocked):
                outcome = replace(outcome, shape=tuple(result.shape))
            self._states[result] = outcome, _version(result)
        elif isinstance(result, dict):
            for key, item in result.items():
                self._record(item, outcome if not isinstance(outcome, dict) else outcome.get(key))
        elif isinstance(result, (list, tuple)):
            several = isinstance(outcome, (list, tuple)) and len(outcome) == len(result)
            for k, item in enumerate(result):
                self._record(item, outcome[k] if several else outcome)

    # ------------------------------------------------------------------------------------------ operations

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation of torch's and apply its rule."""
        kwargs = kwargs or {}
        if self._aside:
            return func(*args, **kwargs)
        given = list(tensors((args, kwargs)))
        name = operation_name(func)
        if name == "setitem":
            self._refresh(*args)
        states = {id(t): s for t in given if (s := self.state(t)) is not None}
        versions = {id(t): _version(t) for t in given} if _in_place(func) else {}
        if not states or name in _SEEN_ONLY:
            result = func(*args, **kwargs)
            if not states:
                self._record(result, None)
                if name == "setitem":
                    self._record(args[0], None)
            return result
        with self.aside():
            measures = self._moments is not None and _in_place(func)
            values = {id(t): t.clone() for t in given} if measures else {}
        result = func(*args, **kwargs)
        if name != "setitem" and next(tensors(result), None) is None:
            self._refuse_read_out(name, given)
            return result
        target = args[0] if name == "setitem" else result
        call = Call(
            name=name,
            label=f"The operation '{name}'",
            path=self._path(name),
            place=self._stack[-1].name,
            args=tuple(args),
            kwargs=dict(kwargs),
            result=target,
            states=lambda t: states.get(id(t)),
            where=self.where,
            function=func,
            policy=self._policy,
            guessing=self._guessing,
            moments=self._moments,
            values=values,
        )
        self._apply(self._rules.for_call(name), call, target)
        if isinstance(target, torch.Tensor) and id(target) in versions:
            written = range(versions[id(target)] + 1, _version(target) + 1)
            self._written.setdefault(target, set()).update(written)
        if isinstance(target, torch.Tensor) and id(target) not in states and any(target is t for t in given):
            self._changed[_storage(target)] = target  # a constant was written to: its other names are none any more
        return result

    def _apply(self, rule: Rule | None, call: Call, result: Any) -> None:
        """Record what a rule says of a result; a refusal becomes an error where the result is used."""
        with self.aside():
            try:
                if rule is None:
                    call.refuse("there is no rule for it")
                outcome = rule(call)
            except RefusedError as error:
                outcome = call.blocked(error.found, error.cause, error.change)
            self._record(result, outcome)

    def _refuse_read_out(self, name: str, given: list[torch.Tensor]) -> None:
        """Refuse to let numbers leave torch: what comes of them would pass for constants."""
        if name in _READ_OUT and any(t.is_floating_point() and self._states.get(t) is not None for t in given):
            raise DomainError(
                f"The forward pass{self.where()} reads numbers of a tensor that depends on the input (.{name}()).",
                "What is computed of them outside of torch is not seen, and paths would be lost.",
                "Compute with tensors, or register a rule for the module around it: gpdeep.nn.register_rule.",
            )

    # ------------------------------------------------------------------------------------------ modules

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within it operations are not looked at."""
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1

    def watch(self, stack: ExitStack, model: nn.Module) -> None:
        """Follow which module runs, and take those with a rule of their own as a whole."""
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            rule = self._rules.for_module(module) or self._leaf_rule(module)

            def before(m: nn.Module, args: Any, kwargs: Any, name: str = name, rule: Rule | None = rule) -> None:
                self._enter(name, m, rule, args, kwargs)

            def after(m: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
                self._leave(m, args, kwargs, output)

            stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(after, with_kwargs=True).remove)

    def _enter(self, name: str, module: nn.Module, rule: Rule | None, args: Any, kwargs: Any) -> None:
        with self.aside():
            if self._aside > 1:  # inside a module that is read as a whole
                rule = None
            given = list(tensors((args, kwargs))) if rule is not None else []
            states = {id(t): s for t in given if (s := self.state(t)) is not None}
            values = {id(t): t.clone() for t in given} if self._moments is not None else {}
        self._stack.append(_Frame(name, module, rule, states, values))
        if rule is not None:
            self._aside += 1

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        frame = self._stack.pop()
        while frame.module is not module:  # its forward raised, and the module around it went on
            self._aside -= frame.rule is not None
            frame = self._stack.pop()
        if frame.rule is None:
            return
        self._aside -= 1
        if not frame.states:
            self._record(output, None)
            return
        call = Call(
            name=type(module).__name__,
            label=f"The module '{frame.name}' ({type(module).__name__})",
            path=frame.name or type(module).__name__,
            place=frame.name,
            args=tuple(args),
            kwargs=dict(kwargs),
            result=output,
            states=lambda t: frame.states.get(id(t)),
            where=self.where,
            module=module,
            policy=self._policy,
            guessing=self._guessing,
            moments=self._moments,
            values=frame.values,
        )
        self._apply(frame.rule, call, output)

    # ------------------------------------------------------------------------------------------ names

    def _path(self, name: str) -> str:
        """What a node is called: its module, if that is one of torch's layers, else module and function."""
        frame = self._stack[-1]
        if frame.name and type(frame.module).__module__.startswith("torch.nn.modules"):
            return frame.name
        return f"{frame.name}.{name}" if frame.name else name

    def where(self) -> str:
        """The module and line of the user's that is running, for messages."""
        frame = self._stack[-1]
        module = f" in '{frame.name}' ({type(frame.module).__name__})" if frame.name else ""
        lines = [
            f", at '{line.line}' ({Path(line.filename).name}, line {line.lineno})"
            for line in traceback.extract_stack()
            if line.line and not line.filename.startswith(_NOT_THE_USERS)
        ]
        return module + (lines[-1] if lines else "")


def _in_place(func: Any) -> bool:
    """Whether a method writes to its first argument, by its name."""
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name == "__setitem__" or (name.startswith("__i") and name not in ("__invert__", "__index__", "__int__"))
    return bool(name.endswith("_"))


def _of_numpy(tensor: torch.Tensor) -> bool:
    """Whether the memory of a tensor is not torch's own, as after `from_numpy`: nothing that was seen is in there."""
    try:
        return tensor.layout is torch.strided and not tensor.is_meta and not tensor.untyped_storage().resizable()
    except NotImplementedError:  # a tensor without memory, as in torch.vmap
        return False


def _version(tensor: torch.Tensor) -> int:
    """How often the memory of a tensor was written to; not known of tensors of inference mode."""
    return 0 if tensor.is_inference() else int(tensor._version)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
