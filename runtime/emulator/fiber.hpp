// Fibers: stacks that a thread of the system runs on in turns.
//
// A context is a stack pointer. `emu_switch` pushes the registers that a function must preserve, stores the stack
// pointer, loads another one and pops what was pushed there: twenty instructions, no system call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#define EMU_TEXT(x) #x
#define EMU_EXPAND(x) EMU_TEXT(x)
#define EMU_SYMBOL(name) EMU_EXPAND(__USER_LABEL_PREFIX__) #name

extern "C" void emu_switch(void **save, void *load);

#if defined(__x86_64__)
// System V ABI: rbx, rbp and r12-r15 belong to the caller.
asm(".text\n.globl " EMU_SYMBOL(emu_switch) "\n" EMU_SYMBOL(emu_switch) ":\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n");
constexpr size_t emu_frame_words = 8;  // six registers, the address to return to, and one word for alignment
constexpr size_t emu_return_word = 6;
#elif defined(__aarch64__)
// AAPCS64: x19-x30 and the low halves of v8-v15 belong to the caller.
asm(".text\n.globl " EMU_SYMBOL(emu_switch) "\n" EMU_SYMBOL(emu_switch) ":\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n  stp x25, x26, [sp, #48]\n"
    "  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
    "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
    "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n  ldp x25, x26, [sp, #48]\n"
    "  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n  ret\n");
constexpr size_t emu_frame_words = 20;
constexpr size_t emu_return_word = 11;  // x30
#else
#error "the emulator's switch of stacks is written for x86-64 and aarch64"
#endif

namespace emu {

constexpr size_t stack_bytes = 256 << 10;  // of address space; pages are only taken when they are touched
constexpr size_t guard_bytes = 16 << 10;   // below each stack: running over its end stops the process at once

/// Stacks side by side in one range of addresses, so that "is this a local variable?" is one comparison.
class Stacks {
 public:
  explicit Stacks(size_t most) : bytes_(most * stack_bytes) {
    void *p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
      std::perror("lazygrad's emulator: no address space for stacks");
      std::abort();
    }
    base_ = static_cast<char *>(p);
  }
  ~Stacks() { munmap(base_, bytes_); }
  Stacks(const Stacks &) = delete;
  Stacks &operator=(const Stacks &) = delete;

  bool hold(uintptr_t address) const { return address - reinterpret_cast<uintptr_t>(base_) < bytes_; }

  /// The context of stack number `i` that calls `entry`, which never returns, when it is switched to.
  void *fresh(size_t i, void (*entry)()) {
    if (i == guarded_) {
      mprotect(base_ + i * stack_bytes, guard_bytes, PROT_NONE);
      guarded_++;
    }
    void **top = reinterpret_cast<void **>(base_ + (i + 1) * stack_bytes) - 2;
    void **frame = top - emu_frame_words;
    for (size_t k = 0; k < emu_frame_words; k++) frame[k] = nullptr;
    frame[emu_return_word] = reinterpret_cast<void *>(entry);
    return frame;
  }

 private:
  char *base_;
  size_t bytes_, guarded_ = 0;
};

}  // namespace emu
