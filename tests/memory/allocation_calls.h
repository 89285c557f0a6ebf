// The calls of which every allocation is made to fail.
#ifndef LEAFSTORE_TESTS_MEMORY_ALLOCATION_CALLS_H_
#define LEAFSTORE_TESTS_MEMORY_ALLOCATION_CALLS_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace leafstore {

// A call, ready to run once.
struct PreparedCall {
  // Runs the call. May throw std::bad_alloc.
  std::function<absl::Status()> run;
  // Returns whether everything is as before the call, if that failed, or as it must be after it.
  std::function<bool(bool succeeded)> is_sound = [](bool) { return true; };
};

struct AllocatingCall {
  std::string name;
  // Makes everything that the call needs, in an empty directory.
  std::function<PreparedCall(const std::string& directory)> prepare;

  friend void PrintTo(const AllocatingCall& call, std::ostream* out) { *out << call.name; }
};

// Returns one for each public call that reads, writes or changes a model.
std::vector<AllocatingCall> AllocatingCalls();

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_MEMORY_ALLOCATION_CALLS_H_
