#include "leafstore/proto/treedef_codec.h"

#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/proto/treedef.pb.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

proto::TreeDef MessageOf(const TreeDef& def) {
  proto::TreeDef message;
  EXPECT_TRUE(message.ParseFromString(EncodeTreeDef(def).value()));
  return message;
}

// Decodes EveryKind() after a change of its message.
template <typename Change>
absl::StatusOr<TreeDef> ChangedTreeDef(Change change) {
  proto::TreeDef message = MessageOf(EveryKind());
  change(&message);
  return DecodeTreeDef(message.SerializeAsString());
}

auto IsTreeDefDataLoss(const std::string& words) {
  return StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("treedef"), HasSubstr(words)));
}

TEST(TreeDefCodecTest, EveryKindOfNode_RoundTrips) {
  const TreeDef def = EveryKind();
  EXPECT_TRUE(DecodeTreeDef(EncodeTreeDef(def).value()).value() == def);
}

TEST(TreeDefCodecTest, NoneAndASingleLeaf_AreStructures) {
  EXPECT_TRUE(DecodeTreeDef(EncodeTreeDef(TreeDef()).value()).value() == TreeDef());
  TreeDefBuilder builder;
  builder.Leaf();
  const TreeDef leaf = std::move(builder).Build().value();
  EXPECT_TRUE(DecodeTreeDef(EncodeTreeDef(leaf).value()).value() == leaf);
}

TEST(TreeDefCodecTest, Columns_MatchTheProtoComments) {
  const proto::TreeDef message = MessageOf(EveryKind());
  EXPECT_EQ(message.kinds(), std::string("\6\1\3\1\2\1\4\7\3\1\5\1\10\1", 14));
  EXPECT_THAT(message.child_counts(), ElementsAre(6, 2, 0, 2, 2, 1));
  EXPECT_THAT(message.int_key_dicts(), ElementsAre(2));
  EXPECT_THAT(message.int_keys(), ElementsAre(-3, 7));
  EXPECT_THAT(message.alias_targets(), ElementsAre(5));
  EXPECT_EQ(message.strings().sizes_size(), 13);
}

TEST(TreeDefCodecTest, EmptyColumns_TakeNoBytes) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct);
  builder.Close();
  // kinds: tag, length, byte; child_counts: tag, length, byte.
  EXPECT_EQ(EncodeTreeDef(std::move(builder).Build().value()).value(),
            std::string("\x0a\1\6\x12\1\0", 6));
}

TEST(TreeDefCodecTest, EqualStructures_HaveEqualBytes) {
  EXPECT_EQ(EncodeTreeDef(EveryKind()).value(), EncodeTreeDef(EveryKind()).value());
}

TEST(TreeDefCodecTest, AMillionLevels_RoundTrip) {
  TreeDefBuilder builder;
  for (int i = 0; i < 1'000'000; ++i) builder.Open(NodeKind::kTuple);
  for (int i = 0; i < 1'000'000; ++i) builder.Close();
  const TreeDef def = std::move(builder).Build().value();
  const std::string bytes = EncodeTreeDef(def).value();
  EXPECT_LT(bytes.size(), 2'000'100u);
  EXPECT_TRUE(DecodeTreeDef(bytes).value() == def);
}

TEST(TreeDefCodecTest, BytesThatAreNotAMessage_AreDataLoss) {
  EXPECT_THAT(DecodeTreeDef("\xff\xff"), IsTreeDefDataLoss("not a protobuf message"));
  EXPECT_THAT(DecodeTreeDef(""), IsTreeDefDataLoss("expected a root, found no node"));
}

TEST(TreeDefCodecTest, UnknownKinds_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { (*m->mutable_kinds())[1] = 0; }),
              IsTreeDefDataLoss("column kinds: expected 1 to 8, found 0"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { (*m->mutable_kinds())[1] = 9; }),
              IsTreeDefDataLoss("found 9"));
}

TEST(TreeDefCodecTest, ShortColumns_AreDataLoss) {
  EXPECT_THAT(
      ChangedTreeDef([](auto* m) { m->mutable_child_counts()->RemoveLast(); }),
      IsTreeDefDataLoss("column child_counts: expected more than 5 entries, found their end"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_keys()->RemoveLast(); }),
              IsTreeDefDataLoss("column keys"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_int_keys()->RemoveLast(); }),
              IsTreeDefDataLoss("column int_keys"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_type_names()->RemoveLast(); }),
              IsTreeDefDataLoss("column type_names"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->clear_alias_targets(); }),
              IsTreeDefDataLoss("column alias_targets"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_tag_strings()->RemoveLast(); }),
              IsTreeDefDataLoss("column tag_strings"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_kinds()->pop_back(); }),
              IsTreeDefDataLoss("expected"));
}

TEST(TreeDefCodecTest, LongColumns_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_child_counts(0); }),
              IsTreeDefDataLoss("column child_counts: expected 6 entries, found 7"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_keys(0); }), IsTreeDefDataLoss("column keys"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_int_keys(0); }),
              IsTreeDefDataLoss("column int_keys"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_int_key_dicts(9); }),
              IsTreeDefDataLoss("column int_key_dicts"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_type_names(0); }),
              IsTreeDefDataLoss("column type_names"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->add_alias_targets(0); }),
              IsTreeDefDataLoss("column alias_targets"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) {
                m->add_tag_nodes(1'000);
                m->add_tag_strings(0);
              }),
              IsTreeDefDataLoss("column tag_nodes"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_kinds()->push_back(1); }),
              IsTreeDefDataLoss("expected one root"));
}

TEST(TreeDefCodecTest, HugeChildCount_AllocatesNothing) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_child_counts(0, 0xffffffff); }),
              IsTreeDefDataLoss("expected a struct that is closed, found the end"));
}

TEST(TreeDefCodecTest, MissingStrings_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_keys(0, 13); }),
              IsTreeDefDataLoss("column keys: expected an index below 13, found 13"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_type_names(0, 99); }),
              IsTreeDefDataLoss("found 98"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_tag_strings(0, 99); }),
              IsTreeDefDataLoss("found 99"));
}

TEST(TreeDefCodecTest, InconsistentStringSizes_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_strings()->set_sizes(0, 0xffffffff); }),
              IsTreeDefDataLoss("column strings: expected strings of "));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->mutable_strings()->mutable_sizes()->RemoveLast(); }),
              IsTreeDefDataLoss("column strings"));
}

TEST(TreeDefCodecTest, StringsOutOfOrderUnusedOrDuplicate_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) {
                m->mutable_strings()->mutable_bytes()->append("x");
                m->mutable_strings()->add_sizes(1);
              }),
              IsTreeDefDataLoss("expected 13 different strings, all in use, found 14"));
  proto::TreeDef message = MessageOf(EveryKind());
  const int last = message.strings().sizes_size() - 1;
  EXPECT_EQ(message.keys(message.keys_size() - 1), static_cast<uint32_t>(last - 1));
}

TEST(TreeDefCodecTest, InvalidTrees_AreDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_alias_targets(0, 0); }),
              IsTreeDefDataLoss("a cycle"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_alias_targets(0, 4'000'000'000); }),
              IsTreeDefDataLoss("an alias of a node before it"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_int_keys(1, -3); }),
              IsTreeDefDataLoss("greater than"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_keys(1, m->keys(0)); }),
              IsTreeDefDataLoss("greater than"));
  EXPECT_THAT(ChangedTreeDef([](auto* m) { (*m->mutable_strings()->mutable_bytes())[0] = '\xff'; }),
              IsTreeDefDataLoss("UTF-8"));
}

TEST(TreeDefCodecTest, EmptyDictWithIntKeys_IsDataLoss) {
  proto::TreeDef message;
  message.set_kinds("\3");
  message.add_child_counts(0);
  message.add_int_key_dicts(0);
  EXPECT_THAT(DecodeTreeDef(message.SerializeAsString()), IsTreeDefDataLoss("dicts with children"));
}

TEST(TreeDefCodecTest, DuplicateTag_IsDataLoss) {
  EXPECT_THAT(ChangedTreeDef([](auto* m) { m->set_tag_strings(2, m->tag_strings(1)); }),
              StatusIs(StatusCode::kDataLoss, HasSubstr("column")));
}

TEST(TreeDefCodecTest, TagsOfANode_AreAscending) {
  TreeDefBuilder builder;
  builder.Leaf();
  builder.Tag("a");
  builder.Tag("b");
  proto::TreeDef message = MessageOf(std::move(builder).Build().value());
  ASSERT_THAT(message.tag_strings(), ElementsAre(0, 1));
  message.mutable_tag_strings()->SwapElements(0, 1);
  EXPECT_THAT(DecodeTreeDef(message.SerializeAsString()),
              IsTreeDefDataLoss(
                  "column tag_strings: expected ascending tags of a node, found others at node 0"));
}

TEST(TreeDefCodecTest, MissingTypeNames_AreOmitted) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct);
  builder.Close();
  proto::TreeDef message = MessageOf(std::move(builder).Build().value());
  message.add_type_names(0);
  EXPECT_THAT(DecodeTreeDef(message.SerializeAsString()),
              IsTreeDefDataLoss("column type_names: expected none where all are 0, found 1"));
}

// A dict may have an empty key, which is in the table then; but a struct without a name has 0.
TEST(TreeDefCodecTest, EmptyTypeName_IsNone) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  builder.SetKey(KeyRef::Item(""));
  builder.Open(NodeKind::kStruct);
  builder.Close();
  builder.Close();
  proto::TreeDef message = MessageOf(std::move(builder).Build().value());
  message.add_type_names(1);
  EXPECT_THAT(DecodeTreeDef(message.SerializeAsString()),
              IsTreeDefDataLoss("column type_names: expected 0 for a struct without a name"));
}

TEST(TreeDefCodecTest, Limits_AreEnforced) {
  const std::string bytes = EncodeTreeDef(EveryKind()).value();
  TreeDefBuilder::Limits limits;
  limits.nodes = 5;
  EXPECT_THAT(DecodeTreeDef(bytes, limits),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("at most 5 nodes")));
}

TEST(TreeDefCodecTest, UnknownFields_AreIgnored) {
  const std::string later = EncodeTreeDef(EveryKind()).value() + std::string("\xfa\x7f\3abc", 6);
  EXPECT_TRUE(DecodeTreeDef(later).value() == EveryKind());
}

TEST(TreeDefCodecTest, ChangedBytes_NeverCrash) {
  std::mt19937_64 random(7);
  const std::string good = EncodeTreeDef(EveryKind()).value();
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = good;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto def = DecodeTreeDef(bytes);
    if (!def.ok()) {
      ASSERT_EQ(def.status().code(), StatusCode::kDataLoss) << def.status();
    } else {
      ASSERT_TRUE(DecodeTreeDef(EncodeTreeDef(*def).value()).value() == *def);
    }
  }
}

}  // namespace
}  // namespace leafstore
