// The functions that Python calls, and those that tell a kernel where it is and where its shared arrays are.
#pragma once
#include "launch.hpp"
#include "tma.hpp"

extern "C" {
/// One array argument: `home` and `bytes` of its memory, and how the kernel names it.
struct EmuArray {
  char *home;
  uint64_t bytes;
  const char *name;
  uint32_t element;
};

struct EmuLaunch {
  void (*entry)(void **);
  uint32_t grid[3], shape[3], cluster, dynamic_bytes, shared_limit, workers, checks, arrays, others, maps;
  uint64_t seed;
  const EmuArray *array;
  void **other;          // the values of the parameters that follow the arrays
  emu::TensorMap **map;  // those of them that are tensor maps
};
}

namespace emu {

/// Copies of the launch's arrays with room between them, so that running over the end of one is no access to another.
/// Arrays that overlap (a kernel that works in place) share a copy.
class Apart {
 public:
  Apart(Launch &launch, const EmuLaunch &given) : launch_(launch) {
    std::vector<const EmuArray *> sorted;
    for (uint32_t i = 0; i < given.arrays; i++) sorted.push_back(&given.array[i]);
    std::sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return a->home < b->home; });
    for (const EmuArray *a : sorted) {
      std::vector<Range> &r = launch.ranges;
      if (!r.empty() && a->home < r.back().home + r.back().bytes)
        r.back().bytes = std::max<uint64_t>(r.back().bytes, static_cast<uint64_t>(a->home + a->bytes - r.back().home));
      else
        r.push_back({nullptr, a->bytes, a->home, a->name, a->element, 0});
    }
    if (!launch.checks) {
      for (Range &r : launch.ranges) r.base = r.home;
      return;
    }
    uint64_t total = page;
    for (const Range &r : launch.ranges) total += room(r);
    memory_.reset(static_cast<char *>(std::aligned_alloc(page, total)));
    char *next = memory_.get();
    for (Range &r : launch.ranges) {
      r.base =
          next + room(r) / 2 / page * page - r.bytes / 2 / page * page + reinterpret_cast<uintptr_t>(r.home) % page;
      std::memcpy(r.base, r.home, r.bytes);
      next += room(r);
    }
  }

  /// Where the kernel sees what lies at `home`.
  char *seen(char *home) const {
    for (const Range &r : launch_.ranges)
      if (home >= r.home && home <= r.home + r.bytes && (home < r.home + r.bytes || !r.bytes))
        return r.base + (home - r.home);
    return home;  // an array without elements
  }

  void bring_back() const {
    if (!launch_.checks) return;
    for (const Range &r : launch_.ranges)
      if (r.dirty) std::memcpy(r.home, r.base, r.bytes);
  }

 private:
  static constexpr uint64_t page = 4096;
  /// As much before and after an array as it has itself, so that who runs far over its end is still near it.
  static uint64_t room(const Range &r) { return (3 * r.bytes + 4 * page) / page * page; }
  struct Free {
    void operator()(char *p) const { std::free(p); }
  };
  Launch &launch_;
  std::unique_ptr<char, Free> memory_;
};

/// A shared array of the current kernel, at the same place in each block; `site` numbers its declaration.
inline char *shared_array(unsigned site, unsigned bytes, unsigned alignment, unsigned element, const char *name) {
  Worker &w = *worker;
  for (const SharedArray &a : w.arrays)
    if (a.site == site) return w.current->block->shared + a.offset;
  const unsigned start = std::max(w.shared_used, red_zone);
  const unsigned offset = (start + red_zone + alignment - 1) / alignment * alignment;
  if (offset + bytes > window_bytes) fail("%s: no room for %u bytes of shared memory", name, bytes);
  for (Block &b : w.blocks) std::memset(b.shared + w.shared_used, 0xff, offset + bytes - w.shared_used);
  if (w.shadow) w.shadow->forget(w.shared_used, offset + bytes);
  w.shared_used = offset + bytes;
  w.arrays.push_back({site, offset, bytes, element, name});
  return w.current->block->shared + offset;
}

}  // namespace emu

extern "C" {
/// Runs a launch, after those that other threads of the process began. Returns 0, or 1 with a report in `error`;
/// `fault` is the instruction that it is about, or null.
int emu_launch(const EmuLaunch *e, char *error, uint64_t room, const void **fault) {
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> held(one_at_a_time);
  emu::Launch l;
  l.entry = e->entry;
  for (int i = 0; i < 3; i++) l.grid[i] = e->grid[i], l.shape[i] = e->shape[i];
  l.cluster = e->cluster;
  l.dynamic_bytes = e->dynamic_bytes;
  l.shared_limit = e->shared_limit;
  l.checks = e->checks;
  l.seed = e->seed;
  const emu::Apart apart(l, *e);
  std::vector<char *> pointers;
  for (uint32_t i = 0; i < e->arrays; i++) pointers.push_back(apart.seen(e->array[i].home));
  std::vector<void *> args;
  for (char *&p : pointers) args.push_back(&p);
  for (uint32_t i = 0; i < e->others; i++) args.push_back(e->other[i]);
  for (uint32_t i = 0; i < e->maps; i++) e->map[i]->base = pointers[e->map[i]->array];
  l.args = args.data();
  emu::Grid grid;
  grid.launch = &l;
  emu::run_grid(grid, e->workers);
  apart.bring_back();
  if (grid.bad == UINT64_MAX) return 0;
  std::snprintf(error, room, "%s", grid.error.c_str());
  *fault = grid.fault;
  return 1;
}

/// threadIdx, blockIdx, blockDim, gridDim (x, y, z of each), the block's rank in its cluster, the cluster's size.
unsigned emu_index(int which) {
  const emu::Thread &t = *emu::worker->current;
  const emu::Launch &l = *emu::worker->launch;
  const unsigned all[] = {t.x,        t.y,        t.z,       t.block->x, t.block->y, t.block->z,    l.shape[0],
                          l.shape[1], l.shape[2], l.grid[0], l.grid[1],  l.grid[2],  t.block->rank, l.cluster};
  return all[which];
}

void *emu_shared(unsigned site, unsigned bytes, unsigned alignment, unsigned element, const char *name) {
  emu::Worker &w = *emu::worker;
  const size_t before = w.arrays.size();
  char *p = emu::shared_array(site, bytes, alignment, element, name);
  if (w.arrays.size() > before && (w.static_bytes += bytes) > emu::static_limit)
    emu::fail("%s: the kernel declares %u bytes of shared memory; more than %u must be asked for at launch", name,
              w.static_bytes, emu::static_limit);
  return p;
}
void *emu_dynamic_shared(unsigned alignment) {
  const emu::Launch &l = *emu::worker->launch;
  if (l.dynamic_bytes > l.shared_limit)
    emu::fail("the launch asks for %u bytes of shared memory, and a block may have %u", l.dynamic_bytes,
              l.shared_limit);
  return emu::shared_array(~0u, l.dynamic_bytes, alignment, 1, "dynamic shared memory");
}
/// `name` starts `offset` bytes into dynamic shared memory, and ends where the next part starts.
void emu_dynamic_part(unsigned site, unsigned offset, unsigned element, const char *name) {
  emu::Worker &w = *emu::worker;
  for (const emu::SharedArray &part : w.parts)
    if (part.site == site) return;
  for (const emu::SharedArray &whole : w.arrays) {
    if (whole.site != ~0u || offset >= whole.bytes) continue;
    w.parts.push_back({site, whole.offset + offset, whole.bytes - offset, element, name});
    std::sort(w.parts.begin(), w.parts.end(), [](auto &a, auto &b) { return a.offset > b.offset; });  // nearest first
    return;
  }
}
void emu_yield(const char *where, unsigned line) { emu::yield(where, line); }
void emu_access(const void *p, unsigned bytes, unsigned alignment, bool write, bool atomic) {
  REMEMBER;
  emu::check_access(p, bytes, alignment, write, atomic);
}
void *emu_copy(void *to, const void *from, unsigned long bytes) {
  REMEMBER;
  emu::check_access(from, static_cast<unsigned>(bytes), 1, false);
  emu::check_access(to, static_cast<unsigned>(bytes), 1, true);
  return std::memmove(to, from, bytes);
}
/// One step of an atomic operation: whether `*p` was `*expected`, and is `*value` now; else `*expected` is what it is.
bool emu_compare_exchange(void *p, void *expected, const void *value, unsigned bytes) {
  const auto step = [=](auto *typed) {
    auto wanted = *static_cast<const std::remove_pointer_t<decltype(typed)> *>(value);
    auto *held = static_cast<decltype(typed)>(expected);
    return __atomic_compare_exchange_n(typed, held, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  };
  return bytes == 8   ? step(static_cast<uint64_t *>(p))
         : bytes == 4 ? step(static_cast<uint32_t *>(p))
                      : step(static_cast<uint16_t *>(p));
}
}
