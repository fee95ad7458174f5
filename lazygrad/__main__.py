"""`python -m lazygrad`: versions, devices, and a self-test of each device that can be used."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from lazygrad.device import Device
from lazygrad.errors import LazygradError
from lazygrad.tensor import Tensor

PACKAGES = (
    "lazygrad",
    "numpy",
    "pyopencl",
    "pocl-binary-distribution",
    "cuda-python",
    "nvidia-cuda-nvrtc",
    "safetensors",
)


def main() -> int:
    """Prints the report; the exit status is 1 when a usable device computes a wrong result."""
    print(f"Python {platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        try:
            print(f"  {name} {version(name)}")
        except PackageNotFoundError:
            print(f"  {name}: not installed")
    print("\nDevices:")
    failed = 0
    for name, description in Device.available():
        print(f"  {name}: {description}")
        if not description.startswith("not usable"):
            problem = self_test(name)
            failed += problem is not None
            print(f"    self-test: {problem or 'passed'}")
    print(f"\nDefault device: {Device.default()}")
    return 1 if failed else 0


def self_test(device: str) -> str | None:
    """What is wrong with `device`; None when a fused softmax of a matrix product comes out right."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((33, 65)).astype(np.float32), rng.standard_normal((65, 17)).astype(np.float32)
    product = a.astype(np.float64) @ b
    expected = np.exp(product - product.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    try:
        got = (Tensor(a, device=device) @ Tensor(b, device=device)).softmax(-1).numpy()
    except LazygradError as error:
        return f"failed: {error}"
    off = float(np.abs(got - expected).max())
    return None if off < 1e-5 else f"failed: the result is off by {off:.2g}"


if __name__ == "__main__":
    sys.exit(main())
