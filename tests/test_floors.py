"""The house has floors: a module imports its own floor or a lower one, and no two modules import each other in a ring.

The check reads the source, so that an import inside a function, under TYPE_CHECKING or by `import_module` counts too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module belongs to the entry with the longest prefix of its name.
FLOORS = {
    "lazygrad.dtype": 0,
    "lazygrad.absent": 0,
    "lazygrad.errors": 0,
    "lazygrad.forks": 0,
    "lazygrad.interned": 0,
    "lazygrad.settings": 0,
    "lazygrad.runtime": 0,
    "lazygrad.index": 1,
    "lazygrad.ir": 2,
    "lazygrad.schedule": 3,
    "lazygrad.tiling": 4,
    "lazygrad.render": 5,
    "lazygrad.engine": 6,
    "lazygrad.device": 7,
    "lazygrad.tensor": 7,
    "lazygrad.ops": 7,
    "lazygrad.linear_algebra": 7,
    "lazygrad.functions": 8,
    "lazygrad.special": 8,
    "lazygrad.amp": 8,
    "lazygrad.autograd": 8,
    "lazygrad.accelerator": 8,
    "lazygrad.backends": 8,
    "lazygrad.cuda": 8,
    "lazygrad.distributions": 8,
    "lazygrad.einops_backend": 8,
    "lazygrad.fft": 8,
    "lazygrad.func": 8,
    "lazygrad.utils": 8,
    "lazygrad.linalg": 8,
    "lazygrad.masked": 8,
    "lazygrad.nn": 8,
    "lazygrad.optim": 8,
    "lazygrad.io": 8,
    "lazygrad.text": 8,
    "lazygrad.data": 8,
    "lazygrad.signal": 8,
    "lazygrad.train": 8,
    "lazygrad.models": 8,
    "lazygrad.array_api": 9,
    "lazygrad.debug": 9,
    "lazygrad.__main__": 9,
}
TOP = 9  # lazygrad/__init__.py itself, which gathers the public names

# The compiler (floors 1 to 5) may read what a device says about itself, and nothing else of the runtime.
COMPILER = range(1, 6)
RUNTIME_FOR_COMPILER = {"lazygrad.runtime.base"}


class Import(NamedTuple):
    """One import statement: `module` imports `target` on `line`."""

    module: str
    target: str
    line: int


def floor_of(module: str) -> int | None:
    """The floor that `module` lives on, or None for a module that nobody has placed."""
    if module == "lazygrad":
        return TOP
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        if (floor := FLOORS.get(".".join(parts[:length]))) is not None:
            return floor
    return None


def house_sources() -> dict[str, tuple[str, bool]]:
    """Module name -> (source, whether it is a package), for every module of lazygrad as installed."""
    found = {}
    for folder, package in ((ROOT / "lazygrad", "lazygrad"), (ROOT / "runtime", "lazygrad.runtime")):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join((package, *parts[: -1 if is_package else None]))
            found[name] = (path.read_text(encoding="utf-8"), is_package)
    return found


def imported_names(node: ast.AST, package: str) -> Iterator[tuple[str, str | None]]:
    """Each (module, name taken from it or None) that one syntax node imports; `package` resolves relative ones."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, None
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        for alias in node.names:
            yield base, alias.name
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value, None


def imports_of(sources: Mapping[str, tuple[str, bool]]) -> list[Import]:
    """Every import of one module of the house by another."""
    found = []
    for module, (source, is_package) in sources.items():
        package = module if is_package else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(source)):
            for base, name in imported_names(node, package):
                if base.split(".")[0] != "lazygrad":
                    continue
                submodule = f"{base}.{name}"
                target = submodule if name and submodule in sources else base
                found.append(Import(module, target, getattr(node, "lineno", 0)))
    return found


def find_cycle(edges: Mapping[str, set[str]]) -> list[str]:
    """One ring of imports, first module repeated at the end; empty where there is none."""
    left = {module: set(targets) for module, targets in edges.items()}
    while settled := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in settled:
            del left[module]
    if not left:
        return []
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]) :]


def violations(sources: Mapping[str, tuple[str, bool]]) -> list[str]:
    """Every broken rule in words; empty for a house in order."""
    wrong = [f"{module} has no floor: place it in FLOORS" for module in sources if floor_of(module) is None]
    edges: dict[str, set[str]] = {module: set() for module in sources}
    for module, target, line in imports_of(sources):
        here, there = floor_of(module), floor_of(target)
        if here is None or there is None:
            continue
        if target not in sources:
            wrong.append(f"{module}:{line} imports {target}, which does not exist")
        elif there > here:
            wrong.append(f"{module}:{line} (floor {here}) imports {target} (floor {there})")
        elif here in COMPILER and target.startswith("lazygrad.runtime") and target not in RUNTIME_FOR_COMPILER:
            wrong.append(f"{module}:{line} (floor {here}, the compiler) imports {target}; only base may be")
        else:
            edges[module].add(target)
    if cycle := find_cycle(edges):
        wrong.append("import cycle: " + " -> ".join(cycle))
    return wrong


def test_the_house_is_in_order() -> None:
    found = violations(house_sources())
    assert not found, "\n".join(found)


def house(**modules: str) -> dict[str, tuple[str, bool]]:
    """Synthetic sources; a keyword's double underscores stand for dots."""
    return {"lazygrad": ("", True)} | {
        "lazygrad." + name.replace("__", "."): (source, "." not in name.replace("__", "."))
        for name, source in modules.items()
    }


@pytest.mark.parametrize(
    "statement",
    [
        "import lazygrad.tiling.cost",
        "import lazygrad.tiling.cost as cost",
        "from lazygrad.tiling import cost",
        "from lazygrad.tiling.cost import estimate",
        "from ..tiling import cost",
        "from ..tiling.cost import estimate",
        "from lazygrad import tiling",
        "def late():\n    from lazygrad.tiling import cost",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lazygrad.tiling.cost",
        "import importlib\nimportlib.import_module('lazygrad.tiling.cost')",
        "__import__('lazygrad.tiling.cost')",
        "try:\n    import lazygrad.tiling.cost\nexcept ImportError:\n    pass",
        "from lazygrad import Tensor",
        "from lazygrad import *",
    ],
)
def test_an_import_of_a_higher_floor_is_caught(statement: str) -> None:
    found = violations(house(ir="", ir__node=statement, tiling="", tiling__cost=""))
    assert len(found) == 1
    assert found[0].startswith("lazygrad.ir.node:")
    assert "(floor 2) imports lazygrad" in found[0]


@pytest.mark.parametrize("statement", ["import lazygrad.ir.op", "from . import op", "from .op import Op", "import os"])
def test_an_import_of_the_same_or_a_lower_floor_is_allowed(statement: str) -> None:
    assert violations(house(dtype="", ir="", ir__op="import lazygrad.dtype", ir__node=statement)) == []


def test_a_module_without_a_floor_is_caught() -> None:
    assert violations(house(shortcuts="")) == ["lazygrad.shortcuts has no floor: place it in FLOORS"]


def test_an_import_of_nothing_is_caught() -> None:
    assert violations(house(ir="from lazygrad.ir.lost import x")) == [
        "lazygrad.ir:1 imports lazygrad.ir.lost, which does not exist"
    ]


def test_the_compiler_sees_only_the_runtime_s_interface() -> None:
    both = house(runtime="", runtime__base="", runtime__opencl="", tiling="from lazygrad.runtime import base, opencl")
    assert violations(both) == [
        "lazygrad.tiling:1 (floor 4, the compiler) imports lazygrad.runtime.opencl; only base may be"
    ]


@pytest.mark.parametrize("ring", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_ring_of_imports_is_caught(ring: tuple[str, ...]) -> None:
    modules = {
        f"ir__{name}": f"def late():\n    import lazygrad.ir.{ring[(i + 1) % len(ring)]}" for i, name in enumerate(ring)
    }
    modules["ir__entry"] = "import lazygrad.ir.a"  # leads into the ring without being part of it
    closed = [f"lazygrad.ir.{name}" for name in (*ring, ring[0])]
    assert violations(house(ir="", **modules)) == ["import cycle: " + " -> ".join(closed)]


def test_importing_the_package_leaves_the_compiler_alone() -> None:
    code = "import sys, lazygrad; print(*(name for name in sys.modules if name.startswith('lazygrad.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "lazygrad.tensor" in loaded
    compiler = {name for name, floor in FLOORS.items() if floor in (3, 4, 5)}
    assert [name for name in loaded if compiler.intersection({name, ".".join(name.split(".")[:2])})] == []


def test_relative_imports_resolve_from_packages_and_modules() -> None:
    sources = house(ir="from . import node", ir__node="from .. import dtype", dtype="")
    assert [(i.module, i.target) for i in imports_of(sources)] == [
        ("lazygrad.ir", "lazygrad.ir.node"),
        ("lazygrad.ir.node", "lazygrad.dtype"),
    ]
