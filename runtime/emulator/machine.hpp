// What the emulated GPU consists of. One Worker per thread of the system runs one cluster of blocks at a time.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "fiber.hpp"

namespace emu {

constexpr unsigned warp_size = 32, group_size = 128;  // threads of a warp; of a warp group
constexpr unsigned window_bytes = 256 << 10;          // addresses of one block's shared memory
constexpr unsigned static_limit = 48 << 10;           // bytes of shared memory that a kernel may declare
constexpr unsigned red_zone = 128;                    // bytes between shared arrays that belong to none
constexpr unsigned most_threads = 4096;               // of a cluster, or of all blocks of a cooperative launch
constexpr int64_t most_steps = 1 << 27;               // memory accesses of a thread between two waits
constexpr unsigned most_waits = 1 << 24;              // of a cluster's threads together

struct Block;
struct Worker;

/// An array that the launch gave to the kernel, or several that overlap.
struct Range {
  char *base;  // where the kernel sees it
  uint64_t bytes;
  char *home;  // where its owner keeps it
  const char *name;
  uint32_t element;  // bytes of an element
  uint8_t dirty;     // written by the kernel
};

/// A shared array of the kernel, or a named part of one; at the same place in every block.
struct SharedArray {
  unsigned site, offset, bytes, element;
  const char *name;
};

/// Copies of a thread (cp.async) that have been asked for and not been waited for.
struct Copy {
  char *to;
  const char *from;  // null: zeros
  unsigned batch, bytes;
};

struct Thread {
  enum State : uint8_t { unborn, running, ready, waiting, ended };
  void *context = nullptr;  // where it was switched out
  Block *block = nullptr;
  unsigned number = 0, place = 0;  // in its block; in its cluster
  unsigned x = 0, y = 0, z = 0;
  State state = unborn;
  const char *where = "";  // what it waits in, and the line of the kernel's text
  unsigned line = 0;
  unsigned fenced = 0, readied = 0;  // the times of its last lg_fence_async and lg_barrier_ready
  std::vector<Copy> copies;
  unsigned copy_batch = 0, store_batch = 0;  // batches committed so far
  uint64_t issued = 0, waited = 0;           // matrix operations of its warp group: begun; waited for
  bool registers_ready = false;              // no accumulator was written since the last lg_wgmma_fence
  const char *acc = nullptr;                 // the accumulators used last, and their bytes
  unsigned acc_bytes = 0;
  std::vector<uint64_t> matrix_batches;  // `issued` at each commit
  unsigned lane() const { return number % warp_size; }
};

/// Lanes of a warp that meet to do something together.
struct Meeting {
  unsigned mask = 0, came = 0;
  int kind = 0;
  void *payload[warp_size] = {};
};

struct Warp {
  Meeting meetings[warp_size];  // by the lowest lane that takes part
};

/// A barrier of a block or of a cluster.
struct Barrier {
  unsigned came = 0, expected = 0, line = 0;
  std::vector<Thread *> waiting;
  std::vector<Thread *> members;  // all that came in this phase
};

struct GroupQueue;  // the matrix operations of a warp group: wgmma.hpp

struct Block {
  unsigned x = 0, y = 0, z = 0, rank = 0, ended = 0;
  Thread *threads = nullptr;
  char *shared = nullptr;
  std::vector<Warp> warps;
  Barrier barriers[16];
  unsigned epoch = 0;                                 // the time of its last barrier of all threads
  std::vector<std::pair<unsigned, unsigned>> visits;  // which threads of other blocks used its shared memory, and when
  std::vector<unsigned> registers;                    // of each warp, as setmaxnreg said
};

/// A map as tensor_map.py packs it.
struct TensorMap {
  char *base;
  uint32_t array, rank, element, swizzle;
  uint32_t sizes[5], box[5];  // elements, innermost first
  uint64_t strides[4];        // bytes, of every axis but the innermost
};
static_assert(sizeof(TensorMap) <= 128);

/// A tile that the copy engine moves behind the threads' backs.
struct Transfer {
  TensorMap map;  // its own: the thread that asked, and the parameters on its stack, may be gone
  int at[5];      // coordinates of the box, innermost first
  char *shared;   // in the owner's block
  Thread *owner;
  unsigned blocks;    // bit per block of the cluster that a load goes to
  uint64_t *barrier;  // in the owner's block: told of a load's bytes
  bool is_store;
  unsigned batch;  // of a store
};

/// A thread that waits for the phase `parity` of an mbarrier to complete.
struct Waiter {
  Thread *thread;
  uint64_t *barrier;
  unsigned parity;
};

struct Launch {
  void (*entry)(void **);
  void **args;
  unsigned grid[3], shape[3], cluster, dynamic_bytes, shared_limit;
  bool checks;
  uint64_t seed;
  std::vector<Range> ranges;
  unsigned threads() const { return shape[0] * shape[1] * shape[2]; }
};

struct Shadow;  // what is known of each byte of shared memory: shadow.hpp

struct Worker {
  Worker();
  ~Worker();
  Stacks stacks;
  Launch *launch = nullptr;
  Thread *current = nullptr;
  size_t stack = 0;  // the one that runs now
  int64_t steps = 0;
  std::vector<void *> stack_contexts;  // of stacks whose thread has ended
  std::vector<size_t> idle;
  size_t stacks_made = 0;
  std::vector<size_t> stack_of;  // by place
  std::vector<Thread> threads;
  std::vector<Block> blocks;
  std::vector<GroupQueue *> groups;
  std::deque<Thread *> ready;
  std::deque<Transfer> transfers;
  std::vector<Waiter> waiters;
  Barrier cluster_barrier;
  unsigned count = 0, next = 0, ended = 0, waits = 0;
  void *main_context = nullptr;
  size_t window_size = 0;
  char *window = nullptr;  // shared memory of the cluster's blocks, one after the other
  std::vector<SharedArray> arrays, parts;
  unsigned static_bytes = 0, shared_used = 0, dynamic_offset = 0;
  Shadow *shadow = nullptr;
  size_t last_range = 0;
  uint64_t random = 0;
  bool failed = false;
  const void *fault = nullptr;  // the instruction that an error is about
  std::string error;

  bool in_window(const void *p) const {
    return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(window) < window_bytes * blocks.size();
  }
  uint64_t draw() {  // xorshift64: which of several allowed orders
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  }
};

extern thread_local Worker *worker;

void release(GroupQueue *&queue);  // wgmma.hpp

[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void suspend(const char *where, unsigned line);  // until somebody calls wake
void wake(Thread &thread);
void yield(const char *where, unsigned line);  // let others go on first

/// A thread in words.
inline std::string name_of(const Thread &t) {
  const Launch &launch = *worker->launch;
  const Block &b = *t.block;
  const bool flat = launch.grid[1] == 1 && launch.grid[2] == 1;
  const bool row = launch.shape[1] == 1 && launch.shape[2] == 1;
  const std::string block =
      flat ? std::to_string(b.x)
           : "(" + std::to_string(b.x) + ", " + std::to_string(b.y) + ", " + std::to_string(b.z) + ")";
  const std::string own =
      row ? std::to_string(t.x)
          : "(" + std::to_string(t.x) + ", " + std::to_string(t.y) + ", " + std::to_string(t.z) + ")";
  return "block " + block + ", thread " + own;
}

}  // namespace emu
