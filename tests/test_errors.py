"""What error classes say, and how a message finds the user's line."""

from __future__ import annotations

import copy
import pickle
import types

import pytest

from lazygrad import errors


def test_every_class_has_the_base_and_a_builtin() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.LazygradError)]
    assert len(classes) > 10
    for each in classes:
        builtin = [base for base in each.__mro__ if base.__module__ == "builtins"]
        assert each is errors.LazygradError or builtin[0] is not Exception, each


@pytest.mark.parametrize(
    "error",
    [
        errors.ShapeError("x"),
        errors.FileFormatError("a.bin", "too short"),
        errors.CompileError("k", "kernel.cl:2:1: error: no", "a\nb"),
        errors.OutOfMemoryError("OPENCL", 5, 6, 7, [(6, "weights")], 8),
    ],
)
def test_errors_travel_between_processes(error: errors.LazygradError) -> None:
    # pickle is what multiprocessing sends exceptions with; lazygrad itself never reads a pickle.
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert str(same) == str(error)
        assert vars(same) == vars(error)


def test_out_of_memory_report() -> None:
    text = str(errors.OutOfMemoryError("OPENCL", 1 << 30, 3 << 30, 0, [(2 << 30, "weights"), (5, "x")], 4 << 30))
    assert "OPENCL: 1.0 GiB requested, 3.0 GiB live, 0 B cached, limit 4.0 GiB" in text
    assert text.index("weights") < text.index("x")
    assert "smaller batch" in text


def test_compile_error_shows_the_line() -> None:
    source = "\n".join(f"line {n}" for n in range(1, 40))
    text = str(errors.CompileError("softmax_4", "kernel.cl:20:3: error: expected ';'", source))
    assert "'softmax_4'" in text
    assert "> 20 | line 20" in text
    assert "  12 | line 12" in text
    assert "line 2\n" not in text


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("a.cl:7:3: error: x", 7),
        ("error: /tmp/a.cl:9:1: x", 9),
        ("a.cl:2:1: warning: w\na.cl:5:1: error: x", 5),
        ("kernel.cu(12): error: x", 12),
        ("nothing useful", 1),
    ],
)
def test_first_error_line(log: str, line: int) -> None:
    assert errors.first_error_line(log) == line


def test_user_line_skips_lazygrad() -> None:
    """The frames of modules called lazygrad or lazygrad.* are passed over, and only those."""
    inner = types.ModuleType("lazygrad.made_up")
    exec("def where(f):\n    return f()\n", inner.__dict__)
    found = inner.where(errors.user_line)
    assert found.startswith("test_errors.py:")
    assert found.endswith("found = inner.where(errors.user_line)")
    other = types.ModuleType("lazygrad_plugin")
    exec("def where(f):\n    return f()\n", other.__dict__)
    assert other.where(errors.user_line) == "<string>:2"


def test_user_line_without_a_user() -> None:
    namespace = {"__name__": "lazygrad.only"}
    assert errors.location_text("", 0) == ""
    exec("def where(f): return f()", namespace)
    assert errors.location_text("missing.py", 3) == "missing.py:3"
