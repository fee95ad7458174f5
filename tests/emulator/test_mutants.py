"""Rendered kernels with one synchronization left out, each in turn: none may give wrong results without a report.

Where a mutant gives the right results and no report, the synchronization was not needed at that size (the last turn of
a ring gives back a slot that nobody fills again).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.dtype import dtypes
from lazygrad.engine import run as run_module
from lazygrad.errors import KernelError
from lazygrad.runtime import host
from lazygrad.runtime.base import KernelSource, Launch, Prepared
from lazygrad.runtime.emulator.launch import EmulatedPrepared
from lazygrad.runtime.emulator.runtime import EmulatedRuntime
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings
from tests.tiling.matrix_programs import warp_groups

from .harness import Data, floats, small_integers

SYNCHRONIZATION = re.compile(
    r"(?:__sync(?:threads|warp)|lg_(?:copy|store|wgmma)_(?:wait|commit)|lg_wgmma_fence|lg_barrier_(?:wait|arrive|expect|ready)"
    r"|lg_fence_async|lg_cluster_sync|lg_sync_items)(?:<\d+>)?\([^;]*\);"
)


@dataclass
class Recorded:
    """One launch: what ran, and its memory before."""

    launch: Launch
    arrays: list[Data]

    def run(self, source: KernelSource) -> list[Data]:
        """The arrays after the same launch of another text."""
        device = open_device("CUDA_EMULATED")
        (executable,) = device.build([source])
        arrays = [a.copy() for a in self.arrays]
        memories = tuple(device.wrap(a) for a in arrays)
        device.prepare([replace(self.launch, executable=executable, memories=memories)]).run()
        return arrays


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Recorded]]:
    """Every launch from here on, by plans that are made anew: those that ran before are prepared already."""
    recorded: list[Recorded] = []
    waiting: dict[int, list[Launch]] = {}
    prepare, run = EmulatedRuntime.prepare, EmulatedPrepared.run

    def note(self: EmulatedRuntime, given: Any) -> Prepared:
        made = prepare(self, given)
        waiting[id(made)] = list(given)
        return made

    def record(self: EmulatedPrepared, profile: bool = False, begun: list[bool] | None = None) -> list[float] | None:
        for launch in waiting.get(id(self), ()):
            held = [m.host[: m.nbytes].copy() for m in launch.memories if m.host is not None]
            recorded.append(Recorded(launch, held))
        return run(self, profile, begun)

    monkeypatch.setattr(run_module, "_runners", {})
    monkeypatch.setattr(EmulatedRuntime, "prepare", note)
    monkeypatch.setattr(EmulatedPrepared, "run", record)
    with settings.override(device="CUDA_EMULATED", debug=0):
        yield recorded


def half(x: Data) -> Tensor:
    return Tensor(x).cast(dtypes.bfloat16).realize()


def product(rows: int, columns: int, depth: int) -> Tensor:
    """With an epilogue, stored as 16-bit floats."""
    return (half(small_integers(rows, depth)) @ half(small_integers(depth, columns))).relu()


def tf32_product(rows: int, columns: int, depth: int) -> Tensor:
    """Of factors whose fragments are loaded in both ways."""
    with settings.override(float32_matmul_precision="high"):
        return Tensor(small_integers(rows, depth)).realize() @ Tensor(small_integers(depth, columns)).realize()


def by_groups(alternate: bool) -> Tensor:
    with warp_groups(alternate):
        return product(768, 64, 584).realize()


def divided() -> Tensor:
    """Two blocks, whose depth two clusters share."""
    with warp_groups(alternate=False, splits=2):
        return product(512, 64, 584).realize()


CASES: dict[str, tuple[str, Callable[[], Tensor], float]] = {
    "softmax": ("sm_90a", lambda: Tensor(floats(5, 501)).softmax(-1), 1.0),
    "total": ("sm_90a", lambda: Tensor(floats(5003)).sum(), 1.0),
    "products": ("sm_90a", lambda: Tensor(floats(97, 70)) @ Tensor(floats(70, 66)), 0.8),
    "warps": ("sm_80", lambda: product(128, 128, 200), 0.8),
    "warps, TF32": ("sm_80", lambda: tf32_product(128, 128, 100), 0.8),
    "warp groups together": ("sm_90a", lambda: by_groups(alternate=False), 0.6),
    "warp groups in turns": ("sm_90a", lambda: by_groups(alternate=True), 0.6),
    "warp groups, depth divided": ("sm_90a", divided, 0.6),
}


@pytest.mark.parametrize("name", CASES)
def test_leaving_out_a_synchronization_is_reported(name: str, launches: list[Recorded], breadth: int) -> None:
    arch, make, least = CASES[name]
    with settings.override(emulated_arch=arch):
        make().realize()
        last = launches[-1]
        source = last.launch.executable.source
        right = last.run(source)
        start = source.text.index('extern "C" __global__')
        every = list(SYNCHRONIZATION.finditer(source.text, start))
        places = every[:: -(-len(every) // (12 * breadth))]
        with ThreadPoolExecutor(host.usable_cores()) as pool:  # the compiler is a process of its own
            list(pool.map(lambda found: open_device("CUDA_EMULATED").build([without(source, found)]), places))
        reported = sum(is_reported(last, source, found, right) for found in places)
    assert reported >= max(1, least * len(places)), f"{reported} of {len(places)} reported"


ROUNDING = re.compile(r"lg_load_(?P<matrix>matrix_)?tf32\((?P<to>[^,]*), (?P<place>[^;]*)\);")


def test_leaving_out_the_rounding_to_tf32_is_reported(launches: list[Recorded]) -> None:
    with settings.override(emulated_arch="sm_80", float32_matmul_precision="high"):
        (Tensor(floats(64, 48)).realize() @ Tensor(floats(48, 64, seed=1)).realize()).realize()
        last = launches[-1]
        source = last.launch.executable.source
        places = list(ROUNDING.finditer(source.text, source.text.index('extern "C" __global__')))
        assert {bool(found["matrix"]) for found in places} == {True, False}
        for found in places:
            to, place = found["to"], found["place"]
            exact = (
                f"lg_load_matrix<0>((unsigned int *)({to}), {place});" if found["matrix"] else f"*({to}) = *({place});"
            )
            mutant = replace(source, text=source.text[: found.start()] + exact + source.text[found.end() :])
            with pytest.raises(KernelError, match="is not rounded to TF32"):
                last.run(mutant)


def without(source: KernelSource, found: re.Match[str]) -> KernelSource:
    """The kernel without one statement."""
    return replace(source, text=source.text[: found.start()] + ";" + source.text[found.end() :])


def is_reported(last: Recorded, source: KernelSource, found: re.Match[str], right: list[Data]) -> bool:
    """Whether the kernel without one statement is reported; fails where it is not, and its results are others."""
    mutant = without(source, found)
    for seed in (0, 1):
        with settings.override(emulated_seed=seed):
            try:
                results = last.run(mutant)
            except KernelError:
                return True
        line = source.text[: found.start()].count("\n") + 1
        for ours, theirs in zip(results, right):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"without {found[0]} in line {line}: no report")
    return False


def test_who_comes_last_does_not_matter(launches: list[Recorded]) -> None:
    """The same bits in every order of clusters; where the last one begins with its own part, others."""
    with settings.override(emulated_arch="sm_90a"), warp_groups(alternate=False, splits=3):
        (half(floats(256, 584)).float() @ half(floats(584, 64, seed=1)).float()).realize()
    last = launches[-1]
    source = last.launch.executable.source
    loop = re.compile(r"for \(int part = 0; part < 3; part\+\+\) \{\n")
    assert len(loop.findall(source.text)) == 1
    begin = "for (int k = 0; k < 3; k++) { const int part = (k + split0) % 3;\n"
    own_first = replace(source, text=loop.sub(begin, source.text))
    ours, mutants = set(), set()
    for seed in (0, 1, 2, 3):
        with settings.override(emulated_seed=seed):
            ours.add(last.run(source)[2].tobytes())
            mutants.add(last.run(own_first)[2].tobytes())
    assert len(ours) == 1 and len(mutants) > 1


def test_tickets_that_are_not_put_back_are_found(launches: list[Recorded]) -> None:
    with settings.override(emulated_arch="sm_90a"):
        divided()
    last = launches[-1]
    source = last.launch.executable.source
    right = last.run(source)
    mutant, changes = re.subn(r"tickets\[[^]]*\] = 0;", ";", source.text)
    assert changes == 1
    wrong = last.run(replace(source, text=mutant))
    assert [np.array_equal(a, b) for a, b in zip(right, wrong)] == [True, True, True, True, False]
