"""Where the text comes from, and what is said of files that hold none."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from lazygrad.data import corpus as corpus_module
from lazygrad.data import load_corpus
from lazygrad.data.corpus import STANDARD_LIBRARY_LIMIT
from lazygrad.errors import FileFormatError, TextError


def test_the_standard_library_is_large_ascii_and_the_same_each_time() -> None:
    corpus = load_corpus()
    assert 0.8 * STANDARD_LIBRARY_LIMIT < len(corpus.text) <= STANDARD_LIBRARY_LIMIT
    assert corpus.text.isascii()
    assert "\r" not in corpus.text
    assert corpus.path is None
    assert corpus.description.startswith("the Python standard library's sources (")
    assert load_corpus() == corpus
    assert len(corpus.fingerprint) == 64


@pytest.mark.slow
def test_a_virtual_environment_gives_the_same_text(tmp_path: Path) -> None:
    venv.create(tmp_path / "v", with_pip=False)
    python = next((tmp_path / "v").glob("bin/python")) if os.name == "posix" else tmp_path / "v/Scripts/python.exe"
    program = (
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"  # where lazygrad is installed
        "from lazygrad.data import load_corpus; print(load_corpus().fingerprint)"
    )
    printed = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=60, check=True).stdout
    assert printed.strip() == load_corpus().fingerprint


def test_a_python_without_sources_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(TextError, match=r"no sources of its standard library in .*; name a text with --text FILE"):
        load_corpus()


def test_a_file_keeps_its_text_and_loses_its_line_ends_and_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"\xef\xbb\xbfh\xc3\xa9\r\nb\n")
    corpus = load_corpus(path)
    assert corpus.text == "hé\nb\n"
    assert corpus.path == path.absolute()
    assert corpus.fingerprint != load_corpus().fingerprint
    assert corpus_module.Corpus("hé\nb\n", None, "").fingerprint == corpus.fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file; check the path"),
        (b"", "is empty; name a file with text in it"),
        (b" \n\n", "is empty"),
        (b"caf\xe9 au lait", "is not UTF-8 text (byte 0xe9 at offset 3); save it as UTF-8, or name a text file"),
    ],
)
def test_a_file_without_text_says_which_and_why(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "t.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        load_corpus(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_folder_is_not_a_text(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="is a folder; name a text file"):
        load_corpus(tmp_path)
