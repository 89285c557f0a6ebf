// Converts between leafstore's types and the messages of proto/. Other folders use the codecs,
// which work on bytes.
//
// Each `Decode` checks its input completely and returns DataLoss, naming the column, for an invalid
// message. Each `Encode` fills an empty message from checked data.
#ifndef LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
#define LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/leaf_columns.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/store_spec.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace leafstore {

namespace proto {
class Labels;
class Leaves;
class Manifest;
class ManifestHead;
class ParamStore;
class StoreSpec;
class Strings;
class TreeDef;
}  // namespace proto

namespace internal {

// Serializes a message deterministically. error ResourceExhausted: over 2 GiB; names `what`.
absl::StatusOr<std::string> Serialize(const google::protobuf::Message& message,
                                      absl::string_view what);

// The fields of a message that are messages. Protobuf's descriptors have them too, but are made at
// their first use: if the memory ends then, every later use crashes.
struct MessageType {
  struct Field {
    int number = 0;
    const MessageType* type = nullptr;
  };
  Field fields[6];  // up to the first without a type
};
const MessageType& TypeOf(const proto::Manifest&);
const MessageType& TypeOf(const proto::ManifestHead&);
const MessageType& TypeOf(const proto::ParamStore&);
const MessageType& TypeOf(const proto::StoreSpec&);
const MessageType& TypeOf(const proto::TreeDef&);

absl::Status ParseMessage(absl::string_view bytes, absl::string_view what, const MessageType& type,
                          google::protobuf::Message* message);
// Parses a message. error DataLoss: not this kind of message; names `what`.
template <typename Message>
absl::Status ParseMessage(absl::string_view bytes, absl::string_view what, Message* message) {
  return ParseMessage(bytes, what, TypeOf(*message), message);
}

// Returns DataLoss with "<where>: expected <expected>, found <found>".
absl::Status WrongMessage(absl::string_view where, absl::string_view expected,
                          const absl::AlphaNum& found);
// Converts InvalidArgument to DataLoss, with `where` before the message. Returns other errors
// unchanged.
absl::Status AsDataLoss(const absl::Status& status, absl::string_view where);

// Reads the entries of a packed field one by one, and reports one that has too few or too many.
template <typename Values>
class Column {
 public:
  // The arguments must outlive this object. Messages name the column `<where>, column <name>`.
  Column(const Values& values, absl::string_view where, absl::string_view name)
      : values_(values), size_(static_cast<int>(values.size())), where_(where), name_(name) {}

  // Reads the next entry. Returns false at the end.
  template <typename T>
  bool Next(T* value) {
    if (next_ == size_) return false;
    *value = static_cast<T>(values_[next_++]);
    return true;
  }
  template <typename T>
  bool Peek(T value) const {
    return next_ < size_ && values_[next_] == value;
  }

  // Returns the error of a Next that was at the end.
  absl::Status TooShort() const {
    return Wrong(absl::StrCat("more than ", size_, " entries"), "their end");
  }
  absl::Status CheckUsed() const {
    if (next_ == size_) return absl::OkStatus();
    return Wrong(absl::StrCat(next_, " entries"), size_);
  }
  absl::Status Wrong(absl::string_view expected, const absl::AlphaNum& found) const {
    return WrongMessage(absl::StrCat(where_, ", column ", name_), expected, found);
  }

 private:
  const Values& values_;
  const int size_;
  const absl::string_view where_;
  const absl::string_view name_;
  int next_ = 0;
};

// Returns the first error of their CheckUsed.
template <typename... Columns>
absl::Status CheckAllUsed(const Columns&... columns) {
  absl::Status status;
  (void)((status = columns.CheckUsed()).ok() && ...);
  return status;
}

void AddString(absl::string_view text, proto::Strings* out);
// Returns views of the strings, valid as long as the message.
absl::StatusOr<std::vector<absl::string_view>> DecodeStrings(const proto::Strings& in,
                                                             absl::string_view where);

// error ResourceExhausted: more nodes or tags than a column can have.
absl::Status EncodeTreeDefMessage(const TreeDef& def, proto::TreeDef* out);
absl::StatusOr<TreeDef> DecodeTreeDefMessage(const proto::TreeDef& in,
                                             const TreeDefBuilder::Limits& limits);

// Encode and decode the paths of a Layout without a TreeDef.
void EncodePaths(const Layout& layout, proto::Strings* out);
absl::StatusOr<Layout> DecodePaths(const proto::Strings& in, absl::string_view where);

struct DecodedLeaves {
  SlotSet slots;
  LeafColumns leaves;
};
// Encode and decode the slots and the leaves of a store.
void EncodeLeaves(const SlotSet& slots, const LeafColumns& leaves, proto::Leaves* out);
absl::StatusOr<DecodedLeaves> DecodeLeaves(const proto::Leaves& in, const Layout& layout,
                                           absl::string_view where);

void EncodeGrouping(const Grouping& grouping, proto::Labels* out);
absl::StatusOr<Grouping> DecodeGrouping(const proto::Labels& in, const Layout& layout,
                                        absl::string_view where);

// Encode and decode a spec without its grouping, in the fields that proto::StoreSpec and
// proto::ParamStore have in common. error of EncodeSpec: CheckSpec's. DecodeSpec also parses
// the message.
template <typename Message>
absl::Status EncodeSpec(const StoreSpec& spec, Message* out) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSpec(spec.layout, spec.slots, spec.leaves, spec.grouping));
  if (spec.layout.has_def()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, spec.layout.def());
    LEAFSTORE_RETURN_IF_ERROR(EncodeTreeDefMessage(def, out->mutable_treedef()));
  } else {
    EncodePaths(spec.layout, out->mutable_paths());
  }
  EncodeLeaves(spec.slots, spec.leaves, out->mutable_leaves());
  return absl::OkStatus();
}
template <typename Message>
absl::StatusOr<StoreSpec> DecodeSpec(absl::string_view bytes, Message* in) {
  LEAFSTORE_RETURN_IF_ERROR(ParseMessage(bytes, "store", in));
  StoreSpec spec;
  if (!in->has_treedef()) {
    LEAFSTORE_ASSIGN_OR_RETURN(spec.layout, DecodePaths(in->paths(), "store, column paths"));
  } else if (in->has_paths()) {
    return WrongMessage("store", "a treedef or paths", "both");
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(TreeDef def, DecodeTreeDefMessage(in->treedef(), {}));
    spec.layout = Layout(std::move(def));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(DecodedLeaves decoded,
                             DecodeLeaves(in->leaves(), spec.layout, "store"));
  spec.slots = std::move(decoded.slots);
  spec.leaves = std::move(decoded.leaves);
  return spec;
}

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
