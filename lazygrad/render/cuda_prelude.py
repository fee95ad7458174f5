"""What a rendered CUDA kernel may say: the contract between the renderer, NVRTC and whatever else compiles its text.

A kernel's text is one translation unit without includes:

    #ifndef LAZYGRAD_EMULATED
    ...definitions of the `lg_` names that this kernel uses, and of those that they use, each once...
    #endif
    extern "C" __global__ void __launch_bounds__(256, 1) name(const float *__restrict__ in0, ...)
    {
      ...
    }

Only the definitions hold inline PTX or depend on the architecture. Bodies are plain C++ over the names below, so that
another compiler can give them a meaning of its own: it defines LAZYGRAD_EMULATED and every name itself.

Parameters, in this order: one pointer for each array (`const` where the kernel does not write it), one `const int` for
each symbolic size, one `const __grid_constant__ lg_tensor_map` for each tensor map (`KernelSource.attributes`).

Types: `int` and `unsigned int` (32 bits), `long` and `unsigned long` (64), `short`, `unsigned short`, `signed char`,
`unsigned char`, `float`, `double`, and `lg_lanes<T, N>`. A bool is an int in registers and an unsigned char in memory,
float16 and bfloat16 are unsigned short in memory and float in registers.

Of CUDA itself: `blockIdx.x`, `threadIdx.x`, `__shared__`, `__align__(n)`, `__syncthreads()`, `__syncwarp()`,
`__threadfence()`, `atomicAdd(int *, int)`, `__shfl_xor_sync(0xffffffffu, x, mask)` for int, long (also unsigned), float
and double, and C's functions of float and double
(`fmodf fmod truncf trunc sinf sin cosf cos sqrtf sqrt powf pow expf exp exp2f exp2 log2f log2`).

Memory that a group shares is an array `__shared__ __align__(16) float name[size];`. Where all of them are more than a
kernel has without asking (48 KiB) they are parts of one, of `KernelSource.attributes.shared_bytes` in all: of
`extern __shared__ __align__(1024) unsigned char lg_dynamic[];`, as `float *const name = (float *)(lg_dynamic + 128);`.

    lg_bitcast<To>(x)             the bits of x as another type of its size
    lg_maximum(x, y)              the larger float, or nan where one is nan; 0.0 is larger than -0.0
    lg_divide(x, y)               x / y, within 2 units in the last place
    lg_half_to_float(h)           float of a float16's bits (unsigned short); lg_bfloat16_to_float(h) likewise
    lg_float_to_half(x)           the bits (unsigned short) of the float16 nearest to x, ties to even;
                                  lg_float_to_bfloat16(x) likewise
    lg_lanes<T, N>                a struct `{ T v[N]; }`, aligned to its size, but to 16 bytes at most
    lg_widen(lanes)               float lanes of float16's bits; lg_narrow(lanes) the other way, to nearest even
    lg_load<N>(p)                 lg_lanes of the N elements at p, which is aligned to them; p points anywhere
    lg_store(p, lanes)            stores them there
    lg_stream(p, lanes)           stores them in device memory, and they are not soon needed again

The names for asynchronous copies, barriers, clusters and matrix units are listed in `cuda_async`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """The text that defines a name, and the other names that it uses."""

    text: str
    needs: tuple[str, ...] = ()


BASE = {
    "lg_bitcast": Definition(
        """template <class To, class From> __device__ __forceinline__ To lg_bitcast(From x) {
  return __builtin_bit_cast(To, x);
}"""
    ),
    "lg_maximum": Definition(
        """__device__ __forceinline__ float lg_maximum(float x, float y) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(x), "f"(y));
  return larger;
}"""
    ),
    "lg_divide": Definition(
        """__device__ __forceinline__ float lg_divide(float x, float y) {
  float quotient;
  asm("div.full.f32 %0, %1, %2;" : "=f"(quotient) : "f"(x), "f"(y));
  return quotient;
}"""
    ),
    "lg_half_to_float": Definition(
        """__device__ __forceinline__ float lg_half_to_float(unsigned short h) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
  return x;
}"""
    ),
    "lg_float_to_half": Definition(
        """__device__ __forceinline__ unsigned short lg_float_to_half(float x) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
  return h;
}"""
    ),
    "lg_bfloat16_to_float": Definition(
        """__device__ __forceinline__ float lg_bfloat16_to_float(unsigned short h) {
  return lg_bitcast<float>((unsigned int)h << 16);
}""",
        ("lg_bitcast",),
    ),
    "lg_float_to_bfloat16": Definition(
        """__device__ __forceinline__ unsigned short lg_float_to_bfloat16(float x) {
  unsigned short h;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(x));
  return h;
}"""
    ),
    "lg_lanes": Definition(
        """template <class T, int N> struct __align__(sizeof(T) * N < 16 ? sizeof(T) * N : 16) lg_lanes {
  T v[N];
};"""
    ),
    "lg_widen": Definition(
        """template <int N> __device__ __forceinline__ lg_lanes<float, N> lg_widen(lg_lanes<unsigned short, N> x) {
  lg_lanes<float, N> wide;
  for (int k = 0; k < N; k++) wide.v[k] = lg_half_to_float(x.v[k]);
  return wide;
}""",
        ("lg_half_to_float", "lg_lanes"),
    ),
    "lg_narrow": Definition(
        """template <int N> __device__ __forceinline__ lg_lanes<unsigned short, N> lg_narrow(lg_lanes<float, N> x) {
  lg_lanes<unsigned int, N / 2> pairs;
  for (int k = 0; k < N / 2; k++)
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pairs.v[k]) : "f"(x.v[2 * k + 1]), "f"(x.v[2 * k]));
  return lg_bitcast<lg_lanes<unsigned short, N>>(pairs);
}""",
        ("lg_bitcast", "lg_lanes"),
    ),
    "lg_load": Definition(
        """template <int N, class T> __device__ __forceinline__ lg_lanes<T, N> lg_load(const T *p) {
  return *(const lg_lanes<T, N> *)p;
}""",
        ("lg_lanes",),
    ),
    "lg_store": Definition(
        """template <class T, int N> __device__ __forceinline__ void lg_store(T *p, lg_lanes<T, N> x) {
  *(lg_lanes<T, N> *)p = x;
}""",
        ("lg_lanes",),
    ),
    "lg_stream": Definition(
        """template <class T, int N> __device__ __forceinline__ void lg_stream(T *p, lg_lanes<T, N> x) {
  if constexpr (sizeof(x) == 16) {
    const uint4 w = lg_bitcast<uint4>(x);
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};"
                 :: "l"(p), "r"(w.x), "r"(w.y), "r"(w.z), "r"(w.w) : "memory");
  } else {
    lg_store(p, x);
  }
}""",
        ("lg_bitcast", "lg_lanes", "lg_store"),
    ),
}


def definitions(names: Iterable[str], known: dict[str, Definition]) -> str:
    """The definitions of `names` and of what they need, each before its first use; "" for no names.

    >>> text = definitions(["lg_load"], BASE)
    >>> text.index("struct __align__") < text.index("lg_load")
    True
    """
    ordered: dict[str, None] = {}
    pending = [(name, False) for name in sorted(set(names), reverse=True)]
    while pending:
        name, is_ready = pending.pop()
        if is_ready:
            ordered.setdefault(name)
        elif name not in ordered:
            pending.append((name, True))
            pending.extend((need, False) for need in reversed(known[name].needs))
    if not ordered:
        return ""
    return "\n".join(["#ifndef LAZYGRAD_EMULATED", *(known[name].text for name in ordered), "#endif", ""])
