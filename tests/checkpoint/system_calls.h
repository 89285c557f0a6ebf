// Makes system calls on files fail: one call, or every call of a kind, returns an error or
// transfers fewer bytes.
//
//   SystemCallFault fault = {.call = "pwrite", .at = 3, .error = ENOSPC};
//   const WithFault with(&fault);          // while this lives, in every thread
//   ... fault.seen ...                     // how often it was called
//
// Several may live at a time, each for another call.
//
// system_calls.cc replaces the functions of libc in the program and calls the real ones, so all of
// leafstore is tested.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_SYSTEM_CALLS_H_
#define LEAFSTORE_TESTS_CHECKPOINT_SYSTEM_CALLS_H_

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace leafstore {

struct SystemCallFault {
  std::string call;  // its name
  int at = 0;        // which of its calls fails, from 0 on; -1: all of them
  int count = 1;     // how many calls from then on
  int error = 0;     // errno; 0: no failure
  long most = -1;    // the most bytes that one read or write transfers; -1: no limit
  std::atomic<int> seen{0};
  SystemCallFault* outer = nullptr;  // set by WithFault: the one of an outer WithFault

  SystemCallFault(std::string name, int number, int errno_value, long most_bytes = -1)
      : call(std::move(name)), at(number), error(errno_value), most(most_bytes) {}
};

class WithFault {
 public:
  explicit WithFault(SystemCallFault* fault);
  ~WithFault();
  WithFault(const WithFault&) = delete;
  WithFault& operator=(const WithFault&) = delete;
};

// The calls of saves and restores that can be made to fail. Others: renameat2 and link.
const std::vector<std::string>& FaultableCalls();

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_SYSTEM_CALLS_H_
