// The table of nested messages that is used instead of protobuf's descriptors.
#include "leafstore/proto/internal/messages.h"

#include <google/protobuf/descriptor.h>

#include "gtest/gtest.h"

#include "leafstore/proto/manifest.pb.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore::internal {
namespace {

// Checks that a type names the fields of a descriptor that are messages, and no others.
void ExpectSame(const MessageType& type, const google::protobuf::Descriptor& descriptor) {
  int messages = 0;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *descriptor.field(i);
    const MessageType* found = nullptr;
    for (const MessageType::Field& one : type.fields) {
      if (one.number == field.number()) found = one.type;
    }
    EXPECT_EQ(found != nullptr, field.message_type() != nullptr) << field.full_name();
    if (found == nullptr || field.message_type() == nullptr) continue;
    ++messages;
    ExpectSame(*found, *field.message_type());
  }
  int known = 0;
  for (const MessageType::Field& one : type.fields) known += one.type != nullptr ? 1 : 0;
  EXPECT_EQ(known, messages) << descriptor.full_name();
}

TEST(MessageTypeTest, TypeOf_HasTheMessagesOfEachMessage) {
  ExpectSame(TypeOf(proto::Manifest()), *proto::Manifest::descriptor());
  ExpectSame(TypeOf(proto::ManifestHead()), *proto::ManifestHead::descriptor());
  ExpectSame(TypeOf(proto::ParamStore()), *proto::ParamStore::descriptor());
  ExpectSame(TypeOf(proto::StoreSpec()), *proto::StoreSpec::descriptor());
  ExpectSame(TypeOf(proto::TreeDef()), *proto::TreeDef::descriptor());
}

}  // namespace
}  // namespace leafstore::internal
