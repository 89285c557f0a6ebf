// TemporaryFiles: the files of this process that must not outlive it, for OutputFiles alone.
//
// A signal that ends the program is waited for by a thread, which removes them first: so it may
// lock and allocate, as no signal handler may. All under one lock: no file is there that is not
// known.
//
// SIGBUS and SIGABRT come to the thread that caused them and are handled there, without a lock: the
// files are in a list as well that only grows. SIGBUS is what reading a mapped file comes to that
// somebody has cut short (or that the disk cannot read): an error of the file, said as one.
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
  // From the first call on: the signals that end a program and can be waited for (SIGINT, SIGTERM,
  // SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, ...), unless they are ignored, remove all files and end the
  // program, and SIGPIPE is ignored. To be called before threads are started.
  static void GuardAgainstSignals();

  // SIGBUS and SIGABRT remove all files; SIGBUS then says what it means and ends the program with
  // `exit_code`. May be called again, for another code.
  static void GuardAgainstCrashes(int exit_code);

  // FileSystem's, and keeps in mind what is there.
  static absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path);
  static absl::Status Remove(const std::string& path);
  static bool Knows(const std::string& path);

  // Runs `put_into_place`, answering no signal meanwhile; if it succeeds, `paths` are forgotten.
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
