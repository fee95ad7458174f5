"""What tests of planted bugs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lazygrad.engine import compile as compiler
from lazygrad.engine import plan_store, run
from lazygrad.settings import settings


@pytest.fixture
def fresh_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On OPENCL without verification; nothing compiled before is used, and nothing compiled wrongly is kept."""
    monkeypatch.setattr(plan_store, "key", lambda *args: None)
    with settings.override(device="OPENCL", verify=False):
        for kept in (compiler._stages, compiler._overwrites, run._runners):
            kept.clear()
        yield
        for kept in (compiler._stages, compiler._overwrites, run._runners):
            kept.clear()
