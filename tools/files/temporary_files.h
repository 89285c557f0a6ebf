// TemporaryFiles: the files that must not outlive this process; used only by OutputFiles.
//
// A thread waits for the signals that end the program, and removes the files first. Unlike a signal
// handler, it may lock and allocate. One lock protects everything, so that every file is
// registered.
//
// SIGBUS and SIGABRT are handled in the thread that caused them, without a lock, through a list
// that only grows. SIGBUS means that a mapped file was truncated while it was read, or that the
// disk cannot be read; it is reported as an error of a file.
#ifndef LEAFSTORE_TOOLS_FILES_TEMPORARY_FILES_H_
#define LEAFSTORE_TOOLS_FILES_TEMPORARY_FILES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/io/file_system.h"

namespace leafstore::tools {

class TemporaryFiles {
 public:
  // Arranges that the signals that end a program and can be waited for (SIGINT, SIGTERM, SIGHUP,
  // SIGQUIT, SIGALRM, SIGUSR1, ...), unless they are ignored, first remove all files. SIGPIPE is
  // ignored from then on. Must be called before threads are started.
  static void GuardAgainstSignals();

  // Arranges that SIGBUS and SIGABRT remove all files. SIGBUS then prints its meaning and ends the
  // program with `exit_code`. May be called again with another code.
  static void GuardAgainstCrashes(int exit_code);

  // Like those of FileSystem, but also register or forget the file.
  static absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path);
  static absl::Status Remove(const std::string& path);
  static bool Knows(const std::string& path);

  // Runs `put_into_place` while no signal is handled; if it succeeds, forgets `paths`.
  static absl::Status Release(const std::vector<std::string>& paths,
                              absl::FunctionRef<absl::Status()> put_into_place);

 private:
  struct Registry;
  static Registry& registry();
  [[noreturn]] static void WaitForSignals();
  static void OnCrash(int number);
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_FILES_TEMPORARY_FILES_H_
