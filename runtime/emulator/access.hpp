// Every access of a kernel to memory comes by here: the compiler's thread sanitizer calls `__tsan_read4(p)` and its
// like before each of them, and these are our own definitions of those names (the sanitizer's library is not linked).
#pragma once
#include "shadow.hpp"

namespace emu {

/// The name and index of a place in an array of the launch, and what is wrong with it.
[[noreturn]] inline void outside(const char *p, unsigned bytes, bool write) {
  Worker &w = *worker;
  const char *verb = write ? "writes" : "reads";
  const Range *nearest = nullptr;
  uint64_t distance = UINT64_MAX;
  for (const Range &r : w.launch->ranges) {
    const uint64_t d =
        p < r.base ? static_cast<uint64_t>(r.base - p) : static_cast<uint64_t>(p - r.base) + bytes - r.bytes;
    if (d < distance) distance = d, nearest = &r;
  }
  if (!nearest) fail("it %s %u bytes at %p, where no array is", verb, bytes, static_cast<const void *>(p));
  const int64_t element = nearest->element, distance_in = p - nearest->base;
  const int64_t index = (distance_in < 0 ? distance_in - element + 1 : distance_in) / element;
  fail("out of bounds: it %s %u bytes at %s[%lld], which has %llu elements", verb, bytes, nearest->name,
       static_cast<long long>(index), static_cast<unsigned long long>(nearest->bytes / nearest->element));
}

/// The array that holds these bytes, or a report.
inline Range &global_range(const void *address, unsigned bytes, bool write) {
  Worker &w = *worker;
  std::vector<Range> &ranges = w.launch->ranges;
  const char *p = static_cast<const char *>(address);
  const auto inside = [&](const Range &r) { return p >= r.base && p + bytes <= r.base + r.bytes; };
  if (w.last_range < ranges.size() && inside(ranges[w.last_range])) return ranges[w.last_range];
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), p, [](const char *q, const Range &r) { return q < r.base; });
  if (after == ranges.begin() || !inside(*(after - 1))) outside(p, bytes, write);
  w.last_range = static_cast<size_t>(after - ranges.begin()) - 1;
  return ranges[w.last_range];
}

/// Where in the window of the cluster's shared memory an address is.
inline size_t place_of(const void *p) { return static_cast<size_t>(static_cast<const char *>(p) - worker->window); }

/// `act(word, mask, its address)` for each word that the bytes touch.
template <class Act>
inline void each_word(size_t place, unsigned bytes, Act act) {
  Worker &w = *worker;
  for (size_t at = place; at < place + bytes;) {
    const size_t word = at / 4, end = std::min(place + bytes, (word + 1) * 4);
    act(w.shadow->words[word], static_cast<uint8_t>(((1u << (end - at)) - 1) << (at % 4)), w.window + at);
    at = end;
  }
}

/// Who accesses shared memory for the current thread: it itself, as an object of a barrier or not; or an agent later.
enum Means { plain, barrier_object, by_agent };

/// Bytes of shared memory: they belong to an array, hold something if read, and no engine is at work on them.
inline void check_shared(const void *p, unsigned bytes, bool write, bool atomic, Means means = plain) {
  Worker &w = *worker;
  const size_t place = place_of(p);
  const char *verb = write ? "writes" : "reads";
  const SharedArray *a = array_at(place % window_bytes, w.arrays);
  if (!a || place % window_bytes + bytes > a->offset + a->bytes)
    fail("out of bounds: it %s %u bytes at %s, past every array", verb, bytes, shared_name(p).c_str());
  Block &block = w.blocks[place / window_bytes];
  if (block.ended == w.launch->threads()) fail("it %s %s, whose block has ended", verb, shared_name(p).c_str());
  if (&block != w.current->block && means != by_agent) block.visits.push_back({w.current->place, w.shadow->now});
  uint8_t any = 0, all = 0xff, *state = &w.shadow->bytes[place];
  for (unsigned i = 0; i < bytes; i++) any |= state[i], all &= state[i];
  if (any & barrier_byte && means != barrier_object)
    fail("it %s %s, which is a barrier object", verb, shared_name(p).c_str());
  if (any & arriving)
    fail("race: it %s %s while an asynchronous copy into it has not been waited for", verb, shared_name(p).c_str());
  if (write && any & leaving)
    fail("race: it writes %s while an asynchronous operation that reads it has not been waited for",
         shared_name(p).c_str());
  if ((!write || atomic) && !(all & written))
    fail("uninitialized: it reads %s, which nobody has written", shared_name(p).c_str());
  if (write && means == plain) std::memset(state, written, bytes);
  each_word(place, bytes, [&](Word &word, uint8_t mask, const char *at) {
    compare(at, word, mask, write, atomic);
    if (means != by_agent) note(word, w.current->place, mask, write, atomic);
  });
}

inline void check_alignment(const void *p, unsigned alignment, bool write) {
  if (reinterpret_cast<uintptr_t>(p) % alignment == 0) return;
  std::string name = worker->in_window(p) ? shared_name(p) : "";
  if (name.empty()) {
    const Range &r = global_range(p, 1, write);
    name = std::string(r.name) + "[" + std::to_string((static_cast<const char *>(p) - r.base) / r.element) + "]";
  }
  fail("misaligned: it %s %u bytes at %s, which is not aligned to them", write ? "writes" : "reads", alignment,
       name.c_str());
}

void check_accumulator(const void *p, unsigned bytes);  // wgmma.hpp: registers of a matrix operation under way

/// One access of the current thread. `alignment` 1: anywhere.
inline void check_access(const void *p, unsigned bytes, unsigned alignment, bool write, bool atomic = false) {
  Worker *w = worker;
  if (!w || !w->current || !w->launch->checks) return;
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  if (w->stacks.hold(address)) {
    Thread &me = *w->current;
    if (me.issued > me.waited) check_accumulator(p, bytes);
    if (write && address - reinterpret_cast<uintptr_t>(me.acc) < me.acc_bytes) me.registers_ready = false;
    return;
  }
  if (--w->steps < 0)
    fail("it has made %lld accesses to memory since it last waited: an endless loop?",
         static_cast<long long>(most_steps));
  if (address % alignment) check_alignment(p, alignment, write);
  if (w->in_window(p)) return check_shared(p, bytes, write, atomic);
  Range &r = global_range(p, bytes, write);
  if (write) r.dirty = 1;
}

}  // namespace emu

#define EMU_TSAN(size) \
  void __tsan_read##size(void *p) { \
    REMEMBER; \
    emu::check_access(p, size, size, false); \
  } \
  void __tsan_write##size(void *p) { \
    REMEMBER; \
    emu::check_access(p, size, size, true); \
  } \
  void __tsan_unaligned_read##size(void *p) { \
    REMEMBER; \
    emu::check_access(p, size, 1, false); \
  } \
  void __tsan_unaligned_write##size(void *p) { \
    REMEMBER; \
    emu::check_access(p, size, 1, true); \
  }
#define REMEMBER \
  if (emu::worker) emu::worker->fault = __builtin_return_address(0)

extern "C" {
EMU_TSAN(1)
EMU_TSAN(2)
EMU_TSAN(4)
EMU_TSAN(8)
EMU_TSAN(16)
void __tsan_read_range(void *p, unsigned long bytes) {
  REMEMBER;
  emu::check_access(p, static_cast<unsigned>(bytes), 1, false);
}
void __tsan_write_range(void *p, unsigned long bytes) {
  REMEMBER;
  emu::check_access(p, static_cast<unsigned>(bytes), 1, true);
}
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void **, void *) {}

/// What the compiler's bounds sanitizer calls for an index outside of a declared array.
struct EmuSource {
  const char *file;
  uint32_t line, column;
};
struct EmuType {
  uint16_t kind, info;
  char name[1];
};
struct EmuBounds {
  EmuSource at;
  EmuType *array, *index;
};
void __ubsan_handle_out_of_bounds(EmuBounds *where, unsigned long index) {
  const bool is_signed = where->index->info & 1;
  const unsigned bits = 1u << (where->index->info >> 1);
  const long long value =
      is_signed ? static_cast<long long>(index << (64 - bits)) >> (64 - bits) : static_cast<long long>(index);
  emu::fail("out of bounds: index %lld of an array of type %s, line %u", value, where->array->name, where->at.line);
}
void __ubsan_handle_out_of_bounds_abort(EmuBounds *where, unsigned long index) {
  __ubsan_handle_out_of_bounds(where, index);
}
}
