// Matrix operations of a warp: ldmatrix and mma.sync (PTX ISA, "Warp-level matrix load instruction: ldmatrix" and
// "Matrix Fragments for mma.m16n8k16 with floating point type", and those for mma.m16n8k8). The layouts are compared
// with CuTe's in the tests.
#pragma once
#include "access.hpp"
#include "barrier.hpp"

namespace emu {

inline float from_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, rest = h & 0x7fff;
  uint32_t bits = rest << 13;
  float x;
  std::memcpy(&x, &bits, 4);
  x *= 0x1p112f;
  if (rest >= 0x7c00)
    bits = 0x7f800000 | (rest & 0x3ff) << 13;
  else
    std::memcpy(&bits, &x, 4);
  bits |= sign;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline float from_bfloat16(uint16_t h) {
  const uint32_t bits = static_cast<uint32_t>(h) << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

enum Element { bfloat16, float16 };
inline float number(uint16_t bits, Element kind) { return kind == float16 ? from_half(bits) : from_bfloat16(bits); }

struct LoadMatrix {
  unsigned *words;
  const char *row;
  bool transposed;
};

/// Lane 8 m + r names row r of 8 x 8 matrix m; lane t gets elements t % 4 * 2 and the next one of row t / 4 of each.
inline void load_matrices(void **payloads, unsigned) {
  const auto row_of = [&](unsigned matrix, unsigned row) {
    return reinterpret_cast<const uint16_t *>(static_cast<LoadMatrix *>(payloads[matrix * 8 + row])->row);
  };
  for (unsigned lane = 0; lane < warp_size; lane++) {
    const LoadMatrix &mine = *static_cast<LoadMatrix *>(payloads[lane]);
    const unsigned line = lane / 4, pair = lane % 4 * 2;
    for (unsigned m = 0; m < 4; m++) {
      const unsigned low = mine.transposed ? row_of(m, pair)[line] : row_of(m, line)[pair];
      const unsigned high = mine.transposed ? row_of(m, pair + 1)[line] : row_of(m, line)[pair + 1];
      mine.words[m] = low | high << 16;
    }
  }
}

template <class Word>
struct Multiply {
  float *acc;
  const Word *a, *b;
};

/// Where element `i` of a lane's fragment is: of a (16 x 16), b (16 x 8) and the accumulator (16 x 8).
struct Place {
  unsigned row, column;
};
inline Place place_a(unsigned lane, unsigned i) { return {lane / 4 + i / 2 % 2 * 8, lane % 4 * 2 + i % 2 + i / 4 * 8}; }
inline Place place_b(unsigned lane, unsigned i) { return {lane % 4 * 2 + i % 2 + i / 2 * 8, lane / 4}; }
inline Place place_c(unsigned lane, unsigned i) { return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2}; }

/// The same for elements of 32 bits: a (16 x 8) and b (8 x 8).
inline Place wide_a(unsigned lane, unsigned i) { return {lane / 4 + i % 2 * 8, lane % 4 + i / 2 * 4}; }
inline Place wide_b(unsigned lane, unsigned i) { return {lane % 4 + i * 4, lane / 4}; }

inline uint16_t half_of(const unsigned *words, unsigned i) {
  return static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
}

/// acc += a * b: products are exact, and sums are rounded once at the end (the hardware's order is not documented).
template <class Word, unsigned depth>
void accumulate(void **payloads, const float (&a)[16][depth], const float (&b)[depth][8]) {
  for (unsigned lane = 0; lane < warp_size; lane++) {
    const Multiply<Word> &m = *static_cast<Multiply<Word> *>(payloads[lane]);
    for (unsigned i = 0; i < 4; i++) {
      const Place p = place_c(lane, i);
      double sum = m.acc[i];
      for (unsigned k = 0; k < depth; k++) sum += static_cast<double>(a[p.row][k]) * b[k][p.column];
      m.acc[i] = static_cast<float>(sum);
    }
  }
}

template <Element kind>
void multiply_warp(void **payloads, unsigned) {
  float a[16][16], b[16][8];
  for (unsigned lane = 0; lane < warp_size; lane++) {
    const Multiply<unsigned> &m = *static_cast<Multiply<unsigned> *>(payloads[lane]);
    for (unsigned i = 0; i < 8; i++) a[place_a(lane, i).row][place_a(lane, i).column] = number(half_of(m.a, i), kind);
    for (unsigned i = 0; i < 4; i++) b[place_b(lane, i).row][place_b(lane, i).column] = number(half_of(m.b, i), kind);
  }
  accumulate<unsigned>(payloads, a, b);
}

/// A fault where one is no TF32 number: what the hardware makes of the lower bits is not documented.
inline float rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x == x && bits & 0x1fff) fail("lg_mma_tf32: %.9g is not rounded to TF32", static_cast<double>(x));
  return x;
}

inline void multiply_wide(void **payloads, unsigned) {
  float a[16][8], b[8][8];
  for (unsigned lane = 0; lane < warp_size; lane++) {
    const Multiply<float> &m = *static_cast<Multiply<float> *>(payloads[lane]);
    for (unsigned i = 0; i < 4; i++) a[wide_a(lane, i).row][wide_a(lane, i).column] = rounded(m.a[i]);
    for (unsigned i = 0; i < 2; i++) b[wide_b(lane, i).row][wide_b(lane, i).column] = rounded(m.b[i]);
  }
  accumulate<float>(payloads, a, b);
}

}  // namespace emu

extern "C" {
void emu_load_matrix(unsigned *words, const char *row, bool transposed, unsigned line) {
  REMEMBER;
  if (!emu::worker->in_window(row)) emu::fail("lg_load_matrix reads shared memory");
  emu::check_access(row, 16, 16, false);
  emu::LoadMatrix m{words, row, transposed};
  emu::collective(emu::load_matrix, ~0u, &m, emu::load_matrices, "lg_load_matrix", line);
}
void emu_multiply(float *acc, const unsigned *a, const unsigned *b, int kind, unsigned line) {
  emu::Multiply<unsigned> m{acc, a, b};
  if (kind == emu::float16)
    emu::collective(emu::multiply_f16, ~0u, &m, emu::multiply_warp<emu::float16>, "lg_mma_f16", line);
  else
    emu::collective(emu::multiply_bf16, ~0u, &m, emu::multiply_warp<emu::bfloat16>, "lg_mma_bf16", line);
}
void emu_multiply_tf32(float *acc, const float *a, const float *b, unsigned line) {
  emu::Multiply<float> m{acc, a, b};
  emu::collective(emu::multiply_tf32, ~0u, &m, emu::multiply_wide, "lg_mma_tf32", line);
}
}
