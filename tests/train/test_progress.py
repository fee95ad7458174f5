"""What a long loop prints, where there is no terminal and where there is one."""

from __future__ import annotations

import io
import sys
import time

import pytest

from lazygrad.train.progress import PlainProgress, progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_a_line_now_and_then_and_the_last_one() -> None:
    stream = io.StringIO()
    with progress(100, start=10, stream=stream) as bar:
        assert isinstance(bar, PlainProgress)
        for _ in range(9):
            bar.advance(10, loss="1.5")
        bar.write("note")
    assert stream.getvalue() == "step 100/100  loss 1.5  ETA 0s\nnote\n"


def test_the_time_left_comes_from_this_run_s_steps() -> None:
    stream = io.StringIO()
    bar = PlainProgress(40, start=20, stream=stream, interval=0)
    bar.began = time.monotonic() - 100
    bar.advance(10, loss="2")
    assert stream.getvalue().startswith("step 30/40  loss 2  ETA 1:40")


def test_a_terminal_gets_tqdm_s_bar() -> None:
    pytest.importorskip("tqdm")
    stream = _Terminal()
    with progress(4, stream=stream) as bar:
        bar.advance(4, loss="1.5")
        bar.write("validation 2")
    assert "4/4" in stream.getvalue()
    assert "validation 2" in stream.getvalue()


def test_a_terminal_without_tqdm_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    stream = _Terminal()
    with progress(1, stream=stream) as bar:
        bar.advance(1)
    assert stream.getvalue().startswith("step 1/1")
