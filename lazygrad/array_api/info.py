"""What this namespace can do."""

from __future__ import annotations

from typing import Any

from lazygrad.array_api.types import of_kind
from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.ops.creation import device_name
from lazygrad.runtime.registry import available_devices, canonical, default_device


class Info:
    """Devices, dtypes and capabilities.

    >>> __array_namespace_info__().default_dtypes()["integral"]
    int64
    """

    def capabilities(self) -> dict[str, Any]:
        """Indexing with boolean arrays and shapes that depend on values are offered; dimensions have no limit.

        >>> __array_namespace_info__().capabilities()["boolean indexing"]
        True
        """
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> str:
        """Where arrays are made unless told otherwise.

        >>> __array_namespace_info__().default_device()
        'NUMPY'
        """
        return default_device()

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """The dtypes of Python's floats and integers, and of indices.

        >>> __array_namespace_info__().default_dtypes()["real floating"]
        float32
        """
        device_name(device)
        return {"real floating": dtypes.float32, "integral": dtypes.int64, "indexing": dtypes.int64}

    def devices(self) -> list[str]:
        """The devices that can be used: the default one, and those that can be opened.

        >>> "NUMPY" in __array_namespace_info__().devices()
        True
        """
        usable = [name for name, description in available_devices() if not description.startswith("not usable")]
        return list(dict.fromkeys([default_device(), *map(canonical, usable)]))

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The dtypes of a kind, or of several, by name; those that the standard has.

        >>> __array_namespace_info__().dtypes(kind="real floating")
        {'float32': float32, 'float64': float64}
        """
        device_name(device)
        names = [kind] if isinstance(kind, str) else kind
        kinds = ("bool", "int", "uint", "float") if names is None else {k for name in names for k in of_kind(name)}
        return {d.name: d for d in ALL if d.kind in kinds and not d.is_half}


def __array_namespace_info__() -> Info:  # noqa: N807 - the standard's name
    """What this namespace can do."""
    return Info()
