"""Makes a checkout usable where nothing may be installed, such as a borrowed machine with a GPU.

An installation maps the folder `runtime/` to the package `lazygrad.runtime`; without one, a link inside of the package
does the same. `python -m extra.tools.checkout` makes it where it is needed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make_importable(root: Path = ROOT) -> bool:
    """Link `runtime/` into the package unless `lazygrad.runtime` is found already; whether it made the link."""
    package = root / "lazygrad"
    if _is_found(package) or (package / "runtime").exists():
        return False
    os.symlink("../runtime", package / "runtime", target_is_directory=True)
    importlib.invalidate_caches()
    return True


def _is_found(package: Path) -> bool:
    """Whether an installation of `package` knows its runtime. Asked of the finders: importing would need it."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is not None and find("lazygrad.runtime", [str(package)]) is not None:
            return True
    return False


if __name__ == "__main__":
    print("linked lazygrad/runtime" if make_importable() else "lazygrad.runtime is there already")
