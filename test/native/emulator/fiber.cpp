#include "emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define EMULATOR_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMULATOR_ASAN
#endif
#endif
#if defined(EMULATOR_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulator {
namespace {

/// A thread that was left for good has not taken its marks off the stack.
void TakeMarksOff([[maybe_unused]] const void* lowest, [[maybe_unused]] std::size_t bytes) {
#if defined(EMULATOR_ASAN)
  __asan_unpoison_memory_region(lowest, bytes);
#endif
}

void AnnounceSwitch([[maybe_unused]] void** aside, [[maybe_unused]] const void* lowest,
                    [[maybe_unused]] std::size_t bytes) {
#if defined(EMULATOR_ASAN)
  __sanitizer_start_switch_fiber(aside, lowest, bytes);
#endif
}

void AnnounceArrival([[maybe_unused]] void* aside, [[maybe_unused]] const void** lowest_before,
                     [[maybe_unused]] std::size_t* bytes_before) {
#if defined(EMULATOR_ASAN)
  __sanitizer_finish_switch_fiber(aside, lowest_before, bytes_before);
#endif
}

}  // namespace

void Context::Enter(Context& before) { AnnounceArrival(nullptr, &before.lowest_, &before.bytes_); }

#if defined(EMULATOR_UCONTEXT)

void Context::Prepare(unsigned char* top, void (*entry)()) {
  lowest_ = top - kStackBytes;
  bytes_ = kStackBytes;
  TakeMarksOff(lowest_, bytes_);
  getcontext(&context_);
  context_.uc_stack.ss_sp = top - kStackBytes;
  context_.uc_stack.ss_size = kStackBytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
}

void Context::SwitchTo(Context& other) {
  AnnounceSwitch(&aside_, other.lowest_, other.bytes_);
  swapcontext(&context_, &other.context_);
  AnnounceArrival(aside_, nullptr, nullptr);
}

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
  lowest_ = top - kStackBytes;
  bytes_ = kStackBytes;
  TakeMarksOff(lowest_, bytes_);
  // What SwitchStack() pops: six registers, then where to go; above it a return address that ends backtraces
  // and aligns the stack as a call would have.
  void** next = reinterpret_cast<void**>(top);
  *--next = nullptr;
  *--next = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--next = nullptr;
  stack_pointer_ = next;
}

void Context::SwitchTo(Context& other) {
  AnnounceSwitch(&aside_, other.lowest_, other.bytes_);
  SwitchStack(&stack_pointer_, other.stack_pointer_);
  AnnounceArrival(aside_, nullptr, nullptr);
}

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
  for (unsigned char* memory : mapped_) {
    TakeMarksOff(memory, MappedBytes());  // a library may be mapped there next
    munmap(memory, MappedBytes());
  }
  mapped_.clear();
}

}  // namespace emulator
