"""The pool: reuse, accounting, limits, and what happens when memory runs out."""

from __future__ import annotations

import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazygrad.errors import OutOfMemoryError
from lazygrad.runtime.pool import Block, Lease, Pool, size_class

MIB = 1 << 20


class Device:
    """A device with so many bytes, that knows what it gave."""

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity, self.used, self.created, self.settled = capacity, 0, 0, 0

    def create(self, size: int) -> Block:
        if self.used + size > self.capacity:
            raise MemoryError("device is full")
        self.used += size
        self.created += 1
        return Block(_Bytes(self, size), None, size)

    def settle(self) -> None:
        self.settled += 1

    def pool(self, limit: int = 1 << 40, max_block: int = 1 << 40) -> Pool:
        return Pool("DEVICE", self.create, self.settle, limit, max_block, 4096)


class _Bytes:
    """A block's handle; the device has the bytes back when it dies."""

    def __init__(self, device: Device, size: int) -> None:
        self.device, self.size = device, size

    def __del__(self) -> None:
        self.device.used -= self.size


def test_a_freed_block_is_used_again() -> None:
    device = Device()
    pool = device.pool()
    lease = pool.allocate(MIB)
    block = lease.block
    del lease
    assert (pool.live_bytes, pool.cached_bytes) == (0, block.size)
    assert pool.allocate(MIB - 100).block is block
    assert (device.created, pool.allocations, pool.reuses) == (1, 2, 1)


def test_a_slightly_larger_block_serves_and_a_much_larger_one_does_not() -> None:
    pool = Device().pool()
    held = pool.allocate(10 * MIB)
    block = held.block
    del held
    near = pool.allocate(9 * MIB)
    assert near.block is block
    del near
    assert pool.allocate(5 * MIB).block is not block


def test_live_and_peak() -> None:
    pool = Device().pool()
    first, second = pool.allocate(1000), pool.allocate(5000)
    assert (pool.live_bytes, pool.peak_bytes) == (6000, 6000)
    del first
    assert (pool.live_bytes, pool.peak_bytes) == (5000, 6000)
    pool.reset_peak()
    assert pool.peak_bytes == 5000
    del second


def test_a_limit_frees_what_is_cached_before_it_fails() -> None:
    device = Device()
    pool = device.pool(limit=10 * MIB)
    cached = pool.allocate(6 * MIB)
    del cached
    held = pool.allocate(8 * MIB, "weights")
    assert (device.used, pool.cached_bytes, device.settled) == (8 * MIB, 0, 1)
    with pytest.raises(OutOfMemoryError, match=r"3\.0 MiB requested, 8\.0 MiB live, 0 B cached, limit 10\.0 MiB"):
        pool.allocate(3 * MIB)
    assert pool.live_bytes == 8 * MIB
    del held
    assert pool.allocate(9 * MIB).block.size >= 9 * MIB


def test_a_full_device_is_asked_twice() -> None:
    device = Device(capacity=10 * MIB)
    pool = device.pool()
    cached = pool.allocate(6 * MIB)
    del cached
    held = pool.allocate(9 * MIB, "activations")
    with pytest.raises(OutOfMemoryError, match="activations") as caught:
        pool.allocate(2 * MIB)
    assert isinstance(caught.value.__cause__, MemoryError)
    assert caught.value.largest == ((9 * MIB, "activations"),)
    del held


def test_the_largest_single_block() -> None:
    with pytest.raises(OutOfMemoryError, match=r"limit 4\.0 MiB"):
        Device().pool(max_block=4 * MIB).allocate(5 * MIB)


def test_largest_holders_are_grouped() -> None:
    pool = Device().pool()
    held = [pool.allocate(MIB, "layer") for _ in range(3)] + [pool.allocate(2 * MIB, "table"), pool.allocate(5)]
    assert pool.largest(2) == [(3 * MIB, "layer (3 blocks)"), (2 * MIB, "table")]
    assert pool.largest()[-1] == (5, "unnamed")
    del held


def test_trim_gives_everything_back() -> None:
    device = Device()
    pool = device.pool()
    leases = [pool.allocate(n * MIB) for n in (1, 2, 3)]
    assert pool.trim() == 0
    del leases
    assert pool.trim() == 6 * MIB
    assert (device.used, device.settled) == (0, 1)


def test_leases_that_die_inside_the_pool_and_in_threads() -> None:
    """A lease may die in any thread, and in the garbage collector while the pool is at work."""
    pool = Device().pool()

    def churn() -> None:
        for n in range(300):
            cycle: list[object] = [pool.allocate(n + 1)]
            cycle.append(cycle)

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert pool.live_bytes == 0
    assert pool.allocations == 1200


def test_a_lease_without_a_pool() -> None:
    lease = Lease(Block("handle", None, 1), None)
    del lease


@given(st.integers(0, 1 << 40))
def test_size_class_fits_and_wastes_little(nbytes: int) -> None:
    size = size_class(nbytes, 4096)
    assert size >= max(nbytes, 1)
    assert size % 4096 == 0
    assert size - nbytes <= max(4096, nbytes / 8)
    assert size_class(size, 4096) == size


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 200_000)), max_size=60))
def test_accounting_against_a_model(steps: list[tuple[int, int]]) -> None:
    """Any sequence of uses: live bytes are the sum of what is held, and no block has two holders."""
    device = Device()
    pool = device.pool()
    held: dict[int, tuple[Lease, int]] = {}
    for slot, nbytes in steps:
        if slot in held:
            del held[slot]
        else:
            held[slot] = (pool.allocate(nbytes), nbytes)
        assert pool.live_bytes == sum(nbytes for _, nbytes in held.values())
        blocks = [lease.block for lease, _ in held.values()]
        assert len(set(blocks)) == len(blocks)
        assert device.used == pool.cached_bytes + sum(block.size for block in blocks)
