// Running a grid: blocks are shared out to threads of the system, and arrays are kept apart from each other.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "access.hpp"
#include "barrier.hpp"

namespace emu {

thread_local Worker *worker = nullptr;

Worker::Worker() : stacks(most_threads) {}
Worker::~Worker() {
  delete shadow;
  if (window) munmap(window, window_size);
}

constexpr uint64_t small_grid = 2048;  // threads: fewer are not worth another core

/// Room for `blocks` windows of shared memory.
inline void make_window(Worker &w, unsigned blocks) {
  const size_t bytes = static_cast<size_t>(blocks) * window_bytes;
  if (w.window_size >= bytes) return;
  if (w.window) munmap(w.window, w.window_size);
  void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  w.window = static_cast<char *>(p);
  w.window_size = bytes;
}

/// Threads, blocks and memory of the cluster that begins with block number `first`.
inline void begin_cluster(Worker &w, uint64_t first) {
  const Launch &l = *w.launch;
  const unsigned size = l.threads();
  for (unsigned rank = 0; rank < l.cluster; rank++) {
    const uint64_t number = first + rank;
    Block &b = w.blocks[rank];
    b = Block();
    b.x = static_cast<unsigned>(number % l.grid[0]);
    b.y = static_cast<unsigned>(number / l.grid[0] % l.grid[1]);
    b.z = static_cast<unsigned>(number / l.grid[0] / l.grid[1]);
    b.rank = rank;
    b.threads = &w.threads[static_cast<size_t>(rank) * size];
    b.shared = w.window + static_cast<size_t>(rank) * window_bytes;
    b.warps.resize((size + warp_size - 1) / warp_size);
    b.registers.resize(b.warps.size());
    std::memset(b.shared, 0xff, w.shared_used);  // NaN in every type
    for (unsigned i = 0; i < size; i++) {
      Thread &t = b.threads[i];
      t = Thread();
      t.block = &b;
      t.number = i;
      t.place = rank * size + i;
      t.x = i % l.shape[0];
      t.y = i / l.shape[0] % l.shape[1];
      t.z = i / l.shape[0] / l.shape[1];
    }
  }
  w.count = size * l.cluster;
  w.next = w.ended = w.waits = 0;
  w.current = nullptr;
  w.ready.clear();
  w.transfers.clear();
  w.waiters.clear();
  w.cluster_barrier = Barrier();
  for (GroupQueue *&g : w.groups) release(g);
  w.groups.assign((size + group_size - 1) / group_size * l.cluster, nullptr);
  w.random = (l.seed + first + 1) * 0x9e3779b97f4a7c15u;
  if (w.shadow) w.shadow->reset(l.cluster, w.shared_used, w.count);
}

/// What the threads of the system share while they run one launch.
struct Grid {
  Launch *launch;
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> bad{UINT64_MAX};  // whose turn failed first: later ones need not run
  std::mutex lock;
  std::string error;
  const void *fault = nullptr;
};

/// Which cluster is the `turn`-th to run: with a seed, the last ones come first.
inline uint64_t number_in_turn(const Launch &l, uint64_t clusters, uint64_t turn) {
  return l.seed ? (clusters - 1 - turn + (l.seed - 1)) % clusters : turn;
}

inline void run_clusters(Worker &w, Grid &grid) {
  Launch &l = *grid.launch;
  const uint64_t clusters = static_cast<uint64_t>(l.grid[0]) * l.grid[1] * l.grid[2] / l.cluster;
  worker = &w;
  w.launch = &l;
  w.failed = false;
  w.arrays.clear();
  w.parts.clear();
  w.static_bytes = w.shared_used = w.dynamic_offset = 0;
  w.last_range = 0;
  w.blocks.resize(l.cluster);
  w.threads.resize(static_cast<size_t>(l.threads()) * l.cluster);
  w.stack_of.resize(w.threads.size());
  make_window(w, l.cluster);
  if (!l.checks)
    delete w.shadow, w.shadow = nullptr;
  else if (!w.shadow)
    w.shadow = new Shadow();
  for (;;) {
    const uint64_t c = grid.next++;
    if (c >= clusters || c > grid.bad) break;
    begin_cluster(w, number_in_turn(l, clusters, c) * l.cluster);
    run_cluster();
    if (!w.failed) continue;
    const std::lock_guard<std::mutex> held(grid.lock);
    if (c < grid.bad) grid.bad = c, grid.error = w.error, grid.fault = w.fault;
    break;
  }
  worker = nullptr;
}

inline std::vector<std::unique_ptr<Worker>> &pool() {
  static std::vector<std::unique_ptr<Worker>> workers;
  return workers;
}

/// Run a grid on `count` threads of the system. The result does not depend on `count`.
inline void run_grid(Grid &grid, unsigned count) {
  const Launch &l = *grid.launch;
  const uint64_t clusters = static_cast<uint64_t>(l.grid[0]) * l.grid[1] * l.grid[2] / l.cluster;
  const bool small = clusters * l.cluster * l.threads() < small_grid;
  count = small ? 1 : static_cast<unsigned>(std::min<uint64_t>(count, clusters));
  auto &workers = pool();
  while (workers.size() < count) workers.push_back(std::make_unique<Worker>());
  std::vector<std::thread> others;
  for (unsigned i = 1; i < count; i++) others.emplace_back([&grid, &workers, i] { run_clusters(*workers[i], grid); });
  run_clusters(*workers[0], grid);
  for (std::thread &t : others) t.join();
}

}  // namespace emu
