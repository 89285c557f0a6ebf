#include "leafstore/proto/treedef_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore {
namespace internal {
namespace {

void EncodeNode(const TreeDef& def, NodeId node, bool* any_type_name, proto::TreeDef* out) {
  const NodeKind kind = def.kind(node);
  if (IsContainer(kind)) out->add_child_counts(def.child_count(node));
  if (kind == NodeKind::kDict && def.has_int_keys(node)) out->add_int_key_dicts(node);
  if (kind == NodeKind::kStruct || kind == NodeKind::kCustom) {
    const uint32_t id = def.type_name_string(node);
    out->add_type_names(id == TreeDef::kNoString ? 0 : id + 1);
    *any_type_name |= id != TreeDef::kNoString;
  }
  if (kind == NodeKind::kAlias) out->add_alias_targets(def.alias_target(node));
  if (node == kRootNode) return;
  if (const uint32_t id = def.key_string(node); id != TreeDef::kNoString) {
    out->add_keys(id);
  } else if (def.has_int_keys(def.parent(node))) {
    out->add_int_keys(def.key(node).index);
  }
}

// Passes the nodes of a message to a TreeDefBuilder.
class TreeDefDecoder {
 public:
  TreeDefDecoder(const proto::TreeDef& in, const TreeDefBuilder::Limits& limits)
      : in_(in), builder_(limits) {}

  absl::StatusOr<TreeDef> Decode() {
    LEAFSTORE_ASSIGN_OR_RETURN(strings_, DecodeStrings(in_.strings(), "treedef, column strings"));
    // At most as many as the bytes can hold, whatever they contain.
    builder_.Reserve(static_cast<uint32_t>(in_.kinds().size()),
                     static_cast<uint32_t>(strings_.size()),
                     static_cast<uint32_t>(in_.strings().bytes().size()));
    for (const char kind : in_.kinds()) {
      LEAFSTORE_RETURN_IF_ERROR(AddNode(static_cast<NodeKind>(kind)));
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckUsed());
    absl::StatusOr<TreeDef> def = std::move(builder_).Build();
    if (!def.ok()) return AsDataLoss(def.status(), "treedef");
    LEAFSTORE_RETURN_IF_ERROR(CheckStrings(*def));
    return def;
  }

 private:
  struct Open {
    uint32_t children_left;
    std::optional<KeyKind> keys;  // kIndex: integers; no value: the children have no keys
  };

  absl::Status AddNode(NodeKind kind) {
    const NodeId node = builder_.next_node();
    if (!open_.empty()) LEAFSTORE_RETURN_IF_ERROR(SetKey());
    switch (kind) {
      case NodeKind::kLeaf:
        builder_.Leaf();
        break;
      case NodeKind::kNone:
        builder_.None();
        break;
      case NodeKind::kAlias: {
        uint32_t target = 0;
        if (!alias_targets_.Next(&target)) return alias_targets_.TooShort();
        builder_.Alias(target);
        break;
      }
      case NodeKind::kDict:
      case NodeKind::kList:
      case NodeKind::kTuple:
      case NodeKind::kStruct:
      case NodeKind::kCustom:
        LEAFSTORE_RETURN_IF_ERROR(OpenContainer(kind, node));
        break;
      default:
        return WrongMessage("treedef, column kinds", "1 to 8", static_cast<uint8_t>(kind));
    }
    LEAFSTORE_RETURN_IF_ERROR(AddTags(node));
    CloseComplete();
    // The builder keeps its first error, so check from time to time and stop early.
    if (!builder_.status().ok()) return AsDataLoss(builder_.status(), "treedef");
    return absl::OkStatus();
  }

  absl::Status OpenContainer(NodeKind kind, NodeId node) {
    uint32_t children = 0;
    if (!child_counts_.Next(&children)) return child_counts_.TooShort();
    absl::string_view type_name;
    if (kind == NodeKind::kStruct || kind == NodeKind::kCustom) {
      LEAFSTORE_RETURN_IF_ERROR(TypeName(&type_name));
    }
    builder_.Open(kind, type_name);
    std::optional<KeyKind> keys;
    if (kind == NodeKind::kStruct) keys = KeyKind::kAttribute;
    if (kind == NodeKind::kDict) keys = KeyKind::kItem;
    if (kind == NodeKind::kDict && int_key_dicts_.Peek(node)) {
      int_key_dicts_.Next(&node);
      if (children == 0) {
        return int_key_dicts_.Wrong("dicts with children", absl::StrCat("node ", node, " without"));
      }
      keys = KeyKind::kIndex;
    }
    open_.push_back({children, keys});
    return absl::OkStatus();
  }

  absl::Status SetKey() {
    if (const std::optional<KeyKind> kind = open_.back().keys; kind == KeyKind::kIndex) {
      int64_t key = 0;
      if (!int_keys_.Next(&key)) return int_keys_.TooShort();
      builder_.SetKey(KeyRef::Index(key));
    } else if (kind.has_value()) {
      uint32_t id = 0;
      if (!keys_.Next(&id)) return keys_.TooShort();
      LEAFSTORE_RETURN_IF_ERROR(SetStringKey(*kind, id));
    }
    --open_.back().children_left;
    return absl::OkStatus();
  }

  // A string that the builder already has gets the same index there, unless the table is not in
  // order of first use, which CheckStrings finds.
  absl::Status SetStringKey(KeyKind kind, uint32_t id) {
    if (id < builder_.string_count()) {
      builder_.SetKey(kind, id);
      return absl::OkStatus();
    }
    absl::string_view name;
    LEAFSTORE_RETURN_IF_ERROR(String(id, "keys", &name));
    builder_.SetKey(KeyRef{kind, name, 0});
    return absl::OkStatus();
  }

  absl::Status TypeName(absl::string_view* name) {
    if (in_.type_names().empty()) return absl::OkStatus();
    uint32_t id = 0;
    if (!type_names_.Next(&id)) return type_names_.TooShort();
    if (id == 0) return absl::OkStatus();
    any_type_name_ = true;
    LEAFSTORE_RETURN_IF_ERROR(String(id - 1, "type_names", name));
    if (!name->empty()) return absl::OkStatus();
    return type_names_.Wrong("0 for a struct without a name", "the index of an empty string");
  }

  absl::Status AddTags(NodeId node) {
    uint32_t id = 0;
    absl::string_view before;  // no tag is empty
    for (; tag_nodes_.Peek(node); tag_nodes_.Next(&node)) {
      if (!tag_strings_.Next(&id)) return tag_strings_.TooShort();
      absl::string_view tag;
      LEAFSTORE_RETURN_IF_ERROR(String(id, "tag_strings", &tag));
      if (tag <= before) {
        return tag_strings_.Wrong("ascending tags of a node",
                                  absl::StrCat("others at node ", node));
      }
      builder_.Tag(tag);
      before = tag;
    }
    return absl::OkStatus();
  }

  // Closes the containers whose children are complete.
  void CloseComplete() {
    for (; !open_.empty() && open_.back().children_left == 0; open_.pop_back()) builder_.Close();
  }

  absl::Status String(uint32_t id, absl::string_view column, absl::string_view* text) const {
    if (id >= strings_.size()) {
      return WrongMessage(absl::StrCat("treedef, column ", column),
                          absl::StrCat("an index below ", strings_.size()), id);
    }
    *text = strings_[id];
    return absl::OkStatus();
  }

  absl::Status CheckUsed() const {
    LEAFSTORE_RETURN_IF_ERROR(CheckAllUsed(child_counts_, keys_, int_key_dicts_, int_keys_));
    if (!in_.type_names().empty()) {
      LEAFSTORE_RETURN_IF_ERROR(type_names_.CheckUsed());
      if (!any_type_name_) {
        return type_names_.Wrong("none where all are 0", in_.type_names_size());
      }
    }
    return CheckAllUsed(alias_targets_, tag_nodes_, tag_strings_);
  }

  // A structure has exactly one message: its strings are those of the TreeDef, in their order.
  absl::Status CheckStrings(const TreeDef& def) const {
    if (def.string_count() != strings_.size()) {
      return WrongMessage("treedef, column strings",
                          absl::StrCat(def.string_count(), " different strings, all in use"),
                          strings_.size());
    }
    for (uint32_t id = 0; id < def.string_count(); ++id) {
      if (def.string(id) != strings_[id]) {
        return WrongMessage("treedef, column strings", "strings in order of first use",
                            absl::StrCat("string ", id, " elsewhere"));
      }
    }
    return absl::OkStatus();
  }

  // A column of this message.
  template <typename T>
  using Of = Column<google::protobuf::RepeatedField<T>>;

  const proto::TreeDef& in_;
  TreeDefBuilder builder_;
  std::vector<absl::string_view> strings_;
  std::vector<Open> open_;
  bool any_type_name_ = false;
  Of<uint32_t> child_counts_{in_.child_counts(), "treedef", "child_counts"};
  Of<uint32_t> keys_{in_.keys(), "treedef", "keys"};
  Of<uint32_t> int_key_dicts_{in_.int_key_dicts(), "treedef", "int_key_dicts"};
  Of<int64_t> int_keys_{in_.int_keys(), "treedef", "int_keys"};
  Of<uint32_t> type_names_{in_.type_names(), "treedef", "type_names"};
  Of<uint32_t> alias_targets_{in_.alias_targets(), "treedef", "alias_targets"};
  Of<uint32_t> tag_nodes_{in_.tag_nodes(), "treedef", "tag_nodes"};
  Of<uint32_t> tag_strings_{in_.tag_strings(), "treedef", "tag_strings"};
};

}  // namespace

absl::Status EncodeTreeDefMessage(const TreeDef& def, proto::TreeDef* out) {
  constexpr size_t kMaxColumn = size_t{1} << 30;  // protobuf counts entries with an int
  const std::vector<TreeDefTag>& tags = RepOf(def).columns.tags;
  if (def.node_count() > kMaxColumn || tags.size() > kMaxColumn) {
    return absl::ResourceExhaustedError(
        absl::StrCat("treedef: expected at most ", kMaxColumn, " nodes or tags, found ",
                     std::max<size_t>(def.node_count(), tags.size())));
  }
  std::string* kinds = out->mutable_kinds();
  kinds->reserve(def.node_count());
  bool any_type_name = false;
  for (NodeId node = 0; node < def.node_count(); ++node) {
    kinds->push_back(static_cast<char>(def.kind(node)));
    EncodeNode(def, node, &any_type_name, out);
  }
  if (!any_type_name) out->clear_type_names();
  for (const TreeDefTag& tag : tags) {
    out->add_tag_nodes(tag.node);
    out->add_tag_strings(tag.string);
  }
  for (uint32_t id = 0; id < def.string_count(); ++id) {
    AddString(def.string(id), out->mutable_strings());
  }
  return absl::OkStatus();
}

absl::StatusOr<TreeDef> DecodeTreeDefMessage(const proto::TreeDef& in,
                                             const TreeDefBuilder::Limits& limits) {
  return TreeDefDecoder(in, limits).Decode();
}

}  // namespace internal

absl::StatusOr<std::string> EncodeTreeDef(const TreeDef& def) {
  proto::TreeDef message;
  LEAFSTORE_RETURN_IF_ERROR(internal::EncodeTreeDefMessage(def, &message));
  return internal::Serialize(message, "treedef");
}

absl::StatusOr<TreeDef> DecodeTreeDef(absl::string_view bytes,
                                      const TreeDefBuilder::Limits& limits) {
  proto::TreeDef message;
  LEAFSTORE_RETURN_IF_ERROR(internal::ParseMessage(bytes, "treedef", &message));
  return internal::DecodeTreeDefMessage(message, limits);
}

}  // namespace leafstore
