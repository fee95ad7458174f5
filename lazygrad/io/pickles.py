"""PyTorch's own files are pickles, which can run anything when they are read: they are known here, never opened."""

from __future__ import annotations

import os
import zipfile

from lazygrad.io.atomic import PathLike

PICKLE_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_PROTOCOLS = tuple(bytes((0x80, n)) for n in range(2, 6))  # how every pickle since Python 2.3 starts


def pickle_advice(path: PathLike) -> str | None:
    """What to do with a file that is a pickle, or a zip of PyTorch's with pickles in it; None for another file."""
    with open(path, "rb") as file:
        start = file.read(9)
    if not (start[:2] in _PROTOCOLS and start[8:] != b"{") and not _is_torch_zip(path, start):
        return None  # a header of safetensors may have a length that starts alike
    return (
        "is a pickle, which can run any code when it is read; lazygrad never does. Where you trust it, convert it with "
        "PyTorch: safetensors.torch.save_file({name: t.clone().contiguous() for name, t in "
        f"torch.load({os.path.basename(os.fspath(path))[:60]!r}, weights_only=True).items()}}, 'model.safetensors')"
    )


def _is_torch_zip(path: PathLike, start: bytes) -> bool:
    if start[:2] != b"PK":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
