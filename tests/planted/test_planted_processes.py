"""Wrong edits of what processes, interrupts and files rest on, planted one at a time; their tests notice."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, forks, manual_seed
from lazygrad.engine import cache, execute
from lazygrad.engine.generator import Generator
from lazygrad.errors import DeviceError
from lazygrad.io import atomic, json_table
from lazygrad.io import safetensors as files
from lazygrad.ops.generator import default_generator
from lazygrad.runtime import cache_folder, host
from lazygrad.runtime.opencl_launch import OpenCLPrepared
from lazygrad.train import plan
from tests.engine import test_interrupts as interrupts
from tests.io import test_atomic as atomic_tests
from tests.io import test_hostile_files as hostile_tests
from tests.io import test_readers_beside_writers as readers
from tests.runtime import test_cache_folder as folders
from tests.train import test_plans as plans

Plant = tuple[Any, str, Callable[[Any], Any], Callable[[], None]]  # owner, name, the wrong one of the right, its check
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def in_folder(check: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    def run_check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder), *arguments)

    return run_check


def entry_of_a_group(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        folders.test_an_entry_that_another_user_may_have_written_is_a_miss(folder, patch, folders.for_a_group)


def full_disk(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_folder, "_warned", [])
        folders.test_a_folder_that_can_no_longer_be_written(folder, patch, "ENOSPC")


def saved_meanwhile(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        readers.test_what_is_read_is_one_file_though_others_are_saved_there(folder, patch)


def names_said_twice(folder: Path) -> None:
    twice = hostile_tests.entry()
    hostile_tests.test_a_hostile_header_is_one_error(
        folder, hostile_tests.with_header(b'{"a":' + twice + b',"a":' + twice + b"}", bytes(4))
    )


def metadata(folder: Path) -> None:
    hostile_tests.test_what_cannot_be_saved_is_refused_and_the_old_file_stays(folder, {"a": 1.0}, {"k": 1})


def versions(folder: Path) -> None:
    hostile_tests.test_a_checkpoint_of_wrong_types_says_what(folder, '{"version": true}', "it must be an integer")


def exit_status_of_child(work: Callable[[], bool]) -> int:
    """0 where `work` is true in a forked child; one that hangs is killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def children_are_refused() -> None:
    x = Tensor([1.0, 2.0], device="OPENCL").add(1).realize()

    def refused() -> bool:
        try:
            x.add(1).numpy()
        except DeviceError:
            return True
        return False

    assert exit_status_of_child(refused) == 0
    assert x.tolist() == [2, 3]


def children_draw_other_numbers() -> None:
    def draw() -> list[float]:
        return list(Tensor.rand(3, device="NUMPY").tolist())

    manual_seed(5)
    here = draw()
    manual_seed(5)
    assert exit_status_of_child(lambda: draw() != here) == 0


def locks_are_free_in_children() -> None:
    held, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with default_generator._lock:
            held.set()
            ended.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert exit_status_of_child(lambda: bool(Tensor.rand(1, device="NUMPY").tolist())) == 0
    finally:
        ended.set()
        thread.join()


def blocks_are_private() -> None:
    block = host.aligned_bytes(host.HUGE)
    block[:] = 1

    def write() -> bool:
        block[:] = 2
        return True

    assert exit_status_of_child(write) == 0
    assert (block == 1).all()


def arguments_set_halfway() -> None:
    """An interrupt between two arguments of a launch, then the same buffers again."""
    a, b, c, d = (Tensor(np.full(40, float(k), "float32"), device="OPENCL").realize() for k in (1, 2, 30, 40))
    kept = [(a * 3 + b).realize(), (a * 3 + b).realize()]
    right, calls = OpenCLPrepared.rebind, []

    def interrupted(self: OpenCLPrepared, *arguments: Any) -> None:
        right(self, *arguments)
        calls.append(arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenCLPrepared, "rebind", interrupted)
        with pytest.raises(KeyboardInterrupt):
            (c * 3 + d).realize()
    assert len(calls) == 1
    kept.append((a * 3 + b).realize())
    assert [float(t.numpy()[0]) for t in kept] == [5.0] * 3


def bind_without_doubt(right: Any) -> Any:
    """What was bound before counts as bound still, whatever comes between."""

    def wrong(self: execute.Runner, memories: Any, values: Any) -> None:
        before = list(self.bound)
        try:
            right(self, memories, values)
        except BaseException:
            self.bound = before
            raise

    return wrong


PLANTS: dict[str, Plant] = {
    "an entry does not hold its key": (
        cache, "_digest", lambda right: lambda key, payload: right("", payload),
        in_folder(folders.test_an_entry_under_another_name_is_a_miss),
    ),
    "everybody's files are ours": (
        cache_folder, "is_ours", lambda right: lambda status: True, in_folder(entry_of_a_group)
    ),
    "folders are as the umask says": (
        cache_folder, "make", lambda right: lambda folder: folder.mkdir(parents=True, exist_ok=True),
        in_folder(folders.test_folders_and_files_are_their_owners_alone, 0),
    ),
    "a full disk has no successor": (cache_folder, "temporary", lambda right: lambda *_: None, in_folder(full_disk)),
    "metadata of any type are saved": (files, "_checked_metadata", lambda right: dict, in_folder(metadata)),
    "a header is read as it comes": (
        files, "parse_json", lambda right: lambda path, what, text: json.loads(text),
        in_folder(names_said_twice),
    ),
    "what is read need not be what was validated": (
        files, "_identity", lambda right: lambda file: (), in_folder(saved_meanwhile)
    ),
    "a file takes any place": (
        atomic, "_require_replaceable", lambda right: lambda target: None,
        in_folder(atomic_tests.test_what_is_no_file_is_not_replaced, "pipe"),
    ),
    "a plan keeps what it is given": (
        plan, "make_plain", lambda right: lambda record: None,
        in_folder(plans.test_what_is_taken_comes_back, plan.TrainingPlan),
    ),
    "true is an integer": (
        json_table.JsonTable, "_integer", lambda right: lambda self, name, value, low, high: int(value),
        in_folder(versions),
    ),
    "a child goes on with its parent's devices": (forks, "_children", lambda right: [], children_are_refused),
    "a child goes on with its parent's numbers": (
        Generator, "fork", lambda right: lambda self: None, children_draw_other_numbers
    ),
    "a lock stays held in a child": (forks, "_locks", lambda right: weakref.WeakSet(), locks_are_free_in_children),
    "large blocks are shared with children": (host, "_PRIVATE", lambda right: {}, blocks_are_private),
    "what follows a launch is done once": (
        interrupts, "to_the_end", lambda right: lambda start, end: (start([]), end())[0],
        interrupts.test_the_end_is_repeated_and_the_start_is_not,
    ),
    "arguments set halfway count as set": (execute.Runner, "_bind", bind_without_doubt, arguments_set_halfway),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, wrong, check = PLANTS[name]
    check()
    monkeypatch.setattr(owner, attribute, wrong(getattr(owner, attribute)))
    try:
        check()
    except Exception:  # noqa: BLE001 - a crash is noticed as well
        return
    except pytest.fail.Exception:  # pytest.raises, where nothing was raised
        return
    pytest.fail(f"no check noticed that {name}")
