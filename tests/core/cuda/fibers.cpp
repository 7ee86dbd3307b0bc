#include "fibers.hpp"

#include <cstdio>
#include <cstdlib>

#ifndef __x86_64__
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef __x86_64__
// Stores where this fiber goes on, and goes on with another one. ucontext would ask the system each
// time, which takes nine times as long.
extern "C" void graphcut_switch(void** from, void* to);
asm(R"(
.text
.globl graphcut_switch
.type graphcut_switch, @function
graphcut_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size graphcut_switch, .-graphcut_switch
)");
#endif

namespace graphcut::test {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10;

// A place to go on from.
class Context {
 public:
  void start(char* stack, void (*entry)()) {
#ifdef __SANITIZE_ADDRESS__  // a fiber before may have ended in functions that never returned
    ASAN_UNPOISON_MEMORY_REGION(stack + kStackBytes - 4096, 4096);
#endif
#ifdef __x86_64__
    auto* top = reinterpret_cast<void**>(stack + kStackBytes - 16);
    *--top = nullptr;  // whom entry() would return to
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    at_ = static_cast<void*>(top);
#else
    getcontext(&at_);
    at_.uc_stack.ss_sp = stack;
    at_.uc_stack.ss_size = kStackBytes;
    makecontext(&at_, entry, 0);
#endif
  }
  static void change(Context& from, Context& to) {
#ifdef __x86_64__
    graphcut_switch(&from.at_, to.at_);
#else
    swapcontext(&from.at_, &to.at_);
#endif
  }

 private:
#ifdef __x86_64__
  void* at_ = nullptr;
#else
  ucontext_t at_{};
#endif
};

struct Fiber {
  std::unique_ptr<char[]> stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  Context context;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

// The fibers of a launch. Launches come one after the other, from any thread.
struct Fibers {
  std::vector<Fiber> all;       // as many as any launch had
  std::vector<unsigned> ready;  // from `next` on
  std::size_t next = 0;
  unsigned count = 0, running = 0, ended = 0;
  std::uint64_t order = 1;
  Context caller;
  void* caller_fake_stack = nullptr;
  const void* caller_stack = nullptr;
  std::size_t caller_bytes = 0;
  std::function<void()> body;
};
Fibers& fibers() {
  static Fibers all;
  return all;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FAILED: %s\n", what);
  std::abort();
}

void before_change([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#endif
}
void after_change([[maybe_unused]] void* fake_stack) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}
void fiber_entered() {
#ifdef __SANITIZE_ADDRESS__
  Fibers& f = fibers();
  const void* stack = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &stack, &bytes);
  if (f.caller_stack == nullptr) {  // the first fiber comes from the caller
    f.caller_stack = stack;
    f.caller_bytes = bytes;
  }
#endif
}

// Goes on with the next fiber that can. `fake_stack`: null where this one never comes back.
void change_from(Context& context, void** fake_stack) {
  Fibers& f = fibers();
  if (f.next == f.ready.size()) fail("threads of a block wait for each other at different places");
  f.running = f.ready[f.next++];
  Fiber& to = f.all[f.running];
  if (&to.context == &context) return;
  before_change(fake_stack, to.stack.get(), kStackBytes);
  Context::change(context, to.context);
  after_change(fake_stack == nullptr ? nullptr : *fake_stack);
}

void run_fiber() {
  fiber_entered();
  Fibers& f = fibers();
  f.body();
  Context& ended = f.all[f.running].context;
  if (++f.ended < f.count) {
    change_from(ended, nullptr);
  } else {
    before_change(nullptr, f.caller_stack, f.caller_bytes);
    Context::change(ended, f.caller);
  }
  fail("a fiber that ended goes on");
}

}  // namespace

unsigned current_fiber() { return fibers().running; }

void run_fibers(unsigned count, const std::function<void()>& body) {
  Fibers& f = fibers();
  if (f.all.size() < count) f.all.resize(count);
  f.count = count;
  f.ready.clear();
  f.next = f.ended = 0;
  f.body = body;
  f.caller_stack = nullptr;
  for (unsigned fiber = 0; fiber < count; ++fiber) {
    f.all[fiber].context.start(f.all[fiber].stack.get(), run_fiber);
    f.ready.push_back(fiber);
  }
  change_from(f.caller, &f.caller_fake_stack);
}

void meet(Meeting& meeting, unsigned expected) {
  Fibers& f = fibers();
  meeting.waiting.push_back(f.running);
  if (++meeting.arrived == expected) {
    meeting.arrived = 0;
    if (f.next > 4096) {
      f.ready.erase(f.ready.begin(), f.ready.begin() + static_cast<std::ptrdiff_t>(f.next));
      f.next = 0;
    }
    // From another one each time, upwards or downwards.
    f.order = f.order * 6364136223846793005U + 1442695040888963407U;
    const auto first = static_cast<unsigned>(f.order >> 33) % expected;
    const bool upwards = (f.order >> 32 & 1U) != 0;
    for (unsigned i = 0; i < expected; ++i) {
      f.ready.push_back(meeting.waiting[(first + (upwards ? i : expected - i)) % expected]);
    }
    meeting.waiting.clear();
  }
  Fiber& here = f.all[f.running];
  change_from(here.context, &here.fake_stack);
}

}  // namespace graphcut::test
