// Runs the `leafstore` program and keeps its output.
//
//   Ran ran = RunLeafstore({"inspect", path});
//   EXPECT_EQ(ran.exit_code, 0) << ran.err;
#ifndef LEAFSTORE_TESTS_TOOLS_RUN_PROGRAM_H_
#define LEAFSTORE_TESTS_TOOLS_RUN_PROGRAM_H_

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/io/temp_dir.h"

namespace leafstore {

struct Ran {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct RunOptions {
  // "NAME=value", added to this process's own (without NO_COLOR and TERM).
  std::vector<std::string> env;
  // The program's working directory; empty: that of this process.
  std::string directory;
  // The file for its standard output, instead of `Ran::out`; "-" closes it.
  std::string stdout_to;
};

namespace internal {

inline std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

inline std::vector<std::string> Environment(const std::vector<std::string>& more) {
  std::vector<std::string> env;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string text = *at;
    if (text.rfind("NO_COLOR=", 0) != 0 && text.rfind("TERM=", 0) != 0) env.push_back(text);
  }
  env.insert(env.end(), more.begin(), more.end());
  return env;
}

inline void WaitFor(pid_t pid, Ran* ran) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) ADD_FAILURE() << "lost the program";
  if (WIFEXITED(status)) ran->exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ran->signal = WTERMSIG(status);
}

}  // namespace internal

// Runs any program, by its path.
inline Ran RunProgram(std::vector<std::string> command, const RunOptions& options = {}) {
  const TempDir dir;
  const std::string out = options.stdout_to.empty() ? dir.File("out") : options.stdout_to;
  const std::string err = dir.File("err");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (out == "-") {
    posix_spawn_file_actions_addclose(&actions, 1);
  } else {
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  std::vector<std::string> env = internal::Environment(options.env);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, command[0].c_str(), &actions, nullptr,
                                internal::Pointers(command).data(), internal::Pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  Ran ran;
  if (error != 0) {
    ADD_FAILURE() << "cannot run " << command[0] << ": error " << error;
    return ran;
  }
  internal::WaitFor(pid, &ran);
  if (options.stdout_to.empty()) ran.out = ReadFile(out);
  ran.err = ReadFile(err);
  return ran;
}

inline Ran RunLeafstore(std::vector<std::string> args, const RunOptions& options = {}) {
  args.insert(args.begin(), LEAFSTORE_TOOL);
  return RunProgram(std::move(args), options);
}

// Runs a shell command, in which $LEAFSTORE is the program.
inline Ran RunShell(const std::string& line) {
  return RunProgram({"/bin/sh", "-c", line}, {.env = {"LEAFSTORE=" LEAFSTORE_TOOL}});
}

// Returns whether this system has terminals; a container or a chroot may have none.
inline bool HaveTerminals() {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  const bool have = terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0;
  const bool can_open = have && access(ptsname(terminal), F_OK) == 0;
  if (terminal >= 0) close(terminal);
  return can_open;
}

// Runs it on a terminal with `columns` columns; `out` has standard output and error together, with the
// line ends of a terminal ("\r\n").
inline Ran RunOnTerminal(std::vector<std::string> args, unsigned short columns,
                         const std::vector<std::string>& more_env = {}) {
  args.insert(args.begin(), LEAFSTORE_TOOL);
  std::vector<std::string> env = internal::Environment(more_env);
  std::vector<char*> arguments = internal::Pointers(args);
  std::vector<char*> environment = internal::Pointers(env);
  winsize size = {};
  size.ws_row = 24;
  size.ws_col = columns;
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  Ran ran;
  if (pid == 0) {
    execve(arguments[0], arguments.data(), environment.data());
    _exit(127);
  }
  if (pid < 0) {
    ADD_FAILURE() << "no terminal to be had";
    return ran;
  }
  char block[4096];
  // EIO means the end: the other side was closed.
  for (ssize_t size_read; (size_read = read(terminal, block, sizeof(block))) > 0;) {
    ran.out.append(block, static_cast<size_t>(size_read));
  }
  internal::WaitFor(pid, &ran);
  close(terminal);
  return ran;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TOOLS_RUN_PROGRAM_H_
