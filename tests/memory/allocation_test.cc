// Every allocation of public calls fails: the call throws std::bad_alloc or returns
// ResourceExhausted (or manages without), and changes nothing. Each case runs in a process of its
// own, so that a crash is reported and the sweep goes on.
//
// Faults of dependencies are listed in kKnown, each by its call and by a function in whose call the
// allocation failed. docs/guarantees.md names them, too.
#include <execinfo.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/dose.h"
#include "tests/exit_child.h"
#include "tests/io/temp_dir.h"
#include "tests/memory/allocation_calls.h"
#include "tests/memory/refusing_malloc.h"

namespace leafstore {
namespace {

// How a case ended.
enum Outcome : int {
  kNotReached = 0,  // there are fewer allocations
  kSound = 10,
  kWrongError = 11,
  kUnsound = 12,
};

struct KnownFault {
  std::string call;
  std::string function;  // a part of its mangled name
};

const std::vector<KnownFault>& Known() {
  static const auto* const known = new std::vector<KnownFault>{
      // simdjson 3.0 chooses an implementation at its first use, in functions that are noexcept, and
      // in builds with assertions uses memory that it was refused.
      {"SafetensorsLoad", "detect_best_supported"},
      {"SafetensorsLoad", "simdjson25get_active_implementation"},
      {"SafetensorsLoad", "8ondemand6parser8allocateEmm"}};
  return *known;
}

int stack_file = -1;
void WriteStack() {
  void* frames[64];
  const int count = backtrace(frames, 64);
  backtrace_symbols_fd(frames, count, stack_file);
}

void OnCrash(int number) {
  const char text[] = "it crashed at\n";
  if (write(stack_file, text, sizeof(text) - 1) < 0) _exit(1);
  WriteStack();
  std::signal(number, SIG_DFL);
  raise(number);
}

// Makes a crash write its stack, also one by a stack that is full.
void ReportCrashes() {
  static char memory[1 << 16];
  const stack_t other = {memory, 0, sizeof(memory)};
  sigaltstack(&other, nullptr);
  struct sigaction action = {};
  action.sa_handler = OnCrash;
  action.sa_flags = SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS}) sigaction(number, &action, nullptr);
}

// Makes glibc load what it needs for the first exception that passes through it: without memory, it
// would end the program then.
[[maybe_unused]] const bool glibc_can_unwind = [] {
  std::once_flag once;
  try {
    std::call_once(once, [] { throw std::bad_alloc(); });
  } catch (const std::bad_alloc&) {
  }
  return true;
}();

// Runs a call of which allocation `at`, and unless `once` every later one, fails.
Outcome RunCase(const AllocatingCall& call, const std::string& directory, int at, bool once) {
  const PreparedCall prepared = call.prepare(directory);
  absl::Status status;
  bool threw = false;
  refuse_once = once;
  allocations_left_of_all = at;
  try {
    status = prepared.run();
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  allocations_left_of_all = -1;
  if (!any_was_refused) return kNotReached;
  if (!status.ok() && !absl::IsResourceExhausted(status)) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return kWrongError;
  }
  return prepared.is_sound(!threw && status.ok()) ? kSound : kUnsound;
}

// Runs a case in a child process, and returns the status of waitpid. The stack of the refused
// allocation is written to `stack`, if it is not empty, and standard error to `errors`.
int RunInChild(const AllocatingCall& call, int at, bool once, const std::string& stack,
               const std::string& errors) {
  const TempDir dir;
  const pid_t pid = fork();
  if (pid == 0) {
    const int error = open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(error, STDERR_FILENO);
    if (!stack.empty()) {
      stack_file = open(stack.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      void* frames[4];
      backtrace(frames, 4);  // the first call allocates
      on_refusal = WriteStack;
      ReportCrashes();
    }
    ExitChild(RunCase(call, dir.path(), at, once));
  }
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) ADD_FAILURE() << "no child process";
  return status;
}

bool IsKnown(const AllocatingCall& call, const std::string& stack) {
  for (const KnownFault& known : Known()) {
    if (known.call == call.name && absl::StrContains(stack, known.function)) return true;
  }
  return false;
}

std::string OutcomeText(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("it ended with signal ", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  return code == kWrongError ? "it returned an error that is not ResourceExhausted"
         : code == kUnsound  ? "it changed something, or returned OK with a wrong result"
                             : absl::StrCat("it ended with exit code ", code);
}

class AllocationTest : public testing::TestWithParam<AllocatingCall> {
 protected:
  // Runs the call with every allocation, or every `step`-th. Returns how many there are.
  void Sweep(bool once, int step) {
    const TempDir dir;
    const std::string stack = dir.File("stack");
    const std::string errors = dir.File("errors");
    int failed = 0;
    int known = 0;
    int at = 0;
    for (;; at += step) {
      const int status = RunInChild(GetParam(), at, once, "", errors);
      if (WIFEXITED(status) && WEXITSTATUS(status) == kNotReached) break;
      if (WIFEXITED(status) && WEXITSTATUS(status) == kSound) continue;
      RunInChild(GetParam(), at, once, stack, errors);
      if (IsKnown(GetParam(), ReadFile(stack))) {
        ++known;
      } else if (++failed <= 3) {
        ADD_FAILURE() << "without allocation " << at << (once ? "" : " and later ones") << ", "
                      << OutcomeText(status) << "\n"
                      << ReadFile(errors) << ReadFile(stack);
      }
    }
    std::printf("about %d allocations%s: %d failures, %d of them known\n", at,
                once ? ", one each" : "", failed + known, known);
    EXPECT_EQ(failed, 0);
    EXPECT_GT(at, 0);
  }
};

// A prime, so that each part of a loop is hit.
TEST_P(AllocationTest, OneRefusal_IsReported) { Sweep(/*once=*/true, Dose(13, 1)); }
TEST_P(AllocationTest, NoMemoryFromThenOn_IsReported) { Sweep(/*once=*/false, Dose(17, 1)); }

INSTANTIATE_TEST_SUITE_P(, AllocationTest, testing::ValuesIn(AllocatingCalls()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace leafstore
