// Barriers of a block and of a cluster (PTX ISA, "Parallel Synchronization and Communication Instructions").
#pragma once
#include "scheduler.hpp"
#include "shadow.hpp"

namespace emu {

/// All threads of a block have met: from here on they know of everything in it up to now.
inline void block_met(Block &block) {
  Worker &w = *worker;
  if (!w.shadow) return;
  Shadow &s = *w.shadow;
  if (w.blocks.size() > 1) {
    std::vector<Thread *> all;
    for (unsigned i = 0; i < w.launch->threads(); i++) all.push_back(&block.threads[i]);
    if (std::any_of(all.begin(), all.end(), [&](Thread *t) { return s.has_clock[t->place]; })) s.meet(all);
  } else {
    for (unsigned place = 0; place < w.count; place++) {
      if (!s.has_clock[place]) continue;
      const uint32_t *known = s.row(place) + w.count;
      for (size_t a = 0; a < s.agent_epoch.size(); a++) s.agent_epoch[a] = std::max(s.agent_epoch[a], known[a]);
      s.has_clock[place] = 0;  // the epochs say it all
    }
  }
  block.epoch = s.now++;
}

/// The current thread comes to `barrier`, where `expected` threads meet; `whole`: all those of its block.
inline void come(Barrier &barrier, unsigned expected, const char *where, unsigned line, bool whole) {
  Worker &w = *worker;
  Thread &me = *w.current;
  w.fault = nullptr;
  if (barrier.came == 0) {
    barrier.expected = expected;
    barrier.line = line;
  }
  if (barrier.expected != expected)
    fail("%s (line %u) is for %u threads, and others came to the same barrier with %u (line %u)", where, line, expected,
         barrier.expected, barrier.line);
  if (whole && barrier.line != line)
    fail("divergence: it is in %s in line %u, and threads of its block are in the one in line %u", where, line,
         barrier.line);
  if (w.shadow && !whole) barrier.members.push_back(&me);
  if (++barrier.came < expected) {
    barrier.waiting.push_back(&me);
    suspend(where, line);
    return;
  }
  barrier.came = 0;
  if (whole)
    block_met(*me.block);
  else if (w.shadow)
    w.shadow->meet(barrier.members);
  barrier.members.clear();
  for (Thread *t : barrier.waiting) wake(*t);
  barrier.waiting.clear();
}

/// Lanes of a warp meet; the last one that comes runs `act(payloads, mask)` for all of them.
inline void collective(int kind, unsigned mask, void *payload, void (*act)(void **, unsigned), const char *where,
                       unsigned line) {
  Worker &w = *worker;
  Thread &me = *w.current;
  w.fault = nullptr;
  const unsigned size = w.launch->threads(), first = me.number - me.lane();
  if (size - first < warp_size) mask &= (1u << (size - first)) - 1;  // a block's last warp may be a part of one
  if (!(mask >> me.lane() & 1))
    fail("%s (line %u) with mask %08x, which lacks its own lane %u", where, line, mask, me.lane());
  Meeting &m = me.block->warps[me.number / warp_size].meetings[__builtin_ctz(mask)];
  if (m.came == 0) {
    m.mask = mask;
    m.kind = kind;
  }
  if (m.mask != mask || m.kind != kind)
    fail(
        "divergence: it is in %s (line %u) with mask %08x, while other lanes of its warp are in another operation with "
        "mask %08x",
        where, line, mask, m.mask);
  m.payload[me.lane()] = payload;
  m.came |= 1u << me.lane();
  if (m.came != mask) {
    suspend(where, line);
    return;
  }
  m.came = 0;
  act(m.payload, mask);
  for (unsigned lane = 0; lane < warp_size; lane++)
    if (mask >> lane & 1 && lane != me.lane()) wake(me.block->threads[first + lane]);
}

/// Payloads are ignored: the lanes only learn of what the others did to memory.
inline void warp_met(void **, unsigned mask) {
  Worker &w = *worker;
  if (!w.shadow) return;
  Thread &me = *w.current;
  std::vector<Thread *> all;
  for (unsigned lane = 0; lane < warp_size; lane++)
    if (mask >> lane & 1) all.push_back(&me.block->threads[me.number - me.lane() + lane]);
  w.shadow->meet(all);
}

enum Kind { sync_warp, shuffle, vote, load_matrix, multiply_f16, multiply_bf16, multiply_tf32 };

struct Vote {
  unsigned mine, result;
};

inline void ballot(void **payloads, unsigned mask) {
  unsigned bits = 0;
  for (unsigned lane = 0; lane < warp_size; lane++)
    if (mask >> lane & 1 && static_cast<Vote *>(payloads[lane])->mine) bits |= 1u << lane;
  for (unsigned lane = 0; lane < warp_size; lane++)
    if (mask >> lane & 1) static_cast<Vote *>(payloads[lane])->result = bits;
}

struct Shuffle {
  uint64_t mine, result;
  unsigned source;
};

/// Each lane gets the value of the lane that it named.
inline void exchange(void **payloads, unsigned mask) {
  for (unsigned lane = 0; lane < warp_size; lane++) {
    if (!(mask >> lane & 1)) continue;
    Shuffle &s = *static_cast<Shuffle *>(payloads[lane]);
    if (!(mask >> s.source & 1))
      fail("shuffle: lane %u reads the value of lane %u, which does not take part (mask %08x)", lane, s.source, mask);
    s.result = static_cast<Shuffle *>(payloads[s.source])->mine;
  }
}

/// setmaxnreg: at most 64K registers in all, once every warp has said what it wants.
inline void set_registers(unsigned count) {
  Worker &w = *worker;
  Thread &me = *w.current;
  if (count < 24 || count > 256 || count % 8) fail("setmaxnreg: %u is not a multiple of 8 from 24 to 256", count);
  std::vector<unsigned> &r = me.block->registers;
  r[me.number / warp_size] = count;
  unsigned total = 0;
  for (unsigned n : r) {
    if (!n) return;
    total += n * warp_size;
  }
  if (total > 65536) fail("setmaxnreg: the warps of the block want %u registers in all, and there are 65536", total);
}

}  // namespace emu

extern "C" {
void emu_sync_threads(unsigned line) {
  emu::Block &b = *emu::worker->current->block;
  emu::come(b.barriers[0], emu::worker->launch->threads(), "__syncthreads", line, true);
}
void emu_thread_fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void emu_named_barrier(unsigned id, unsigned count, unsigned line) {
  if (id > 15) emu::fail("there is no barrier %u: they are numbered 0 to 15", id);
  if (count % emu::warp_size) emu::fail("barrier %u: %u threads are no whole warps", id, count);
  emu::come(emu::worker->current->block->barriers[id], count, "lg_sync_items", line, false);
}
void emu_sync_warp(unsigned mask, unsigned line) {
  emu::collective(emu::sync_warp, mask, nullptr, emu::warp_met, "__syncwarp", line);
}
unsigned emu_ballot(unsigned mask, unsigned value, unsigned line) {
  emu::Vote v{value, 0};
  emu::collective(emu::vote, mask, &v, emu::ballot, "a vote", line);
  return v.result;
}
uint64_t emu_shuffle(unsigned mask, uint64_t value, unsigned source, unsigned line) {
  emu::Shuffle s{value, 0, source};
  emu::collective(emu::shuffle, mask, &s, emu::exchange, "a shuffle", line);
  return s.result;
}
unsigned emu_lane() { return emu::worker->current->lane(); }
void emu_set_registers(unsigned count) { emu::set_registers(count); }
}
