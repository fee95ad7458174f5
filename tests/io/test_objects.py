"""What `save` writes, `load` reads: any nesting of what it takes, and never anything that runs."""

from __future__ import annotations

import json
import math
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

import lazygrad
from lazygrad import Tensor, dtypes, nn, optim
from lazygrad.dtype import ALL, DType
from lazygrad.errors import ArgumentError, FileFormatError, LazygradError
from lazygrad.io import write_arrays
from tests.many import Seeds


def made(chosen: random.Random, depth: int, known: list[Tensor]) -> Any:
    """A random object."""
    kind = chosen.randrange(12 if depth else 8)
    if kind == 0:
        return chosen.choice([None, True, False, 0, -5, 2**70, 1.5, -0.0, math.inf, -math.inf, math.nan, 5e-324])
    if kind == 1:
        return chosen.choice(["", "text", "ä\n\"'\\", "\ud800", "a.b", "__metadata__"])
    if kind == 2:
        return chosen.choice(ALL)
    if kind == 3:
        return np.arange(chosen.randrange(4), dtype=chosen.choice(["float64", "int8", "bool", "float16"]))
    if kind in (4, 5) and known and chosen.random() < 0.3:
        return chosen.choice(known)
    if kind < 8:
        dtype = chosen.choice(ALL)
        shape = chosen.choice([(), (0,), (3,), (2, 2)])
        grows = dtype.is_float and chosen.random() < 0.5
        known.append(Tensor(np.ones(shape) * chosen.randrange(2), dtype=dtype, device="NUMPY", requires_grad=grows))
        return known[-1]
    parts = [made(chosen, depth - 1, known) for _ in range(chosen.randrange(4))]
    if kind == 8:
        return parts
    if kind == 9:
        return tuple(parts)
    keys = chosen.sample(["a", "b", "a.b", "", 1, 2.5, None, (1, "x"), dtypes.int8, "tensor"], len(parts))
    return dict(zip(keys, parts))


def same(a: Any, b: Any, pairs: dict[int, Any]) -> bool:
    """Whether `b` is what `a` was, with tensors shared as they were."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        if pairs.setdefault(id(a), b) is not b:
            return False
        kept = (a.dtype, a.shape, a.requires_grad, a.is_leaf) == (b.dtype, b.shape, b.requires_grad, b.is_leaf)
        return kept and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(x, y, pairs) for x, y in zip(a.values(), b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, pairs) for x, y in zip(a, b))
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and (a == b or (a != a and b != b))
    return a is b if isinstance(a, DType) else bool(a == b)


def test_random_objects_come_back(tmp_path: Path, seeds: Seeds) -> None:
    for seed in seeds(60):
        before = made(random.Random(seed), 3, [])
        lazygrad.save(before, tmp_path / "object")
        assert same(before, lazygrad.load(tmp_path / "object", map_location="NUMPY"), {}), seed


def test_other_programs_find_the_tensors(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    lazygrad.save({"model": net.state_dict(), "step": 7}, tmp_path / "run.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "run.safetensors")
    assert sorted(found) == ["model.0.bias", "model.0.weight"]
    np.testing.assert_array_equal(found["model.0.weight"], net[0].weight.detach().numpy())
    safetensors.numpy.save_file({"a": np.arange(3)}, tmp_path / "theirs.safetensors")
    assert lazygrad.load(tmp_path / "theirs.safetensors")["a"].tolist() == [0, 1, 2]


def test_a_training_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    def begun() -> tuple[Any, Any, Any]:
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1))
        optimizer = optim.Adam(net.parameters(), lr=0.1)
        return net, optimizer, optim.lr_scheduler.StepLR(optimizer, 2)

    def step(net: Any, optimizer: Any, scheduler: Any) -> float:
        optimizer.zero_grad()
        loss = (net(Tensor(np.arange(12.0).reshape(4, 3) / 7, dtype="float32")) ** 2).mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return float(loss.item())

    first = begun()
    for _ in range(3):
        step(*first)
    lazygrad.save({"parts": [part.state_dict() for part in first], "epoch": 3}, tmp_path / "run")
    saved, again = lazygrad.load(tmp_path / "run"), begun()
    for part, state in zip(again, saved["parts"]):
        part.load_state_dict(state)
    assert saved["epoch"] == 3
    assert [step(*again) for _ in range(4)] == [step(*first) for _ in range(4)]


def test_what_cannot_be_saved_says_where_it_is(tmp_path: Path) -> None:
    path, loop = tmp_path / "object", []
    lazygrad.save([1], path)
    loop.append(loop)
    for wrong, message in (
        ({"a": [1, object()]}, "a.1 is a object"),
        ({"net": nn.Linear(1, 1)}, r"net is a Linear; save its state_dict\(\)"),
        (lambda: 0, "the object is a function"),
        ({"set": {1}}, "set is a set"),
        (torch.ones(1), "is a Tensor; tensors, NumPy"),
        (1j, "a complex"),
        (loop, "holds itself"),
    ):
        with pytest.raises(ArgumentError, match=message):
            lazygrad.save(wrong, path)
    assert lazygrad.load(path) == [1]
    with pytest.raises(ArgumentError, match="path"):
        lazygrad.save([1], 7)  # type: ignore[arg-type]


def test_no_file_runs_anything_or_is_taken_for_what_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "object"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(FileFormatError):
        lazygrad.load(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FileFormatError):
        lazygrad.load(path)
    array = {"x": np.ones(2, np.int8)}
    for wrong in (
        {},
        {"tensor": "y"},
        {"tensor": ["x"]},
        {"tensor": "x", "requires_grad": True},
        {"array": 1},
        {"dtype": "object"},
        {"list": {}},
        {"tuple": 1},
        {"table": [[1]]},
        {"table": [[{"list": []}, 1]]},
        {"table": {"a": 1}},
        [1],
        {"class": "x"},
    ):
        write_arrays(path, array, {"lazygrad_object": json.dumps({"list": [wrong]})})
        with pytest.raises(FileFormatError, match="object"):
            lazygrad.load(path)
    for text in ("{", "[" * 100_000, '{"list": [], "list": []}'):
        write_arrays(path, array, {"lazygrad_object": text})
        with pytest.raises(LazygradError):
            lazygrad.load(path)
