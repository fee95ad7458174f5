"""Text to train on: a file, or the Python sources that every machine with Python has."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from lazygrad.errors import FileFormatError, TextError

STANDARD_LIBRARY_LIMIT = 1 << 20  # characters: as large as Tiny Shakespeare, so that the two train alike


@dataclass(frozen=True)
class Corpus:
    """A text and where it came from.

    `path` is absolute, or None for the standard library's sources; `description` is for people.
    """

    text: str
    path: Path | None
    description: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


def load_corpus(path: str | os.PathLike[str] | None = None) -> Corpus:
    """The text of a UTF-8 file, line ends as "\\n"; without a path, the Python standard library's sources.

    Raises:
        FileFormatError: the file is absent, a folder, unreadable, empty or not UTF-8.
        TextError: no path was given, and this Python has no sources of its standard library.
    """
    if path is None:
        return _standard_library()
    absolute = Path(path).expanduser().absolute()
    return Corpus(_read_text(absolute), absolute, os.fspath(path))


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise FileFormatError(path, "is a folder; name a text file")
    if path.is_char_device() or path.is_block_device():
        raise FileFormatError(path, "is a device; name a text file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileFormatError(path, "there is no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a character that no path has
        raise FileFormatError(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            path,
            f"is not UTF-8 text (byte 0x{content[error.start]:02x} at offset {error.start}); "
            "save it as UTF-8, or name a text file",
        ) from None
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise FileFormatError(path, "is empty; name a file with text in it")
    return text


def _standard_library(limit: int = STANDARD_LIBRARY_LIMIT) -> Corpus:
    """Whole top-level modules in the order of their names, up to `limit` characters.

    Modules with characters beyond ASCII are left out: a handful of characters that occur once each would only make
    the vocabulary larger.
    """
    folder = Path(sysconfig.get_path("stdlib"))  # inside a virtual environment too, the base installation's
    texts: list[str] = []
    room = limit
    for file in sorted(folder.glob("*.py"), key=lambda file: file.name):
        if file.stem not in sys.stdlib_module_names or file.stem.startswith("_sysconfigdata"):
            continue
        content = file.read_bytes()
        if not content.isascii():
            continue
        text = content.decode("ascii").replace("\r\n", "\n")
        if len(text) > room:
            break
        texts.append(text)
        room -= len(text)
    if not texts:
        raise TextError(f"this Python has no sources of its standard library in {folder}; name a text with --text FILE")
    return Corpus("".join(texts), None, f"the Python standard library's sources ({len(texts)} modules)")
