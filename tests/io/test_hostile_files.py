"""What is saved can be read, or the old file stays; what is read may come from anybody."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file as load_torch

from lazygrad import Tensor, dtypes
from lazygrad.dtype import ALL
from lazygrad.errors import ArgumentError, FileFormatError, LazygradError
from lazygrad.io import StoredArray, load_file, read_arrays, save_file, save_state, write_arrays
from lazygrad.io import safetensors as module
from lazygrad.train import read_checkpoint, write_checkpoint
from tests.io import hostile


def test_mutated_files_are_read_or_refused_with_one_error(tmp_path: Path) -> None:
    assert not hostile.rounds(0, 1500, tmp_path)


# ---- what is saved ----


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"a": 1.0}, {"k": 1}),
        ({"a": 1.0}, {1: "k"}),
        ({"a": 1.0}, {"k": None}),
        ({"a": 1.0}, {"k": b"bytes"}),
        ({"a": 1.0}, {"k": "\ud800"}),
        ({"a": 1.0}, {"\udfff": "k"}),
        ({"a": 1.0}, [("k", "v")]),
        ({"a": 1.0}, "text"),
        ({1: 1.0, "1": 2.0}, None),
        ({None: 1.0}, None),
        ({b"a": 1.0}, None),
        ({"\ud800": 1.0}, None),
        ({"__metadata__": 1.0}, None),
        ({"a": np.zeros(2, complex)}, None),
        ({"a": np.array(["x"])}, None),
        ({"a": np.array([None])}, None),
        ({"a": [1.0]}, None),
        ({"a": 1}, None),
        ({"a": None}, None),
        ({"a": torch.ones(2)}, None),
    ],
    ids=repr,
)
def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(
    tmp_path: Path, tensors: Mapping[Any, Any], metadata: Any
) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": Tensor(5.0, device="NUMPY")}, path, {"k": "1"})
    given = {n: Tensor(x, device="NUMPY") if type(x) is float else x for n, x in tensors.items()}
    with pytest.raises((ValueError, TypeError)) as caught:
        save_file(given, path, metadata)
    assert isinstance(caught.value, LazygradError)
    assert load_file(path, device="NUMPY")["a"].item() == 5
    assert read_arrays(path)[1] == {"k": "1"}
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_whatever_name_and_metadata_a_file_can_have_comes_back(tmp_path: Path) -> None:
    names = [
        "",
        " ",
        "\0",
        "\n",
        '"',
        "\\",
        "a.b",
        "é",
        "e\u0301",
        "👩‍👩‍👧",
        "\u202e",
        "\uffff",
        "__metadata",
        "x" * 5000,
        "0",
        "-1",
    ]
    tensors = {name: Tensor([float(i)], device="NUMPY") for i, name in enumerate(names)}
    metadata = {name: name for name in [*names, "__metadata__", "lazygrad_checkpoint"]}
    path = tmp_path / "a"
    save_file(tensors, path, metadata)
    assert {name: t.tolist() for name, t in load_file(path, "NUMPY").items()} == {
        n: t.tolist() for n, t in tensors.items()
    }
    assert read_arrays(path)[1] == metadata
    assert set(load_torch(path)) == set(names)


def test_tensors_of_every_kind_come_back(tmp_path: Path, device: str) -> None:
    """0-d, empty, turned, shrunk, expanded, unrealized, of every dtype; one schedule for all of them."""
    base = Tensor(np.arange(24.0, dtype="float32").reshape(2, 3, 4))
    state = {
        "scalar": Tensor(1.5), "empty": Tensor.zeros(2, 0), "turned": base.permute(2, 0, 1), "part": base[:, 1:, ::2],
        "expanded": base[:1, :1].expand(2, 3, 4), "flipped": base.flip(0), "lazy": base.sum(1), "one": base[0, 0, 0],
    }  # fmt: skip
    state |= {dtype.name: (base * 0 + 1).cast(dtype) for dtype in ALL}
    save_file(state, tmp_path / "a")
    read = load_file(filename=tmp_path / "a")
    theirs = load_torch(tmp_path / "a")
    for name, tensor in state.items():
        assert read[name].dtype is tensor.dtype
        np.testing.assert_array_equal(read[name].numpy(), tensor.numpy())
        assert list(theirs[name].shape) == list(tensor.shape)
    assert load_file(tmp_path / "a", device)["scalar"].shape == ()


def test_more_names_than_a_reader_takes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_HEADER", 1000)
    with pytest.raises(ArgumentError, match="readers of safetensors take 1000: save fewer tensors"):
        save_state(tmp_path / "a", {f"tensor{i}": np.zeros(1) for i in range(100)})
    assert not os.listdir(tmp_path)


def test_names_as_long_as_a_file_may_have(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    save_file({"a": np.ones(1)}, path)
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(ArgumentError, match="NUL"):
        save_file({"a": np.ones(1)}, f"{tmp_path}/a\0b")


# ---- what is read ----


def with_header(text: bytes, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str = "F32", shape: str = "[1]", offsets: str = "[0,4]") -> bytes:
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'.encode()


@pytest.mark.parametrize(
    "content",
    [
        (2**63).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (10**8).to_bytes(8, "little") + b"{}",
        with_header(b'{"a":' * 200_000),
        with_header(b'{"a":' * 5000 + b"1" + b"}" * 5000),
        with_header(b"[" * 200_000 + b"]" * 200_000),
        with_header(b"null"),
        with_header(b"[]"),
        with_header(b"1" * 10_000),
        with_header(b'{"a":NaN}'),
        with_header(b'{"a":' + entry(shape="[-1]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape="[1.0]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape="[true]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape='["1"]') + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape="[4294967296,4294967296,4]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape="[18446744073709551615]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(shape="[0,9223372036854775808]", offsets="[0,0]") + b"}"),
        with_header(b'{"a":' + entry(shape=str([1] * 65)) + b"}", bytes(4)),
        with_header(b'{"a":' + entry(offsets="[4,0]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(offsets="[-4,0]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry(offsets="[4,8]") + b"}", bytes(8)),
        with_header(b'{"a":' + entry(offsets="[0,9223372036854775808]") + b"}", bytes(4)),
        with_header(b'{"a":' + entry() + b',"b":' + entry() + b"}", bytes(4)),
        with_header(b'{"a":' + entry() + b',"b":' + entry(offsets="[8,12]") + b"}", bytes(12)),
        with_header(b'{"a":' + entry() + b"}", bytes(5)),
        with_header(b'{"a":' + entry("F4") + b"}", bytes(4)),
        with_header(b'{"a":' + entry() + b',"a":' + entry() + b"}", bytes(4)),
        with_header(b'{"__metadata__":{"k":"1","k":"2"}}'),
        with_header(b'{"__metadata__":{"k":1}}'),
        with_header(b'{"a":' + entry()[:-1] + b',"more":' + b"9" * 5000 + b"}}", bytes(4)),
    ],
    ids=lambda content: repr(content[8:60]),
)
def test_a_hostile_header_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        load_file(path, device="NUMPY")
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 600


def test_bools_are_0_or_1_whatever_their_bytes_are(tmp_path: Path, device: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(with_header(b'{"a":' + entry("BOOL", "[4]") + b"}", bytes([0, 1, 2, 255])))
    read = load_file(path)["a"]
    assert read.tolist() == [False, True, True, True]
    assert read.sum().item() == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "device"])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a")
    with pytest.raises(FileFormatError, match="is not a file but a pipe, a device or the like"):
        load_file(tmp_path / "a")


def test_a_path_that_no_file_has() -> None:
    with pytest.raises(FileFormatError, match=r"cannot be read|there is no such file"):
        load_file("a\0b")


# ---- checkpoints ----


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has a damaged checkpoint entry"),
        ("[" * 200_000, "nested too deeply"),
        ("[]", "is a list of 0, where a table"),
        ("{}", "has no version"),
        ('{"version": "1"}', "version in its checkpoint entry is '1'; it must be an integer"),
        ('{"version": 1.0}', "it must be an integer"),
        ('{"version": 1e999}', "it must be an integer"),
        ('{"version": true}', "it must be an integer"),
        ('{"version": 2}', "version 2; this lazygrad reads 1"),
        ('{"version": 1}', "has no groups"),
        ('{"version": 1, "groups": "model"}', "groups in its checkpoint entry is 'model'; it must be a list of texts"),
        ('{"version": 1, "groups": [["model"]]}', "must be a list of texts"),
        ('{"version": 1, "groups": [], "manifest": {}}', "has a tensor 'model.w', which is in none of its groups"),
        ('{"version": 1, "groups": ["model"]}', "has no manifest"),
        ('{"version": 1, "groups": ["model"], "manifest": 3}', "manifest in its checkpoint entry is 3, where a table"),
        ('{"version": 1, "version": 1}', "the name 'version' occurs twice in its checkpoint entry"),
    ],
)
def test_a_checkpoint_of_wrong_types_says_what(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "c"
    write_arrays(path, {"model.w": np.ones(2)}, {"lazygrad_checkpoint": text})
    with pytest.raises(FileFormatError) as caught:
        read_checkpoint(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "manifest"),
    [
        ({"a.b": {}}, {}),
        ({"": {}}, {}),
        ({1: {}}, {}),
        ({"model": {"w": np.zeros(1, complex)}}, {}),
        ({"model": {"w": [1]}}, {}),
        ({}, {"x": np.ones(2)}),
        ({}, {"x": {1, 2}}),
        ({}, {("a", "b"): 1}),
    ],
    ids=repr,
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, groups: Any, manifest: Any) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, {"model": {"w": np.ones(3)}}, {"step": 1})
    with pytest.raises((ValueError, TypeError)) as caught:
        write_checkpoint(path, groups, manifest)
    assert isinstance(caught.value, LazygradError)
    assert read_checkpoint(path).entry("step") == 1
    assert os.listdir(tmp_path) == ["c"]


def test_sixteen_bits_are_not_taken_for_numbers(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", {"x": StoredArray(dtypes.bfloat16, np.array([0x3F80], np.uint16))})
    assert load_file(tmp_path / "a", "NUMPY")["x"].item() == 1.0
