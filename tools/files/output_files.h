// OutputFiles: the files that a subcommand makes, there whole or not at all, and all of them or
// none.
//
//   OutputFiles files(force);
//   LEAFSTORE_RETURN_IF_ERROR(files.CheckFree("out.leaf"));     // before any work
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint("out.leaf", items, {.io = {.file_system = &files}}));
//   LEAFSTORE_RETURN_IF_ERROR(files.Commit());                  // the file is there from here on
//
// A FileSystem for writers: what they create are temporary files, as ever, but what they rename and
// remove happens at Commit, in their order, so that several files come at once. If this is
// destroyed without Commit, or the program is interrupted (SIGINT, SIGTERM, SIGHUP, SIGQUIT and
// what else ends a program), the temporary files are removed; interrupted, it then ends by that
// signal. What cannot be answered (SIGKILL, SIGSEGV, a loss of power) leaves them.
//
// A file that exists is not replaced unless `force`: CheckFree says so early, and Commit finds out
// without a gap what came meanwhile. What is replaced is a regular file; the new one has its mode,
// from its first byte on. Of a symbolic link it is the file that it points to, and the link stays.
// A device, a pipe or a socket is never replaced. Files that are read may be replaced: readers keep
// what they opened.
//
// Temporary files are told by their names, `<file>.tmp-<anything>`, as all writers here call
// theirs: they are made beside the file that a link points to, so that a rename can put them there.
//
// Signals are waited for by a thread, which the first OutputFiles of the process starts; until then
// they end the program at once, and one that is ignored (nohup) stays ignored. SIGPIPE is ignored
// from then on: a reader that went away is an error of the output, not the end of the program.
//
// Threads: as FileSystem; Commit from one.
#ifndef LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_
#define LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/io/file_system.h"

namespace leafstore::tools {

class OutputFiles : public FileSystem {
 public:
  explicit OutputFiles(bool force);
  ~OutputFiles() override;
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  // error AlreadyExists: there is something, and no `force`; InvalidArgument: it is a directory, a
  // device, a pipe or a socket, with `force` too; a UsageError: `-`, which is no file's name here.
  absl::Status CheckFree(const std::string& path) const;

  // Puts everything into place. error AlreadyExists: as above; or the file system's. Without
  // `force` nothing is there then; with it, of several files those before the one that failed are.
  absl::Status Commit();

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;

 private:
  // A rename, or with an empty `from` a removal.
  struct Step {
    std::string from;
    std::string to;
  };

  absl::Status Take(const Step& step);
  absl::Status RunSteps();

  const bool force_;
  std::mutex mutex_;
  std::vector<std::string> created_;
  std::vector<Step> steps_;
  std::vector<std::string> directories_;  // to be synced
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_FILES_OUTPUT_FILES_H_
