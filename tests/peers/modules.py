"""PyTorch's own samples for its modules ("ModuleInfo"), run with the same parameters on both sides."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.modules.lazy import LazyModuleMixin

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import LazygradError
from tests.peers import opinfo
from tests.peers.opinfo import Computed, RefusedError, Sample, converted, flat


@dataclass(frozen=True)
class ModuleSample:
    """One module with its arguments, and what it is called with."""

    sample: Sample  # names it in messages
    theirs: type[torch.nn.Module]
    constructed: Any
    called: Any
    training: bool


@cache
def modules() -> dict[str, Any]:
    """PyTorch's entries for modules, by class name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
    return {info.name.removeprefix("nn."): info for info in module_db}


def is_here(name: str) -> bool:
    """Whether lazygrad has a module of that name."""
    return hasattr(lazygrad.nn, name)


def samples(name: str, dtype: torch.dtype = torch.float64) -> Iterator[ModuleSample]:
    """The samples of a module, in training and in evaluation."""
    info = modules()[name]
    for training in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            inputs = info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=training)
        for k, given in enumerate(inputs):
            mode = "training" if training else "evaluation"
            sample = Sample(f"{name}.{mode}", k, _none, _none, (), {})
            yield ModuleSample(sample, info.module_cls, given.constructor_input, given.forward_input, training)


def _none() -> None:
    """A module's sample is no call of one function."""


def compute(sample: ModuleSample, dtype: torch.dtype = torch.float64) -> Computed:
    """Results, gradients by inputs and parameters, and buffers of both sides. RefusedError where lazygrad refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(sample.sample.number)
        theirs = sample.theirs(*sample.constructed.args, **sample.constructed.kwargs).to(dtype)
        theirs.train(sample.training)
        if isinstance(theirs, LazyModuleMixin):  # which has shapes and values after a call
            theirs(*sample.called.args, **sample.called.kwargs)
    leaves: list[tuple[Tensor, torch.Tensor]] = []
    try:
        ours = _twin(sample.theirs.__name__, theirs, sample.constructed)
        ours.train(sample.training)
        if sample.called is None:
            return Computed(sample.sample)
        arguments, options = converted((sample.called.args, sample.called.kwargs), leaves)
        results = ours(*arguments, **options)
    except LazygradError as error:
        raise RefusedError(str(error)) from error
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise RefusedError(str(error)) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs(*sample.called.args, **sample.called.kwargs)
    pairs = [(f"result {i}", *pair) for i, pair in enumerate(zip(flat(results), flat(expected)))]
    assert len(flat(results)) == len(flat(expected)), f"{len(flat(results))} results for {len(flat(expected))}"
    done = Computed(sample.sample, pairs)
    known = dict(theirs.named_parameters())
    leaves += [(p, known[name]) for name, p in ours.named_parameters()]
    done.pairs += opinfo.gradients(done, leaves)
    state = theirs.state_dict()
    done.pairs += [(name, value, state[name]) for name, value in ours.state_dict().items()]
    return done


def _twin(name: str, theirs: torch.nn.Module, constructed: Any) -> Any:
    """lazygrad's module with the arguments and the state of PyTorch's."""
    kind = getattr(lazygrad.nn, name)
    args, kwargs = here((constructed.args, constructed.kwargs))
    if "dtype" in inspect.signature(kind).parameters:
        kwargs["dtype"] = "float64"
    ours = kind(*args, **kwargs)
    ours.load_state_dict({name: Tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return ours


def _layer_here(theirs: torch.nn.TransformerEncoderLayer) -> Any:
    """A layer with the settings of PyTorch's."""
    return lazygrad.nn.TransformerEncoderLayer(
        theirs.linear1.in_features,
        theirs.self_attn.num_heads,
        theirs.linear1.out_features,
        theirs.dropout.p,
        here(theirs.activation),
        theirs.norm1.eps,
        theirs.self_attn.batch_first,
        theirs.norm_first,
        theirs.linear1.bias is not None,
        dtype="float64",
    )


def here(value: Any) -> Any:
    """Arguments of a constructor: tensors, and PyTorch's modules and functions as those of the same name here."""
    if isinstance(value, dict):
        return {k: here(v) for k, v in value.items() if k not in ("device", "dtype")}
    if isinstance(value, (tuple, list)):
        return type(value)(map(here, value))
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return _layer_here(value)
    if inspect.isfunction(value) or inspect.isbuiltin(value):
        return getattr(lazygrad.nn.functional, value.__name__, value)
    return converted(value, [])
