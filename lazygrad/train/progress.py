"""How a long loop tells that it is alive: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol, TextIO


class Progress(Protocol):
    """What a training loop needs of a bar; a context manager."""

    def __enter__(self) -> Progress: ...
    def __exit__(self, kind: object, error: object, trace: object) -> None: ...
    def advance(self, steps: int, **values: str) -> None:
        """Another `steps` are done; show `values` beside them."""

    def write(self, line: str) -> None:
        """A line of its own, above the bar."""


def progress(total: int, start: int = 0, stream: TextIO | None = None) -> Progress:
    """A bar from `start` to `total` steps on `stream` (stderr): tqdm's on a terminal if installed, else plain lines."""
    stream = sys.stderr if stream is None else stream
    if stream.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return _Bar(tqdm(total=total, initial=start, file=stream, unit="step", dynamic_ncols=True, mininterval=0.2))
    return PlainProgress(total, start, stream)


def duration_text(seconds: float) -> str:
    """A time for people.

    >>> duration_text(7.4), duration_text(125), duration_text(7325)
    ('7s', '2:05', '2:02:05')
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


class _Bar:
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, steps: int, **values: str) -> None:
        self.bar.set_postfix(values, refresh=False)
        self.bar.update(steps)

    def write(self, line: str) -> None:
        self.bar.write(line, file=self.bar.fp)


class PlainProgress:
    """Lines for a terminal without tqdm, a pipe or a log file: one at most every `interval` seconds, and the last."""

    def __init__(self, total: int, start: int = 0, stream: TextIO | None = None, interval: float = 5.0) -> None:
        self.total, self.start, self.done = total, start, start
        self.stream = sys.stderr if stream is None else stream
        self.interval = interval
        self.began = self.shown = time.monotonic()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.flush()

    def advance(self, steps: int, **values: str) -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.shown < self.interval and self.done < self.total:
            return
        self.shown = now
        left = (now - self.began) / max(1, self.done - self.start) * (self.total - self.done)
        shown = "  ".join(f"{name} {value}" for name, value in values.items())
        self.write(f"step {self.done}/{self.total}  {shown}  ETA {duration_text(left)}")

    def write(self, line: str) -> None:
        print(line, file=self.stream, flush=True)
