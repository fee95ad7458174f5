// Which thread runs next, what happens when none can, and how errors leave a kernel.
#pragma once
#include <map>

#include "shadow.hpp"

namespace emu {

bool deliver_transfer();    // tma.hpp: let the copy engine do one thing; whether there was any
void check_end(Thread &t);  // wgmma.hpp: it leaves nothing unfinished behind

inline void to_main() {
  void *nowhere;
  emu_switch(&nowhere, worker->main_context);
}

/// Give up this launch: the report goes to the caller, the fibers are forgotten where they stand.
[[noreturn]] inline void fail_with(const std::string &text) {
  Worker &w = *worker;
  w.failed = true;
  w.error = text;
  to_main();
  std::abort();  // not reached
}

void fail(const char *format, ...) {
  char text[1500];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  const Worker &w = *worker;
  fail_with((w.current ? name_of(*w.current) + ": " : std::string()) + text);
}

/// Nobody can go on: who waits where. Threads in the same place are listed together.
[[noreturn]] inline void deadlock() {
  Worker &w = *worker;
  w.fault = nullptr;
  std::string text = "deadlock: no thread can go on";
  for (Block &b : w.blocks) {
    std::map<std::string, std::vector<unsigned>> places;
    for (unsigned i = 0; i < w.launch->threads(); i++) {
      const Thread &t = b.threads[i];
      std::string place = "ended";
      if (t.state == Thread::waiting) {
        place = std::string("waiting in ") + t.where;
        if (t.line) place += " (line " + std::to_string(t.line) + ")";
        for (const Waiter &waiter : w.waiters)
          if (waiter.thread == &t)
            place += " for phase " + std::to_string(waiter.parity) + " of " + shared_name(waiter.barrier);
      }
      places[place].push_back(t.x + w.launch->shape[0] * (t.y + w.launch->shape[1] * t.z));
    }
    text += "\n  block " + std::to_string(b.x);
    if (w.launch->grid[1] * w.launch->grid[2] > 1) text += ", " + std::to_string(b.y) + ", " + std::to_string(b.z);
    text += ":";
    for (const auto &[place, numbers] : places) {
      text += "\n    " + place + ": " + (numbers.size() == 1 ? "thread" : "threads");
      for (size_t i = 0; i < numbers.size();) {
        size_t j = i;
        while (j + 1 < numbers.size() && numbers[j + 1] == numbers[j] + 1) j++;
        text += (i ? ", " : " ") + std::to_string(numbers[i]);
        if (j > i) text += "-" + std::to_string(numbers[j]);
        i = j + 1;
      }
    }
  }
  fail_with(text);
}

/// Run the kernel for every thread of the cluster that has not begun; threads that never wait follow each other here
/// without a switch.
inline void runner();

inline size_t idle_stack() {
  Worker &w = *worker;
  if (w.idle.empty()) {
    w.stack_contexts.push_back(w.stacks.fresh(w.stacks_made, runner));
    w.idle.push_back(w.stacks_made++);
  }
  const size_t stack = w.idle.back();
  w.idle.pop_back();
  return stack;
}

/// Leave this stack, whose context goes to `save`, for whoever can go on; who polls lets new threads begin, too.
inline void go_on(void **save, Thread *self, bool polls = false) {
  Worker &w = *worker;
  while (w.ready.empty() && w.next == w.count) {
    if (w.ended == w.count) {
      emu_switch(save, w.main_context);
      return;
    }
    if (!deliver_transfer()) deadlock();
  }
  if (w.launch->seed && w.draw() % 8 == 0) deliver_transfer();
  w.steps = most_steps;
  const bool begin = w.next < w.count && (w.ready.empty() || polls || (w.launch->seed && w.draw() % 4 == 0));
  if (begin) {
    w.stack = idle_stack();
    emu_switch(save, w.stack_contexts[w.stack]);
    return;
  }
  if (w.launch->seed) std::swap(w.ready.front(), w.ready[w.draw() % w.ready.size()]);
  Thread *other = w.ready.front();
  w.ready.pop_front();
  other->state = Thread::running;
  w.current = other;
  if (other == self) return;
  w.stack = w.stack_of[other->place];
  emu_switch(save, other->context);
}

inline void runner() {
  for (;;) {
    Worker &w = *worker;
    while (w.next < w.count) {
      Thread &t = w.threads[w.next++];
      w.current = &t;
      w.stack_of[t.place] = w.stack;
      w.steps = most_steps;
      t.state = Thread::running;
      w.launch->entry(w.launch->args);
      Thread &done = *w.current;
      check_end(done);
      done.state = Thread::ended;
      done.block->ended++;
      w.ended++;
    }
    w.idle.push_back(w.stack);
    w.current = nullptr;
    go_on(&w.stack_contexts[w.stack], nullptr);
  }
}

void suspend(const char *where, unsigned line) {
  Worker &w = *worker;
  Thread &me = *w.current;
  me.state = Thread::waiting;
  me.where = where;
  me.line = line;
  if (++w.waits > most_waits)
    fail("the threads have waited %u times: an endless loop? (now in %s, line %u)", most_waits, where, line);
  go_on(&me.context, &me);
}

void wake(Thread &thread) {
  thread.state = Thread::ready;
  worker->ready.push_back(&thread);
}

void yield(const char *where, unsigned line) {
  Worker &w = *worker;
  Thread &me = *w.current;
  if (++w.waits > most_waits) fail("%s (line %u) was polled in vain: an endless loop?", where, line);
  if (w.ready.empty() && w.next == w.count) deliver_transfer();
  wake(me);
  me.where = where;
  me.line = line;
  go_on(&me.context, &me, true);
}

/// Have every thread of the cluster run to its end.
inline void run_cluster() {
  Worker &w = *worker;
  w.stack = idle_stack();
  emu_switch(&w.main_context, w.stack_contexts[w.stack]);
  if (!w.failed) return;
  // Fibers stand wherever they were: every stack starts afresh.
  w.idle.clear();
  for (size_t i = 0; i < w.stacks_made; i++) {
    w.stack_contexts[i] = w.stacks.fresh(i, runner);
    w.idle.push_back(i);
  }
}

}  // namespace emu
