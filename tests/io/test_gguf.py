"""GGUF files that the package gguf writes, numbers that it dequantizes, and files that went wrong."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.engine.run import storage_of
from lazygrad.errors import FileFormatError
from lazygrad.io import QuantizedTensor, load_gguf

TYPE = gguf.GGMLQuantizationType
BLOCKS = [TYPE.Q4_0, TYPE.Q8_0, TYPE.Q4_K, TYPE.Q6_K]


def blocks_of(kind: gguf.GGMLQuantizationType, rows: int, count: int) -> np.ndarray[Any, Any]:
    """Blocks of any bytes, but for the scales: finite float16."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    chance = np.random.default_rng(int(kind))
    blocks = chance.integers(0, 256, (rows, count, size), dtype=np.uint8)
    scales = chance.uniform(-2, 2, (rows, count, 2)).astype(np.float16).view(np.uint8)
    if kind is TYPE.Q6_K:
        blocks[..., 208:] = scales[..., :2]
    else:
        width = 4 if kind is TYPE.Q4_K else 2
        blocks[..., :width] = scales[..., :width]
    return blocks.reshape(rows, -1)


def write(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """A file of every type that is read, with metadata of every type; the numbers that it has."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("text", "äöü ✓")
    writer.add_uint8("small", 7)
    writer.add_int64("large", -(2**62))
    writer.add_float32("real", 0.5)
    writer.add_bool("truth", True)
    writer.add_array("tokens", ["a", "", "▁b"])
    writer.add_array("scores", [1.5, -2.0])
    expected: dict[str, np.ndarray[Any, Any]] = {}
    for dtype in ("float32", "float16", "float64", "int8", "int16", "int32", "int64"):
        expected[dtype] = np.arange(6).reshape(3, 2).astype(dtype)
        writer.add_tensor(dtype, expected[dtype])
    half = np.array([[0x3F80, 0xC000]], np.uint16)
    writer.add_tensor("bfloat16", half.view(np.uint8), raw_dtype=TYPE.BF16)
    expected["bfloat16"] = np.array([[1.0, -2.0]], np.float32)
    for kind in BLOCKS:
        raw = blocks_of(kind, 3, 2)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
        expected[kind.name] = gguf.quants.dequantize(raw, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def numbers(x: Tensor | QuantizedTensor) -> Tensor:
    return x.dequantize() if isinstance(x, QuantizedTensor) else x


def test_what_the_package_writes_is_read(tmp_path: Path, device: str) -> None:
    expected = write(tmp_path / "a.gguf")
    tensors, metadata = load_gguf(tmp_path / "a.gguf", device)
    assert list(tensors) == list(expected)
    Tensor.realize(*(numbers(x) for x in tensors.values()))
    for name, reference in expected.items():
        assert tuple(tensors[name].shape) == reference.shape
        np.testing.assert_allclose(numbers(tensors[name]).numpy(), reference, rtol=1e-6, atol=1e-6)
    assert {name: isinstance(x, QuantizedTensor) for name, x in tensors.items()} == {
        name: name.startswith("Q") for name in expected
    }
    plain = tensors["bfloat16"]
    assert isinstance(plain, Tensor)
    assert plain.dtype is dtypes.bfloat16
    assert metadata["general.architecture"] == "llama"
    assert metadata["text"] == "äöü ✓"
    assert [metadata[n] for n in ("small", "large", "real", "truth")] == [7, -(2**62), 0.5, True]
    assert metadata["tokens"] == ["a", "", "▁b"]
    assert metadata["scores"].tolist() == [1.5, -2.0]


def test_blocks_stay_blocks_and_multiply(tmp_path: Path, device: str) -> None:
    expected = write(tmp_path / "a.gguf")
    tensors, _ = load_gguf(tmp_path / "a.gguf", device)
    products, x = [], np.random.default_rng(0).standard_normal((2, 512)).astype(np.float32)
    for kind in BLOCKS:
        weight = tensors[kind.name]
        assert isinstance(weight, QuantizedTensor)
        assert weight.nbytes == expected[kind.name].size * gguf.GGML_QUANT_SIZES[kind][1] // weight.kind.elements
        memory = storage_of(weight.blocks.node).memory
        assert memory is not None
        assert memory.readonly  # the file's own pages
        products.append(weight.linear(Tensor(x[:, : weight.shape[1]])))
    Tensor.realize(*products)
    for kind, product in zip(BLOCKS, products):
        reference = x[:, : expected[kind.name].shape[1]].astype(np.float64) @ expected[kind.name].T.astype(np.float64)
        np.testing.assert_allclose(product.numpy(), reference, rtol=1e-4, atol=1e-4 * np.abs(reference).max())


def test_a_file_may_be_wrong_in_every_byte(tmp_path: Path) -> None:
    """Each byte of the header replaced, and the file ended there; and many bytes anywhere."""
    path = tmp_path / "a.gguf"
    write(path)
    good, chance, problems = path.read_bytes(), random.Random(0), []
    header = good.index(b"Q6_K") + 60
    contents = []
    for at in range(header):
        contents.append(good[:at] + bytes([chance.choice([0, 1, 0xFF, good[at] ^ 1])]) + good[at + 1 :])
        contents.append(good[:at])
    for _ in range(200):
        at = chance.randrange(header)
        contents.append(good[:at] + chance.choice([b"", b"\xff" * 8, bytes(8)]) + good[at + chance.choice([0, 1, 8]) :])
    for content in contents:
        path.write_bytes(content)
        try:
            tensors, _ = load_gguf(path, "NUMPY")
            if sum(x.nbytes for x in tensors.values()) > len(content):
                problems.append("more than there is")
        except FileFormatError as error:
            if str(path) not in str(error) or len(str(error)) > 1000:
                problems.append(str(error))
    assert not problems


def header(tensors: int, entries: int, rest: bytes, version: int = 3) -> bytes:
    counts = tensors.to_bytes(8, "little") + entries.to_bytes(8, "little")
    return b"GGUF" + version.to_bytes(4, "little") + counts + rest


def tensor(name: bytes, shape: tuple[int, ...], kind: int, start: int) -> bytes:
    sizes = b"".join(n.to_bytes(8, "little") for n in shape)
    place = kind.to_bytes(4, "little") + start.to_bytes(8, "little")
    return len(name).to_bytes(8, "little") + name + len(shape).to_bytes(4, "little") + sizes + place


def entry(name: bytes, kind: int, value: bytes) -> bytes:
    return len(name).to_bytes(8, "little") + name + kind.to_bytes(4, "little") + value


_NESTED = b"".join((9).to_bytes(4, "little") + (1).to_bytes(8, "little") for _ in range(1000))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GGUF", "is too short"),
        (b"GGML" + bytes(100), "is not a GGUF file"),
        (header(0, 0, b"", version=1), "is GGUF of version 1, in this byte order"),
        (header(2**63, 0, bytes(100)), "ends within 9223372036854775808 entries"),
        (header(0, 2**64 - 1, bytes(100)), "ends within 18446744073709551615 entries"),
        (header(0, 1, entry(b"a", 9, (0).to_bytes(4, "little") + (2**62).to_bytes(8, "little"))), "ends within"),
        (header(0, 1, entry(b"a", 9, _NESTED)), "has metadata of type 9, 4 deep, which is none"),
        (header(0, 1, entry(b"a", 13, bytes(50))), "has metadata of type 13"),
        (header(0, 1, entry(b"a", 8, (2**40).to_bytes(8, "little"))), "ends within 1099511627776 entries"),
        (header(0, 2, entry(b"a", 0, b"1") * 2), "has the entry 'a' twice"),
        (header(0, 1, entry(b"\xff", 0, b"1")), "that is not UTF-8"),
        (header(0, 1, entry(b"general.alignment", 0, b"\3")), "has an alignment of 3, which is no power of 2"),
        (header(1, 0, tensor(b"a", (4,), 0, 0)), "ends within tensor 'a'"),
        (header(1, 0, tensor(b"a", (2**61, 2**61), 0, 0) + bytes(99)), "ends within tensor 'a'"),
        (header(1, 0, tensor(b"a", (2**63, 0), 0, 0) + bytes(99)), "has tensor 'a' of shape [0, 9223372036854775808]"),
        (header(1, 0, tensor(b"a", (4,), 0, 8) + bytes(99)), "has tensor 'a' at byte 8, no multiple of 32"),
        (header(1, 0, tensor(b"a", (4,), 3, 0) + bytes(99)), "has tensor 'a' of type 3; lazygrad reads float32"),
        (header(1, 0, tensor(b"a", (33,), 8, 0) + bytes(99)), "has tensor 'a' of shape [33], in blocks of 32"),
        (header(1, 0, tensor(b"a", (1,) * 5, 0, 0) + bytes(99)), "has tensor 'a' of 5 dimensions"),
        (header(2, 0, tensor(b"a", (1,), 0, 0) * 2 + bytes(99)), "has tensor 'a' twice"),
        (
            header(2, 0, tensor(b"a", (9,), 0, 0) + tensor(b"b", (1,), 0, 32) + bytes(199)),
            "has tensors 'a' and 'b' in the same place",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_hostile_header_is_one_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        load_gguf(tmp_path / "a", "NUMPY")
    assert message in str(caught.value)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none", "there is no such file"), (tmp_path, "is not a file")):
        with pytest.raises(FileFormatError, match=message):
            load_gguf(path)
