"""A plugin of pytest that lets the array API's own suite run without complex dtypes.

The suite has a switch for it, ARRAY_API_TESTS_SKIP_DTYPES, and then looks for the widest complex dtype of none. It is
told a real one, which it uses in tests of complex numbers alone; and those are skipped.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from typing import Any

import pytest

NAME = "array_api_tests.dtype_helpers"
COMPLEX = {"test_vecdot_conj"} | {f"test_{name}fft{n}" for name in ("", "i", "r", "ir") for n in ("", "n")}
COMPLEX |= {"test_hfft", "test_ihfft"}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Read the suite's module of dtypes with a `max` that takes nothing as well."""
    found = importlib.util.find_spec(NAME)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)

    def widest(candidates: Any, **options: Any) -> Any:
        return builtins.max(candidates, default=module.__dict__["real_float_dtypes"], **options)

    module.__dict__["max"] = widest
    sys.modules[NAME] = module
    found.loader.exec_module(module)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the special cases of complex numbers, and the tests that are of nothing else."""
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
        if getattr(case, "is_complex", False) or item.name in COMPLEX:
            item.add_marker(pytest.mark.skip(reason="complex"))
