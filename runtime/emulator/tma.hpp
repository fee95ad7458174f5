// Copies that run while threads do something else: 16 bytes of a thread (cp.async), tiles by the copy engine (TMA).
//
// Each is done as late as its waits allow, so that a wait that is missing shows; until then its bytes of shared memory
// are marked, so that touching them is reported whatever the timing would have been. With a seed, copies of the engine
// come at random moments and in random order.
#pragma once
#include "mbarrier.hpp"

namespace emu {

/// Where 16-byte chunks of a swizzled tile lie: address bits 4.. are flipped by bits 7.. (CUDA driver API,
/// "CUtensorMapSwizzle"; CUTLASS writes the same patterns as Swizzle<1|2|3, 4, 3>).
inline size_t swizzled(size_t address, unsigned swizzle) {
  const size_t bits = swizzle / 16 - (swizzle != 0);  // 0, 1, 3 or 7
  return address ^ (address >> 7 & bits) << 4;
}

inline unsigned tile_bytes(const TensorMap &m) {
  unsigned n = m.element;
  for (unsigned axis = 0; axis < m.rank; axis++) n *= m.box[axis];
  return n;
}

/// `act(offset in the tile, address in the tensor or null outside, bytes)` for each run of the box's innermost axis.
template <class Act>
void each_row(const Transfer &t, Act act) {
  const TensorMap &m = t.map;
  const unsigned row = m.box[0] * m.element, rows = tile_bytes(m) / row;
  for (unsigned r = 0; r < rows; r++) {
    char *p = m.base;
    bool inside = true;
    unsigned rest = r;
    for (unsigned axis = 1; axis < m.rank; axis++) {
      const int64_t c = t.at[axis] + static_cast<int64_t>(rest % m.box[axis]);
      rest /= m.box[axis];
      inside = inside && c >= 0 && c < m.sizes[axis];
      p += c * static_cast<int64_t>(m.strides[axis - 1]);
    }
    for (unsigned e = 0; e < m.box[0]; e++) {
      const int64_t c = t.at[0] + static_cast<int64_t>(e);
      const bool is_in = inside && c >= 0 && c < m.sizes[0];
      act(r * row + e * m.element, is_in ? p + c * m.element : nullptr, m.element);
    }
  }
}

/// Mark or unmark the bytes of a tile, after checking that they are one shared array's.
inline void mark(const char *tile, unsigned bytes, uint8_t set, uint8_t clear) {
  uint8_t *state = &worker->shadow->bytes[place_of(tile)];
  for (unsigned i = 0; i < bytes; i++) state[i] = static_cast<uint8_t>((state[i] & ~clear) | set);
}

/// What the threads wrote must be fenced before the copy engine or a matrix unit reads it.
inline void check_fenced(const char *tile, unsigned bytes) {
  Worker &w = *worker;
  each_word(place_of(tile), bytes, [&](Word &word, uint8_t, const char *at) {
    if (word.writer >= w.count) return;
    if (word.write_time > std::max(w.threads[word.writer].fenced, w.current->fenced))
      fail("%s is read by an asynchronous operation; thread %u wrote it with no lg_fence_async since",
           shared_name(at).c_str(), w.threads[word.writer].number);
  });
}

inline void deliver(Transfer t) {
  Worker &w = *worker;
  const unsigned bytes = tile_bytes(t.map);
  Thread *const current = w.current;
  w.current = t.owner;  // reports name the thread that asked for it
  if (t.is_store) {
    each_row(t, [&](unsigned offset, char *p, unsigned n) {
      if (!p) return;
      if (w.launch->checks) global_range(p, n, true).dirty = 1;
      std::memcpy(p, w.window + swizzled(place_of(t.shared) + offset, t.map.swizzle), n);
    });
    if (w.shadow) {
      mark(t.shared, bytes, 0, leaving);
      each_word(place_of(t.shared), bytes, [&](Word &word, uint8_t mask, const char *) {
        note(word, w.shadow->copy_engine(), mask, false, false);
      });
    }
  } else {
    for (unsigned rank = 0; rank < w.blocks.size(); rank++) {
      if (!(t.blocks >> rank & 1)) continue;
      char *const to = in_block(t.shared, rank);
      each_row(t, [&](unsigned offset, const char *p, unsigned n) {
        char *const q = w.window + swizzled(place_of(to) + offset, t.map.swizzle);
        if (p && w.launch->checks) global_range(p, n, false);
        p ? std::memcpy(q, p, n) : std::memset(q, 0, n);
      });
      uint64_t *const barrier = in_block(t.barrier, rank);
      if (w.shadow) {
        mark(to, bytes, written, arriving);
        each_word(place_of(to), bytes, [&](Word &word, uint8_t mask, const char *) {
          note(word, w.shadow->copy_engine(), mask, true, false);
        });
        w.shadow->phases[barrier].running[w.shadow->copy_engine()] = w.shadow->now;
      }
      reinterpret_cast<MBarrier *>(barrier)->bytes -= static_cast<int>(bytes);
      settle(barrier);
    }
  }
  w.current = current;
}

bool deliver_transfer() {
  Worker &w = *worker;
  std::vector<size_t> loads;
  for (size_t i = 0; i < w.transfers.size(); i++)
    if (!w.transfers[i].is_store) loads.push_back(i);
  if (loads.empty()) return false;
  const size_t chosen = loads[w.launch->seed ? w.draw() % loads.size() : 0];
  const Transfer t = w.transfers[chosen];
  w.transfers.erase(w.transfers.begin() + static_cast<long>(chosen));
  deliver(t);
  return true;
}

inline void start(Transfer t) {
  Worker &w = *worker;
  const unsigned bytes = tile_bytes(t.map);
  if (!w.in_window(t.shared)) fail("the copy engine's tile must be in shared memory");
  if (place_of(t.shared) % 128)
    fail("misaligned: a tile for the copy engine at %s, which is not aligned to 128 bytes",
         shared_name(t.shared).c_str());
  if (!t.is_store) mbarrier_at(t.barrier);
  for (unsigned rank = 0; rank < w.blocks.size(); rank++)
    if (t.blocks >> rank & 1) check_ready(in_block(t.barrier, rank));
  if (w.shadow && t.is_store) {
    check_fenced(t.shared, bytes);
    check_shared(t.shared, bytes, false, false, by_agent);
    mark(t.shared, bytes, leaving, 0);
  } else if (w.shadow) {
    for (unsigned rank = 0; rank < w.blocks.size(); rank++) {
      if (!(t.blocks >> rank & 1)) continue;
      check_shared(in_block(t.shared, rank), bytes, true, false, by_agent);
      mark(in_block(t.shared, rank), bytes, arriving, written);
    }
  }
  w.transfers.push_back(t);
}

/// Have this thread's stores of batches before `batch` done.
inline void finish_stores(unsigned batch) {
  Worker &w = *worker;
  for (size_t i = 0; i < w.transfers.size();) {
    const Transfer t = w.transfers[i];
    if (!t.is_store || t.owner != w.current || t.batch >= batch) {
      i++;
      continue;
    }
    w.transfers.erase(w.transfers.begin() + static_cast<long>(i));
    deliver(t);
  }
  if (w.shadow) w.shadow->witness(*w.current, w.shadow->copy_engine());
}

inline void finish_copies(unsigned batch) {
  Worker &w = *worker;
  Thread &me = *w.current;
  size_t kept = 0;
  for (const Copy &c : me.copies) {
    if (c.batch >= batch) {
      me.copies[kept++] = c;
      continue;
    }
    c.from ? std::memcpy(c.to, c.from, c.bytes) : std::memset(c.to, 0, c.bytes);
    if (!w.shadow) continue;
    mark(c.to, c.bytes, written, arriving);
    each_word(place_of(c.to), c.bytes,
              [&](Word &word, uint8_t mask, const char *) { note(word, me.place, mask, true, false); });
  }
  me.copies.resize(kept);
}

}  // namespace emu

extern "C" {
void emu_copy_async(char *to, const char *from, int valid, unsigned bytes) {
  REMEMBER;
  emu::Worker &w = *emu::worker;
  if (!w.in_window(to)) emu::fail("lg_copy_async copies to shared memory");
  if (w.launch->checks) {
    emu::check_access(to, bytes, bytes, true);
    if (valid) emu::check_access(from, bytes, bytes, false);
    emu::mark(to, bytes, emu::arriving, emu::written);
  }
  w.current->copies.push_back({to, valid ? from : nullptr, w.current->copy_batch, bytes});
}
void emu_copy_commit() { emu::worker->current->copy_batch++; }
void emu_copy_wait(unsigned left) {
  const unsigned batches = emu::worker->current->copy_batch;
  emu::finish_copies(batches > left ? batches - left : 0);
}
void emu_tensor_load(void *to, const void *map, uint64_t *barrier, unsigned blocks, const int *at) {
  REMEMBER;
  emu::Thread *me = emu::worker->current;
  if (!blocks) blocks = 1u << me->block->rank;
  emu::start({*static_cast<const emu::TensorMap *>(map),
              {at[0], at[1], at[2], at[3], at[4]},
              static_cast<char *>(to),
              me,
              blocks,
              barrier,
              false,
              0});
}
void emu_tensor_store(const void *map, const void *from, const int *at) {
  REMEMBER;
  emu::Thread *me = emu::worker->current;
  emu::start({*static_cast<const emu::TensorMap *>(map),
              {at[0], at[1], at[2], at[3], at[4]},
              static_cast<char *>(const_cast<void *>(from)),
              me,
              0,
              nullptr,
              true,
              me->store_batch});
}
void emu_store_commit() { emu::worker->current->store_batch++; }
void emu_store_wait(unsigned left) {
  const unsigned batches = emu::worker->current->store_batch;
  emu::finish_stores(batches > left ? batches - left : 0);
}
void emu_fence_async() {
  emu::Worker &w = *emu::worker;
  if (w.shadow) w.current->fenced = w.shadow->now++;
}
void emu_barrier_ready() {
  emu::Worker &w = *emu::worker;
  if (w.shadow) w.current->readied = w.shadow->now++;
}
}
