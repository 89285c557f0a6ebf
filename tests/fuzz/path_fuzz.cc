// Paths: each line is one. Accepted paths are in canonical form, and can be the paths of a Layout.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"

#include "leafstore/core/path.h"
#include "leafstore/store/layout.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void CheckLayout(std::vector<Path> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  const absl::StatusOr<Layout> layout = Layout::Create(paths);
  if (!layout.ok()) {
    RequireError(layout.status(), {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted});
    return;
  }
  for (Slot slot = 0; slot < layout->size(); ++slot) {
    Require(layout->PathOf(slot) == paths[slot], "slots are in the order of paths");
    Require(layout->Find(layout->PathText(slot)) == slot, "a path is found by its text");
  }
  const absl::StatusOr<TreeDef> def = layout->def();
  if (!def.ok()) {
    RequireError(def.status(), {StatusCode::kInvalidArgument});
    return;
  }
  Require(def->leaf_count() == layout->size(), "the tree has a leaf for each path");
  for (Slot slot = 0; slot < layout->size(); ++slot) {
    Require(def->PathOf(def->node_of_leaf(slot)) == paths[slot], "the tree has the same paths");
  }
}

void Run(absl::string_view input) {
  std::vector<Path> paths;
  for (const absl::string_view text : absl::StrSplit(input, '\n')) {
    absl::StatusOr<Path> path = Path::Parse(text);
    if (!path.ok()) {
      RequireError(path.status(), {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted});
      continue;
    }
    Require(path->ToString() == text, "accepted text is canonical");
    Require(path->empty() == text.empty(), "only the root has empty text");
    path->Dotted();
    paths.push_back(*std::move(path));
  }
  CheckLayout(std::move(paths));
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
