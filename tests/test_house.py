"""House rules that a reader relies on: short files and functions, safe imports, and prose that the code keeps true."""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [path for path in (ROOT / "README.md", ROOT / "lazygrad" / "ARCHITECTURE.md") if path.exists()]

FILE_LINES, FILE_LINES_AT_MOST = 300, 500
BODY_LINES, BODY_LINES_AT_MOST = 40, 60

# What may be longer than the aim, and why. Nothing may pass the second limit.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

# A serializer that runs code when it reads.
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}

# Absolute paths of one machine, and words that mean nothing to a reader of the repository.
FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|home|root|tmp/(?:lg|env))/|\b(?:DESIGN|FACTS|FEATURES|CONTRACT)\.md|\bissue #?\d",
    re.IGNORECASE,
)


def python_files(*folders: str) -> list[Path]:
    """Every Python file under the named top-level folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """The name that a file of lazygrad/ or runtime/ is imported by."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "runtime":
        parts.insert(0, "lazygrad")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions_of(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """(qualified name, lines of the body without its docstring) of every function, nested ones too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield prefix + node.name, lines
            yield from functions_of(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions_of(node, f"{prefix}{node.name}.")
        else:
            yield from functions_of(node, prefix)


def test_files_are_short() -> None:
    lengths = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("lazygrad", "runtime")
    }
    too_long = {
        name: n for name, n in lengths.items() if n > (FILE_LINES_AT_MOST if name in LONG_FILES else FILE_LINES)
    }
    assert not too_long, f"files over {FILE_LINES} lines (split them, or give a reason in LONG_FILES): {too_long}"
    assert not set(LONG_FILES) - set(lengths), "LONG_FILES names files that are gone"


def test_functions_are_short() -> None:
    lengths = {
        f"{relative(path)}:{name}": lines
        for path in python_files("lazygrad", "runtime")
        for name, lines in functions_of(parsed(path))
    }
    too_long = {
        name: n for name, n in lengths.items() if n > (BODY_LINES_AT_MOST if name in LONG_FUNCTIONS else BODY_LINES)
    }
    assert not too_long, (
        f"functions over {BODY_LINES} lines (split them, or give a reason in LONG_FUNCTIONS): {too_long}"
    )
    assert not set(LONG_FUNCTIONS) - set(lengths), "LONG_FUNCTIONS names functions that are gone"


def broken_rules(tree: ast.AST) -> Iterator[str]:
    """What no file of the house may do, each with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{line}: bare except"
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in imported:
            if name.split(".")[0] in UNSAFE_MODULES:
                yield f"{line}: imports {name}"
        if (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and getattr(node.value, "value", None) is not False
        ):
            yield f"{line}: allow_pickle"
        if isinstance(node, ast.Name) and node.id in ("eval", "exec"):
            yield f"{line}: {node.id}"


@pytest.mark.parametrize("path", python_files("lazygrad", "runtime", "examples", "extra"), ids=relative)
def test_nothing_unsafe_is_used(path: Path) -> None:
    assert not list(broken_rules(parsed(path)))


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    pass\nexcept:\n    pass",
        "import pickle",
        "from pickle import loads",
        "def late():\n    import shelve",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=flag)",
        "eval('1')",
    ],
)
def test_the_unsafe_is_caught(source: str) -> None:
    assert list(broken_rules(ast.parse(source)))


def tracked_texts() -> Iterator[tuple[Path, str]]:
    """Every text file under version control, or in the folders of the house where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name]
    paths = [ROOT / name for name in names] or python_files("lazygrad", "runtime", "tests", "examples", "extra")
    for path in paths:
        try:
            yield path, path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


def test_nothing_names_what_a_reader_cannot_see() -> None:
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path, text in tracked_texts()
        if path != Path(__file__).resolve()
        for number, line in enumerate(text.splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert not found, "\n".join(found)


def test_every_package_is_installed() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listing = re.search(r"^packages = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    assert listing
    inits = [path for path in python_files("lazygrad", "runtime") if path.name == "__init__.py"]
    assert sorted(re.findall(r'"([^"]+)"', listing[1])) == sorted(module_name(path) for path in inits)
    orphans = [relative(p) for p in python_files("lazygrad", "runtime") if not (p.parent / "__init__.py").exists()]
    assert not orphans, f"folders without an __init__.py are not installed: {orphans}"


DOCTESTED = [path for path in python_files("lazygrad", "runtime") if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", DOCTESTED, ids=relative)
def test_docstring_examples(path: Path) -> None:
    """Examples may use lazygrad's public names and `np` without importing them. They are about meaning, so they run on
    the device that needs no compiler; that the devices agree is tested elsewhere."""
    from lazygrad.settings import settings

    lazygrad, module = importlib.import_module("lazygrad"), importlib.import_module(module_name(path))
    names = set(lazygrad.__all__) - set(vars(builtins))  # sum() and abs() are Python's in examples
    public = {name: getattr(lazygrad, name) for name in names} | {"np": np}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    with settings.override(device="NUMPY"):
        result = doctest.testmod(module, globs=public | vars(module), optionflags=flags)
    assert result.failed == 0, "see the output above"
    assert result.attempted > 0, "the module has examples, but none in a docstring that doctest finds"


class Snippet(NamedTuple):
    """A ```python block of a document, and the ```text block after it: what it prints (None: not shown)."""

    line: int
    code: str
    output: str | None


def snippets(document: str) -> list[Snippet]:
    """The Python blocks of a Markdown text in order."""
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    blocks = [(document.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in fence.finditer(document)]
    found = []
    for i, (line, language, code) in enumerate(blocks):
        if language == "python":
            follows = i + 1 < len(blocks) and blocks[i + 1][1] == "text"
            found.append(Snippet(line, code, blocks[i + 1][2] if follows else None))
    return found


SEPARATOR = "=== end of snippet ==="


def run_snippets(found: list[Snippet], folder: Path) -> list[str]:
    """What each snippet prints, all run in one fresh interpreter, in order, as a reader would type them."""
    program = f"\nprint({SEPARATOR!r})\n".join(snippet.code for snippet in found)
    environment = {name: value for name, value in os.environ.items() if name != "LAZYGRAD_VERIFY"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(SEPARATOR + "\n")


def as_shown(printed: str) -> str:
    """Text without trailing blanks on its lines or at its end, as an editor would leave it."""
    return "".join(line.rstrip() + "\n" for line in textwrap.dedent(printed).strip("\n").splitlines())


def prints_what_it_shows(shown: str, printed: str) -> bool:
    """Whether they are equal, where `...` in what is shown stands for anything (times differ between machines)."""
    return doctest.OutputChecker().check_output(as_shown(shown), as_shown(printed), doctest.ELLIPSIS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_documents_show_what_is_printed(path: Path, tmp_path: Path) -> None:
    found = snippets(path.read_text(encoding="utf-8"))
    if not found:
        pytest.skip("no Python in this document")
    for snippet, printed in zip(found, run_snippets(found, tmp_path)):
        if snippet.output is not None:
            assert prints_what_it_shows(snippet.output, printed), f"{path.name}:{snippet.line} prints\n{printed}"


def test_a_document_that_shows_something_else_is_caught(tmp_path: Path) -> None:
    document = (
        "Text\n\n```python\nx = 3\nprint(x)\n```\n```text\n3\n```\n```sh\nmake\n```\n```python\nprint(x, 0.25)\n```\n"
    )
    first, second = snippets(document)
    assert first == Snippet(3, "x = 3\nprint(x)\n", "3\n")
    assert second.output is None
    printed = run_snippets([first, second], tmp_path)
    assert printed == ["3\n", "3 0.25\n"]
    assert prints_what_it_shows("3\n", printed[0])
    assert prints_what_it_shows("3 0...\n", printed[1])
    assert not prints_what_it_shows("4\n", printed[0])


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_documents_name_only_what_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)`", text)) <= targets
    folders = "lazygrad|runtime|tests|examples|extra"
    named = set(re.findall(rf"(?<![\w/.])((?:{folders})/[\w./*-]*[\w*]/?)", text))
    missing = sorted(name for name in named if not any(ROOT.glob(name)))
    assert not missing, f"{path.name} names files that do not exist: {missing}"
