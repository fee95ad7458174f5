"""A model's folder: one on this machine, or the copy of one on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.atomic import PathLike

FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")  # weights, configuration and tokenizer; no pickles
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
_NEEDED = (
    "config.json, model.safetensors (or model.safetensors.index.json with the files that it names) and, for texts, "
    "tokenizer.json (or vocab.json and merges.txt)"
)


def model_folder(path: PathLike, revision: str | None = None) -> Path:
    """The folder `path`, or where there is none, the local copy of the repository of that name on the Hub.

    Copies are made, kept and found again by the package huggingface_hub, which an extra brings: `lazygrad[hub]`.

    Args:
        revision: a branch, tag or commit of the repository; None for its main branch.

    Raises:
        FileFormatError: `path` is a file; or it is no folder, and no name that a repository can have.
        ArgumentError: huggingface_hub is not installed, or has no copy and gets none; names the files that are needed.
    """
    if (here := Path(path)).is_dir():
        return here
    if here.exists():
        raise FileFormatError(path, f"is a file; name the folder with {_NEEDED}")
    if not _REPOSITORY.fullmatch(str(path)) or ".." in str(path):
        raise FileFormatError(path, f"there is no such folder; name one with {_NEEDED}")
    try:
        import huggingface_hub
    except ImportError:
        raise ArgumentError(
            f"there is no folder {path}, and to fetch {path} from the Hub takes huggingface_hub: "
            f"pip install 'lazygrad[hub]', or name a folder with {_NEEDED}"
        ) from None
    try:
        return Path(huggingface_hub.snapshot_download(str(path), revision=revision, allow_patterns=list(FILES)))
    except (OSError, ValueError, huggingface_hub.errors.HfHubHTTPError) as error:  # offline, unknown, or not for all
        reason = " ".join(str(error).split())
        raise ArgumentError(
            f"there is no folder {path}, and {path} cannot be fetched from the Hub ({reason:.200}); without a network, "
            f"copy its files into a folder and name that: {_NEEDED}"
        ) from None
