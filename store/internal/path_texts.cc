#include "leafstore/store/internal/path_texts.h"

#include "absl/strings/str_cat.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// The last keys. What has so much text is no Layout of paths, whose text is limited.
std::string End(const Layout& layout, Slot slot) {
  if (!layout.has_def()) return layout.PathText(slot);
  constexpr int kKeys = 4;
  constexpr size_t kKeySize = 64;
  const TreeDef def = layout.def().value();
  std::string end;
  NodeId node = def.node_of_leaf(slot);
  for (int i = 0; i < kKeys && node != kRootNode; ++i, node = def.parent(node)) {
    const KeyRef key = def.key(node);
    if (KeyTextSize(key) > kKeySize) break;
    std::string text;
    AppendKeyText(key, &text);
    end.insert(0, text);
  }
  return absl::StrCat("...", end);
}

}  // namespace

std::string PathTexts::Of(const Layout& layout, Slot slot) {
  std::string text = total_ < kMaxTotal ? layout.PathText(slot) : End(layout, slot);
  total_ += text.size();
  return text;
}

}  // namespace leafstore::internal
