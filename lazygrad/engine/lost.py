"""Values that cannot be had any more, though a tensor still stands for them."""

from __future__ import annotations

from typing import Any, NoReturn

from lazygrad.errors import GraphError, ViewError, user_line
from lazygrad.runtime.base import Storage


class LostStorage(Storage):
    """The storage of a lost value: whoever reads it gets an error that tells the `reason`.

    `kept` is the value itself where `by` may give it back.
    """

    __slots__ = ("by", "kept", "reason")

    def __init__(self, device: str, nbytes: int, reason: str, kept: Any = None, by: object = None) -> None:
        super().__init__(device, nbytes)
        self.reason, self.kept, self.by = reason, kept, by


def fail_to_read(storage: Storage) -> NoReturn:
    """ViewError for a lost value; GraphError for one whose memory a later value took."""
    if not isinstance(storage, LostStorage):
        raise GraphError(
            "a value that this computation needs was overwritten in place since; compute what depends on the old value "
            "before the in-place update (for example call backward() before optimizer.step())"
        )
    line = user_line()
    raise ViewError(f"{storage.reason}; it is read at {line}" if line else storage.reason)
