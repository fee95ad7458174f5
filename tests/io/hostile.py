"""Files that went wrong, by chance or on purpose: mutations of good ones, in their bytes and in what their JSON says.

`python -m tests.io.hostile SEED ROUNDS FOLDER` tries as many as one likes.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from lazygrad import Tensor, dtypes
from lazygrad.errors import LazygradError
from lazygrad.io import load_file, read_arrays, save_file
from lazygrad.train import read_checkpoint, write_checkpoint

SECONDS = 5.0  # that reading a small file may take on a busy machine
# What a value of a JSON is replaced by: every type, the edges of integers, and what JSON's grammar just allows.
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 1.5, -0.0, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30,
    -(2**63), 10**400, 1e308, float("nan"), float("inf"), "", "F32", "F64", "BF16", "BOOL", "F8_E4M3", "f32",
    "x" * 1000, "\0", "é", "\ud800", [], [0], [0, 0], [0, 2**63], [-1, 4], [4, 0], [2**32, 2**32], [1] * 70, [1] * 5000,
    [[]], {}, {"a": 1}, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
]  # fmt: skip


def good_files(folder: Path) -> list[bytes]:
    """A file of tensors, one with nothing in it, and a checkpoint."""
    path = folder / "good"
    tensors = {
        "a": Tensor(np.arange(6, dtype="float32").reshape(2, 3), device="NUMPY"),
        "b.c": Tensor([1.0, -2.0], device="NUMPY").cast(dtypes.bfloat16),
        "empty": Tensor.zeros(0, 3, device="NUMPY"),
        "scalar": Tensor(7, device="NUMPY"),
        "é": Tensor([True, False, True], device="NUMPY"),
    }
    files = []
    for save in (
        lambda: save_file(tensors, path, {"note": "✓", "other": ""}),
        lambda: save_file({}, path),
        lambda: write_checkpoint(path, {"model": {"w": np.ones(3)}, "optimizer": {}}, {"step": 3, "list": [1, [2.5]]}),
    ):
        save()
        files.append(path.read_bytes())
    return files


def mutated(chance: random.Random, good: bytes) -> bytes:
    """`good` with a few mistakes in it."""
    kind = chance.random()
    if kind < 0.4:
        return _bytes(chance, good)
    if kind < 0.5:  # a header length of any size
        length = chance.choice([0, 1, 2, len(good), len(good) - 8, 10**8, 10**8 + 1, 2**31, 2**32, 2**63, 2**64 - 1])
        return length.to_bytes(8, "little") + good[8:]
    end = 8 + int.from_bytes(good[:8], "little")
    if kind < 0.55:
        depth = chance.choice([10, 100, 1000, 100_000])
        text = b'{"a":' * depth + b"1" + b"}" * depth if chance.random() < 0.5 else b"[" * depth + b"]" * depth
        if chance.random() < 0.5:  # inside a good header
            text = good[8:end].rstrip()[:-1] + b',"deep":' + text + b"}"
    else:
        text = mutated_json(chance, json.loads(good[8:end]))
    return len(text).to_bytes(8, "little") + text + good[end:]


def _bytes(chance: random.Random, good: bytes) -> bytes:
    data = bytearray(good)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at, kind = chance.randrange(len(data) + 1), chance.randrange(4)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.choice([1, 4, len(data)])]
        elif kind == 2:
            data[at:at] = chance.choice([b"\0", b'"', b"{", b"9", b"-", b"\xff", b"\\u0000", b",", bytes(9)])
        else:
            data += bytes(chance.choice([1, 8]))
        if not data:
            break
    return bytes(data)


def mutated_json(chance: random.Random, value: Any) -> bytes:
    """The JSON with some values replaced, entries left out, renamed or said twice; a text inside a text too."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice([1, 1, 2, 4])):
        value = _changed(chance, value)
    text = json.dumps(value)
    if chance.random() < 0.1 and text.startswith("{") and len(text) > 2:
        text = "{" + text[1:-1] + "," + text[1:-1] + "}"
    return text.encode("utf-8", "surrogatepass")


def _changed(chance: random.Random, value: Any) -> Any:
    if chance.random() < 0.15 or not value or not isinstance(value, (dict, list, str)):
        return copy.deepcopy(chance.choice(VALUES))
    if isinstance(value, str):
        try:
            return json.dumps(_changed(chance, json.loads(value)))
        except ValueError:
            return chance.choice([value + "x", value[:-1], chance.choice(VALUES)])
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], _changed(chance, value[at]), *value[at + 1 :]]
    name = chance.choice(list(value))
    kind = chance.random()
    if kind < 0.1:
        return {k: v for k, v in value.items() if k != name}
    if kind < 0.2:
        return {**value, chance.choice(["", "__metadata__", "x", "dtype"]): value[name]}
    return {**value, name: _changed(chance, value[name])}


def library_accepts(path: Path) -> bool:
    """Whether the safetensors package reads the file."""
    try:
        with safe_open(path, framework="numpy") as file:
            file.keys()
    except (SafetensorError, OSError):
        return False
    return True


def attempt(path: Path) -> list[str]:
    """What is wrong with how the file is read: nothing, where it is read, or refused with an error that says which."""
    problems = []
    readers: list[Callable[[], object]] = [
        lambda: read_arrays(path), lambda: load_file(path, device="NUMPY"), lambda: read_checkpoint(path)
    ]  # fmt: skip
    for reader in readers:
        start = time.monotonic()
        try:
            reader()
            if not library_accepts(path):
                problems.append("what safetensors refuses is accepted")
        except LazygradError as error:
            if str(path) not in str(error) or len(str(error)) > 1000:
                problems.append(f"an error that names no file, or is too long: {error!s:.200}")
        except Exception as error:  # noqa: BLE001 - whatever else it is, it is wrong
            problems.append(f"{type(error).__name__}: {error!s:.200}")
        if time.monotonic() - start > SECONDS:
            problems.append("it takes too long")
    return problems


def rounds(seed: int, count: int, folder: Path) -> list[tuple[bytes, list[str]]]:
    """(file, problems) of each of `count` mutations that is not handled as it has to be."""
    chance = random.Random(seed)
    files, path, found = good_files(folder), folder / "mutated.safetensors", []
    for _ in range(count):
        content = mutated(chance, chance.choice(files))
        path.write_bytes(content)
        if problems := attempt(path):
            found.append((content, problems))
    return found


if __name__ == "__main__":
    bad = rounds(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    for content, problems in bad[:20]:
        print(content[:300], problems)
    print(len(bad), "of", sys.argv[2])
