"""Names of rendered CUDA kernels for asynchronous copies, barriers, clusters and matrix units.

As in `cuda_prelude`: bodies of kernels are plain C++ over these names; only their definitions hold inline PTX ("PTX
ISA", sections on `cp.async`, `ldmatrix`, `mma`, `mbarrier`, `cp.async.bulk.tensor`, `wgmma`, `setmaxnreg`). `shared` is
memory of this work-group. Words are 32 bits.

For sm_80 and later, by one work-item:

    lg_copy_async<bytes>(shared, from, valid)
        starts to copy 16 bytes (or 8, or 4), aligned to so many; 0 where not `valid` (then nothing is read)
    lg_copy_commit()
        what this work-item started since the last commit is one batch
    lg_copy_wait<n>()
        until at most the latest n of its batches are unfinished

by all work-items of a warp:

    lg_load_matrix<transposed>(words, row)
        four 8 x 8 matrices of 16-bit elements to 4 words of each work-item. Item 8 * m + r gives the address of
        row r (16 bytes of local memory) of matrix m; item t gets, of matrix m, elements t%4*2 and t%4*2+1 of
        row t/4 in words[m]; `transposed`: of column t/4
    lg_mma_bf16(acc, a, b)
        float acc[4] += a * b of 16 x 16 by 16 x 8, words a[4] and b[2]: mma.m16n8k16;
    lg_mma_f16(acc, a, b)
        fragments as `tile.layout.Fragment` has them; those for float32 numbers are listed in `cuda_tf32`

For sm_90a, by one work-item:

    lg_barrier_init(barrier, arrivals)
        `barrier` is an unsigned long in local memory
    lg_barrier_ready()
        what was initialized is seen by the whole cluster and by the copy engine
    lg_barrier_expect(barrier, bytes)
        arrives; the phase ends after so many bytes have come, too
    lg_barrier_arrive(barrier, block)
        arrives at the same barrier of work-group number `block` of the cluster
    lg_barrier_wait(barrier, phase)
        until the phase of this parity (0 for the first one) has ended
    lg_tensor_load(shared, &map, barrier, c0, c1, ...)
        starts to copy the map's box at these coordinates, the innermost first, swizzled; tells the barrier its
        bytes. Elements outside are 0
    lg_tensor_load_all(shared, &map, barrier, mask, c0, c1, ...)
        the same to the same place of each work-group in `mask`
    lg_tensor_store(&map, shared, c0, c1, ...)
        starts to copy the other way; elements outside are not written
    lg_store_commit(), lg_store_wait<n>()
        as for copies; after the wait local memory has been read
    lg_fence_async()
        what this work-item wrote to local memory is seen by the copy engine and wgmma
    lg_cluster_rank(), lg_cluster_sync()
        number of this work-group in its cluster; all work-items of the cluster meet

by all work-items of a warp group (128 neighbours):

    lg_matrix<swizzle>(shared, lead, stride)
        a matrix in local memory (an lg_descriptor): `stride` bytes between groups of 8 lines of `swizzle`
        bytes, `lead` bytes between parts of lines cut apart
    lg_wgmma_bf16_n256<ta, tb>(acc, a, b)
        starts float acc[128] += a * b of 64 x 16 by 16 x 256, both lg_matrix; ta, tb: 1 where lines run along
        the rows of a, along the columns of b, instead of along the depth. Also n64, n128, n192, and f16
    lg_wgmma_fence()
        registers are ready to be accumulated in
    lg_wgmma_commit(), lg_wgmma_wait<n>()
        as for copies
    lg_wgmma_hold<n>(acc)
        nothing moves accesses of float acc[n] from behind here to before
    lg_registers_increase<n>(), lg_registers_decrease<n>()
        of each work-item from now on

by any number of whole warps:

    lg_sync_items(number, items)
        so many work-items meet at barrier `number` (1 to 15)
    lg_uniform(x)
        x, which is the same in all work-items of a warp
    lg_any(x), lg_vote(x, k)
        whether x is not 0 in some work-item of the warp; in bit i, bit k of work-item i's x
    lg_count(x), lg_take(x)
        how many bits of x are set; the number of the lowest one, which is cleared
"""

from __future__ import annotations

from .cuda_prelude import Definition
from .cuda_tf32 import TF32

_DEVICE = "__device__ __forceinline__"
WGMMA_COLUMNS = (64, 128, 192, 256)


def _function(
    head: str, *body: str, result: str = "void", template: str = "", needs: tuple[str, ...] = ()
) -> Definition:
    before = f"template <{template}> " if template else ""
    return Definition("\n".join([f"{before}{_DEVICE} {result} {head} {{", *(f"  {line}" for line in body), "}"]), needs)


def _asm(text: str, outputs: str = "", inputs: str = "") -> str:
    return f'asm volatile("{text}" : {outputs} : {inputs} : "memory");'


def _mma(kind: str) -> Definition:
    return _function(
        f"lg_mma_{kind}(float *acc, const unsigned int *a, const unsigned int *b)",
        f'asm("mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32 {{%0,%1,%2,%3}}, {{%4,%5,%6,%7}}, {{%8,%9}}, "',
        '    "{%0,%1,%2,%3};" : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])',
        '    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));',
    )


def _wgmma(kind: str, columns: int) -> Definition:
    count = columns // 2
    registers = ",".join(f"%{k}" for k in range(count))
    outputs = ", ".join(f'"+f"(acc[{k}])' for k in range(count))
    return _function(
        f"lg_wgmma_{kind}_n{columns}(float *acc, lg_descriptor a, lg_descriptor b)",
        f'asm volatile("wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.{kind}.{kind} {{{registers}}}, "',
        f'    "%{count}, %{count + 1}, 1, 1, 1, %{count + 2}, %{count + 3};" : {outputs}',
        '    : "l"(a), "l"(b), "n"(TA), "n"(TB));',
        template="int TA, int TB",
        needs=("lg_descriptor",),
    )


def _tensor_load(mask: bool) -> Definition:
    """Overloads for two to five coordinates."""
    parts = []
    for axes in range(2, 6):
        names = [f"c{k}" for k in range(axes)]
        own = ", const int mask" if mask else ""
        head = f"lg_tensor_load{'_all' * mask}(void *to, const lg_tensor_map *map, unsigned long *barrier{own}, "
        head += ", ".join(f"int {name}" for name in names) + ")"
        at = ",".join(f"%{3 + k}" for k in range(axes))
        text = f"cp.async.bulk.tensor.{axes}d.shared::cluster.global.mbarrier::complete_tx::bytes"
        text += f"{'.multicast::cluster' * mask} [%0], [%1, {{{at}}}], [%2]{f', %{3 + axes}' * mask};"
        inputs = '"r"(lg_shared(to)), "l"(map), "r"(lg_shared(barrier)), '
        inputs += ", ".join(f'"r"({name})' for name in names) + ', "h"((unsigned short)mask)' * mask
        parts.append(_function(head, _asm(text, "", inputs)).text)
    return Definition("\n".join(parts), ("lg_shared", "lg_tensor_map"))


def _tensor_store() -> Definition:
    parts = []
    for axes in range(2, 6):
        names = [f"c{k}" for k in range(axes)]
        head = "lg_tensor_store(const lg_tensor_map *map, const void *from, "
        head += ", ".join(f"int {name}" for name in names) + ")"
        at = ",".join(f"%{2 + k}" for k in range(axes))
        text = f"cp.async.bulk.tensor.{axes}d.global.shared::cta.bulk_group [%0, {{{at}}}], [%1];"
        inputs = '"l"(map), "r"(lg_shared(from)), ' + ", ".join(f'"r"({name})' for name in names)
        parts.append(_function(head, _asm(text, "", inputs)).text)
    return Definition("\n".join(parts), ("lg_shared", "lg_tensor_map"))


_SHARED = ("lg_shared",)
_BARRIER = '"r"(lg_shared(barrier))'
ASYNC = {
    "lg_shared": _function(
        "lg_shared(const void *p)", "return (unsigned int)__cvta_generic_to_shared(p);", result="unsigned int"
    ),
    "lg_copy_async": _function(
        "lg_copy_async(void *to, const void *from, int valid)",
        "if constexpr (N == 16)",
        _asm("cp.async.cg.shared.global [%0], [%1], 16, %2;", "", '"r"(lg_shared(to)), "l"(from), "r"(valid ? 16 : 0)'),
        "else",
        _asm(
            "cp.async.ca.shared.global [%0], [%1], %2, %3;",
            "",
            '"r"(lg_shared(to)), "l"(from), "n"(N), "r"(valid ? N : 0)',
        ),
        template="int N = 16",
        needs=_SHARED,
    ),
    "lg_copy_commit": _function("lg_copy_commit()", _asm("cp.async.commit_group;")),
    "lg_copy_wait": _function("lg_copy_wait()", _asm("cp.async.wait_group %0;", "", '"n"(N)'), template="int N"),
    "lg_load_matrix": _function(
        "lg_load_matrix(unsigned int *to, const void *row)",
        "const unsigned int from = lg_shared(row);",
        "if constexpr (T) {",
        _asm(
            "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];",
            '"=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])',
            '"r"(from)',
        ),
        "} else {",
        _asm(
            "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];",
            '"=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])',
            '"r"(from)',
        ),
        "}",
        template="int T",
        needs=_SHARED,
    ),
    "lg_mma_bf16": _mma("bf16"),
    "lg_mma_f16": _mma("f16"),
    **TF32,
    "lg_barrier_init": _function(
        "lg_barrier_init(unsigned long *barrier, int arrivals)",
        _asm("mbarrier.init.shared::cta.b64 [%0], %1;", "", f'{_BARRIER}, "r"(arrivals)'),
        needs=_SHARED,
    ),
    "lg_barrier_ready": _function(
        "lg_barrier_ready()", _asm("fence.mbarrier_init.release.cluster; fence.proxy.async.shared::cta;")
    ),
    "lg_barrier_expect": _function(
        "lg_barrier_expect(unsigned long *barrier, int bytes)",
        _asm("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;", "", f'{_BARRIER}, "r"(bytes)'),
        needs=_SHARED,
    ),
    "lg_barrier_arrive": _function(  # matrix units have read by now, and write nothing: no release to the cluster,
        "lg_barrier_arrive(unsigned long *barrier, int block)",  # for which it would wait for all of device memory
        _asm(
            "{ .reg .b32 far; mapa.shared::cluster.u32 far, %0, %1; mbarrier.arrive.shared::cluster.b64 _, [far]; }",
            "",
            f'{_BARRIER}, "r"(block)',
        ),
        needs=_SHARED,
    ),
    "lg_barrier_wait": _function(
        "lg_barrier_wait(unsigned long *barrier, int phase)",
        "unsigned int over;",
        "do {",
        _asm(
            "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }",
            '"=r"(over)',
            f'{_BARRIER}, "r"(phase)',
        ),
        "} while (!over);",
        needs=_SHARED,
    ),
    "lg_tensor_map": Definition("struct __align__(64) lg_tensor_map {\n  unsigned char bytes[128];\n};"),
    "lg_tensor_load": _tensor_load(False),
    "lg_tensor_load_all": _tensor_load(True),
    "lg_tensor_store": _tensor_store(),
    "lg_store_commit": _function("lg_store_commit()", _asm("cp.async.bulk.commit_group;")),
    "lg_store_wait": _function(
        "lg_store_wait()", _asm("cp.async.bulk.wait_group.read %0;", "", '"n"(N)'), template="int N"
    ),
    "lg_fence_async": _function("lg_fence_async()", _asm("fence.proxy.async.shared::cta;")),
    "lg_cluster_rank": _function(
        "lg_cluster_rank()",
        "int rank;",
        'asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));',
        "return rank;",
        result="int",
    ),
    "lg_cluster_sync": _function("lg_cluster_sync()", _asm("barrier.cluster.arrive; barrier.cluster.wait;")),
    "lg_descriptor": Definition("typedef unsigned long lg_descriptor;"),
    # The start, leading and stride fields count units of 16 bytes ("PTX ISA", "Matrix Descriptor Format").
    "lg_matrix": _function(
        "lg_matrix(const void *p, int lead, int stride)",
        "const unsigned long kind = S == 128 ? 1 : S == 64 ? 2 : 3;",
        "const unsigned long start = (lg_shared(p) & 0x3ffff) >> 4;",
        "return start | (unsigned long)(lead >> 4) << 16 | (unsigned long)(stride >> 4) << 32 | kind << 62;",
        result="lg_descriptor",
        template="int S",
        needs=("lg_shared", "lg_descriptor"),
    ),
    **{f"lg_wgmma_{kind}_n{n}": _wgmma(kind, n) for kind in ("bf16", "f16") for n in WGMMA_COLUMNS},
    "lg_wgmma_fence": _function("lg_wgmma_fence()", _asm("wgmma.fence.sync.aligned;")),
    "lg_wgmma_commit": _function("lg_wgmma_commit()", _asm("wgmma.commit_group.sync.aligned;")),
    "lg_wgmma_wait": _function(
        "lg_wgmma_wait()", _asm("wgmma.wait_group.sync.aligned %0;", "", '"n"(N)'), template="int N"
    ),
    "lg_wgmma_hold": _function(
        "lg_wgmma_hold(float *acc)",
        "#pragma unroll",
        'for (int k = 0; k < N; k++) asm volatile("" : "+f"(acc[k]) :: "memory");',
        template="int N",
    ),
    "lg_registers_increase": _function(
        "lg_registers_increase()", _asm("setmaxnreg.inc.sync.aligned.u32 %0;", "", '"n"(N)'), template="int N"
    ),
    "lg_registers_decrease": _function(
        "lg_registers_decrease()", _asm("setmaxnreg.dec.sync.aligned.u32 %0;", "", '"n"(N)'), template="int N"
    ),
    "lg_sync_items": _function(
        "lg_sync_items(int number, int items)", _asm("barrier.sync %0, %1;", "", '"r"(number), "r"(items)')
    ),
    "lg_uniform": _function("lg_uniform(int x)", "return __shfl_sync(0xffffffffu, x, 0);", result="int"),
    "lg_any": _function("lg_any(int x)", "return __any_sync(0xffffffffu, x);", result="int"),
    "lg_vote": _function("lg_vote(int x, int k)", "return __ballot_sync(0xffffffffu, x >> k & 1);", result="int"),
    "lg_count": _function("lg_count(int x)", "return __popc(x);", result="int"),
    "lg_take": _function(
        "lg_take(int &x)",
        "const int lowest = __ffs(x) - 1;",
        "x = (unsigned int)x & ((unsigned int)x - 1);",
        "return lowest;",
        result="int",
    ),
}
