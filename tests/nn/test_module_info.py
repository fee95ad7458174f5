"""PyTorch's samples of every module that lazygrad has by the same name: results, gradients and buffers."""

from __future__ import annotations

import pytest
import torch
from torch.nn.parameter import is_lazy

import lazygrad
from lazygrad import Tensor
from lazygrad.settings import settings
from tests.peers import modules, opinfo

# What lazygrad refuses, by a word of its error.
REFUSED = {"FractionalMaxPool3d": "random samples"}  # those of a batch, for a sample without one
NAMES = [name for name in modules.modules() if modules.is_here(name)]
ON_KERNELS = NAMES[::12]


def wrong(name: str, dtype: torch.dtype, at_most: int) -> list[str]:
    """What is wrong with a module's samples, computed together."""
    refused: list[str] = []
    done: list[opinfo.Computed] = []
    every = list(modules.samples(name, dtype))
    for sample in every[:: -(-len(every) // at_most) or 1]:
        try:
            done.append(modules.compute(sample, dtype))
        except opinfo.RefusedError as error:
            refused.append(f"{sample.sample}: {error}")
    tensors = [ours for d in done for _, ours, _ in d.pairs if isinstance(ours, Tensor)]
    if tensors:
        Tensor.realize(*tensors)
    refused = [r for r in refused if name not in REFUSED or REFUSED[name] not in r]
    return [w for d in done for w in opinfo.compare(d)] + [f"refused: {r}" for r in refused]


@pytest.mark.parametrize("name", NAMES)
def test_as_pytorch(name: str) -> None:
    found = wrong(name, torch.float64, 10)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ON_KERNELS)
def test_kernels(name: str) -> None:
    with settings.override(device="OPENCL"):
        found = wrong(name, torch.float64, 4)
    assert not found, "\n".join(found)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", NAMES)
def test_settings_and_names_as_pytorch(name: str) -> None:
    """Text, and names and shapes of the state, of modules made with the same arguments."""
    sample = next(modules.samples(name))
    args, kwargs = modules.here((sample.constructed.args, sample.constructed.kwargs))
    ours, theirs = (
        getattr(lazygrad.nn, name)(*args, **kwargs),
        sample.theirs(
            *sample.constructed.args,
            **{k: v for k, v in sample.constructed.kwargs.items() if k not in ("device", "dtype")},
        ),
    )
    if name != "TransformerEncoder":  # PyTorch writes equal layers of a list as one
        assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    known = {name: tuple(value.shape) for name, value in theirs.state_dict().items() if not is_lazy(value)}
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert {name: ours.state_dict()[name].shape for name in known} == known
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
