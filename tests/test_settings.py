"""Environment variables: read lazily, checked, overridable, misspellings noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from lazygrad.errors import SettingsError
from lazygrad.settings import Settings, default_cache_dir


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that have read nothing yet, in an environment without any of their variables."""
    for name in list(os.environ):
        if name.startswith("LAZYGRAD_"):
            monkeypatch.delenv(name)
    return Settings()


def test_defaults(fresh: Settings) -> None:
    assert (fresh.device, fresh.debug, fresh.cache, fresh.target, fresh.verify) == ("", 0, True, "", False)
    assert fresh.cache_dir == default_cache_dir()


def test_read_at_first_use_and_kept(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZYGRAD_DEBUG", "3")
    assert fresh.debug == 3
    monkeypatch.setenv("LAZYGRAD_DEBUG", "4")
    assert fresh.debug == 3
    fresh.reload()
    assert fresh.debug == 4


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("DEBUG", "6", "an integer from 0 to 5"),
        ("DEBUG", "yes", "an integer from 0 to 5"),
        ("CACHE", "maybe", "0 or 1"),
        ("TARGET", "tpu", "cpu or gpu"),
        ("CACHE_LIMIT", "0", "at least 1"),
        ("MEMORY_LIMIT", "-1", "at least 0"),
        ("FLOAT32_MATMUL_PRECISION", "medium", "highest or high"),
    ],
)
def test_bad_value(fresh: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str) -> None:
    monkeypatch.setenv(f"LAZYGRAD_{name}", value)
    with pytest.raises(SettingsError, match=allowed) as caught:
        getattr(fresh, name.lower())
    assert f"LAZYGRAD_{name}={value!r}" in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("TRUE", True), ("false", False), ("", True)])
def test_booleans(fresh: Settings, monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("LAZYGRAD_CACHE", text)
    assert fresh.cache is value


def test_override_restores(fresh: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAZYGRAD_DEBUG", "1")
    with fresh.override(debug=2, cache=False, cache_dir=tmp_path, target="GPU"):
        assert (fresh.debug, fresh.cache, fresh.cache_dir, fresh.target) == (2, False, tmp_path, "gpu")
        with fresh.override(debug=5):
            assert fresh.debug == 5
        assert fresh.debug == 2
    assert (fresh.debug, fresh.cache, fresh.target) == (1, True, "")


def test_override_restores_after_an_error(fresh: Settings) -> None:
    with pytest.raises(ZeroDivisionError), fresh.override(debug=2):
        raise ZeroDivisionError
    assert fresh.debug == 0


def test_override_checks(fresh: Settings) -> None:
    with pytest.raises(SettingsError, match="did you mean debug"), fresh.override(debg=2):
        pass
    with pytest.raises(SettingsError, match="from 0 to 5"), fresh.override(debug=9):
        pass
    assert fresh.debug == 0


def test_assignment_is_refused(fresh: Settings) -> None:
    with pytest.raises(AttributeError, match=r"settings.override\(debug=2\)"):
        fresh.debug = 2  # type: ignore[assignment]


def test_unknown_name_warns_once(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZYGRAD_DEVCE", "NUMPY")
    with pytest.warns(UserWarning, match="LAZYGRAD_DEVCE is ignored; did you mean LAZYGRAD_DEVICE"):
        assert fresh.debug == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fresh.device == ""


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is a convention of Linux")
def test_cache_dir_follows_xdg(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert fresh.cache_dir == Path("/somewhere/lazygrad")
    monkeypatch.setenv("LAZYGRAD_CACHE_DIR", "~/kernels")
    fresh.reload()
    assert fresh.cache_dir == Path.home() / "kernels"


def test_no_home_means_no_cache_dir(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", fail)
    assert fresh.cache_dir is None


def test_table_names_every_variable(fresh: Settings) -> None:
    lines = fresh.table().splitlines()
    assert [line.split()[0] for line in lines] == [variable.name for variable in Settings.variables()]


def test_environment_of_a_process() -> None:
    """A program may set the environment after importing lazygrad and before its first tensor."""
    code = (
        "import os; from lazygrad.settings import settings; os.environ['LAZYGRAD_DEBUG'] = '4'; print(settings.debug)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"
