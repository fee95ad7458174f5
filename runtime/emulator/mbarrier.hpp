// Barriers in shared memory that count arrivals and bytes (PTX ISA, "mbarrier").
#pragma once
#include "access.hpp"
#include "scheduler.hpp"

namespace emu {

/// The eight bytes of an mbarrier; the hardware's own format is not documented.
struct MBarrier {
  uint64_t phase : 1, arrivals : 20, pending : 20;
  int64_t bytes : 23;  // expected and not yet come
};
static_assert(sizeof(MBarrier) == 8);

/// The barrier at `p`, as the current thread may use it.
inline MBarrier &mbarrier_at(uint64_t *p) {
  Worker &w = *worker;
  if (!w.in_window(p)) fail("a barrier object must be in shared memory");
  if (reinterpret_cast<uintptr_t>(p) % 8) fail("misaligned: the barrier object %s", shared_name(p).c_str());
  if (w.shadow) {
    if (!(w.shadow->bytes[place_of(p)] & barrier_byte))
      fail("%s is used as a barrier before lg_barrier_init", shared_name(p).c_str());
    check_shared(p, 8, false, true, barrier_object);
  }
  return *reinterpret_cast<MBarrier *>(p);
}

/// End the phase if nothing is missing, and wake those who wait for that.
inline void settle(uint64_t *p) {
  Worker &w = *worker;
  MBarrier &b = *reinterpret_cast<MBarrier *>(p);
  if (b.pending || b.bytes) return;
  const unsigned ended = b.phase;
  b.phase ^= 1;
  b.pending = b.arrivals;
  if (w.shadow) {
    PhaseClock &clock = w.shadow->phases[p];
    clock.over = clock.running;
    w.shadow->now++;
  }
  for (size_t i = 0; i < w.waiters.size();) {
    if (w.waiters[i].barrier != p || w.waiters[i].parity != ended) {
      i++;
      continue;
    }
    wake(*w.waiters[i].thread);
    w.waiters.erase(w.waiters.begin() + static_cast<long>(i));
  }
}

inline void initialize(uint64_t *p, int arrivals) {
  Worker &w = *worker;
  if (!w.in_window(p)) fail("a barrier object must be in shared memory");
  if (reinterpret_cast<uintptr_t>(p) % 8) fail("misaligned: the barrier object %s", shared_name(p).c_str());
  if (arrivals < 1 || arrivals >= 1 << 20) fail("lg_barrier_init: %d arrivals; 1 to 2^20 - 1 are allowed", arrivals);
  if (w.shadow) {
    check_shared(p, 8, true, false, barrier_object);
    std::memset(&w.shadow->bytes[place_of(p)], written | barrier_byte, 8);
    w.shadow->phases[p] = PhaseClock{std::vector<uint32_t>(w.shadow->count, 0), {}};
  }
  MBarrier fresh{};
  fresh.arrivals = fresh.pending = static_cast<uint64_t>(arrivals) & 0xfffff;
  std::memcpy(p, &fresh, 8);
}

/// The copy engine and other blocks may use a barrier only after its thread has said that it is ready.
inline void check_ready(uint64_t *p) {
  Worker &w = *worker;
  if (!w.shadow) return;
  const Word &word = w.shadow->words[place_of(p) / 4];
  if (word.writer < w.count && word.write_time > w.threads[word.writer].readied)
    fail("%s is used before thread %u, which initialized it, calls lg_barrier_ready", shared_name(p).c_str(),
         w.threads[word.writer].number);
}

/// One arrival; the phase ends after `bytes` more have come, too.
inline void arrive(uint64_t *p, int bytes) {
  Worker &w = *worker;
  MBarrier &b = mbarrier_at(p);
  if (!b.pending)
    fail("%s: more arrivals than lg_barrier_init said (%u)", shared_name(p).c_str(), static_cast<unsigned>(b.arrivals));
  b.bytes += bytes;
  b.pending--;
  if (w.shadow) {
    w.shadow->learn(w.shadow->phases[p].running.data(), *w.current);
    w.shadow->now++;
  }
  settle(p);
}

inline void wait(uint64_t *p, unsigned parity, unsigned line) {
  Worker &w = *worker;
  const MBarrier &b = mbarrier_at(p);
  if (parity > 1) fail("lg_barrier_wait: the phase's parity is 0 or 1, not %u", parity);
  if (b.phase == parity) {
    w.waiters.push_back({w.current, p, parity});
    suspend("lg_barrier_wait", line);
  }
  if (w.shadow && !w.shadow->phases[p].over.empty()) w.shadow->teach(w.shadow->phases[p].over.data(), *w.current);
}

/// The same place in the shared memory of block number `rank` of the cluster.
template <class T>
T *in_block(T *p, unsigned rank) {
  Worker &w = *worker;
  if (rank >= w.blocks.size()) fail("there is no block %u in a cluster of %zu", rank, w.blocks.size());
  return reinterpret_cast<T *>(w.window + static_cast<size_t>(rank) * window_bytes + place_of(p) % window_bytes);
}

}  // namespace emu

extern "C" {
void emu_barrier_init(uint64_t *p, int arrivals) {
  REMEMBER;
  emu::initialize(p, arrivals);
}
void emu_barrier_expect(uint64_t *p, int bytes) {
  REMEMBER;
  emu::arrive(p, bytes);
}
void emu_barrier_arrive(uint64_t *p, int block) {
  REMEMBER;
  uint64_t *const there = emu::in_block(p, static_cast<unsigned>(block));
  if (there != p) emu::check_ready(there);
  emu::arrive(there, 0);
}
void emu_barrier_wait(uint64_t *p, int parity, unsigned line) {
  REMEMBER;
  emu::wait(p, static_cast<unsigned>(parity), line);
}
void emu_cluster_sync(unsigned line) {
  emu::Worker &w = *emu::worker;
  emu::come(w.cluster_barrier, w.count, "lg_cluster_sync", line, false);
}
}
