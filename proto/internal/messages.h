// Converts between leafstore's types and the messages of proto/. Other folders use the codecs,
// which work on bytes.
//
// Each `Decode` checks its input completely and returns DataLoss, naming the column, for an invalid
// message. Each `Encode` fills an empty message from checked data.
#ifndef LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
#define LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/layout.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace leafstore {

namespace proto {
class Labels;
class Leaves;
class Strings;
class TreeDef;
}  // namespace proto

namespace internal {

// Serializes a message deterministically. error ResourceExhausted: over 2 GiB; names `what`.
absl::StatusOr<std::string> Serialize(const google::protobuf::Message& message,
                                      absl::string_view what);
// Parses a message. error DataLoss: not this kind of message; names `what`.
absl::Status ParseMessage(absl::string_view bytes, absl::string_view what,
                          google::protobuf::Message* message);

// Returns DataLoss with "<where>: expected <expected>, found <found>".
absl::Status WrongMessage(absl::string_view where, absl::string_view expected,
                          absl::string_view found);
absl::Status WrongMessage(absl::string_view where, absl::string_view expected, uint64_t found);
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
    return Wrong(absl::StrCat(next_, " entries"), absl::StrCat(size_));
  }
  absl::Status Wrong(absl::string_view expected, absl::string_view found) const {
    return WrongMessage(absl::StrCat(where_, ", column ", name_), expected, found);
  }

 private:
  const Values& values_;
  const int size_;
  const absl::string_view where_;
  const absl::string_view name_;
  int next_ = 0;
};

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

// Encode and decode the slots and the leaves of a store.
void EncodeLeaves(const StoreSpec& spec, proto::Leaves* out);
absl::StatusOr<StoreSpec> DecodeLeaves(const proto::Leaves& in, Layout layout,
                                       absl::string_view where);

void EncodeGrouping(const Grouping& grouping, proto::Labels* out);
absl::StatusOr<Grouping> DecodeGrouping(const proto::Labels& in, const Layout& layout,
                                        absl::string_view where);

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
