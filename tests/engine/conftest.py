"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lazygrad.settings import settings


@pytest.fixture
def numpy_device() -> Iterator[str]:
    """NUMPY as the default device, for what does not depend on kernels."""
    with settings.override(device="NUMPY"):
        yield "NUMPY"
