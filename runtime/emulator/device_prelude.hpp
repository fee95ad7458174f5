// lazygrad's own names (`lg_`), as the contract at the top of lazygrad/render/cuda_prelude.py lists them.
#pragma once

template <class To, class From>
EMU_INLINE To lg_bitcast(From x) {
  static_assert(sizeof(To) == sizeof(From), "lg_bitcast between types of one size");
  To y;
  __builtin_memcpy(&y, &x, sizeof(To));
  return y;
}

template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) lg_lanes {
  T v[N];
};

template <int N, class T>
EMU_OWN lg_lanes<T, N> lg_load(const T *p) {
  emu_access(p, sizeof(lg_lanes<T, N>), alignof(lg_lanes<T, N>), false, false);
  return *(const lg_lanes<T, N> *)p;
}
template <class T, int N>
EMU_OWN void lg_store(T *p, lg_lanes<T, N> x) {
  emu_access(p, sizeof x, alignof(lg_lanes<T, N>), true, false);
  *(lg_lanes<T, N> *)p = x;
}
template <class T, int N>
EMU_INLINE void lg_stream(T *p, lg_lanes<T, N> x) {
  lg_store(p, x);
}

// ---- 16-bit floats (IEEE 754 binary16; bfloat16 is the upper half of a binary32) ---------------------

EMU_INLINE float lg_bfloat16_to_float(unsigned short h) { return lg_bitcast<float>((unsigned)h << 16); }
EMU_INLINE unsigned short lg_float_to_bfloat16(float x) {
  const unsigned bits = lg_bitcast<unsigned>(x);
  if (x != x) return 0x7fff;  // the NaN that the conversion instruction gives
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

EMU_INLINE float lg_half_to_float(unsigned short h) {
  const unsigned sign = (unsigned)(h & 0x8000) << 16, rest = h & 0x7fff;
  if (rest >= 0x7c00) return lg_bitcast<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  // Subnormal or not: the bits, shifted to their place, are the number times 2^-112.
  return lg_bitcast<float>(sign | lg_bitcast<unsigned>(lg_bitcast<float>(rest << 13) * 0x1p112f));
}
EMU_INLINE unsigned short lg_float_to_half(float x) {
  const unsigned bits = lg_bitcast<unsigned>(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return 0x7fff;
  if (rest >= 0x477ff000) return (unsigned short)(sign | 0x7c00);  // 65520 and more
  if (rest < 0x38800000)  // below 2^-14: adding 2^-1 rounds to multiples of 2^-24, the subnormals
    return (unsigned short)(sign | (lg_bitcast<unsigned>(lg_bitcast<float>(rest) + 0.5f) - 0x3f000000));
  return (unsigned short)(sign | ((rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13));
}
template <int N>
EMU_INLINE lg_lanes<float, N> lg_widen(lg_lanes<unsigned short, N> x) {
  lg_lanes<float, N> wide;
  for (int k = 0; k < N; k++) wide.v[k] = lg_half_to_float(x.v[k]);
  return wide;
}
template <int N>
EMU_INLINE lg_lanes<unsigned short, N> lg_narrow(lg_lanes<float, N> x) {
  lg_lanes<unsigned short, N> bits;
  for (int k = 0; k < N; k++) bits.v[k] = lg_float_to_half(x.v[k]);
  return bits;
}

EMU_INLINE float lg_divide(float x, float y) { return x / y; }

/// IEEE 754's maximum (2019): nan where one is nan, and 0.0 above -0.0.
EMU_INLINE float lg_maximum(float x, float y) {
  if (x != x || y != y) return lg_bitcast<float>(0x7fffffff);
  if (x == y) return lg_bitcast<float>(lg_bitcast<unsigned>(x) & lg_bitcast<unsigned>(y));
  return x > y ? x : y;
}
