"""Modules that are functions with settings: their arguments, attributes and signature come from the function's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from lazygrad.nn.module import Module
from lazygrad.ops.signatures import Check, check_of
from lazygrad.tensor import Tensor

_OF_CALLS = frozenset({"training", "dtype", "_stacklevel"})  # what is no setting


class Applied(Module):
    """Base of modules that apply a function.

    `class ELU(Applied, of=functional.elu)` has the function's arguments after its tensors as its own, but those
    `without`, in the same order or that of `order`, and as attributes; tensors among them are buffers. `shows` is the
    text of `extra_repr`, in which `{alpha}` is the attribute. A function that has `training` is told.
    """

    _function: ClassVar[Callable[..., Any]]
    _settings: ClassVar[tuple[str, ...]] = ()
    jit_reads: ClassVar[frozenset[str]] = frozenset()  # attributes that `forward` asks for without naming them
    _arguments: ClassVar[inspect.Signature] = inspect.Signature()
    _checks: ClassVar[dict[str, Check]] = {}  # by the function's signature; it looks at the others itself
    _shows: ClassVar[str] = ""
    _trains: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        of: Callable[..., Any] | None = None,
        shows: str = "",
        order: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if of is None:
            return
        parameters = inspect.signature(of).parameters
        tensors = [name for name, p in parameters.items() if _is_tensor(p)]
        names = order or [n for n in parameters if n not in {*tensors, *without, *_OF_CALLS}]
        cls._function, cls._settings, cls._shows = staticmethod(of), tuple(names), shows
        cls._trains = "training" in parameters
        cls.jit_reads = frozenset(names)
        cls._takes_tensor = "input" if tensors[0] in ("self", "input") else ""
        known = [parameters[n].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
        cls._arguments = inspect.Signature(known)
        cls._checks = {p.name: check for p in known if (check := check_of(p, makes=True)) is not None}
        cls.__signature__ = cls._arguments  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        given = self._arguments.bind(*args, **kwargs)
        given.apply_defaults()
        for name, value in given.arguments.items():
            if name in self._checks:
                value = self._checks[name].look(type(self).__name__, value)
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The function of the tensors, with this module's settings."""
        settings = {name: getattr(self, name) for name in self._settings}
        if self._trains:
            settings["training"] = self.training
        return self._function(*args, **kwargs, **settings)

    def extra_repr(self) -> str:
        """The settings."""
        text = self._shows.format(**vars(self))
        inplace = "inplace=True" if vars(self).get("inplace") and "inplace" not in self._shows else ""
        return ", ".join(filter(None, (text, inplace)))


def _is_tensor(p: inspect.Parameter) -> bool:
    return p.default is p.empty and (p.name == "self" or str(p.annotation).partition(" ")[0] in ("Tensor", "Core"))
