"""Named tensors in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lazygrad import Tensor, dtypes
from lazygrad.dtype import ALL, DType
from lazygrad.errors import FileFormatError
from lazygrad.io import load_state, save_state


@pytest.mark.parametrize("dtype", ALL, ids=repr)
def test_every_dtype_comes_back(tmp_path: Path, dtype: DType) -> None:
    values = Tensor(np.arange(12).reshape(3, 4) % 2, device="NUMPY").cast(dtype)
    save_state(tmp_path / "a", {"x": values, "empty": Tensor.zeros(0, 3, dtype=dtype, device="NUMPY")})
    read = load_state(tmp_path / "a", device="NUMPY")
    assert read["x"].dtype is dtype
    assert read["x"].device == "NUMPY"
    assert tuple(read["empty"].shape) == (0, 3)
    np.testing.assert_array_equal(read["x"].numpy(), values.numpy())


def test_lazy_transposed_and_trained_tensors_are_saved_as_their_values(tmp_path: Path, device: str) -> None:
    base = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)
    half = Tensor([1.5, -2.0, 3.1415926]).cast(dtypes.bfloat16)
    state = {"t": base.transpose(0, 1), "sum": base + 1, "leaf": base, "half": half, "array": np.arange(3)[::-1]}
    save_state(tmp_path / "a", state, {"k": "v"})
    read = load_file(tmp_path / "a")
    expected = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert torch.equal(read["t"], expected.T)
    assert torch.equal(read["sum"], expected + 1)
    assert torch.equal(read["leaf"], expected)
    assert torch.equal(read["half"], torch.tensor([1.5, -2.0, 3.1415926]).bfloat16())
    assert read["array"].tolist() == [2, 1, 0]
    loaded = load_state(tmp_path / "a")
    assert loaded["half"].dtype is dtypes.bfloat16
    assert not loaded["leaf"].requires_grad
    assert loaded["leaf"].device == device
    assert base.requires_grad


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="there is no such file"):
        load_state(tmp_path / "absent")
