// Matrix operations of a warp group, asynchronous (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions").
//
// All 128 threads issue an operation; it is carried out when the first of them waits for it, which is as late as it
// may be. Until then its tiles must not be written, nor its accumulators touched.
#pragma once
#include "mma.hpp"
#include "tma.hpp"

namespace emu {

/// A matrix in shared memory: "Matrix Descriptor Format" there. Lines of `swizzle` bytes in groups of eight.
struct Descriptor {
  unsigned start, lead, stride, swizzle;
  explicit Descriptor(uint64_t d)
      : start((d & 0x3fff) << 4),
        lead((d >> 16 & 0x3fff) << 4),
        stride((d >> 32 & 0x3fff) << 4),
        swizzle((d >> 62) == 1   ? 128
                : (d >> 62) == 2 ? 64
                : (d >> 62) == 3 ? 32
                                 : 0) {
    if (!swizzle) fail("a matrix descriptor without a swizzle, which lg_matrix does not make");
    if (d >> 49 & 7) fail("a matrix descriptor with a base offset, which lg_matrix does not make");
  }
  /// Address in the block's window of the element at `along` (in its line) of line number `line`.
  size_t at(unsigned line, unsigned along) const {
    const unsigned bytes = along * 2;
    return swizzled(start + line / 8 * stride + line % 8 * swizzle + bytes / swizzle * lead + bytes % swizzle, swizzle);
  }
};

struct Operation {
  Element kind;
  unsigned columns, lines_a, lines_b;  // lines run along the depth (0), or along the rows of a, the columns of b (1)
  uint64_t a, b;
  unsigned came;
  bool done;
  float *acc[group_size];
  std::vector<Thread *> waiting;
};

struct GroupQueue {
  float a[64][16], b[16][256], sum[64][256];  // room to work in
  std::deque<Operation> operations;
  uint64_t first = 0;  // number of the first of them
};

void release(GroupQueue *&queue) {
  delete queue;
  queue = nullptr;
}

inline unsigned group_of(const Thread &t) {
  return t.block->rank * ((worker->launch->threads() + group_size - 1) / group_size) + t.number / group_size;
}

inline GroupQueue &queue_of(const Thread &t) {
  GroupQueue *&q = worker->groups[group_of(t)];
  if (!q) q = new GroupQueue();
  return *q;
}

/// `act(address in shared memory)` for every 16 bytes of the tiles that an operation reads.
template <class Act>
void each_chunk(const Operation &op, const Block &block, Act act) {
  const Descriptor a(op.a), b(op.b);
  const auto chunks = [&](const Descriptor &d, unsigned lines, unsigned along) {
    for (unsigned line = 0; line < lines; line++)
      for (unsigned i = 0; i < along; i += 8) act(block.shared + d.at(line, i));
  };
  op.lines_a ? chunks(a, 16, 64) : chunks(a, 64, 16);
  op.lines_b ? chunks(b, 16, op.columns) : chunks(b, op.columns, 16);
}

/// Where element `i` of a thread's accumulator is: "Register Fragments for wgmma.mma_async.m64nNk16", matrix D.
inline Place place_d(unsigned thread, unsigned i) {
  const unsigned lane = thread % warp_size;
  return {thread / warp_size * 16 + lane / 4 + i / 2 % 2 * 8, i / 4 * 8 + lane % 4 * 2 + i % 2};
}

inline void carry_out(GroupQueue &q, Operation &op, const Block &block, unsigned unit) {
  auto &[a, b, sum, operations, first] = q;
  const Descriptor da(op.a), db(op.b);
  const auto read = [&](const Descriptor &d, bool by_depth, unsigned other, unsigned k) {
    uint16_t bits;
    std::memcpy(&bits, block.shared + (by_depth ? d.at(other, k) : d.at(k, other)), 2);
    return number(bits, op.kind);
  };
  for (unsigned m = 0; m < 64; m++)
    for (unsigned k = 0; k < 16; k++) a[m][k] = read(da, !op.lines_a, m, k);
  for (unsigned k = 0; k < 16; k++)
    for (unsigned n = 0; n < op.columns; n++) b[k][n] = read(db, !op.lines_b, n, k);
  for (unsigned m = 0; m < 64; m++) {
    std::memset(sum[m], 0, sizeof sum[m]);
    for (unsigned k = 0; k < 16; k++)
      for (unsigned n = 0; n < op.columns; n++) sum[m][n] += a[m][k] * b[k][n];
  }
  for (unsigned t = 0; t < group_size; t++)
    for (unsigned i = 0; i < op.columns / 2; i++) op.acc[t][i] += sum[place_d(t, i).row][place_d(t, i).column];
  op.done = true;
  if (!worker->shadow) return;
  each_chunk(op, block, [&](const char *p) {
    mark(p, 16, 0, leaving);
    each_word(place_of(p), 16, [&](Word &word, uint8_t mask, const char *) { note(word, unit, mask, false, false); });
  });
}

inline void issue(float *acc, uint64_t a, uint64_t b, Element kind, unsigned columns, unsigned lines_a,
                  unsigned lines_b) {
  Worker &w = *worker;
  Thread &me = *w.current;
  GroupQueue &q = queue_of(me);
  const size_t index = me.issued - q.first;
  if (!me.registers_ready && w.launch->checks)
    fail("accumulators of a matrix operation without lg_wgmma_fence since they were written");
  me.acc = reinterpret_cast<const char *>(acc);
  me.acc_bytes = columns * 2;
  if (index == q.operations.size()) q.operations.push_back({kind, columns, lines_a, lines_b, a, b, 0, false, {}, {}});
  Operation &op = q.operations[index];
  if (op.a != a || op.b != b || op.columns != columns || op.kind != kind || op.lines_a != lines_a ||
      op.lines_b != lines_b)
    fail("divergence: the threads of its warp group issue different matrix operations");
  op.acc[me.number % group_size] = acc;
  me.issued++;
  if (w.shadow && me.lane() == 0)
    each_chunk(op, *me.block, [&](const char *p) {
      check_fenced(p, 16);
      check_shared(p, 16, false, false, by_agent);
      mark(p, 16, leaving, 0);
    });
  if (++op.came < group_size) return;
  for (Thread *t : op.waiting) wake(*t);
  op.waiting.clear();
}

/// Until at most the latest `left` batches of this thread's operations are unfinished.
inline void wait_for_matrices(unsigned left, unsigned line) {
  Worker &w = *worker;
  Thread &me = *w.current;
  const size_t batches = me.matrix_batches.size();
  const uint64_t until = batches > left ? me.matrix_batches[batches - 1 - left] : 0;
  GroupQueue &q = queue_of(me);
  const unsigned unit = w.shadow ? w.shadow->matrix_unit(group_of(me)) : 0;
  for (uint64_t number = std::max(me.waited, q.first); number < until; number++) {
    while (number >= q.first && q.operations[number - q.first].came < group_size) {
      q.operations[number - q.first].waiting.push_back(&me);
      suspend("lg_wgmma_wait", line);
    }
    if (number < q.first) continue;
    Operation &op = q.operations[number - q.first];
    if (!op.done) carry_out(q, op, *me.block, unit);
    while (!q.operations.empty() && q.operations.front().done) q.operations.pop_front(), q.first++;
  }
  me.waited = std::max(me.waited, until);
  if (w.shadow) w.shadow->witness(me, unit);
}

void check_accumulator(const void *p, unsigned bytes) {
  const Thread &me = *worker->current;
  const GroupQueue &q = queue_of(me);
  const char *address = static_cast<const char *>(p);
  for (uint64_t number = std::max(me.waited, q.first); number < me.issued; number++) {
    const Operation &op = q.operations[number - q.first];
    const char *acc = reinterpret_cast<const char *>(op.acc[me.number % group_size]);
    if (address + bytes > acc && address < acc + op.columns * 2)
      fail("it touches accumulators of a matrix operation that lg_wgmma_wait has not waited for");
  }
}

/// The last thread of a block ends: nobody may use its shared memory any more.
inline void check_block_end(const Block &block) {
  Worker &w = *worker;
  for (const Transfer &t : w.transfers)
    if (!t.is_store && t.blocks >> block.rank & 1)
      fail("its block ends, and copies into its shared memory are under way");
  if (!w.shadow) return;
  for (const auto &[place, time] : block.visits) {
    bool known = false;
    for (unsigned i = 0; i < w.launch->threads() && !known; i++) known = w.shadow->knows(block.threads[i], place, time);
    if (!known)
      fail("its block ends, and may have ended before thread %u of block rank %u used its shared memory",
           w.threads[place].number, w.threads[place].block->rank);
  }
}

void check_end(Thread &t) {
  Worker &w = *worker;
  w.fault = nullptr;
  if (!t.copies.empty()) fail("it ends, and has not waited for %zu copies that it started", t.copies.size());
  if (t.issued > t.waited) fail("it ends, and has not waited for matrix operations that it issued");
  for (const Transfer &transfer : w.transfers)
    if (transfer.is_store && transfer.owner == &t)
      fail("it ends, and has not waited for its stores from shared memory");
  if (t.block->ended + 1 == w.launch->threads()) check_block_end(*t.block);
}

}  // namespace emu

extern "C" {
void emu_wgmma(float *acc, uint64_t a, uint64_t b, int kind, unsigned columns, int lines_a, int lines_b) {
  REMEMBER;
  emu::issue(acc, a, b, static_cast<emu::Element>(kind), columns, static_cast<unsigned>(lines_a),
             static_cast<unsigned>(lines_b));
}
void emu_wgmma_fence() { emu::worker->current->registers_ready = true; }
void emu_wgmma_commit() { emu::worker->current->matrix_batches.push_back(emu::worker->current->issued); }
void emu_wgmma_wait(unsigned left, unsigned line) {
  REMEMBER;
  emu::wait_for_matrices(left, line);
}
unsigned emu_shared_address(const void *p) {
  if (!emu::worker->in_window(p)) emu::fail("a matrix unit's operand must be in shared memory");
  return static_cast<unsigned>(emu::place_of(p) % emu::window_bytes);
}
}
