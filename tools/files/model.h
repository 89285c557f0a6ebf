// Model: items in memory, with everything that is saved with them, for subcommands that write.
// ModelWriter: writes models to files of any format, with the options of the command line.
//
//   ModelWriter writer({.zstd = true});
//   LEAFSTORE_RETURN_IF_ERROR(writer.Check("out.leaf"));        // before any work
//   Model model = LoadModel(*source, items).value();            // commands/input.h
//   ... split, rename, merge ...
//   LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(model), "out.leaf"));
//   return writer.CommitAndPrint(form);                         // all files appear here, or none
//
// A Model does not depend on the format (see interop/safetensors/checkpoint.h for its metadata).
#ifndef LEAFSTORE_TOOLS_FILES_MODEL_H_
#define LEAFSTORE_TOOLS_FILES_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/store/param_store.h"
#include "leafstore/tools/files/convert_dtypes.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct ModelItem {
  std::string name;
  ParamStore store;
  ItemOptions options;
};

struct Model {
  std::vector<ModelItem> items;
  Metadata metadata;  // of a checkpoint
  Metrics metrics;
  std::vector<std::string> notes;        // of the source
  std::vector<UnreadableLeaf> left_out;  // --skip-unreadable
  std::vector<DTypeConversion> conversions;
};

struct WriteOptions {
  std::optional<SourceFormat> to;  // empty: determined by the name of the file
  bool zstd = false;
  std::optional<int> zstd_level;
  std::string shard_size;
  StructureSave structure = StructureSave::kAuto;
  bool drop_static = false;
  bool skip_unreadable = false;
  std::optional<NameStyle> names;  // how paths become names; empty: as in the source, or dotted
  bool raw_bits = false;
  bool deflate = false;
  bool force = false;
  bool mkdirs = false;  // creates the directories of outputs
};

// Parses the value of an option, such as "500M", "5G" or "1048576". Units are powers of 1024, as in
// filters. error: a UsageError.
absl::StatusOr<int64_t> ParseSize(absl::string_view option, absl::string_view text);

class ModelWriter {
 public:
  explicit ModelWriter(const WriteOptions& options) : options_(options), files_(options.force) {}

  // Checks that the options are valid for the format of this file name. error: a UsageError.
  absl::Status CheckFormat(const std::string& path) const { return FormatOf(path).status(); }
  // Like CheckFormat, but without --force also checks that no file would be replaced, that no file
  // with the name of a step would be written into a directory of checkpoints (error
  // FailedPrecondition), and that no other model is in the way (error AlreadyExists). Write checks
  // the names of the files of a set. Errors: also those of OutputFiles::CheckFree.
  absl::Status Check(const std::string& path) const;

  // Writes temporary files, and shows progress. error: a UsageError: the format cannot hold several
  // items or static leaves. Other errors: those of the format's writer, prefixed with the file.
  absl::Status Write(Model model, const std::string& path);

  // Like Write, but saves the model as a step of a directory of checkpoints, which is created if it
  // does not exist. error AlreadyExists: the directory contains another model. Other errors: those
  // of CheckpointManager::Save, prefixed with the directory.
  absl::Status WriteStep(Model model, const std::string& directory, int64_t step);

  // Checks what can be known before Commit. Call before an answer is printed. Errors: those of
  // OutputFiles::Check.
  absl::Status CheckCommit() { return files_.Check(); }
  // Returns the files of a replaced model that Commit removes.
  std::vector<std::string> Removed() const { return files_.Removed(); }
  // Prints them, a line each.
  void PrintRemoved(Output* out) const;
  // Renames the temporary files into place. Prints a note for each file that is written through a
  // symbolic link. Errors: those of OutputFiles::Commit.
  absl::Status Commit();

  // Prints a line for each file, or one JSON object (schema, files: file, bytes; removed; notes,
  // left_out and conversions of the first model). Then commits, so that no file has changed if
  // printing fails. Errors: also those of Output::Finish.
  absl::Status CommitAndPrint(const OutputForm& form);

 private:
  absl::StatusOr<SourceFormat> FormatOf(const std::string& path) const;
  absl::Status CheckNoStatic(const ModelItem& item, SourceFormat format,
                             const std::string& path) const;
  IoOptions Io();
  void KeepNotes(Model* model);
  absl::Status WriteAs(SourceFormat format, Model model, const std::string& path);
  absl::Status WriteLeaf(Model model, const std::string& path);
  absl::Status WriteSafetensors(ModelItem item, const std::string& path);
  absl::Status WriteNumpy(SourceFormat format, const ModelItem& item, const std::string& path);

  WriteOptions options_;
  OutputFiles files_;
  std::vector<std::string> written_;
  std::vector<std::string> notes_;
  std::vector<UnreadableLeaf> left_out_;
  std::vector<DTypeConversion> conversions_;
  // The run of WriteStep, which stays locked until its step is in place.
  std::unique_ptr<CheckpointManager> run_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_FILES_MODEL_H_
