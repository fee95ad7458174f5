// What a rendered kernel finds instead of NVRTC's built-in names and of the definitions in lazygrad's prelude.
//
// Nothing is included, so that a hundred kernels compile in the time that they take themselves. Functions that touch
// memory are marked EMU_OWN: they report their accesses themselves, and the compiler's sanitizer leaves them alone.
#pragma once
#define LAZYGRAD_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
#define EMU_INLINE static inline __attribute__((always_inline))
#define EMU_OWN __attribute__((noinline, no_sanitize("thread"), no_sanitize("bounds")))
#define EMU_LINE unsigned line = __builtin_LINE()

struct uint3 {
  unsigned x, y, z;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

extern "C" {
__attribute__((const)) unsigned emu_index(int which);
__attribute__((const)) unsigned emu_lane();
void *emu_shared(unsigned site, unsigned bytes, unsigned alignment, unsigned element, const char *name);
void *emu_dynamic_shared(unsigned alignment);
void emu_dynamic_part(unsigned site, unsigned offset, unsigned element, const char *name);
void emu_access(const void *p, unsigned bytes, unsigned alignment, bool write, bool atomic);
bool emu_compare_exchange(void *p, void *expected, const void *value, unsigned bytes);
void *emu_copy(void *to, const void *from, unsigned long bytes);
void emu_sync_threads(unsigned line);
void emu_named_barrier(unsigned id, unsigned count, unsigned line);
void emu_thread_fence();
void emu_sync_warp(unsigned mask, unsigned line);
unsigned emu_ballot(unsigned mask, unsigned value, unsigned line);
unsigned long emu_shuffle(unsigned mask, unsigned long value, unsigned source, unsigned line);
void emu_yield(const char *where, unsigned line);

float fmodf(float, float);
double fmod(double, double);
float truncf(float);
double trunc(double);
float sinf(float);
double sin(double);
float cosf(float);
double cos(double);
float sqrtf(float);
double sqrt(double);
float powf(float, float);
double pow(double, double);
float expf(float);
double exp(double);
float exp2f(float);
double exp2(double);
float log2f(float);
double log2(double);
float fmaf(float, float, float);
double fma(double, double, double);
float fabsf(float);
double fabs(double);
float fmaxf(float, float);
double fmax(double, double);
float fminf(float, float);
double fmin(double, double);
}

EMU_INLINE uint3 emu_index3(int first) { return {emu_index(first), emu_index(first + 1), emu_index(first + 2)}; }
#define threadIdx emu_index3(0)
#define blockIdx emu_index3(3)
#define blockDim emu_index3(6)
#define gridDim emu_index3(9)

// ---- meeting other threads -------------------------------------------------------------------------

#define __syncthreads() emu_sync_threads(__LINE__)
EMU_INLINE void __syncwarp(unsigned mask = 0xffffffffu, EMU_LINE) { emu_sync_warp(mask, line); }
EMU_INLINE void __threadfence() { emu_thread_fence(); }
EMU_INLINE void __threadfence_block() {}
EMU_INLINE void __nanosleep(unsigned, EMU_LINE) { emu_yield("__nanosleep", line); }

EMU_INLINE unsigned __ballot_sync(unsigned mask, int value, EMU_LINE) { return emu_ballot(mask, value != 0, line); }
EMU_INLINE int __any_sync(unsigned mask, int value, EMU_LINE) { return emu_ballot(mask, value != 0, line) != 0; }
EMU_INLINE int __all_sync(unsigned mask, int value, EMU_LINE) { return emu_ballot(mask, value == 0, line) == 0; }

/// A value of up to 8 bytes from another lane.
template <class T>
EMU_INLINE T emu_from_lane(unsigned mask, T value, unsigned source, unsigned line) {
  unsigned long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  bits = emu_shuffle(mask, bits, source, line);
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}

// Lanes are in segments of `width`; a source outside of the own one gives the own value (CUDA C++ Programming Guide,
// "Warp Shuffle Functions").
template <class T>
EMU_INLINE T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMU_LINE) {
  const unsigned lane = emu_lane(), first = lane & ~(unsigned)(width - 1);
  return emu_from_lane(mask, value, first + ((unsigned)source & (unsigned)(width - 1)), line);
}
template <class T>
EMU_INLINE T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32, EMU_LINE) {
  const unsigned lane = emu_lane(), source = lane ^ (unsigned)flip;
  return emu_from_lane(mask, value, source < (lane & ~(unsigned)(width - 1)) + (unsigned)width ? source : lane, line);
}
template <class T>
EMU_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, EMU_LINE) {
  const unsigned lane = emu_lane(), source = lane + by;
  return emu_from_lane(mask, value, source < (lane & ~(unsigned)(width - 1)) + (unsigned)width ? source : lane, line);
}
template <class T>
EMU_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, EMU_LINE) {
  const unsigned lane = emu_lane(), first = lane & ~(unsigned)(width - 1);
  return emu_from_lane(mask, value, lane >= first + by ? lane - by : lane, line);
}

// ---- atomics ---------------------------------------------------------------------------------------

template <class T>
struct emu_same {
  typedef T type;
};
/// `*p = f(*p)` as one step, checked; the value before.
template <class T, class F>
EMU_OWN T emu_atomic(T *p, F f) {
  emu_access(p, sizeof(T), sizeof(T), true, true);
  T before = *p, after;
  do after = f(before);
  while (!emu_compare_exchange(p, &before, &after, sizeof(T)));
  return before;
}
#define EMU_ATOMIC(name, expression) \
  template <class T> \
  EMU_INLINE T name(T *p, typename emu_same<T>::type value) { \
    return emu_atomic(p, [value](T old) -> T { return expression; }); \
  }
EMU_ATOMIC(atomicAdd, old + value)
EMU_ATOMIC(atomicSub, old - value)
EMU_ATOMIC(atomicExch, ((void)old, value))
EMU_ATOMIC(atomicMin, old < value ? old : value)
EMU_ATOMIC(atomicMax, old < value ? value : old)
EMU_ATOMIC(atomicAnd, old &value)
EMU_ATOMIC(atomicOr, old | value)
EMU_ATOMIC(atomicXor, old ^ value)
EMU_ATOMIC(atomicInc, old >= value ? T(0) : T(old + 1))
template <class T>
EMU_INLINE T atomicCAS(T *p, typename emu_same<T>::type expected, typename emu_same<T>::type value) {
  return emu_atomic(p, [expected, value](T old) -> T { return old == expected ? value : old; });
}

#include "device_prelude.hpp"
#include "device_async.hpp"

// ---- what compilers make of loops and of large values ------------------------------------------------

extern "C" {
__attribute__((visibility("hidden"))) EMU_OWN void *memcpy(void *to, const void *from, unsigned long bytes) {
  return emu_copy(to, from, bytes);
}
__attribute__((visibility("hidden"))) EMU_OWN void *memset(void *to, int value, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; i++) {
    const char byte = (char)value;
    emu_copy((char *)to + i, &byte, 1);
  }
  return to;
}
}

// ---- how the emulator calls a kernel -----------------------------------------------------------------

template <int... I>
struct emu_numbers {};
template <int N, int... I>
struct emu_count : emu_count<N - 1, N - 1, I...> {};
template <int... I>
struct emu_count<0, I...> {
  typedef emu_numbers<I...> type;
};
template <class T>
struct emu_plain {
  typedef T type;
};
template <class T>
struct emu_plain<const T> {
  typedef T type;
};
template <class T>
struct emu_element {
  static const unsigned bytes = 0;
};
template <class T>
struct emu_element<T *> {
  static const unsigned bytes = sizeof(T);
};
template <class... A, int... I>
EMU_OWN void emu_call(void (*kernel)(A...), void **arguments, emu_numbers<I...>) {
  kernel(*(typename emu_plain<A>::type *)arguments[I]...);
}
template <class... A>
void emu_enter(void (*kernel)(A...), void **arguments) {
  emu_call(kernel, arguments, typename emu_count<sizeof...(A)>::type());
}
template <class... A>
unsigned emu_describe(void (*)(A...), unsigned *elements) {
  const unsigned bytes[] = {emu_element<A>::bytes..., 0};
  for (unsigned i = 0; i < sizeof...(A); i++) elements[i] = bytes[i];
  return sizeof...(A);
}
/// `name`'s entry, and a function that tells the sizes of what its parameters point to.
#define EMU_ENTRY(name) \
  extern "C" void emu_entry_##name(void **arguments) { emu_enter(&name, arguments); } \
  extern "C" unsigned emu_parameters_##name(unsigned *e) { return emu_describe(&name, e); }
/// Where the shared object lies: instructions are told to the emulator as distances from here.
extern "C" EMU_OWN void emu_base() {}
