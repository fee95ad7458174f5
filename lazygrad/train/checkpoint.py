"""Everything that a run needs to go on, in one file: tensors, and a manifest of all that is not a tensor.

One file, because one rename makes it the new one: there is no moment at which weights and optimizer state of different
steps lie side by side. It is a safetensors file, so other programs can read the weights, as `model.<name>`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.atomic import PathLike
from lazygrad.io.json_table import JsonTable, parse_json
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays
from lazygrad.io.state import NamedArrays, stored_arrays
from lazygrad.tensor import Tensor

_KEY = "lazygrad_checkpoint"
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Args:
        path: where it was read from.
        groups: group, such as "model" or "optimizer" -> name -> elements.
        manifest: what JSON can say: step, settings, states of random generators.
    """

    path: str
    groups: dict[str, dict[str, StoredArray]]
    manifest: dict[str, Any]

    def group(self, name: str) -> dict[str, StoredArray]:
        """The tensors of one group; FileFormatError where the file has none of that name."""
        if name not in self.groups:
            raise FileFormatError(self.path, f"has no {name} in it; it has {', '.join(self.groups) or 'nothing'}")
        return self.groups[name]

    def entry(self, name: str) -> Any:
        """An entry of the manifest, of any type; FileFormatError where there is none of that name."""
        return self.checked.entry(name)

    @property
    def checked(self) -> JsonTable:
        """The manifest, to be asked by type: whoever wrote the file may have written anything."""
        return JsonTable(self.path, "its manifest", self.manifest)


def write_checkpoint(path: PathLike, groups: Mapping[str, NamedArrays], manifest: Mapping[str, Any]) -> None:
    """Write tensors and manifest to `path`, atomically: a crash leaves the old file or the new one.

    Args:
        groups: group -> name -> tensor; a group's name has no dot.
        manifest: anything that JSON can hold; floats come back with every bit.

    Raises:
        ArgumentError: a manifest that JSON cannot hold, or a group's name with a dot.
        OSError: the file cannot be written. The old one stays in either case.
    """
    for group in groups:
        if not isinstance(group, str) or not group or "." in group:
            raise ArgumentError(f"{group!r} is no name for a group of tensors: use a text without dots")
    named = {f"{group}.{name}": value for group, state in groups.items() for name, value in state.items()}
    try:
        text = json.dumps({"version": VERSION, "groups": sorted(groups), "manifest": dict(manifest)})
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(
            f"the manifest cannot be saved: {error}; use what JSON has, such as numbers and texts"
        ) from None
    write_arrays(path, stored_arrays(named), {_KEY: text})


def read_checkpoint(path: PathLike) -> Checkpoint:
    """The checkpoint in `path`. Its arrays are copies: the file can be replaced while they are in use.

    Raises:
        FileFormatError: no file that can be read, not a checkpoint, or of a version not known here.
    """
    arrays, metadata = read_arrays(path)
    if _KEY not in metadata:
        raise FileFormatError(path, "holds tensors but is not a lazygrad checkpoint, so no training can resume from it")
    table = JsonTable.of(path, "its checkpoint entry", parse_json(path, "checkpoint entry", metadata[_KEY]))
    if (version := table.integer("version")) != VERSION:
        raise FileFormatError(
            path, f"is a checkpoint of version {version}; this lazygrad reads {VERSION}: update lazygrad"
        )
    groups: dict[str, dict[str, StoredArray]] = {name: {} for name in table.texts("groups")}
    for name, stored in arrays.items():
        group, _, rest = name.partition(".")
        if group not in groups:
            raise FileFormatError(
                path, f"has a tensor {name!r:.60}, which is in none of its groups ({_few(list(groups)):.200})"
            )
        groups[group][rest] = StoredArray(stored.dtype, np.array(stored.array))
    return Checkpoint(str(path), groups, dict(table.table("manifest").values))


def require_same_layout(path: str, expected: NamedArrays, stored: Mapping[str, StoredArray]) -> None:
    """Raise FileFormatError where stored tensors are not of the names, shapes and dtypes that are expected."""
    missing = [name for name in expected if name not in stored]
    extra = [name for name in stored if name not in expected]
    if missing or extra:
        raise FileFormatError(
            path,
            f"does not fit this model: it lacks {_few(missing)} and has {_few(extra)} besides; "
            "use the sizes that it was trained with",
        )
    for name, tensor in expected.items():
        here, there = tuple(tensor.shape), stored[name].array.shape
        if here != there or (isinstance(tensor, Tensor) and tensor.dtype is not stored[name].dtype):
            raise FileFormatError(
                path,
                f"does not fit this model: it has {name} of shape {list(there)} and type {stored[name].dtype}, where "
                f"the model has {list(here)} and {tensor.dtype}; use the sizes that it was trained with",
            )


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"
