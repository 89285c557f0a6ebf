// OutputFiles: the files that a subcommand writes. Each appears complete or not at all, and either
// all of them appear or none.
//
//   OutputFiles files(force);
//   LEAFSTORE_RETURN_IF_ERROR(files.CheckFree("out.leaf"));     // before any work
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint("out.leaf", items, {.io = {.file_system = &files}}));
//   LEAFSTORE_RETURN_IF_ERROR(files.Check());                   // what can be known before
//   LEAFSTORE_RETURN_IF_ERROR(Print(...));
//   LEAFSTORE_RETURN_IF_ERROR(files.Commit());                  // the file exists from here on
//
// It is a FileSystem for writers. They create temporary files, `<file>.tmp-<anything>`, as usual,
// but Commit does their renames and removals, as one AtomicFileSet, so that several files appear
// together. Without Commit, or if a signal ends the program (not SIGKILL and SIGSEGV), the temporary
// files are removed.
//
// A program that prints an answer does so before Commit: if that fails, no file has changed.
//
// An existing file is not replaced without `force`: CheckFree reports it early, and Commit checks
// again, atomically. Only a regular file is replaced; the new file has its mode from the first byte
// on. Where the output is a symbolic link, the file that it points to is replaced. A file that is
// being read may be replaced, because readers keep the file that they opened.
//
// A thread waits for signals; the first OutputFiles of the process starts it. Unlike a signal
// handler, it may lock and allocate. An ignored signal (nohup) stays ignored. From then on SIGPIPE
// is ignored: a closed pipe is an error of the output, not the end of the program.
//
// Threads: as FileSystem; Commit from one.
#ifndef LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_
#define LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/atomic_file_set.h"

namespace leafstore::tools {

// Arranges that SIGBUS, SIGABRT and a lack of memory remove all temporary files. SIGBUS, which means
// that a mapped file was truncated while it was read, or that the disk cannot be read, and a lack of
// memory then print a message and end the program with `exit_code`. May be called again with another
// code.
void GuardAgainstCrashes(int exit_code);

class OutputFiles : public internal::FileSetCollector {
 public:
  explicit OutputFiles(bool force);
  ~OutputFiles() override;
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  // error AlreadyExists: the file exists, without `force`; InvalidArgument: it is a directory, a
  // device, a pipe or a socket; a UsageError: `-`, which is not the name of a file here.
  absl::Status CheckFree(const std::string& path) const;

  // Returns the size of a file that was written. error NotFound: there is none of this name.
  absl::StatusOr<int64_t> SizeOf(const std::string& path) const;
  // Returns the files that Commit removes, without replacing them.
  std::vector<std::string> Removed() const;
  // Checks again that no file would be replaced without `force`, nor anything but a regular file,
  // and gives the new files the modes of those that they replace. Errors: as CheckFree.
  absl::Status Check();
  // Puts the files in place, after Check. Errors: those of Check and of AtomicFileSet::Commit.
  absl::Status Commit();

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& /*path*/) override { return absl::OkStatus(); }
  absl::Status Collect(std::vector<internal::FileChange> changes,
                       std::vector<std::string> discarded) override;

 private:
  const bool force_;
  std::vector<std::string> created_;
  std::vector<internal::FileChange> changes_;
  std::vector<std::string> discarded_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_
