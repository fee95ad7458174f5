"""What NVIDIA's driver refuses, as its documentation says (CUDA Driver API 12 and 13), for the driver that records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cuda.bindings import driver as real

STATIC_SHARED = 48 << 10  # bytes that a kernel has without being allowed more
PORTABLE_CLUSTER, LARGEST_CLUSTER = 8, 16
LARGEST_GRID = (2**31 - 1, 65535, 65535)
LARGEST_BLOCK = (1024, 1024, 64)
OF_NODES = ("COOPERATIVE", "CLUSTER_DIMENSION")  # of the attributes that lazygrad uses, those that graphs know
MAP_ALIGNMENT = 128  # since CUDA 13; 64 before
_ELEMENTS = {"UINT8": 1, "UINT16": 2, "UINT32": 4, "INT32": 4, "UINT64": 8, "INT64": 8, "FLOAT16": 2, "FLOAT32": 4,
             "FLOAT64": 8, "BFLOAT16": 2}  # fmt: skip


class Refused(Exception):  # noqa: N818 - it is what the call gives, not a fault of the test
    """A call that does not succeed; the text is its result without the prefix CUDA_ERROR_."""


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)


def check_shared(nbytes: int, allowed: Mapping[str, int]) -> None:
    require(nbytes <= allowed.get("MAX_DYNAMIC_SHARED_SIZE_BYTES", STATIC_SHARED), "INVALID_VALUE")


def check_launch(
    grid: tuple[int, int, int], block: tuple[int, int, int], attributes: Mapping[str, Any], allowed: Mapping[str, int]
) -> None:
    """Sizes of the grid, its blocks and its clusters."""
    require(all(1 <= n <= most for n, most in zip(grid, LARGEST_GRID)), "INVALID_VALUE")
    require(all(1 <= n <= most for n, most in zip(block, LARGEST_BLOCK)), "INVALID_VALUE")
    require(math.prod(block) <= 1024, "INVALID_VALUE")
    dims = attributes.get("CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION")
    if dims is None:
        return
    cluster = (dims.clusterDim.x, dims.clusterDim.y, dims.clusterDim.z)
    require(all(n >= 1 and whole % n == 0 for n, whole in zip(cluster, grid)), "INVALID_CLUSTER_SIZE")
    most = LARGEST_CLUSTER if allowed.get("NON_PORTABLE_CLUSTER_SIZE_ALLOWED") else PORTABLE_CLUSTER
    require(math.prod(cluster) <= most, "INVALID_CLUSTER_SIZE")


def check_node_attribute(name: str) -> None:
    require(name.removeprefix("CU_LAUNCH_ATTRIBUTE_") in OF_NODES, "INVALID_VALUE")


@dataclass(frozen=True)
class PackedMap:
    """A tensor map as the driver was told of it."""

    kind: str
    address: int
    sizes: list[int]
    strides: list[int]
    box: list[int]
    steps: list[int]
    swizzle: int


def check_tensor_map(
    target: int,
    kind: int,
    rank: int,
    address: int,
    sizes: Any,
    strides: Any,
    box: Any,
    steps: Any,
    interleave: int,
    swizzle: int,
    promotion: int,
    fill: int,
) -> PackedMap:
    """The rules of `cuTensorMapEncodeTiled` without interleaving."""
    name = real.CUtensorMapDataType(kind).name.removeprefix("CU_TENSOR_MAP_DATA_TYPE_")
    pattern = (0, 32, 64, 128)[swizzle]
    require(target % MAP_ALIGNMENT == 0 and address % 16 == 0, "INVALID_VALUE")
    require(1 <= rank <= 5 and interleave == 0 and fill == 0, "INVALID_VALUE")
    packed = PackedMap(name, address, sizes[:rank], strides[: rank - 1], box[:rank], steps[:rank], pattern)
    inner = packed.box[0] * _ELEMENTS[name]
    require(all(1 <= n <= 2**32 for n in packed.sizes), "INVALID_VALUE")
    require(all(n % 16 == 0 and 0 < n < 2**40 for n in packed.strides), "INVALID_VALUE")
    require(all(1 <= n <= 256 for n in packed.box), "INVALID_VALUE")
    require(all(1 <= n <= 8 for n in packed.steps), "INVALID_VALUE")
    require(inner % 16 == 0 and (not pattern or inner <= pattern), "INVALID_VALUE")
    return packed
