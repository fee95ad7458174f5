"""Functions of the user's that modules call: before and after `forward`, in `backward`, and around their state."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ArgumentError, fail
from lazygrad.ops.function import Function
from lazygrad.ops.jit_modules import Changes
from lazygrad.ops.tree import flatten, unflatten
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

Hook = Callable[..., Any]
_numbers = itertools.count()


class Removable:
    """A hook that is called until `remove`, or until a `with` of this ends."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = next(_numbers)
        self._hooks = weakref.ref(_Hooks.of(hooks))

    def remove(self) -> None:
        """Call the hook no more."""
        Changes.count += 1
        held = self._hooks()
        if held is not None:
            held.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.remove()


class _Hooks(dict[int, tuple[Hook, frozenset[str]]]):
    """Hooks in their order, each with the options that it was registered with. A dict has no weak references."""

    __slots__ = ("__weakref__",)

    @staticmethod
    def of(hooks: dict[int, Any]) -> _Hooks:
        assert isinstance(hooks, _Hooks)
        return hooks


class Hooked:
    """Registering and calling hooks."""

    _hooks: dict[str, _Hooks]  # by the moment at which they are called

    def _add_hook(self, moment: str, hook: Hook, prepend: bool = False, **options: bool) -> Removable:
        if not callable(hook):
            fail(ArgumentError, f"a hook is a function, not {hook!r}")
        Changes.count += 1
        hooks = self._hooks.setdefault(moment, _Hooks())
        handle = Removable(hooks)
        earlier = list(hooks.items())
        new = (handle.id, (hook, frozenset(name for name, value in options.items() if value)))
        hooks.clear()
        hooks.update([new, *earlier] if prepend else [*earlier, new])
        return handle

    def _called_at(self, moment: str) -> list[tuple[Hook, frozenset[str]]]:
        return list(self._hooks.get(moment, _Hooks()).values())

    def register_forward_pre_hook(self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False) -> Removable:
        """Call hook(module, args) before `forward`; what it returns, unless None, are the arguments.

        With `with_kwargs` it is hook(module, args, kwargs), which returns both or None.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_pre_hook(lambda module, args: -args[0]):
        ...     layer(Tensor([-2.0])).tolist()
        [2.0]
        """
        return self._add_hook("forward_pre", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Removable:
        """Call hook(module, args, output) after `forward`; what it returns, unless None, is the output.

        With `with_kwargs` it is hook(module, args, kwargs, output); `always_call` calls it after an error, too.

        >>> layer = nn.ReLU()
        >>> with layer.register_forward_hook(lambda module, args, output: output + 1):
        ...     layer(Tensor([2.0])).tolist()
        [3.0]
        """
        return self._add_hook("forward", hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> Removable:
        """Call hook(module, grad_output) when the gradients by the outputs are known; what it returns replaces them."""
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> Removable:
        """Call hook(module, grad_input, grad_output) when the gradients by the positional tensors that `forward` got
        are known, None for those without one; what it returns, unless None, replaces them.

        `jit` and `backward` build the graph of gradients: the hook computes on tensors, and is called once for a graph.

        >>> layer, x = nn.ReLU(), Tensor([2.0], requires_grad=True)
        >>> with layer.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] * 10,)):
        ...     layer(x).sum().backward()
        >>> x.grad.tolist()
        [10.0]
        """
        return self._add_hook("backward", hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_state_dict_pre_hook(self, hook: Hook) -> Removable:
        """Call hook(module, prefix, keep_vars) before `state_dict` takes this module's values."""
        return self._add_hook("state_pre", hook)

    def register_state_dict_post_hook(self, hook: Hook) -> Removable:
        """Call hook(module, state_dict, prefix, local_metadata) after `state_dict` took this module's values."""
        return self._add_hook("state", hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> Removable:
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        before values are looked for; it may change `state_dict`, a copy of the one given."""
        return self._add_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> Removable:
        """Call hook(module, incompatible_keys) after values are loaded; it may change the lists of names."""
        return self._add_hook("load", hook)

    def _register_load_state_dict_pre_hook(self, hook: Hook, with_module: bool = False) -> Removable:
        """As `register_load_state_dict_pre_hook`; the module is given to hooks `with_module` alone."""
        return self._add_hook("load_pre", hook if with_module else lambda module, *rest: hook(*rest))

    # ---- calling ----

    def _call_hooked(self, forward: Hook, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, options in self._called_at("forward_pre"):
            if "with_kwargs" in options:
                given = hook(self, args, kwargs)
                args, kwargs = (args, kwargs) if given is None else given
            else:
                given = hook(self, args)
                args = args if given is None else given if isinstance(given, tuple) else (given,)
        watched = _Backward(self) if self._called_at("backward") or self._called_at("backward_pre") else None
        args = watched.inputs(args) if watched else args
        output, done = None, False
        try:
            output = forward(*args, **kwargs)
            output = self._after(args, kwargs, output)
            done = True
        finally:
            if not done:
                self._after(args, kwargs, output, only="always_call")
        return watched.outputs(output) if watched else output

    def _after(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, only: str = "") -> Any:
        for hook, options in self._called_at("forward"):
            if only and only not in options:
                continue
            result = hook(self, args, kwargs, output) if "with_kwargs" in options else hook(self, args, output)
            output = output if result is None else result
        return output


class _Backward:
    """One call of a module whose gradients are looked at."""

    def __init__(self, module: Hooked) -> None:
        self.module = module
        self.by_outputs: tuple[Any, ...] = ()
        self.has_inputs = False

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, whose gradients come by here."""
        places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.dtype.is_float]
        self.has_inputs = any(args[i].requires_grad for i in places)
        if not self.has_inputs:
            return args
        passed = _Inputs.apply(self, len(args), tuple(places), *(args[i] for i in places))
        new = dict(zip(places, passed))
        return tuple(new.get(i, x) for i, x in enumerate(args))

    def outputs(self, output: Any) -> Any:
        """The results, whose gradients come by here before."""
        leaves, structure = flatten(output)
        places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and x.requires_grad]
        if not places:
            return output
        passed = _Outputs.apply(self, *(leaves[i] for i in places))
        new = dict(zip(places, passed))
        return unflatten(structure, [new.get(i, x) for i, x in enumerate(leaves)])

    def got_outputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook, _ in self.module._called_at("backward_pre"):
            grads = _replaced(hook(self.module, grads), grads)
        self.by_outputs = grads
        if not self.has_inputs:
            self.got_inputs((None,))
        return grads

    def got_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook, _ in self.module._called_at("backward"):
            grads = _replaced(hook(self.module, grads, self.by_outputs), grads)
        return grads


def _replaced(given: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
    new = grads if given is None else given if isinstance(given, (tuple, list)) else (given,)
    if len(new) != len(grads):
        fail(ArgumentError, f"a backward hook returned {len(new)} gradients for {len(grads)}")
    return tuple(new)


class _Inputs(Function):
    """Arguments as they are."""

    @staticmethod
    def forward(ctx: Any, call: _Backward, count: int, places: tuple[int, ...], *args: Any) -> Any:
        ctx.call, ctx.count, ctx.places = call, count, places
        return tuple(x.detach() for x in args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        by = dict(zip(ctx.places, grads))
        new = ctx.call.got_inputs(tuple(by.get(i) for i in range(ctx.count)))
        return (None, None, None, *(new[i] for i in ctx.places))


class _Outputs(Function):
    """Results as they are."""

    @staticmethod
    def forward(ctx: Any, call: _Backward, *outputs: Any) -> Any:
        ctx.call = call
        return tuple(x.detach() for x in outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, *ctx.call.got_outputs(grads))
