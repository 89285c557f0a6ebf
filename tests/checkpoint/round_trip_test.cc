// Saved data round-trips: structures, ties, tags, groups, metadata, static leaves, every dtype.
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void ExpectSame(const ParamStore& expected, const ParamStore& found) {
  ASSERT_EQ(expected.layout().size(), found.layout().size());
  ASSERT_TRUE(expected.slots() == found.slots());
  for (uint32_t place = 0; place < expected.size(); ++place) {
    EXPECT_TRUE(expected.leaf(place) == found.leaf(place)) << expected.PathText(place);
  }
}

class RoundTripTest : public testing::TestWithParam<ReadMode> {
 protected:
  CheckpointReader Open(const std::string& path) {
    return CheckpointReader::Open(path, {.io = {.mode = GetParam()}}).value();
  }
  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

INSTANTIATE_TEST_SUITE_P(Modes, RoundTripTest, testing::Values(ReadMode::kMap, ReadMode::kRead),
                         [](const auto& tested) {
                           return tested.param == ReadMode::kMap ? "Mapped" : "Read";
                         });

TEST_P(RoundTripTest, EveryKindOfNodeAndLeaf_RoundTrips) {
  const ParamStore store = EveryKindStore();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", EveryKind(), store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_THAT(reader.items(), ElementsAre("params"));
  EXPECT_TRUE(reader.GetDef("params").value() == EveryKind());
  const ParamStore loaded = reader.Load("params").value();
  EXPECT_TRUE(loaded.layout() == store.layout());
  ExpectSame(store, loaded);
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_P(RoundTripTest, TiesAndTags_RoundTrip) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", EveryKindStore()}}), IsOk());
  const CheckpointReader reader = Open(path_);
  const TreeDef def = reader.GetDef("params").value();
  const NodeId head = def.Find(".head").value();
  EXPECT_EQ(def.kind(head), NodeKind::kAlias);
  EXPECT_EQ(def.alias_target(head), def.Find(".embed").value());
  EXPECT_THAT(def.tags(def.Find(".embed").value()), ElementsAre("frozen", "table"));
  EXPECT_TRUE(def.has_tag(kRootNode, "whole"));
  EXPECT_TRUE(reader.LoadLeaf("params", ".head").value() ==
              reader.LoadLeaf("params", ".embed").value());
}

TEST_P(RoundTripTest, EveryDtype_RoundTripsBitForBit) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (const DType dtype : AllDTypes()) {
    Tensor tensor = Tensor::Zeros(dtype, {3, 8}).value();
    {
      MutableTensor writing = tensor.Mutate().value();
      uint8_t next = 1;
      for (std::byte& byte : writing.bytes()) {
        byte = std::byte{dtype == DType::kBool ? static_cast<uint8_t>(next++ & 1) : next++};
      }
    }
    entries.emplace_back(Path().Item(DTypeName(dtype)), std::move(tensor));
  }
  const ParamStore store = ParamStore::FromEntries(std::move(entries)).value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"all", store}}), IsOk());
  ExpectSame(store, Open(path_).Load("all").value());
}

TEST_P(RoundTripTest, NaNBits_RoundTrip) {
  const double signalling = [] {
    const uint64_t bits = 0xfff4000000001234;
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }();
  const ParamStore store =
      ParamStore::FromEntries(
          {{Path().Item("inf"), Value(-std::numeric_limits<double>::infinity())},
           {Path().Item("nan"), Value(signalling)},
           {Path().Item("zero"), Value(-0.0)},
           {Path().Item("truth"), Value(true)}})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"values", store}}), IsOk());
  ExpectSame(store, Open(path_).Load("values").value());
}

TEST_P(RoundTripTest, ScalarRoot_HasTheEmptyPath) {
  TreeDefBuilder builder;
  builder.Leaf();
  const TreeDef def = std::move(builder).Build().value();
  const ParamStore store = ParamStore::Create(def, {Tensor::Scalar(1.5f)}).value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"step", def, store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_EQ(reader.GetItem("step").value().PathText(0), "");
  EXPECT_TRUE(reader.LoadLeaf("step", "").value() == store.leaf(0));
}

TEST_P(RoundTripTest, NoItems_IsAValidCheckpoint) {
  ASSERT_THAT(SaveCheckpoint(path_, std::vector<CheckpointItem>{}), IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_THAT(reader.items(), IsEmpty());
  EXPECT_THAT(reader.Verify(), IsOk());
  EXPECT_EQ(reader.file_size(), 128);
  EXPECT_THAT(reader.Load("params"),
              StatusIs(StatusCode::kNotFound, HasSubstr("no item 'params'")));
}

TEST_P(RoundTripTest, EmptyStore_IsAValidItem) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"none", TreeDef(), ParamStore::Create(TreeDef(), {}).value()},
                                     {"loose", ParamStore()}}),
              IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_EQ(reader.Load("none").value().size(), 0u);
  EXPECT_EQ(reader.Load("loose").value().size(), 0u);
}

TEST_P(RoundTripTest, SharedStructure_IsSavedOnce) {
  const ParamStore store = EveryKindStore();
  ASSERT_THAT(SaveCheckpoint(path_, {{"one", store}}), IsOk());
  const size_t one = ReadFile(path_).size();
  ASSERT_THAT(SaveCheckpoint(path_, {{"one", store}, {"two", store}, {"three", store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_TRUE(reader.GetItem("one").value().layout() == reader.GetItem("three").value().layout());
  EXPECT_LT(ReadFile(path_).size(), one + 2 * 320);
}

TEST_P(RoundTripTest, Group_RoundTripsAsAGroup) {
  const ParamStore store = EveryKindStore();
  const ParamStore group = ParamStore::Create(store.layout(), SlotSet::Create(6, {0, 2, 5}).value(),
                                              {store.leaf(0), store.leaf(2), store.leaf(5)})
                               .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"group", group}}), IsOk());
  const CheckpointReader reader = Open(path_);
  ExpectSame(group, reader.Load("group").value());
  EXPECT_THAT(reader.LoadLeaf("group", ".by_number[-3]"),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("was saved without"), HasSubstr(".by_number[-3]"))));
}

TEST_P(RoundTripTest, LoosePaths_KeepTheirOrder) {
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("w").Index(10), Tensor::Scalar(1.0f)},
                               {Path().Item("w").Index(9), Tensor::Scalar(2.0f)},
                               {Path().Item("b'\n"), Value("x")}})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"loose", store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  const ParamStore loaded = reader.Load("loose").value();
  ExpectSame(store, loaded);
  for (uint32_t place = 0; place < 3; ++place) {
    EXPECT_EQ(loaded.PathText(place), store.PathText(place));
  }
  EXPECT_TRUE(reader.LoadLeaf("loose", "['w'][9]").value() == *store.Find("['w'][9]"));
}

TEST_P(RoundTripTest, Metadata_RoundTrips) {
  SaveOptions options;
  options.metadata = {{"run", "7"}, {"", "empty key"}, {"note", ""}};
  ASSERT_THAT(
      SaveCheckpoint(path_, {{"a", EveryKindStore(), {.metadata = {{"x", "\xc3\xa9"}}}}}, options),
      IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_EQ(reader.metadata(), options.metadata);
  EXPECT_EQ(reader.GetItem("a")->metadata(), (Metadata{{"x", "\xc3\xa9"}}));
}

TEST_P(RoundTripTest, NamedGroups_RoundTrip) {
  const ParamStore store = EveryKindStore();
  const Grouping grouping =
      Grouping::Create(store.layout(), std::vector<uint32_t>{1, 0, 0, 1, 1, 1}, {"w", "rest"})
          .value();
  const Groups groups = grouping.Split(store).value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", groups}, {"plain", store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  const Groups loaded = reader.LoadGroups("params").value();
  EXPECT_EQ(loaded.grouping(), grouping);
  ExpectSame(groups["w"], loaded["w"]);
  ExpectSame(groups["rest"], loaded["rest"]);
  EXPECT_THAT(reader.LoadGroups("plain"),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("expected an item that was saved with groups")));
}

struct Settings {
  int64_t epochs = 0;
  Tensor means;
  LEAFSTORE_FIELDS(epochs, means)
};

TEST_P(RoundTripTest, Structs_RoundTrip) {
  const Settings settings = {.epochs = 3, .means = Tensor::Full({2}, 0.5f).value()};
  ASSERT_THAT(SaveCheckpoint(path_, {{"settings", settings}, {"other", EveryKindStore()}}), IsOk());
  const CheckpointReader reader = Open(path_);
  const Settings loaded = reader.LoadAs<Settings>("settings").value();
  EXPECT_EQ(loaded.epochs, 3);
  EXPECT_EQ(loaded.means.at<float>({1}), 0.5f);
  EXPECT_THAT(reader.LoadAs<Settings>("other"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("other")));
  EXPECT_THAT(reader.LoadAs<Settings>("nothing"),
              StatusIs(StatusCode::kNotFound, HasSubstr("nothing")));
  EXPECT_THAT(SaveCheckpoint(path_, {{"settings", Settings{}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("means")))
      << "a null tensor";
}

TEST_P(RoundTripTest, Groupings_RoundTrip) {
  const ParamStore store = EveryKindStore();
  const uint32_t none = kNoGroup;
  const Grouping grouping =
      Grouping::Create(store.layout(), std::vector<uint32_t>{1, none, 0, 0, none, 1}, {"w", "rest"})
          .value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"a", store, {.grouping = grouping}}, {"b", store}}), IsOk());
  const CheckpointReader reader = Open(path_);
  EXPECT_TRUE(reader.GetItem("a")->grouping() == grouping);
  EXPECT_FALSE(reader.GetItem("b")->grouping().has_value());
}

TEST_P(RoundTripTest, LargeAndSmallTensors_RoundTripTogether) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int64_t i = 0; i < 40; ++i) {
    const int64_t size = i % 7 == 0 ? (1 << 20) * 5 + i : i % 3 == 0 ? 70'000 + i : i;
    Tensor tensor = Tensor::Zeros(DType::kU8, {size}).value();
    {
      MutableTensor writing = tensor.Mutate().value();
      for (int64_t at = 0; at < size; at += 997) writing.raw_data()[at] = std::byte(at + i);
    }
    entries.emplace_back(Path().Index(i), std::move(tensor));
  }
  const ParamStore store = ParamStore::FromEntries(std::move(entries)).value();
  ASSERT_THAT(SaveCheckpoint(path_, {{"mixed", store}}, {.io = {.durable = false}}), IsOk());
  const CheckpointReader reader = Open(path_);
  ExpectSame(store, reader.Load("mixed").value());
  EXPECT_THAT(reader.Verify(), IsOk());
  const CheckpointItemInfo item = reader.GetItem("mixed").value();
  for (uint32_t place = 0; place < item.size(); ++place) {
    const EntryInfo entry = item.entry(place);
    EXPECT_EQ(entry.offset % (entry.stored_size >= 65536 ? 4096 : 64), 0);
  }
}

TEST_P(RoundTripTest, LoadCheckpoint_LoadsOneItemOrAllInTheOrderOfSaving) {
  const ParamStore store = EveryKindStore();
  ASSERT_THAT(SaveCheckpoint(path_, {{"z", store}, {"a", store}}), IsOk());
  const ReadOptions options = {.io = {.mode = GetParam()}};
  ExpectSame(store, LoadCheckpoint(path_, "a", options).value());
  const std::vector<NamedStore> all = LoadCheckpoint(path_, options).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "z");
  EXPECT_EQ(all[1].name, "a");
  for (const NamedStore& item : all) ExpectSame(store, item.store);

  EXPECT_THAT(LoadCheckpoint(path_, "b", options), StatusIs(StatusCode::kNotFound, HasSubstr("b")));
  EXPECT_THAT(LoadCheckpoint(dir_.File("missing.leaf"), options),
              StatusIs(StatusCode::kNotFound, HasSubstr("missing.leaf")));
}

TEST_P(RoundTripTest, Load_AcceptsOneChoiceOfLeavesOnly) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"a", EveryKindStore()}}), IsOk());
  EXPECT_THAT(Open(path_).Load("a", {.filter = IsStatic(), .places = std::vector<uint32_t>{0}}),
              StatusIs(StatusCode::kInvalidArgument, testing::_));
}

TEST_P(RoundTripTest, EqualStores_MakeEqualFiles) {
  const std::string again = dir_.File("b.leaf");
  ASSERT_THAT(SaveCheckpoint(path_, {{"a", EveryKindStore()}}), IsOk());
  ASSERT_THAT(SaveCheckpoint(again, {{"a", Open(path_).Load("a").value()}}), IsOk());
  EXPECT_EQ(ReadFile(path_), ReadFile(again));
}

}  // namespace
}  // namespace leafstore
