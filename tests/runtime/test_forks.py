"""Forked children: an answer or a clear error, never a hang; whatever the parent was doing, it goes on working."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

HELP = """
import gc, os, signal, sys, threading, warnings
import concurrent.futures, multiprocessing
import numpy as np
from lazygrad import Tensor, jit, manual_seed
from lazygrad.errors import DeviceError
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
fork = multiprocessing.get_context("fork")

def compute(n=1):
    return (Tensor([1.0, float(n)]) + 1).sum().item()

def compute_with_numpy(n=1):
    return (Tensor([1.0, float(n)], device="NUMPY") + 1).sum().item()

def drawn(_=0):
    return Tensor.rand(4, device="NUMPY").tolist()

def refused(work):
    try:
        work()
    except DeviceError as error:
        text = str(error)
        return "before this process was forked" in text and "'spawn'" in text and "device='NUMPY'" in text
    return False

def in_child(work):
    # The exit status of a forked child that does `work` and then ends as a script does; a hang ends by a signal.
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        sys.exit(work())
    return os.waitpid(pid, 0)[1]

def check(work):
    status = in_child(lambda: 0 if work() else 7)
    assert status == 0, status
"""


def run(script: str, timeout: float = 120) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP + script], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr


def test_a_child_of_a_process_that_used_the_emulated_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZYGRAD_DEVICE", "CUDA_EMULATED")
    run("""
kept = Tensor([1.0, 2.0]).add(1).realize()
check(lambda: refused(compute) and refused(kept.numpy) and compute_with_numpy() == 4)
assert kept.tolist() == [2, 3]
""")


def test_a_child_of_a_process_that_used_a_device() -> None:
    run("""
assert compute() == 4
base = Tensor(np.arange(6000.0, dtype="float32")) * 1
kept, stored, late = (base[10:5000] + 1).realize(), Tensor([5.0]), Tensor([1.0]) * 3
on_numpy = Tensor([1.0, 2.0], device="NUMPY")
twice = jit(lambda x: (x * 2, x + 1)[0])
state = Tensor([1.0]).realize()
step = jit(lambda: state.add_(1))
for _ in range(3):
    twice(stored), step()
gc.freeze()  # what Python's documentation advises before a fork

def uses():
    return all(map(refused, (compute, kept.numpy, late.item, lambda: print(stored), lambda: twice(stored), step,
                             lambda: on_numpy.to(kept.device).numpy(), lambda: kept.to("NUMPY").numpy())))

def drops():
    global base, kept, stored, late, twice, step, state
    del base, kept, stored, late, twice, step, state
    return not gc.collect() < 0

def changes_what_the_environment_says():
    os.environ["LAZYGRAD_DEVICE"] = "NUMPY"
    return compute() == 4

check(uses)
check(drops)
check(changes_what_the_environment_says)
check(lambda: compute_with_numpy() == 4 and on_numpy.sum().item() == 3)
check(lambda: in_child(lambda: 0 if uses() and compute_with_numpy() == 4 else 7) == 0)  # a child's child
assert compute() == 4 and twice(stored).item() == 10 and kept[0].item() == 11 and late.item() == 3
assert step().item() == 5
""")


def test_pools_of_forked_processes() -> None:
    run("""
assert compute() == 4
with fork.Pool(2) as pool:
    assert pool.map(compute_with_numpy, [1, 2]) == [4, 5]
    assert refused(lambda: pool.map(compute, [1]))
with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
    assert list(pool.map(compute_with_numpy, [1, 2])) == [4, 5]
    assert refused(lambda: pool.submit(compute).result())
assert compute() == 4
""")


def test_a_child_opens_what_its_parent_has_not() -> None:
    run("""
with fork.Pool(2) as pool:
    assert pool.map(compute, [1, 2]) == [4, 5]
check(lambda: compute() == 4 and in_child(lambda: 0 if refused(compute) else 7) == 0)
assert compute() == 4
""")


def test_children_of_a_process_whose_threads_compute() -> None:
    """The parent forks while kernels are in flight, others compile, and threads hold whatever locks there are."""
    run("""
compute()
a = Tensor(np.ones((128, 128), "float32"))
ended, failed = threading.Event(), []

def launch(number):
    n = 0
    while not ended.is_set():
        n += 1
        rows = n % 40 + 1  # another kernel now and then
        total = ((Tensor(np.ones((rows, 128), "float32")) @ a) @ a).sum().item()
        (Tensor(np.ones(rows, "float32"), device="NUMPY") * 2).sum().realize()
        if total != rows * 128**3:
            failed.append(total)

threads = [threading.Thread(target=launch, args=(n,)) for n in range(2)]
for thread in threads:
    thread.start()
try:
    for _ in range(4):
        check(lambda: refused(compute) and compute_with_numpy() == 4)
        check(lambda: refused(a.numpy))
finally:
    ended.set()
    for thread in threads:
        thread.join()
assert not failed and a.sum().item() == 128**2
""")


def test_children_draw_other_numbers_than_their_parent_and_siblings() -> None:
    script = """
compute_with_numpy()

def draws():
    manual_seed(3)
    drawn()
    with fork.Pool(1) as first, fork.Pool(1) as second:
        found = [first.apply(drawn), first.apply(drawn), second.apply(drawn), drawn()]
    with fork.Pool(1) as third:
        return [*found, third.apply(drawn)]

found = draws()
assert len(set(map(tuple, found))) == 5, found
assert draws() == found  # the seed decides the children's numbers too
def seeded():
    manual_seed(3)
    return drawn()
with fork.Pool(1) as pool:
    assert pool.apply(seeded) == seeded()
"""
    run(script)


def test_blocks_are_not_shared_with_a_child() -> None:
    """Large blocks are mapped: a child that writes to one must not write to its parent's."""
    run("""
big = Tensor(np.ones(1 << 20, "float32"), device="NUMPY")
check(lambda: big.add_(1).sum().item() == 2 << 20)
assert big.sum().item() == 1 << 20
""")


def test_every_lock_of_the_house_is_free_in_a_child() -> None:
    """Locks come from `forks.lock`; but one that a thread may take twice, which its module looks after, and those of
    gradient modes, which are their thread's own and which nobody waits for."""
    found = {}
    for folder in ("lazygrad", "runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
            made = [n for n in names if n in ("Lock", "RLock", "Condition", "Semaphore", "Event", "Barrier")]
            calls = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
            made = [call for call in calls if call.startswith("threading.") and call.split(".")[1] in made]
            if made:
                found[path.relative_to(ROOT).as_posix()] = made
    modes = found.pop("lazygrad/ops/mode.py")
    assert modes == ["threading.Lock"]
    assert found == {"lazygrad/forks.py": ["threading.Lock"], "runtime/registry.py": ["threading.RLock"]}


def test_a_lock_that_a_thread_holds_is_free_in_a_child() -> None:
    run("""
from lazygrad.ops.generator import default_generator
from lazygrad.runtime import registry
pool = registry.open_device("NUMPY").pool
locks = [default_generator._lock, pool._lock, registry._lock]
held, ended = threading.Event(), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    ended.wait()

thread = threading.Thread(target=hold, daemon=True)
thread.start()
held.wait()
check(lambda: compute_with_numpy() == 4 and bool(drawn()))
os._exit(0)  # the thread holds them still
""")
