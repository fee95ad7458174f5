"""Weights in one safetensors file, or in several that an index names, as Hugging Face lays them out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.atomic import PathLike, atomic_write
from lazygrad.io.json_table import JsonTable, parse_json
from lazygrad.io.pickles import PICKLE_ENDINGS, pickle_advice
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays
from lazygrad.ops.signatures import checked

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LARGEST_INDEX = 100_000_000  # bytes; those of the largest models there are have a tenth
SHARD_SIZE = 5_000_000_000  # bytes, as Transformers has it


@checked
def read_weights(path: PathLike) -> dict[str, StoredArray]:
    """The arrays of a safetensors file, or of all files that an index of such (`*.index.json`) names; not copies.

    Raises:
        FileFormatError: as for `read_arrays`; an index that is none, that names files outside its folder, or that tells
            something else of a tensor than the files do; a tensor in two of them.
    """
    if not os.fspath(path).endswith(".index.json"):
        return read_arrays(path)[0]
    places = _places(path)
    found: dict[str, str] = {}
    arrays: dict[str, StoredArray] = {}
    for shard in sorted(set(places.values())):
        for name, array in read_arrays(Path(path).parent / shard)[0].items():
            if name in found:
                raise FileFormatError(path, f"tensor {name!r:.60} is in both {found[name]} and {shard}; fetch it again")
            found[name], arrays[name] = shard, array
    for name, shard in places.items():
        if found.get(name) != shard:
            where = found.get(name, "in none of its files")
            raise FileFormatError(path, f"says that tensor {name!r:.60} is in {shard}; it is {where}: fetch it again")
    if more := next((name for name in found if name not in places), None):
        raise FileFormatError(path, f"does not name tensor {more!r:.60}, which is in {found[more]}; fetch it again")
    return arrays


def find_weights(folder: PathLike) -> Path:
    """The file in a folder for `read_weights`: `model.safetensors`, its index, or the only safetensors file there.

    FileFormatError where there is none, or several: of PyTorch's pickles it says how to convert them.
    """
    here = Path(folder)
    for name in (WHOLE, INDEX):
        if (here / name).is_file():
            return here / name
    names = sorted(entry.name for entry in here.iterdir() if entry.is_file())
    files = [name for name in names if name.endswith(".safetensors")]
    if len(files) == 1:
        return here / files[0]
    if files:
        raise FileFormatError(folder, f"has {len(files)} safetensors files and no {INDEX} that says which belong here")
    for name in names:
        if name.endswith(PICKLE_ENDINGS) and (advice := pickle_advice(here / name)):
            raise FileFormatError(here / name, advice)
    raise FileFormatError(folder, f"has no weights in it: neither {WHOLE} nor {INDEX}")


def write_weights(folder: PathLike, arrays: Mapping[str, StoredArray], shard_size: int = SHARD_SIZE) -> None:
    """Write arrays to `model.safetensors` in a folder, or to several files of at most `shard_size` bytes (a larger
    array has one of its own) and their index. Each file is written atomically, the index last.

    ArgumentError for a size below 1, OSError where the folder cannot be written.
    """
    if shard_size < 1:
        raise ArgumentError(f"shard_size is {shard_size} bytes; use at least 1")
    shards: list[dict[str, StoredArray]] = [{}]
    room = shard_size
    for name, stored in arrays.items():
        if stored.array.nbytes > room and shards[-1]:
            shards.append({})
            room = shard_size
        shards[-1][name] = stored
        room -= stored.array.nbytes
    here = Path(folder)
    if len(shards) == 1:
        write_arrays(here / WHOLE, shards[0], {"format": "pt"})  # without which Transformers does not take it
        (here / INDEX).unlink(missing_ok=True)
        return
    places: dict[str, str] = {}
    for k, shard in enumerate(shards, 1):
        file = f"model-{k:05d}-of-{len(shards):05d}.safetensors"
        write_arrays(here / file, shard, {"format": "pt"})
        places |= dict.fromkeys(shard, file)
    total = sum(stored.array.nbytes for stored in arrays.values())
    with atomic_write(here / INDEX) as out:
        out.write(json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2).encode())
    (here / WHOLE).unlink(missing_ok=True)  # it would be read in place of the index


def read_json(path: PathLike, what: str, most: int) -> JsonTable:
    """The table that a JSON file, called `what`, holds. FileFormatError for no such, or above `most` bytes."""
    try:
        if not os.path.isfile(path):
            problem = "is not a file" if os.path.exists(path) else "there is no such file"
            raise FileFormatError(path, f"{problem}; check the path")
        if (size := os.path.getsize(path)) > most:
            raise FileFormatError(path, f"has {size} bytes, where the {what} has at most {most}")
        with open(path, "rb") as file:
            text = file.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return JsonTable.of(path, f"the {what}", parse_json(path, what, text))


def _places(path: PathLike) -> dict[str, str]:
    """Tensor -> the file that has it, by an index; its total_size is not looked at, since many of them are wrong."""
    table = read_json(path, "index", LARGEST_INDEX).table("weight_map")
    for name in table.values:
        shard = table.text(name)
        if not shard.endswith(".safetensors") or shard != os.path.basename(shard) or set(shard) & set("\\:\0"):
            raise FileFormatError(
                path, f"puts tensor {name!r:.60} into {shard!r:.60}; only safetensors files beside it can be named"
            )
    return {name: str(shard) for name, shard in table.values.items()}
