"""The namespace is tested on the NUMPY device, which computes what the primitives mean, unless tests take `device`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lazygrad.settings import settings


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield
