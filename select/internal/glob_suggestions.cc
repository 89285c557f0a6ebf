#include "leafstore/select/internal/glob_suggestions.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/key.h"

namespace leafstore::internal {

// Dotted text while it is short enough to be suggested.
void GlobSuggestions::DottedName::Append(const KeyRef& key) {
  too_long = too_long || text.size() + key.name.size() > kMaxSuggestionSize;
  if (too_long) {
    text.clear();
    return;
  }
  if (!text.empty()) text.push_back('.');
  AppendDottedKey(key, &text);
}

void GlobSuggestions::AddDotted(const DottedName& name) {
  if (!name.too_long && dotted_.size() < kMostNames) dotted_.push_back(name.text);
}

void GlobSuggestions::AddKey(const KeyRef& key) {
  if (key.kind == KeyKind::kIndex || key.name.size() > kMaxSuggestionSize) return;
  if (keys_.size() < kMostNames) keys_.emplace(key.name);
}

GlobSuggestions GlobSuggestions::Of(const TreeDef& def) {
  struct Open {
    NodeId end;
    DottedName name;
  };
  GlobSuggestions names;
  std::vector<Open> open = {{def.end(kRootNode), {}}};
  for (NodeId node = kRootNode + 1; node < def.node_count(); ++node) {
    while (node >= open.back().end) open.pop_back();
    DottedName name = open.back().name;
    names.AddKey(def.key(node));
    name.Append(def.key(node));
    names.AddDotted(name);
    if (def.end(node) > node + 1) open.push_back({def.end(node), std::move(name)});
  }
  return names;
}

void GlobSuggestions::Add(const Path& path) {
  DottedName name;
  for (const Key& key : path.keys()) {
    AddKey(key.ref());
    name.Append(key.ref());
  }
  AddDotted(name);
}

bool GlobSuggestions::IsKnown(absl::string_view key) const {
  int64_t index = 0;
  return keys_.contains(key) || absl::SimpleAtoi(key, &index);
}

std::string GlobSuggestions::DidYouMean(const GlobPattern& glob) const {
  const std::vector<std::string> literal = glob.LiteralKeys();
  const auto unknown = std::find_if(literal.begin(), literal.end(),
                                    [this](const std::string& key) { return !IsKnown(key); });
  if (unknown == literal.end()) return leafstore::DidYouMean(glob.text(), dotted_);
  const std::vector<std::string> keys(keys_.begin(), keys_.end());
  const std::string near = leafstore::DidYouMean(*unknown, keys);
  return near.empty() ? "" : absl::StrCat("; no key is '", *unknown, "'", near);
}

}  // namespace leafstore::internal
