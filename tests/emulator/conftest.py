"""The emulator needs a C++ compiler; its tests say so where there is none."""

from __future__ import annotations

import pytest

from lazygrad.errors import DeviceError
from lazygrad.runtime.emulator.toolchain import find_compiler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        find_compiler()
    except DeviceError as error:
        for item in items:
            if "emulator" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason=str(error)))
