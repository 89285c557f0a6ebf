// Model: what a subcommand that writes has in memory: items with leaves, and what is attached.
//
//   Model model = LoadModel(*source, items).value();            // mapped, where that can be
//   ... split, rename, merge ...
//   WriteModel(model, "out.safetensors", arguments, &files).IgnoreError();
//
// The same for every format: of safetensors the metadata is the item's, with a note of how it was
// read, so that it is written again as it was (interop/safetensors/checkpoint.h).
#ifndef LEAFSTORE_TOOLS_SOURCE_MODEL_H_
#define LEAFSTORE_TOOLS_SOURCE_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/glob.h"
#include "leafstore/store/param_store.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/files/output_files.h"
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
};

// The leaves of these items that a glob of `match` takes; all where there is none. error: as
// SourceItem::Load, with the file in front. With a progress bar. O(bytes) to verify. Where the
// source does not verify, what is damaged is said on standard error, since its copy will look
// whole.
absl::StatusOr<Model> LoadModel(const Source& source, absl::Span<const SourceItem* const> items,
                                const std::vector<GlobPattern>& match = {});

// Says on standard error which of these leaves are damaged, as a copy of them will look whole. Reads
// them all: O(bytes).
absl::Status NoteDamage(const Source& source, const SourceItem& item,
                        absl::Span<const uint32_t> places);

// How it is written.
struct WriteArguments {
  std::string to;  // a format; empty: by the name of the file
  bool zstd = false;
  std::optional<int> zstd_level;
  std::string shard_size;
  std::string structure = "auto";
  bool drop_static = false;
  bool raw_bits = false;
  bool deflate = false;
  bool force = false;
};
// --to, --zstd, --zstd-level, --shard-size, --structure, --drop-static, --raw-bits, --deflate and
// --force.
// Returns them, for what they need.
std::vector<CLI::Option*> AddWriting(CLI::App* command, WriteArguments* arguments);

// The format that a file of this name is written in. error: a UsageError: none is named, or an
// option does not go with it.
absl::StatusOr<SourceFormat> FormatOfOutput(const std::string& path,
                                            const WriteArguments& arguments);
// Of the formats' names.
absl::StatusOr<SourceFormat> ParseFormat(const std::string& name);
// ".leaf", ".safetensors", ".npz", ".npy".
std::string ExtensionOf(SourceFormat format);

// OutputFiles::CheckFree of a file that WriteModel would write. A set of files has other names,
// which its writer looks at.
absl::Status CheckOutputFree(const std::string& path, const WriteArguments& arguments,
                             const OutputFiles& files);

// Writes the model to `path` through `files`, which are still to be committed; with a progress bar.
// The names of the files that will be there. error: a UsageError: the format has no place for so
// many items or for static leaves; the writer's, with the file in front.
absl::StatusOr<std::vector<std::string>> WriteModel(Model model, const std::string& path,
                                                    const WriteArguments& arguments,
                                                    OutputFiles* files);

// Says which files were written: a line each, or one object (schema, files: file, bytes).
// error: as Output::Finish.
absl::Status PrintWritten(const std::vector<std::string>& files, const FormArguments& form);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_MODEL_H_
