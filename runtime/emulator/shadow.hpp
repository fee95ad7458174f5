// What is known of every byte of shared memory, and of the order in which threads do things.
//
// Bytes: whether somebody has written them, and whether the copy engines or matrix units still write or read them.
// Words: who accessed them last and when, in a time that only grows at synchronization. Thread t may touch what
// thread u wrote at time c if t has learnt of u's times up to c: through a barrier of the whole block (`Block::epoch`)
// or through other meetings, where what one party knows is joined to what the other knows (a vector clock each, as in
// FastTrack, Flanagan and Freund, PLDI 2009; two readers of a word are remembered, so a race may be missed, but what
// is reported is one).
#pragma once
#include <algorithm>
#include <unordered_map>

#include "machine.hpp"

namespace emu {

enum ByteState : uint8_t {
  written = 1,      // holds something
  arriving = 2,     // a copy engine may write it at any moment
  leaving = 4,      // a copy engine or matrix unit may read it at any moment
  barrier_byte = 8  // of an mbarrier
};

constexpr uint16_t nobody = 0xffff;

struct Word {
  uint32_t write_time, read_time[2];
  uint16_t writer, reader[2];
  uint8_t write_bytes, read_bytes[2], atomic;  // bit per byte of the word
};

/// Of an mbarrier: what those who arrived in the running phase, and in the one before, had done and knew.
struct PhaseClock {
  std::vector<uint32_t> running, over;
};

struct Shadow {
  std::vector<uint8_t> bytes;
  std::vector<Word> words;
  uint32_t now = 1;
  std::vector<uint32_t> clocks;  // what each thread knows of each: rows of `count`, made when first needed
  std::vector<uint8_t> has_clock;
  unsigned count = 0;  // of threads and agents
  std::unordered_map<const void *, PhaseClock> phases;
  std::vector<uint32_t> agent_epoch;  // what all threads know of the agents, where the cluster is one block

  // Agents do things that no thread does: the copy engine, then the matrix unit of each warp group.
  unsigned copy_engine() const { return worker->count; }
  unsigned matrix_unit(unsigned group) const { return worker->count + 1 + group; }

  /// Everything is forgotten: a new cluster begins, whose blocks use the first `used` bytes of their windows.
  void reset(unsigned blocks, unsigned used, unsigned threads) {
    bytes.resize(static_cast<size_t>(blocks) * window_bytes);
    words.resize(bytes.size() / 4);
    phases.clear();
    agent_epoch.assign(1 + worker->groups.size(), 0);
    count = threads + static_cast<unsigned>(agent_epoch.size());
    now = 1;
    has_clock.assign(threads, 0);
    forget(0, used);
  }

  /// Nothing is known of the bytes from `start` to `end` of each block's window.
  void forget(unsigned start, unsigned end) {
    for (size_t window = 0; window < bytes.size(); window += window_bytes) {
      std::memset(&bytes[window] + start, 0, end - start);
      const size_t first = (window + start + 3) / 4, last = (window + end + 3) / 4;
      std::memset(static_cast<void *>(words.data() + first), 0xff, (last - first) * sizeof(Word));
    }
  }

  uint32_t *row(unsigned place) {
    if (clocks.size() < static_cast<size_t>(count) * count) clocks.resize(static_cast<size_t>(count) * count);
    uint32_t *r = &clocks[static_cast<size_t>(place) * count];
    if (!has_clock[place]) {
      std::fill(r, r + count, 0);
      has_clock[place] = 1;
    }
    return r;
  }

  /// Whether `me` knows of what thread or agent number `other` did at `time`.
  bool knows(const Thread &me, unsigned other, uint32_t time) {
    if (other == me.place) return true;
    if (other >= worker->count) {
      if (time <= agent_epoch[other - worker->count]) return true;
    } else if (worker->threads[other].block == me.block && time <= me.block->epoch) {
      return true;
    }
    return has_clock[me.place] && time <= clocks[static_cast<size_t>(me.place) * count + other];
  }

  /// All these threads have met: each knows what any of them did or knew.
  template <class Threads>
  void meet(const Threads &threads) {
    std::vector<uint32_t> all(count, 0);
    for (const Thread *t : threads) learn(all.data(), *t);
    for (const Thread *t : threads) std::copy(all.begin(), all.end(), row(t->place));
    now++;
  }

  /// Add what `t` did and knows to `known`.
  void learn(uint32_t *known, const Thread &t) {
    const unsigned mine = t.place - t.number, size = worker->launch->threads();
    if (has_clock[t.place]) {
      const uint32_t *r = row(t.place);
      for (unsigned i = 0; i < count; i++) known[i] = std::max(known[i], r[i]);
    }
    for (unsigned i = mine; i < mine + size; i++) known[i] = std::max(known[i], t.block->epoch);
    for (unsigned a = 0; a < agent_epoch.size(); a++)
      known[worker->count + a] = std::max(known[worker->count + a], agent_epoch[a]);
    known[t.place] = now;
  }

  /// `t` has seen that an agent is done with what it did until now.
  void witness(const Thread &t, unsigned agent) { row(t.place)[agent] = now; }

  /// Add `known` to what `t` knows.
  void teach(const uint32_t *known, const Thread &t) {
    uint32_t *r = row(t.place);
    for (unsigned i = 0; i < count; i++) r[i] = std::max(r[i], known[i]);
  }
};

inline const SharedArray *array_at(unsigned offset, const std::vector<SharedArray> &arrays) {
  for (const SharedArray &a : arrays)
    if (offset - a.offset < a.bytes) return &a;
  return nullptr;
}

/// An address in shared memory in words: "tile[3]", "tile[3] of block rank 1".
inline std::string shared_name(const void *p) {
  Worker &w = *worker;
  const size_t place = static_cast<size_t>(static_cast<const char *>(p) - w.window);
  const unsigned rank = static_cast<unsigned>(place / window_bytes), offset = place % window_bytes;
  const SharedArray *part = array_at(offset, w.parts), *a = part ? part : array_at(offset, w.arrays);
  std::string text = "byte " + std::to_string(offset) + " of shared memory";
  if (a) text = std::string(a->name) + "[" + std::to_string((offset - a->offset) / a->element) + "]";
  if (w.current && w.current->block->rank != rank) text += " of block rank " + std::to_string(rank);
  return text;
}

[[noreturn]] inline void race(const void *p, bool write, unsigned other, bool wrote) {
  const Worker &w = *worker;
  std::string who = other == w.count ? "the copy engine" : "a matrix operation";
  if (other < w.count) {
    const Thread &them = w.threads[other];
    who = "thread " + std::to_string(them.number);
    if (them.block != w.current->block) who += " of block rank " + std::to_string(them.block->rank);
  }
  fail("race: it %s %s, which %s %s, with no barrier between them", write ? "writes" : "reads", shared_name(p).c_str(),
       who.c_str(), wrote ? "wrote" : "read");
}

/// Compare an access to one word by the current thread with those before it.
inline void compare(const void *p, const Word &word, uint8_t mask, bool write, bool atomic) {
  Shadow &s = *worker->shadow;
  const Thread &me = *worker->current;
  const bool both_atomic = atomic && word.atomic == 1;
  if (word.writer != nobody && (word.write_bytes & mask) && !both_atomic && !s.knows(me, word.writer, word.write_time))
    race(p, write, word.writer, true);
  if (!write) return;
  for (int k = 0; k < 2; k++)
    if (word.reader[k] != nobody && (word.read_bytes[k] & mask) && !s.knows(me, word.reader[k], word.read_time[k]))
      race(p, write, word.reader[k], false);
}

/// Remember who accessed a word: a thread or an agent.
inline void note(Word &word, unsigned who, uint8_t mask, bool write, bool atomic) {
  Shadow &s = *worker->shadow;
  if (write) {
    word.writer = static_cast<uint16_t>(who);
    word.write_time = s.now;
    word.write_bytes = mask;
    word.atomic = atomic;
    word.reader[0] = word.reader[1] = nobody;
  } else {
    const int k = word.reader[0] == nobody || word.reader[0] == who ? 0 : 1;
    word.reader[k] = static_cast<uint16_t>(who);
    word.read_time[k] = s.now;
    word.read_bytes[k] = mask;
  }
}

}  // namespace emu
