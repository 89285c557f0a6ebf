// Model: items in memory, with everything that is saved with them, for subcommands that write.
//
//   Model model = LoadModel(*source, items).value();            // mapped, where possible
//   ... split, rename, merge ...
//   ModelWriter writer(options);                                // files/model_writer.h
//   LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(model), "out.safetensors"));
//
// A Model does not depend on the format (see interop/safetensors/checkpoint.h for its metadata).
#ifndef LEAFSTORE_TOOLS_SOURCE_MODEL_H_
#define LEAFSTORE_TOOLS_SOURCE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/writer.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/store/param_store.h"
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

// Loads the leaves of these items that a glob of `match` matches; all leaves if it is empty. Shows
// progress. Calls NoteDamage if the source does not verify. O(bytes) to verify. error: as
// SourceItem::Load, prefixed with the file.
absl::StatusOr<Model> LoadModel(const Source& source, absl::Span<const SourceItem* const> items,
                                const std::vector<internal::GlobPattern>& match = {});

// Reports damaged leaves on standard error, because a copy of them will look intact. Reads all
// leaves: O(bytes).
absl::Status NoteDamage(const Source& source, const SourceItem& item,
                        absl::Span<const uint32_t> places);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_MODEL_H_
