// Converts between leafstore's types and the messages of proto/. Other folders use the codecs,
// which work on bytes.
//
// Each `Decode` checks its input completely and returns DataLoss, naming the column, for an invalid
// message. Each `Encode` fills an empty message from checked data.
#ifndef LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
#define LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/leaf_columns.h"
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

void EncodeLeaves(const SlotSet& slots, const LeafColumns& leaves, proto::Leaves* out);
struct DecodedLeaves {
  SlotSet slots;
  LeafColumns leaves;
};
absl::StatusOr<DecodedLeaves> DecodeLeaves(const proto::Leaves& in, const Layout& layout,
                                           absl::string_view where);

void EncodeGrouping(const Grouping& grouping, proto::Labels* out);
absl::StatusOr<Grouping> DecodeGrouping(const proto::Labels& in, const Layout& layout,
                                        absl::string_view where);

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_PROTO_INTERNAL_MESSAGES_H_
