"""Whichever model a folder holds."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike
from lazygrad.errors import FileFormatError
from lazygrad.io.atomic import PathLike
from lazygrad.io.hub import model_folder
from lazygrad.io.sharded import read_json
from lazygrad.models.bert import Bert
from lazygrad.models.gpt import GPT
from lazygrad.models.gpt2 import GPT2
from lazygrad.models.lenet import LeNet5
from lazygrad.models.llama import Llama
from lazygrad.models.mistral import Mistral
from lazygrad.models.mlp import MLP
from lazygrad.models.pretrained import CONFIG, LARGEST_CONFIG, Pretrained
from lazygrad.models.qwen2 import Qwen2
from lazygrad.models.resnet import ResNet
from lazygrad.models.rnn import RNNLanguageModel
from lazygrad.models.transformer import Transformer

_KINDS: tuple[type[Pretrained], ...] = (
    Bert, GPT, GPT2, LeNet5, Llama, MLP, Mistral, Qwen2, ResNet, RNNLanguageModel, Transformer
)  # fmt: skip
_BY_TYPE = {kind.config_class.model_type: kind for kind in _KINDS}


def load_model(
    path: PathLike, *, dtype: DTypeLike | None = None, device: str | None = None, revision: str | None = None
) -> Pretrained:
    """The model in a folder, or a repository of the Hugging Face Hub, of the kind that its `config.json` names.

    Arguments and errors are those of `Pretrained.from_pretrained`; FileFormatError too for a kind that is not here.

    >>> import tempfile
    >>> from lazygrad.models import MLP
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     MLP([2, 8, 1]).save_pretrained(folder)
    ...     type(load_model(folder)).__name__
    'MLP'
    """
    folder = model_folder(path, revision)
    table = read_json(folder / CONFIG, "config", LARGEST_CONFIG)
    if (name := table.text("model_type")) not in _BY_TYPE:
        raise FileFormatError(folder / CONFIG, f"is of a model of type {name!r:.60}; there are {', '.join(_BY_TYPE)}")
    return _BY_TYPE[name].from_pretrained(folder, dtype=dtype, device=device)
