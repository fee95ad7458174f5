"""CUDA kernels on the processor: every thread a fiber, every access checked.

`LAZYGRAD_DEVICE=CUDA_EMULATED` runs the very text that NVRTC would compile, as C++, with the meaning that CUDA and PTX
give it. It is for tests on machines without a GPU, and for finding out what a kernel does wrong: where a GPU hangs,
or gives other numbers every tenth time, this says who waits where, or who wrote what without a barrier. It is no
way to compute fast, and it says nothing about speed on a GPU.

From text to machine code (`translate.py`, `toolchain.py`):

1.  A shared array's declaration becomes a reference to memory of the block; each kernel gets an entry that takes
    its arguments as the driver would. Nothing else of the text changes.
2.  `device.hpp` stands for what NVRTC has built in (`threadIdx`, `__syncthreads`, shuffles), `device_prelude.hpp` and
    `device_async.hpp` for lazygrad's own names, which on a GPU are a few lines of PTX each.
3.  The system's compiler makes a shared object of all kernels that are built together. Its thread sanitizer puts a
    call before every access to memory (`__tsan_read4(p)`); the sanitizer's library is not linked, and the functions
    of these names are ours (`access.hpp`).

How a CUDA thread becomes a fiber (`fiber.hpp`, `scheduler.hpp`):

    A fiber is a stack, and a stack pointer while it does not run. Switching from one to another saves six registers
    and loads six others: about ten nanoseconds, no system call. A block's threads run one after the other on one
    stack, as plain function calls, for as long as none has to wait. A thread that comes to `__syncthreads` before
    the others keeps its stack, and the next thread begins on another one; when the last thread has come, all of
    them are ready again. So a kernel without barriers costs no switch, and one with barriers costs one for each
    thread and barrier.

        thread 0   run ---- wait . . . . . . . . run ----        stack 0
        thread 1            run ---- wait . . . . . run ----     stack 1
        thread 2                     run ---- run - - -          stack 2: the last one need not wait

    What lanes of a warp do together (shuffles, votes, `mma`) is done by the last lane that comes, for all of them
    (`barrier.hpp`, `mma.hpp`). The blocks of a cluster run at the same time in the same way; blocks that are not of one
    cluster run one after the other, or on several cores, with the same results.

Things that happen by themselves on a GPU (`tma.hpp`, `mbarrier.hpp`, `wgmma.hpp`): copies and matrix operations are
done as late as their waits allow. Until then their bytes are marked, so that touching them is an error however the
timing falls. `LAZYGRAD_EMULATED_SEED` runs threads and copies in random orders, and the last clusters first.

What is reported, as a KernelError with the kernel, block, thread, array, index and line (`shadow.hpp` tells how):

    accesses out of bounds, also of shared and local arrays     misaligned accesses
    reads of shared memory that nobody has written              races on shared memory, also with copies under way
    deadlocks, and who waits where                              barriers and collectives in divergent code
    endless loops                                               barrier objects used before they are ready
    missing fences before copies out of shared memory           blocks of a cluster that end too early
    tensor maps that the hardware would refuse                  too much shared memory, too many registers

What is not seen: races on global memory, a GPU's rounding and special functions (the host's `expf` is another), limits
of registers (`ptxas` knows), and whether accesses coalesce. `LAZYGRAD_EMULATED_CHECKS=0` leaves all checks out.

A kernel by hand; `x` is one element too short:

>>> from lazygrad.errors import KernelError
>>> from lazygrad.runtime.base import KernelSource, Launch
>>> text = '''extern "C" __global__ void twice(const float *x, float *y) {
...   y[threadIdx.x] = 2 * x[threadIdx.x];
... }'''
>>> device = EmulatedRuntime()
>>> (kernel,) = device.build([KernelSource("twice", text, "twice")])
>>> x, y = (device.wrap(np.ones(n, "float32")) for n in (31, 32))
>>> try:
...     device.prepare([Launch(kernel, (x, y), (), (32,), (32,))]).run()
... except KernelError as error:
...     print(error)
kernel 'twice': block 0, thread 31: out of bounds: it reads 4 bytes at x[31], which has 31 elements
  line 2: y[threadIdx.x] = 2 * x[threadIdx.x];
"""

from .runtime import EmulatedRuntime

__all__ = ["EmulatedRuntime"]
