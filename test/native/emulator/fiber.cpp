#include "emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

namespace emulator {

#if defined(EMULATOR_UCONTEXT)

void Context::Prepare(unsigned char* top, void (*entry)()) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = top - kStackBytes;
  context_.uc_stack.ss_size = kStackBytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
}

void Context::SwitchTo(Context& other) { swapcontext(&context_, &other.context_); }

#else

namespace {

/// Six registers are what a call must keep; all else the caller has saved. swapcontext() would also ask the
/// kernel for the signal mask, each time. A jump at the end, because processors expect `ret` to go where the
/// last call came from. Static: several addons with an emulator live in one process.
[[gnu::naked, gnu::noinline]] void SwitchStack(void** /*from*/, void* /*to*/) {
  asm volatile(
      "pushq %rbp\n\t"
      "pushq %rbx\n\t"
      "pushq %r12\n\t"
      "pushq %r13\n\t"
      "pushq %r14\n\t"
      "pushq %r15\n\t"
      "movq %rsp, (%rdi)\n\t"
      "movq %rsi, %rsp\n\t"
      "popq %r15\n\t"
      "popq %r14\n\t"
      "popq %r13\n\t"
      "popq %r12\n\t"
      "popq %rbx\n\t"
      "popq %rbp\n\t"
      "popq %rcx\n\t"
      "jmp *%rcx");
}

}  // namespace

void Context::Prepare(unsigned char* top, void (*entry)()) {
  // What SwitchStack() pops: six registers, then where to go; above it a return address that ends backtraces
  // and aligns the stack as a call would have.
  void** next = reinterpret_cast<void**>(top);
  *--next = nullptr;
  *--next = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--next = nullptr;
  stack_pointer_ = next;
}

void Context::SwitchTo(Context& other) { SwitchStack(&stack_pointer_, other.stack_pointer_); }

#endif

namespace {

std::size_t PageBytes() {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

/// A page that is not there, against overflow, the stack, and a page in which it begins.
std::size_t MappedBytes() { return PageBytes() + kStackBytes + PageBytes(); }

}  // namespace

unsigned char* StackPool::Top(std::size_t number) {
  while (mapped_.size() <= number) {
    void* memory = mmap(nullptr, MappedBytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, PageBytes(), PROT_NONE);
    mapped_.push_back(static_cast<unsigned char*>(memory));
  }
  // If all stacks began at the same place of a page, their tops would compete for the same lines of the
  // cache.
  constexpr std::size_t kLine = 64;
  const std::size_t shift = number * kLine % PageBytes();
  return mapped_[number] + MappedBytes() - shift;
}

void StackPool::Clear() {
  for (unsigned char* memory : mapped_) munmap(memory, MappedBytes());
  mapped_.clear();
}

}  // namespace emulator
