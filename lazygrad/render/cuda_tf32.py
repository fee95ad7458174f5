"""Names of rendered CUDA kernels for products of float32 numbers that are rounded to TF32 (10 bits of mantissa).

As in `cuda_async`; "PTX ISA", sections on `cvt` and on "Matrix Fragments for mma.m16n8k8" with .tf32. For sm_80 and
later, by one work-item:

    lg_tf32(x)
        the TF32 number nearest to the float x, the one farther from 0 of two that are equally near
    lg_load_tf32(to, from)
        *to = lg_tf32(*from)

by all work-items of a warp:

    lg_load_matrix_tf32(to, row)
        four 8 x 4 matrices of floats, rounded, to 4 floats of each work-item: addresses as for `lg_load_matrix`; item
        t gets, of matrix m, element t%4 of row t/4 in to[m]
    lg_mma_tf32(acc, a, b)
        float acc[4] += a * b of 16 x 8 by 8 x 8, rounded floats a[4] and b[2]: mma.m16n8k8
"""

from __future__ import annotations

from .cuda_prelude import Definition

TF32 = {
    "lg_tf32": Definition(
        """__device__ __forceinline__ float lg_tf32(float x) {
  unsigned int bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return lg_bitcast<float>(bits);
}""",
        ("lg_bitcast",),
    ),
    "lg_load_tf32": Definition(
        """__device__ __forceinline__ void lg_load_tf32(float *to, const float *from) {
  *to = lg_tf32(*from);
}""",
        ("lg_tf32",),
    ),
    "lg_load_matrix_tf32": Definition(
        """__device__ __forceinline__ void lg_load_matrix_tf32(float *to, const void *row) {
  unsigned int words[4];
  lg_load_matrix<0>(words, row);
  for (int k = 0; k < 4; k++) to[k] = lg_tf32(lg_bitcast<float>(words[k]));
}""",
        ("lg_bitcast", "lg_load_matrix", "lg_tf32"),
    ),
    "lg_mma_tf32": Definition(
        """__device__ __forceinline__ void lg_mma_tf32(float *acc, const float *a, const float *b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
      : "r"(lg_bitcast<unsigned int>(a[0])), "r"(lg_bitcast<unsigned int>(a[1])),
        "r"(lg_bitcast<unsigned int>(a[2])), "r"(lg_bitcast<unsigned int>(a[3])),
        "r"(lg_bitcast<unsigned int>(b[0])), "r"(lg_bitcast<unsigned int>(b[1])));
}""",
        ("lg_bitcast",),
    ),
}
