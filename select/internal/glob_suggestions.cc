#include "leafstore/select/internal/glob_suggestions.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/key.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::internal {

void GlobSuggestions::AddDotted(const std::string& name) {
  if (dotted_.size() < kMaxNames) dotted_.push_back(name);
}

void GlobSuggestions::AddKey(const KeyRef& key) {
  if (key.kind == KeyKind::kIndex || key.name.size() > internal::kMaxSuggestionSize) return;
  if (keys_.size() < kMaxNames) keys_.emplace(key.name);
}

GlobSuggestions GlobSuggestions::Of(const TreeDef& def) {
  GlobSuggestions names;
  PathCursor cursor(PathForm::kDotted, internal::kMaxSuggestionSize);
  NodeId too_long_end = kRootNode;  // of the last subtree whose names are too long to suggest
  for (NodeId node = kRootNode + 1; node < def.node_count(); ++node) {
    names.AddKey(def.key(node));
    if (node < too_long_end) continue;
    if (cursor.Enter(def, node)) {
      names.AddDotted(cursor.text());
    } else {
      too_long_end = def.end(node);
    }
  }
  return names;
}

void GlobSuggestions::Add(const Path& path) {
  PathCursor cursor(PathForm::kDotted, internal::kMaxSuggestionSize);
  bool is_short = true;
  for (const Key& key : path.keys()) {
    AddKey(key.ref());
    is_short = is_short && cursor.Push(key.ref());
  }
  if (is_short) AddDotted(cursor.text());
}

std::string GlobSuggestions::DidYouMean(const GlobPattern& glob) const {
  const std::vector<std::string> literal = glob.LiteralKeys();
  const auto unknown = std::find_if(literal.begin(), literal.end(), [this](const auto& key) {
    int64_t index = 0;
    return !keys_.contains(key) && !absl::SimpleAtoi(key, &index);
  });
  if (unknown == literal.end()) return internal::DidYouMean(glob.text(), dotted_);
  const std::vector<std::string> keys(keys_.begin(), keys_.end());
  const std::string near = internal::DidYouMean(*unknown, keys);
  return near.empty() ? "" : absl::StrCat("; no key is '", *unknown, "'", near);
}

}  // namespace leafstore::internal
