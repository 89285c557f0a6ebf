#include "leafstore/checkpoint/reader.h"

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/io/unmapped_file.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ReaderTest : public testing::TestWithParam<ReadMode> {
 protected:
  ReaderTest() { Save(EveryKindStore()); }

  void Save(const ParamStore& store) {
    ASSERT_THAT(SaveCheckpoint(path_, {{"params", store}}, {.io = {.durable = false}}), IsOk());
  }
  CheckpointReader Open() {
    return CheckpointReader::Open(path_, {.io = {.mode = GetParam()}}).value();
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

INSTANTIATE_TEST_SUITE_P(Modes, ReaderTest, testing::Values(ReadMode::kMap, ReadMode::kRead),
                         [](const auto& tested) {
                           return tested.param == ReadMode::kMap ? "Mapped" : "Read";
                         });

// A file system need not map: mapping is asked for, but threads share the reads.
TEST_P(ReaderTest, Load_OfAnUnmappedFileIsByThreads) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int i = 0; i < 4; ++i) {
    entries.emplace_back(Path().Index(i), Filled(static_cast<float>(i), 5 << 18));
  }
  const ParamStore store = ParamStore::FromEntries(std::move(entries)).value();
  Save(store);
  UnmappedFile file(ReadFile(path_));
  const CheckpointReader reader =
      CheckpointReader::Open(
          path_, {.io = {.mode = GetParam(), .threads = 2, .file_system = &file}, .verify = false})
          .value();
  const ParamStore found = reader.Load("params").value();
  for (uint32_t place = 0; place < 4; ++place) EXPECT_EQ(found.leaf(place), store.leaf(place));
  EXPECT_TRUE(file.had_two_readers());
}

TEST_P(ReaderTest, Open_OfAnUnreadableFile_IsAnError) {
  const ReadOptions options{.io = {.mode = GetParam()}};
  EXPECT_THAT(CheckpointReader::Open(dir_.File("none"), options),
              StatusIs(StatusCode::kNotFound, HasSubstr(dir_.File("none"))));
  EXPECT_THAT(CheckpointReader::Open(dir_.path(), options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  EXPECT_THAT(CheckpointReader::Open(path_ + "/a", options),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr(path_ + "/a")));
  WriteFile(dir_.File("empty"), "");
  EXPECT_THAT(CheckpointReader::Open(dir_.File("empty"), options),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr(dir_.File("empty")), HasSubstr("end of the file after 0"))));
}

TEST_P(ReaderTest, UnknownItem_IsNotFoundWithSuggestions) {
  const CheckpointReader reader = Open();
  const auto unknown =
      StatusIs(StatusCode::kNotFound,
               AllOf(HasSubstr(path_), HasSubstr("no item 'param'; did you mean params?")));
  EXPECT_THAT(reader.GetItem("param"), unknown);
  EXPECT_THAT(reader.GetDef("param"), unknown);
  EXPECT_THAT(reader.Load("param"), unknown);
  EXPECT_THAT(reader.LoadLeaf("param", ".act"), unknown);
  EXPECT_THAT(reader.Load("param", {.subtree = ".act"}), unknown);
  EXPECT_THAT(reader.Load("param", {.filter = filters::All()}), unknown);
  EXPECT_THAT(reader.Load("param", {.places = std::vector<uint32_t>{}}), unknown);
  ParamStore store = EveryKindStore();
  const StoreState before(store);
  EXPECT_THAT(reader.LoadInto("param", &store), unknown);
  EXPECT_EQ(StoreState(store), before);
}

TEST_P(ReaderTest, Entries_DescribeLeavesWithoutReadingThem) {
  const CheckpointReader reader = Open();
  const CheckpointItemInfo item = reader.GetItem("params").value();
  ASSERT_EQ(item.size(), 6u);
  EXPECT_EQ(item.name(), "params");
  EXPECT_EQ(item.tensor_bytes(), 24 + 8);
  EXPECT_EQ(*item.entry(0).value->As<std::string>(), "gelu");
  const EntryInfo embed = item.entry(2);
  EXPECT_EQ(embed.value, nullptr);
  EXPECT_EQ(item.entry(0).spec, LeafSpec(ValueKind::kString));
  EXPECT_EQ(embed.spec, LeafSpec(DType::kF32, {2, 3}));
  EXPECT_EQ(embed.stored_size, 24);
  EXPECT_EQ(embed.offset, 64);
  EXPECT_EQ(item.entry(5).offset, 0) << "no bytes";
  EXPECT_EQ(item.PathText(4), ".named['\xc3\xa9'][0]");
}

TEST_P(ReaderTest, ForEachPath_VisitsEveryPath) {
  const ParamStore store = EveryKindStore();
  Save(ParamStore::Create(store.layout(), SlotSet::Create(6, {1, 2, 5}).value(),
                          {store.leaf(1), store.leaf(2), store.leaf(5)})
           .value());
  const CheckpointReader reader = Open();
  const CheckpointItemInfo item = reader.GetItem("params").value();
  std::vector<std::string> walked;
  EXPECT_THAT(item.ForEachPath([&](uint32_t place, absl::string_view path) {
    EXPECT_EQ(place, walked.size());
    EXPECT_EQ(path, item.PathText(place));
    walked.emplace_back(path);
  }),
              IsOk());
  EXPECT_THAT(walked, ElementsAre(".by_number[-3]", ".embed", ".named['\xc3\xa9'][1][0]"));
}

TEST_P(ReaderTest, LoadLeaf_OfAnInvalidPath_IsAnError) {
  const CheckpointReader reader = Open();
  EXPECT_THAT(
      reader.LoadLeaf("params", ".embd"),
      StatusIs(StatusCode::kNotFound,
               path_ + ": item 'params': at (root): expected a child .embd, found a struct of "
                       "6 without it; did you mean .embed?"));
  EXPECT_THAT(reader.LoadLeaf("params", ".named"),
              StatusIs(StatusCode::kInvalidArgument,
                       path_ + ": item 'params': at '.named': expected a leaf, found dict"));
  const auto no_path =
      StatusIs(StatusCode::kInvalidArgument,
               path_ +
                   ": item 'params': not the text of a path: column 1: expected '.' or '[', found "
                   "'e': 'embed'; did you mean .embed or ['embed']?");
  EXPECT_THAT(reader.LoadLeaf("params", "embed"), no_path);
  EXPECT_THAT(reader.Load("params", {.subtree = "embed"}), no_path);
  EXPECT_THAT(reader.LoadLeaf("params", ".by_number[7]"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("found none")));
}

TEST_P(ReaderTest, LoadSubtree_ReturnsACompleteStore) {
  const CheckpointReader reader = Open();
  const ParamStore named = reader.Load("params", {.subtree = ".named"}).value();
  EXPECT_THAT(PathsOf(named), ElementsAre("['a b']", "['\xc3\xa9'][0]", "['\xc3\xa9'][1][0]"));
  EXPECT_TRUE(named.complete());
  EXPECT_EQ(named.layout().def()->kind(kRootNode), NodeKind::kDict);
  EXPECT_THAT(PathsOf(reader.Load("params", {.subtree = ".head"}).value()), ElementsAre(""));
  EXPECT_THAT(PathsOf(reader.Load("params", {.subtree = ""}).value()), PathsOf(EveryKindStore()));
  EXPECT_THAT(
      reader.Load("params", {.subtree = ".nmaed"}),
      StatusIs(StatusCode::kNotFound,
               path_ + ": item 'params': at (root): expected a child .nmaed, found a struct of "
                       "6 without it; did you mean .named or .embed?"));
}

TEST_P(ReaderTest, LoadSubtree_OfAPartialItem_ReturnsItsLeaves) {
  const ParamStore store = EveryKindStore();
  Save(ParamStore::Create(store.layout(), SlotSet::Create(6, {2, 5}).value(),
                          {store.leaf(2), store.leaf(5)})
           .value());
  const ParamStore named = Open().Load("params", {.subtree = ".named"}).value();
  EXPECT_EQ(named.layout().size(), 3u);
  EXPECT_THAT(PathsOf(named), ElementsAre("['\xc3\xa9'][1][0]"));
}

TEST_P(ReaderTest, LoadFilter_MatchesLikeAPartition) {
  const CheckpointReader reader = Open();
  EXPECT_THAT(PathsOf(reader.Load("params", {.filter = Glob("named.**")}).value()),
              ElementsAre(".named['a b']", ".named['\xc3\xa9'][0]", ".named['\xc3\xa9'][1][0]"));
  EXPECT_THAT(PathsOf(reader.Load("params", {.filter = DTypeIs(DType::kF32)}).value()),
              ElementsAre(".embed"));
  EXPECT_THAT(PathsOf(reader.Load("params", {.filter = IsStatic()}).value()),
              ElementsAre(".act", ".by_number[-3]", ".named['\xc3\xa9'][0]"));
  EXPECT_THAT(PathsOf(reader.Load("params", {.filter = HasTag("frozen")}).value()),
              ElementsAre(".embed"));
  EXPECT_EQ(reader.Load("params", {.filter = Glob("nothing")}).value().size(), 0u);
  const ParamStore all = reader.Load("params", {.filter = filters::All()}).value();
  EXPECT_TRUE(all.complete());
  EXPECT_TRUE(all.leaf(2) == LeafOf(EveryKindStore(), 2));
  EXPECT_THAT(reader.Load("params", {.filter = Glob("named[")}),
              StatusIs(StatusCode::kInvalidArgument,
                       StartsWith(path_ + ": item 'params': glob 'named[', column 6: found a "
                                          "bracket; expected")));
  EXPECT_THAT(reader.Load("params", {.filter = Regex("a[")}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("regular expression 'a[', column 2: missing ]")));
}

TEST_P(ReaderTest, LoadFilter_VerifiesOnlyMatchingLeaves) {
  std::string bytes = ReadFile(path_);
  bytes[64] ^= 1;  // .embed
  WriteFile(path_, bytes);
  const CheckpointReader reader = Open();
  EXPECT_THAT(reader.Load("params", {.filter = Glob("named.**")}), IsOk());
  EXPECT_THAT(reader.Load("params", {.filter = RankIs(2)}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("'.embed'")));
}

TEST_P(ReaderTest, Errors_NameTheFileAndTheItem) {
  const ParamStore loose =
      ParamStore::FromEntries({{Path().Attribute("a"), Value(1)}, {Path().Index(0), Value(2)}})
          .value();
  Save(loose);  // which is not a tree
  const CheckpointReader reader = Open();
  const auto no_tree = StatusIs(
      StatusCode::kInvalidArgument,
      StartsWith(path_ + ": item 'params': paths that do not form a tree: '.a' and '[0]'"));
  EXPECT_THAT(reader.GetDef("params"), no_tree);
  EXPECT_THAT(reader.Load("params", {.subtree = ".a"}), no_tree);
  EXPECT_THAT(reader.Load("params", {.filter = filters::All()}), no_tree);
  EXPECT_THAT(reader.CompileGrouping("params", {{"all", filters::All()}}), no_tree);
  EXPECT_THAT(
      reader.LoadLeaf("params", ".b"),
      StatusIs(StatusCode::kNotFound, StartsWith(path_ + ": item 'params': no leaf at '.b'")));
  EXPECT_THAT(reader.Load("params", {.places = std::vector<uint32_t>{2}}),
              StatusIs(StatusCode::kInvalidArgument,
                       path_ + ": item 'params': expected ascending places below 2, found 2"));
}

TEST_P(ReaderTest, LoadPlaces_MustBeAscending) {
  const CheckpointReader reader = Open();
  EXPECT_THAT(PathsOf(reader.Load("params", {.places = std::vector<uint32_t>{0, 3}}).value()),
              ElementsAre(".act", ".named['a b']"));
  EXPECT_THAT(reader.Load("params", {.places = std::vector<uint32_t>{3, 3}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("ascending places below 6")));
  EXPECT_THAT(reader.Load("params", {.places = std::vector<uint32_t>{6}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("found 6")));
}

TEST_P(ReaderTest, LoadInto_ReplacesTheLeaves) {
  std::vector<Leaf> leaves;
  leaves.push_back(Value("relu"));
  leaves.push_back(Value(0));
  leaves.push_back(Tensor::Zeros(DType::kF32, {2, 3}).value());
  leaves.push_back(Tensor::Scalar<int64_t>(0));
  leaves.push_back(Value(Bytes{""}));
  leaves.push_back(Tensor::Zeros(DType::kBF16, {0, 4}).value());
  ParamStore store = ParamStore::Create(EveryKind(), std::move(leaves)).value();
  ASSERT_THAT(Open().LoadInto("params", &store), IsOk());
  const ParamStore expected = EveryKindStore();
  for (uint32_t place = 0; place < expected.size(); ++place) {
    EXPECT_TRUE(expected.leaf(place) == store.leaf(place));
  }
  // The loaded leaves can be written.
  store.Mutate(".embed")->span<float>()[0] = 9;
  EXPECT_TRUE(Open().LoadLeaf("params", ".embed").value() == expected.leaf(2));
}

TEST_P(ReaderTest, LoadInto_ReportsAllMismatchesAndChangesNothing) {
  ParamStore store = ParamStore::FromEntries(
                         {{Path().Attribute("act"), Value(3)},
                          {Path().Attribute("embed"), Tensor::Zeros(DType::kF32, {3, 2}).value()},
                          {Path().Attribute("extra"), Value("stays")},
                          {Path().Attribute("named").Item("a b"), Tensor::Scalar(1.0f)}})
                         .value();
  const StoreState before(store);
  EXPECT_THAT(
      Open().LoadInto("params", &store),
      StatusIs(StatusCode::kInvalidArgument,
               AllOf(StartsWith(path_ + ": item 'params': the leaves do not fit the store:\n"),
                     HasSubstr("missing (1):\n"
                               "  '.extra'\n"
                               "unexpected (3):\n"
                               "  '.by_number[-3]'\n"
                               "  .named['\xc3\xa9'][0]\n"
                               "  .named['\xc3\xa9'][1][0]\n"
                               "dtype mismatch (2):\n"
                               "  '.act': expected static int, found static str\n"
                               "  .named['a b']: expected f32[], found i64[]\n"
                               "shape mismatch (1):\n"
                               "  '.embed': expected f32[3, 2], found f32[2, 3]"))));
  EXPECT_EQ(StoreState(store), before);
}

TEST_P(ReaderTest, LoadInto_MayAllowMissingAndUnexpectedLeaves) {
  ParamStore store = ParamStore::FromEntries({{Path().Attribute("act"), Value("relu")},
                                              {Path().Attribute("extra"), Value("stays")}})
                         .value();
  const StoreState before(store);
  EXPECT_THAT(Open().LoadInto("params", &store, {.allow_missing = true}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("unexpected (5):\n  '.by_number")));
  EXPECT_THAT(Open().LoadInto("params", &store, {.allow_unexpected = true}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("missing (1):\n  '.extra'")));
  EXPECT_EQ(StoreState(store), before);
  ASSERT_THAT(Open().LoadInto("params", &store, {.allow_missing = true, .allow_unexpected = true}),
              IsOk());
  EXPECT_TRUE(*store.Find(".act") == Leaf(Value("gelu")));
  EXPECT_TRUE(*store.Find(".extra") == Leaf(Value("stays")));
}

TEST_P(ReaderTest, LoadInto_ReturnsAReport) {
  ParamStore store = ParamStore::FromEntries({{Path().Attribute("act"), Value("relu")},
                                              {Path().Attribute("extra"), Value("stays")}})
                         .value();
  const RestoreReport report =
      Open().LoadInto("params", &store, {.allow_missing = true, .allow_unexpected = true}).value();
  EXPECT_EQ(report.restored, 1u);
  EXPECT_THAT(report.missing, ElementsAre(".extra"));
  EXPECT_THAT(report.unexpected, ElementsAre(".by_number[-3]", ".embed", ".named['a b']",
                                             ".named['\xc3\xa9'][0]", ".named['\xc3\xa9'][1][0]"));
  ParamStore whole = EveryKindStore();
  const RestoreReport all = Open().LoadInto("params", &whole).value();
  EXPECT_EQ(all.restored, 6u);
  EXPECT_THAT(all.missing, IsEmpty());
  EXPECT_THAT(all.unexpected, IsEmpty());
}

TEST_P(ReaderTest, LoadInto_AGroupOfTheSameLayout_ReplacesItsLeaves) {
  const ParamStore like = EveryKindStore();
  ParamStore group = ParamStore::Create(like.layout(), SlotSet::Create(6, {2}).value(),
                                        {Tensor::Zeros(DType::kF32, {2, 3}).value()})
                         .value();
  EXPECT_THAT(Open().LoadInto("params", &group),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(".act")));
  ASSERT_THAT(Open().LoadInto("params", &group, {.allow_unexpected = true}), IsOk());
  EXPECT_TRUE(group.leaf(0) == like.leaf(2));
}

TEST_P(ReaderTest, LoadInto_ABorrowedStore_IsAnError) {
  ParamStore store = EveryKindStore();
  const MutableTensor borrow = store.Mutate(".embed").value();
  const StoreState before(store);
  EXPECT_THAT(
      Open().LoadInto("params", &store),
      StatusIs(StatusCode::kFailedPrecondition,
               path_ + ": item 'params': cannot load into while a mutable borrow of this store "
                       "is open: close it first"));
  EXPECT_EQ(StoreState(store), before);
}

TEST_P(ReaderTest, Leaves_OutliveTheReader) {
  Leaf embed;
  {
    const CheckpointReader reader = Open();
    embed = reader.LoadLeaf("params", ".embed").value();
  }
  EXPECT_TRUE(embed == LeafOf(EveryKindStore(), 2));
}

TEST_P(ReaderTest, Reader_IsSafeFromManyThreads) {
  const CheckpointReader reader = Open();
  const ParamStore expected = EveryKindStore();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const auto all = reader.Load("params");
        const auto some = reader.Load("params", {.filter = Glob("named.**")});
        if (!all.ok() || !(all->leaf(2) == expected.leaf(2))) ++wrong;
        if (!some.ok() || some->size() != 3) ++wrong;
        if (!(*reader.LoadLeaf("params", ".head") == expected.leaf(2))) ++wrong;
        if (!reader.Verify().ok()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ReaderModeTest, MappedTensors_AreViewsAndReadOnesAreNot) {
  TempDir dir;
  const std::string path = dir.File("a.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"params", EveryKindStore()}}), IsOk());
  const auto sharing = [&](ReadMode mode) {
    const CheckpointReader reader = CheckpointReader::Open(path, {.io = {.mode = mode}}).value();
    return reader.LoadLeaf("params", ".embed")
        .value()
        .tensor()
        .SharesBytesWith(reader.LoadLeaf("params", ".embed").value().tensor());
  };
  EXPECT_TRUE(sharing(ReadMode::kMap));
  EXPECT_FALSE(sharing(ReadMode::kRead));
}

TEST(ReaderModeTest, MillionLevels_RoundTripAndAreListed) {
  constexpr int kLevels = 1'000'000;
  TreeDefBuilder builder;
  for (int i = 0; i < kLevels; ++i) builder.Open(NodeKind::kList);
  builder.Leaf();
  for (int i = 0; i < kLevels; ++i) builder.Close();
  const TreeDef def = std::move(builder).Build().value();
  const ParamStore store = ParamStore::Create(def, {Tensor::Scalar(1.0f)}).value();
  TempDir dir;
  const std::string path = dir.File("deep.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"deep", store}}, {.io = {.durable = false}}), IsOk());
  const CheckpointReader reader = CheckpointReader::Open(path).value();
  EXPECT_TRUE(reader.GetDef("deep").value() == def);
  EXPECT_TRUE(reader.Load("deep")->leaf(0) == store.leaf(0));
  size_t length = 0;
  EXPECT_THAT(reader.GetItem("deep")->ForEachPath(
                  [&](uint32_t, absl::string_view text) { length = text.size(); }),
              IsOk());
  EXPECT_EQ(length, 3u * kLevels);
}

// One string of a megabyte in the table makes paths of gigabytes.
TEST(ReaderModeTest, TooLongPaths_AreNeverPrinted) {
  const std::string key(1 << 20, 'k');
  TreeDefBuilder builder;
  for (int i = 0; i < 3'000; ++i) {
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item(key));
  }
  builder.Leaf();
  for (int i = 0; i < 3'000; ++i) builder.Close();
  const TreeDef def = std::move(builder).Build().value();
  const ParamStore store = ParamStore::Create(def, {Tensor::Scalar(1.0f)}).value();
  TempDir dir;
  const std::string path = dir.File("long.leaf");
  ASSERT_THAT(SaveCheckpoint(path, {{"long", store}}, {.io = {.durable = false}}), IsOk());
  std::string bytes = ReadFile(path);
  bytes[64] ^= 1;
  WriteFile(path, bytes);
  const CheckpointReader reader = CheckpointReader::Open(path).value();
  EXPECT_THAT(reader.GetItem("long")->ForEachPath([](uint32_t, absl::string_view) { FAIL(); }),
              StatusIs(StatusCode::kResourceExhausted,
                       HasSubstr("expected a path of at most 16777216 bytes")));
  const absl::Status damage = reader.Verify();
  EXPECT_THAT(damage, StatusIs(StatusCode::kDataLoss, HasSubstr("item 'long', '")));
  EXPECT_LT(damage.message().size(), 5'000u);
}

}  // namespace
}  // namespace leafstore
