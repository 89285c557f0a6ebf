#include "leafstore/store/internal/path_walk.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// A container that the walk is inside, and how long its own text is.
struct OpenNode {
  NodeId end;
  size_t text_size;
};

}  // namespace

absl::Status WalkPaths(const Layout& layout, const SlotSet& slots,
                       absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) {
  if (!layout.has_def()) {
    for (uint32_t place = 0; place < slots.size(); ++place) {
      visit(place, layout.PathText(slots.SlotAt(place)));
    }
    return absl::OkStatus();
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  std::string text;
  std::vector<OpenNode> open;
  uint32_t place = 0;
  for (NodeId node = kRootNode; node < def.node_count() && place < slots.size(); ++node) {
    while (!open.empty() && node >= open.back().end) open.pop_back();
    if (slots.SlotAt(place) >= def.leaf_begin(def.end(node))) {
      node = def.end(node) - 1;  // nothing of it is held
      continue;
    }
    text.resize(open.empty() ? 0 : open.back().text_size);
    if (node != kRootNode) AppendKeyText(def.key(node), &text);
    if (text.size() > Path::kMaxTextSize) {
      return absl::ResourceExhaustedError(absl::StrCat("at ", def.PathForMessage(node),
                                                       ": expected a path of at most ",
                                                       Path::kMaxTextSize, " bytes, found more"));
    }
    if (def.kind(node) == NodeKind::kLeaf) {
      visit(place++, text);
    } else {
      open.push_back({def.end(node), text.size()});
    }
  }
  return absl::OkStatus();
}

}  // namespace leafstore::internal
