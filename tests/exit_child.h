// ExitChild: ends a process that a test has forked. In builds that measure coverage
// (scripts/coverage), first writes what the process has executed, which _exit does not do.
#ifndef LEAFSTORE_TESTS_EXIT_CHILD_H_
#define LEAFSTORE_TESTS_EXIT_CHILD_H_

#include <unistd.h>

extern "C" __attribute__((weak)) int __llvm_profile_write_file();  // NOLINT: the runtime's name

namespace leafstore {

[[noreturn]] inline void ExitChild(int code) {
  if (__llvm_profile_write_file != nullptr) __llvm_profile_write_file();
  _exit(code);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_EXIT_CHILD_H_
