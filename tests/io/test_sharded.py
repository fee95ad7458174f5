"""Weights in several files, floats of 8 bits, files that are shared and not copied, and pickles."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file as save_torch

from lazygrad import Tensor, dtypes
from lazygrad.engine.run import storage_of
from lazygrad.errors import ArgumentError, FileFormatError, LazygradError
from lazygrad.io import StoredArray, load_file, read_arrays, read_weights, save_file, write_weights
from lazygrad.io import sharded as module
from lazygrad.io.sharded import INDEX, WHOLE, find_weights
from tests.io import hostile


def arrays(count: int = 4) -> dict[str, StoredArray]:
    return {f"w{i}": StoredArray(dtypes.float32, np.full((3, 2), i, "<f4")) for i in range(count)}


def is_clear(error: LazygradError, path: Path) -> bool:
    """Whether an error says where it is, in few words."""
    return str(path) in str(error) and len(str(error)) < 1000


# ---- several files ----


@pytest.mark.parametrize(("size", "files"), [(1, 4), (24, 4), (25, 4), (48, 2), (95, 2), (96, 1), (10**12, 1)])
def test_what_is_written_in_parts_is_read_as_one(tmp_path: Path, size: int, files: int) -> None:
    for shard_size in (1, size):  # the second leaves nothing of the first that would be read
        write_weights(tmp_path, arrays(), shard_size)
    path = find_weights(tmp_path)
    read = read_weights(path)
    assert path.name == (WHOLE if files == 1 else INDEX)
    assert {name: a.array.tolist() for name, a in read.items()} == {n: a.array.tolist() for n, a in arrays().items()}
    if files > 1:
        index = json.loads(path.read_text())
        assert len(set(index["weight_map"].values())) == files
        assert index["metadata"]["total_size"] == 96
    assert load_file(path, "NUMPY")["w2"].tolist() == [[2.0, 2.0]] * 3


def test_shards_of_no_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="shard_size is 0 bytes; use at least 1"):
        write_weights(tmp_path, arrays(), 0)


def index_of(folder: Path, places: object) -> Path:
    for name in ("a", "b"):
        save_file({name: np.ones(2)}, folder / f"{name}.safetensors")
    path = folder / INDEX
    path.write_text(json.dumps(places) if not isinstance(places, str) else places)
    return path


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"weight_map": {"a": "../a.safetensors"}}, "puts tensor 'a' into '../a.safetensors'; only"),
        ({"weight_map": {"a": "/etc/a.safetensors"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": "..\\a.safetensors"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": "C:a.safetensors"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": "x/../a.safetensors"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": "a\0.safetensors"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": ".."}}, "only safetensors files beside it"),
        ({"weight_map": {"a": "a.bin"}}, "only safetensors files beside it"),
        ({"weight_map": {"a": 1}}, "a in weight_map in the index is 1; it must be a text"),
        ({"weight_map": ["a"]}, "weight_map in the index is a list of 1, where a table"),
        ({"metadata": {}}, "the index has no weight_map"),
        ([], "the index is a list of 0"),
        ("{", "has a damaged index"),
        ({"weight_map": {"a": "c.safetensors"}}, "c.safetensors: there is no such file"),
        ({"weight_map": {"a": "b.safetensors"}}, "says that tensor 'a' is in b.safetensors; it is in none of its"),
        (
            {"weight_map": {"a": "b.safetensors", "b": "a.safetensors"}},
            "says that tensor 'a' is in b.safetensors; it is a.safetensors",
        ),
        ({"weight_map": {"a": "a.safetensors", "x": "b.safetensors"}}, "says that tensor 'x' is in b.safetensors"),
        ('{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}', "the name 'a' occurs twice"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_an_index_that_does_not_fit_its_files(tmp_path: Path, places: object, message: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        load_file(index_of(tmp_path, places), "NUMPY")
    assert message in str(caught.value)


def test_a_tensor_in_two_files_or_in_none_of_the_index(tmp_path: Path) -> None:
    path = index_of(tmp_path, {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}})
    save_file({"a": np.ones(2), "b": np.ones(2)}, tmp_path / "b.safetensors")
    with pytest.raises(FileFormatError, match=r"tensor 'a' is in both a\.safetensors and b\.safetensors"):
        read_weights(path)
    save_file({"c": np.ones(2), "b": np.ones(2)}, tmp_path / "b.safetensors")
    with pytest.raises(FileFormatError, match=r"does not name tensor 'c', which is in b\.safetensors"):
        read_weights(path)


def test_mutated_indices_are_read_or_refused_with_one_error(tmp_path: Path) -> None:
    write_weights(tmp_path, arrays(), 48)
    good, chance = json.loads((tmp_path / INDEX).read_text()), random.Random(1)
    outcomes = []
    for _ in range(400):
        (tmp_path / INDEX).write_bytes(hostile.mutated_json(chance, good))
        try:
            outcomes.append(len(read_weights(tmp_path / INDEX)) == 4)
        except LazygradError as error:
            outcomes.append(is_clear(error, tmp_path))
    assert all(outcomes)  # whatever is read is whole


def test_an_index_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_INDEX", 10)
    write_weights(tmp_path, arrays(), 1)
    with pytest.raises(FileFormatError, match="where the index has at most 10"):
        read_weights(tmp_path / INDEX)


def test_a_folder_tells_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"neither model\.safetensors nor model\.safetensors\.index\.json"):
        find_weights(tmp_path)
    torch.save({"w": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(FileFormatError, match=r"pytorch_model\.bin: is a pickle.*convert it"):
        find_weights(tmp_path)
    save_file({"w": np.ones(2)}, tmp_path / "any.safetensors")
    assert find_weights(tmp_path).name == "any.safetensors"
    save_file({"w": np.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(FileFormatError, match="has 2 safetensors files and no"):
        find_weights(tmp_path)


# ---- every byte of a file ----


def test_every_byte_may_be_wrong(tmp_path: Path) -> None:
    """Each byte of a file flipped, replaced, left out, and the file ended there: read, or refused with one error."""
    path = tmp_path / "a.safetensors"
    save_file({"a": Tensor([[1.0, 2.0]], device="NUMPY"), "b": Tensor([True], device="NUMPY")}, path, {"k": "v"})
    good = path.read_bytes()
    for at in range(len(good)):
        before, after = good[:at], good[at + 1 :]
        for content in (before + bytes([good[at] ^ 1]) + after, before + b"\xff" + after, before + after, before):
            path.write_bytes(content)
            try:
                fits = sum(a.array.nbytes for a in read_arrays(path)[0].values()) <= len(content)
            except FileFormatError as error:
                fits = is_clear(error, path)
            assert fits, content


# ---- floats of 8 bits ----


def test_floats_of_8_bits_have_pytorch_s_values(tmp_path: Path) -> None:
    every = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    theirs = {str(d): every.clone().view(d) for d in (torch.float8_e4m3fn, torch.float8_e5m2)}
    save_torch(theirs, tmp_path / "a")
    read = load_file(tmp_path / "a", "NUMPY")
    for name, expected in theirs.items():
        assert read[name].dtype is dtypes.float16
        np.testing.assert_array_equal(read[name].numpy(), expected.half().numpy())


# ---- memory ----


def test_a_file_is_not_copied_and_not_changed(tmp_path: Path, device: str) -> None:
    path = tmp_path / "a"
    save_file({"w": np.arange(6, dtype="f4"), "h": np.arange(4, dtype="f2")}, path)
    content = path.read_bytes()
    read = load_file(path, device)
    stored = read_weights(path)
    for name in ("w", "h"):
        memory = storage_of(read[name].node).memory
        assert memory is not None
        assert memory.host is not None
        assert memory.readonly
        where, elements = memory.host.ctypes.data, stored[name].array.ctypes.data
        assert where % 64 == elements % 64  # a place in the file, not one that was allocated
    kept = read["w"] * 1
    read["w"] += 1
    read["w"][0] = 9.0
    save_file({"w": np.zeros(2)}, path)  # another file of the same name
    assert read["w"].tolist() == [9.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert kept.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert read["h"].tolist() == [0.0, 1.0, 2.0, 3.0]
    save_file({"w": np.arange(6, dtype="f4"), "h": np.arange(4, dtype="f2")}, path)
    assert path.read_bytes() == content


# ---- pickles ----


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin", "renamed.dat"])
def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path: Path, name: str, zipped: bool) -> None:
    weights = {"w": torch.arange(3.0), "same": torch.ones(4)[1:]}
    torch.save(weights, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileFormatError) as caught:
        load_file(tmp_path / name)
    assert "is a pickle, which can run any code when it is read" in str(caught.value)
    # What the message says works, word for word.
    code = str(caught.value).partition("with PyTorch: ")[2]
    code = code.replace(f"'{name}'", repr(str(tmp_path / name))).replace(
        "'model.safetensors'", repr(str(tmp_path / "converted"))
    )
    import safetensors.torch

    exec(code, {"safetensors": safetensors, "torch": torch})
    assert load_file(tmp_path / "converted", "NUMPY")["w"].tolist() == [0.0, 1.0, 2.0]
