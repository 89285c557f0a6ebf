// Runs the program `digits` as a child process and compares its checkpoints.
#ifndef LEAFSTORE_TESTS_DIGITS_PROGRAM_H_
#define LEAFSTORE_TESTS_DIGITS_PROGRAM_H_

#include <fcntl.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/store/param_store.h"

namespace digits {

// Files for its output; "": the output of the test.
struct Output {
  std::string out = "/dev/null";
  std::string err;
};

inline pid_t Start(const std::vector<std::string>& options, const Output& output = {}) {
  std::vector<std::string> words = {LEAFSTORE_DIGITS_PROGRAM};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const auto redirect = [&actions](int fd, const std::string& path) {
    if (path.empty()) return;
    posix_spawn_file_actions_addopen(&actions, fd, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0666);
  };
  redirect(STDOUT_FILENO, output.out);
  redirect(STDERR_FILENO, output.err);
  pid_t pid = -1;
  EXPECT_EQ(
      posix_spawn(&pid, LEAFSTORE_DIGITS_PROGRAM, &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// Waits for a process and returns its status, as waitpid does.
inline int Wait(pid_t pid) {
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

inline bool Exited(int status, int code) {
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}
inline bool Succeeded(int status) { return Exited(status, 0); }

inline std::string CheckpointOf(const std::string& directory, int64_t step) {
  return absl::StrFormat("%s/step-%020d.leaf", directory, step);
}

// Expects the same item names, structures, and leaves, bit for bit.
inline void ExpectSameItems(const std::string& a, const std::string& b) {
  using leafstore::CheckpointReader;
  using leafstore::ParamStore;
  const CheckpointReader left = CheckpointReader::Open(a).value();
  const CheckpointReader right = CheckpointReader::Open(b).value();
  ASSERT_EQ(left.items(), right.items());
  EXPECT_EQ(left.metrics(), right.metrics());
  for (const std::string& item : left.items()) {
    const ParamStore l = left.Load(item).value();
    const ParamStore r = right.Load(item).value();
    ASSERT_EQ(l.layout(), r.layout()) << item;
    ASSERT_EQ(l.size(), r.size()) << item;
    for (uint32_t place = 0; place < l.size(); ++place) {
      EXPECT_EQ(l.leaf(place), r.leaf(place)) << item << " " << l.PathText(place);
    }
  }
}

}  // namespace digits

#endif  // LEAFSTORE_TESTS_DIGITS_PROGRAM_H_
