// lazygrad's names for asynchronous copies, barriers, clusters and matrix units, as lazygrad/render/cuda_async.py lists
// them.
#pragma once

extern "C" {
void emu_copy_async(void *to, const void *from, int valid, unsigned bytes);
void emu_copy_commit();
void emu_copy_wait(unsigned left);
void emu_load_matrix(unsigned *words, const void *row, bool transposed, unsigned line);
void emu_multiply(float *acc, const unsigned *a, const unsigned *b, int kind, unsigned line);
void emu_multiply_tf32(float *acc, const float *a, const float *b, unsigned line);
void emu_barrier_init(unsigned long *barrier, int arrivals);
void emu_barrier_expect(unsigned long *barrier, int bytes);
void emu_barrier_arrive(unsigned long *barrier, int block);
void emu_barrier_wait(unsigned long *barrier, int phase, unsigned line);
void emu_tensor_load(void *to, const void *map, unsigned long *barrier, unsigned blocks, const int *at);
void emu_tensor_store(const void *map, const void *from, const int *at);
void emu_store_commit();
void emu_store_wait(unsigned left);
void emu_fence_async();
void emu_barrier_ready();
void emu_cluster_sync(unsigned line);
void emu_wgmma(float *acc, unsigned long a, unsigned long b, int kind, unsigned columns, int lines_a, int lines_b);
void emu_wgmma_fence();
void emu_wgmma_commit();
void emu_wgmma_wait(unsigned left, unsigned line);
void emu_set_registers(unsigned count);
unsigned emu_shared_address(const void *p);
}

struct alignas(64) lg_tensor_map {
  unsigned char bytes[128];
};
typedef unsigned long lg_descriptor;

template <int N = 16>
EMU_INLINE void lg_copy_async(void *to, const void *from, int valid) {
  emu_copy_async(to, from, valid, N);
}
EMU_INLINE void lg_copy_commit() { emu_copy_commit(); }
template <int N>
EMU_INLINE void lg_copy_wait() {
  emu_copy_wait(N);
}

template <int T>
EMU_INLINE void lg_load_matrix(unsigned *words, const void *row, EMU_LINE) {
  emu_load_matrix(words, row, T, line);
}
EMU_INLINE void lg_mma_bf16(float *acc, const unsigned *a, const unsigned *b, EMU_LINE) {
  emu_multiply(acc, a, b, 0, line);
}
EMU_INLINE void lg_mma_f16(float *acc, const unsigned *a, const unsigned *b, EMU_LINE) {
  emu_multiply(acc, a, b, 1, line);
}

/// To nearest, halves away from 0; of a NaN, the one that the conversion instruction gives.
EMU_INLINE float lg_tf32(float x) {
  return lg_bitcast<float>(x != x ? 0x7fffffff : (lg_bitcast<unsigned>(x) + 0x1000) & ~0x1fffu);
}
EMU_INLINE void lg_load_tf32(float *to, const float *from) { *to = lg_tf32(*from); }
EMU_INLINE void lg_load_matrix_tf32(float *to, const void *row, EMU_LINE) {
  unsigned words[4];
  emu_load_matrix(words, row, false, line);
  for (int k = 0; k < 4; k++) to[k] = lg_tf32(lg_bitcast<float>(words[k]));
}
EMU_INLINE void lg_mma_tf32(float *acc, const float *a, const float *b, EMU_LINE) {
  emu_multiply_tf32(acc, a, b, line);
}

EMU_INLINE void lg_barrier_init(unsigned long *barrier, int arrivals) { emu_barrier_init(barrier, arrivals); }
EMU_INLINE void lg_barrier_ready() { emu_barrier_ready(); }
EMU_INLINE void lg_barrier_expect(unsigned long *barrier, int bytes) { emu_barrier_expect(barrier, bytes); }
EMU_INLINE void lg_barrier_arrive(unsigned long *barrier, int block) { emu_barrier_arrive(barrier, block); }
EMU_INLINE void lg_barrier_wait(unsigned long *barrier, int phase, EMU_LINE) { emu_barrier_wait(barrier, phase, line); }

/// Two to five coordinates, the innermost first.
template <class... C>
EMU_INLINE void lg_tensor_load_all(void *to, const lg_tensor_map *map, unsigned long *barrier, int mask, C... c) {
  static_assert(sizeof...(C) >= 2 && sizeof...(C) <= 5, "two to five coordinates");
  const int at[5] = {(int)c...};
  emu_tensor_load(to, map, barrier, (unsigned)mask, at);
}
template <class... C>
EMU_INLINE void lg_tensor_load(void *to, const lg_tensor_map *map, unsigned long *barrier, C... c) {
  lg_tensor_load_all(to, map, barrier, 0, c...);
}
template <class... C>
EMU_INLINE void lg_tensor_store(const lg_tensor_map *map, const void *from, C... c) {
  static_assert(sizeof...(C) >= 2 && sizeof...(C) <= 5, "two to five coordinates");
  const int at[5] = {(int)c...};
  emu_tensor_store(map, from, at);
}
EMU_INLINE void lg_store_commit() { emu_store_commit(); }
template <int N>
EMU_INLINE void lg_store_wait() {
  emu_store_wait(N);
}
EMU_INLINE void lg_fence_async() { emu_fence_async(); }

EMU_INLINE int lg_cluster_rank() { return (int)emu_index(12); }
EMU_INLINE void lg_cluster_sync(EMU_LINE) { emu_cluster_sync(line); }

template <int S>
EMU_INLINE lg_descriptor lg_matrix(const void *p, int lead, int stride) {
  static_assert(S == 128 || S == 64 || S == 32, "a swizzle of 32, 64 or 128 bytes");
  const unsigned long kind = S == 128 ? 1 : S == 64 ? 2 : 3, start = emu_shared_address(p) >> 4;
  return start | (unsigned long)(lead >> 4) << 16 | (unsigned long)(stride >> 4) << 32 | kind << 62;
}
#define EMU_WGMMA(n) \
  template <int TA, int TB> \
  EMU_INLINE void lg_wgmma_bf16_n##n(float *acc, lg_descriptor a, lg_descriptor b) { \
    emu_wgmma(acc, a, b, 0, n, TA, TB); \
  } \
  template <int TA, int TB> \
  EMU_INLINE void lg_wgmma_f16_n##n(float *acc, lg_descriptor a, lg_descriptor b) { \
    emu_wgmma(acc, a, b, 1, n, TA, TB); \
  }
EMU_WGMMA(64)
EMU_WGMMA(128)
EMU_WGMMA(192)
EMU_WGMMA(256)
EMU_INLINE void lg_wgmma_fence() { emu_wgmma_fence(); }
EMU_INLINE void lg_wgmma_commit() { emu_wgmma_commit(); }
template <int N>
EMU_INLINE void lg_wgmma_wait(EMU_LINE) {
  emu_wgmma_wait(N, line);
}
template <int N>
EMU_INLINE void lg_wgmma_hold(float *) {}

template <int N>
EMU_INLINE void lg_registers_increase() {
  emu_set_registers(N);
}
template <int N>
EMU_INLINE void lg_registers_decrease() {
  emu_set_registers(N);
}
EMU_INLINE void lg_sync_items(int number, int items, EMU_LINE) {
  emu_named_barrier((unsigned)number, (unsigned)items, line);
}
EMU_INLINE int lg_uniform(int x, EMU_LINE) { return __shfl_sync(0xffffffffu, x, 0, 32, line); }
EMU_INLINE int lg_any(int x, EMU_LINE) { return __any_sync(0xffffffffu, x, line); }
EMU_INLINE int lg_vote(int x, int k, EMU_LINE) { return (int)__ballot_sync(0xffffffffu, x >> k & 1, line); }
EMU_INLINE int lg_count(int x) { return __builtin_popcount((unsigned)x); }
EMU_INLINE int lg_take(int &x) {
  const int lowest = __builtin_ffs(x) - 1;
  x = (int)((unsigned)x & ((unsigned)x - 1));
  return lowest;
}
