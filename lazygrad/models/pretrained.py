"""Models in folders, as Hugging Face lays them out: `config.json` and safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lazygrad import nn
from lazygrad.dtype import DTypeLike, as_dtype
from lazygrad.errors import ArgumentError, FileFormatError, LazygradError
from lazygrad.io.atomic import PathLike, atomic_write
from lazygrad.io.hub import model_folder
from lazygrad.io.sharded import SHARD_SIZE, find_weights, read_json, read_weights, write_weights
from lazygrad.io.state import stored_arrays, to_tensor
from lazygrad.models.config import Config
from lazygrad.settings import settings
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

CONFIG = "config.json"
LARGEST_CONFIG = 10_000_000  # bytes


class Pretrained(nn.Module):
    """Base of models that are read from folders and saved in them.

    A subclass is made from its `config_class`, and says how tensors are called in files.
    """

    config_class: ClassVar[type[Config]]
    prefix: ClassVar[str] = ""  # which names in a file may have, or lack
    # field of the config that counts layers -> what the names of a layer's tensors begin with, before its number
    layer_names: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def from_pretrained(
        cls, path: PathLike, *, dtype: DTypeLike | None = None, device: str | None = None, revision: str | None = None
    ) -> Self:
        """The model in a folder, or in a repository of the Hugging Face Hub, ready for inference (`eval`).

        On a CPU the weights are the file's pages, and no memory is taken for them unless `dtype` changes them.

        Args:
            path: a folder with `config.json` and `model.safetensors`, or its index and the files that this names; or
                the name of a repository, such as "openai-community/gpt2" (takes huggingface_hub: `lazygrad[hub]`).
            dtype: of the floating tensors; None for what the file has.
            device: where the model is; None for the default device.
            revision: branch, tag or commit of the repository.

        Raises:
            FileFormatError: a file that is absent or damaged, of another model, or that does not fit its config; of
                pickles it says how to convert them.
            ArgumentError: a repository that cannot be fetched; it names the files that are needed.
        """
        folder = model_folder(path, revision)
        file = folder / CONFIG
        config = cls.config_class.of_json(read_json(file, "config", LARGEST_CONFIG))
        weights = find_weights(folder)
        state = {}
        for stored_name, stored in read_weights(weights).items():
            if (name := cls._name_here(stored_name, config)) is not None:
                if name in state:
                    raise FileFormatError(weights, f"has tensor {name!r:.60} under two names; save it again")
                state[name] = to_tensor(stored, device)
        cls._require_layers(file, config, state)
        try:
            with settings.override(device=device) if device else settings.override():
                model = cls._of_config(config)
        except LazygradError as error:  # such as a probability of 2
            raise FileFormatError(file, f"describes a model that cannot be made: {error}") from None
        try:
            model.load_state_dict(state, assign=True)
        except ArgumentError as error:
            raise FileFormatError(weights, f"does not fit its {CONFIG}: {_first_lines(error)}") from None
        if dtype is not None:
            model.to(as_dtype(dtype))
        return model.eval()

    def save_pretrained(self, path: PathLike, *, shard_size: int = SHARD_SIZE) -> None:
        """Write `config.json` and the weights into a folder, made if absent, from which `from_pretrained` and
        Transformers load them; in several files with an index, where they are larger than `shard_size` bytes."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        state: Mapping[str, Tensor] = self.state_dict()
        arrays = {self._name_there(name): stored for name, stored in stored_arrays(state).items()}
        dtypes = {stored.dtype.name for stored in arrays.values() if stored.dtype.is_float}
        values = {**self.config.to_json(), "dtype": dtypes.pop() if len(dtypes) == 1 else "float32"}
        write_weights(folder, arrays, shard_size)
        with atomic_write(folder / CONFIG) as out:
            out.write(json.dumps(values, indent=2).encode())

    def _draw_weights(self, deviation: Callable[[str], float] = lambda name: 0.02) -> None:
        """New values as GPT-2 and BERT begin with: matrices are drawn, of their names' deviation; biases are 0."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=deviation(name))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @classmethod
    def _of_config(cls, config: Any) -> Self:
        return cls(config)

    @classmethod
    def _name_here(cls, name: str, config: Any) -> str | None:
        """How a tensor of a file is called in this model; None for one that is not needed."""
        return name.removeprefix(cls.prefix)

    @classmethod
    def _name_there(cls, name: str) -> str:
        """How a tensor of this model is called in files."""
        return cls.prefix + name

    @classmethod
    def _require_layers(cls, path: PathLike, config: Any, state: Mapping[str, Tensor]) -> None:
        """FileFormatError where config and weights have other numbers of layers: so many are made only where there are
        weights for them."""
        for count, start in cls.layer_names.items():
            here = getattr(config, count)
            there = len({name[len(start) :].partition(".")[0] for name in state if name.startswith(start)})
            if here != there:
                raise FileFormatError(path, f"says that {count} is {here}; there are tensors of {there} layers")


class Sized(Pretrained):
    """Base of models that are made from sizes: the arguments of a subclass are the fields of its `config_class`."""

    def __init__(self, **sizes: Any) -> None:
        super().__init__(self.config_class(**sizes))

    @classmethod
    def _of_config(cls, config: Config) -> Self:
        return cls(**{field.name: getattr(config, field.name) for field in fields(config)})


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return "; ".join(line[:120] for line in lines[:5]) + more
