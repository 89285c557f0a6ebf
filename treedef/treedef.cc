#include "leafstore/treedef/treedef.h"

#include <algorithm>
#include <utility>

#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/path_table.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

using internal::TreeDefTag;

namespace {

// Returns the tags of `node` as a range of the column.
auto TagRun(const internal::TreeDefColumns& columns, NodeId node) {
  return std::equal_range(columns.tags.begin(), columns.tags.end(), TreeDefTag{node, 0},
                          [](const auto& a, const auto& b) { return a.node < b.node; });
}

TreeDef MakeNone() {
  TreeDefBuilder builder;
  builder.None();
  return std::move(builder).Build().value();
}

}  // namespace

namespace internal {

TreeDefRep::TreeDefRep() : derived(std::make_unique<Derived>()) {}
TreeDefRep::~TreeDefRep() = default;

}  // namespace internal

absl::string_view NodeKindName(NodeKind kind) {
  constexpr absl::string_view kNames[] = {"unknown", "leaf",   "none",  "dict",  "list",
                                          "tuple",   "struct", "alias", "custom"};
  const auto index = static_cast<size_t>(kind);
  return kNames[index < std::size(kNames) ? index : 0];
}

TreeDef::TreeDef() {
  // Never destroyed, so that it may be used while a program ends.
  static const TreeDef* const none = new TreeDef(MakeNone());
  rep_ = none->rep_;
}

KeyRef TreeDef::key(NodeId node) const { return internal::KeyOf(columns(), node); }

absl::string_view TreeDef::type_name(NodeId node) const {
  const uint32_t id = type_name_string(node);
  return id == kNoString ? absl::string_view() : string(id);
}

bool TreeDef::has_tag(NodeId node, absl::string_view tag) const {
  const auto [begin, end] = TagRun(columns(), node);
  const auto found =
      std::lower_bound(begin, end, tag, [this](const TreeDefTag& entry, absl::string_view text) {
        return string(entry.string) < text;
      });
  return found != end && string(found->string) == tag;
}

std::vector<absl::string_view> TreeDef::tags(NodeId node) const {
  const auto [begin, end] = TagRun(columns(), node);
  std::vector<absl::string_view> out;
  for (auto tag = begin; tag != end; ++tag) out.push_back(string(tag->string));
  return out;
}

Path TreeDef::PathOf(NodeId node) const {
  std::vector<Key> keys;
  for (NodeId at = node; at != kRootNode; at = parent(at)) keys.emplace_back(key(at));
  std::reverse(keys.begin(), keys.end());
  return Path(std::move(keys));
}

absl::StatusOr<std::string> TreeDef::PathText(NodeId node) const {
  return internal::PathText(columns(), node, PathForm::kCanonical);
}

absl::StatusOr<std::string> TreeDef::Dotted(NodeId node) const {
  return internal::PathText(columns(), node, PathForm::kDotted);
}

std::string TreeDef::PathForMessage(NodeId node) const {
  return internal::PathForMessage(columns(), node);
}

uint32_t TreeDef::string_count() const {
  return static_cast<uint32_t>(columns().string_begins.size() - 1);
}

absl::string_view TreeDef::string(uint32_t id) const { return internal::StringOf(columns(), id); }

uint32_t TreeDef::key_string(NodeId node) const {
  const bool named =
      node != kRootNode && internal::KindOfKeys(columns(), parent(node)) != KeyKind::kIndex;
  return named ? columns().keys[node] : kNoString;
}

uint32_t TreeDef::type_name_string(NodeId node) const {
  const bool may_have_one = kind(node) == NodeKind::kStruct || kind(node) == NodeKind::kCustom;
  return may_have_one ? columns().aux[node] : kNoString;
}

size_t TreeDef::memory_bytes() const {
  size_t bytes = sizeof(internal::TreeDefRep);
  internal::ForEachColumn(
      columns(), [&](const auto& column) { bytes += column.capacity() * sizeof(column[0]); });
  return bytes;
}

}  // namespace leafstore
