// Increments: what is written, what is found in earlier files, and what is loaded.
#include "leafstore/checkpoint/save_history.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/numeric/ops.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Tensor ThousandOf(float value) { return Filled(value, 1000); }

class SaveHistoryTest : public testing::Test {
 protected:
  absl::Status Save(const std::string& name, const ParamStore& params, SaveOptions options = {}) {
    options.history = &history_;
    return SaveCheckpoint(dir_.File(name), {{"params", params}}, options);
  }
  CheckpointReader Open(const std::string& name, ReadMode mode = ReadMode::kMap) {
    return CheckpointReader::Open(dir_.File(name), {.io = {.mode = mode}}).value();
  }
  // Returns the base of the tensor at a path; 0: the file itself.
  uint32_t BaseOf(const CheckpointReader& reader, const std::string& path) {
    const CheckpointItemInfo item = reader.GetItem("params").value();
    const Slot slot = item.layout().Get(path).value();
    return item.entry(item.slots().PlaceOf(slot)).base;
  }

  TempDir dir_;
  SaveHistory history_;
};

TEST_F(SaveHistoryTest, FirstSave_EqualsASaveWithoutHistory) {
  const ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("with.leaf", params), IsOk());
  ASSERT_THAT(SaveCheckpoint(dir_.File("without.leaf"), {{"params", params}}), IsOk());
  EXPECT_EQ(ReadFile(dir_.File("with.leaf")), ReadFile(dir_.File("without.leaf")));
}

TEST_F(SaveHistoryTest, Save_WritesOnlyChangedLeaves) {
  ParamStore params =
      StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}, {".name", Value("x")}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  const CheckpointReader second = Open("2.leaf");
  ASSERT_THAT(second.bases(), SizeIs(1));
  EXPECT_EQ(second.bases()[0].name, "1.leaf");
  EXPECT_EQ(BaseOf(second, ".a"), 1u);
  EXPECT_EQ(BaseOf(second, ".b"), 0u);
  EXPECT_LT(second.file_size(), Open("1.leaf").file_size() - 3000);
}

TEST_F(SaveHistoryTest, Increment_ReadsLikeAFullCheckpoint) {
  ParamStore params =
      StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}, {".empty", Filled(0, 0)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const CheckpointReader reader = Open("2.leaf", mode);
    EXPECT_EQ(EntriesOf(reader.Load("params").value()), EntriesOf(params));
    EXPECT_EQ(reader.LoadLeaf("params", ".a").value(), Leaf(ThousandOf(1)));
    ParamStore into = ZerosLike(params).value();
    ASSERT_THAT(reader.LoadInto("params", &into), IsOk());
    EXPECT_EQ(EntriesOf(into), EntriesOf(params));
    EXPECT_THAT(reader.Verify(), IsOk());
  }
}

TEST_F(SaveHistoryTest, MovedLeaf_IsUnchanged) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  const ParamStore moved =
      StoreAt({{".z", *params.Get(".a").value()}, {".y.x", *params.Get(".a").value()}});
  ASSERT_THAT(Save("2.leaf", moved), IsOk());
  EXPECT_EQ(BaseOf(Open("2.leaf"), ".z"), 1u);
  EXPECT_EQ(BaseOf(Open("2.leaf"), ".y.x"), 1u);
  EXPECT_EQ(EntriesOf(Open("2.leaf").Load("params").value()), EntriesOf(moved));
}

TEST_F(SaveHistoryTest, UnchangedStore_WritesNoTensors) {
  const ParamStore params = StoreAt({{".a", ThousandOf(1)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  EXPECT_LT(Open("2.leaf").file_size(), 600);
  EXPECT_EQ(EntriesOf(Open("2.leaf").Load("params").value()), EntriesOf(params));
}

TEST_F(SaveHistoryTest, Bases_AreAtMostEight) {
  std::vector<std::pair<std::string, Leaf>> entries = {{".frozen", Filled(-1, 5000)}};
  for (int i = 0; i < 30; ++i) entries.emplace_back(absl::StrCat("[", i, "]"), Filled(0, 50));
  entries[0].first = "[30]";
  ParamStore params = StoreAt(std::move(entries));
  for (int step = 0; step < 40; ++step) {
    ASSERT_THAT(params.Set(absl::StrCat("[", step % 30, "]"), Filled(static_cast<float>(step), 50)),
                IsOk());
    const std::string name = absl::StrCat(step, ".leaf");
    ASSERT_THAT(Save(name, params), IsOk());
    const CheckpointReader reader = Open(name);
    EXPECT_LE(reader.bases().size(), SaveHistory::kMaxBases);
    EXPECT_EQ(EntriesOf(reader.Load("params").value()), EntriesOf(params));
    // A leaf that never changes remains in the first file.
    if (step == 0) continue;
    EXPECT_EQ(reader.bases()[BaseOf(reader, "[30]") - 1].name, "0.leaf");
  }
}

TEST_F(SaveHistoryTest, FailedSave_IsNotABase) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".a", ThousandOf(2)), IsOk());
  SaveOptions options;
  options.history = &history_;
  EXPECT_FALSE(SaveCheckpoint(dir_.File("none/2.leaf"), {{"params", params}}, options).ok());
  ASSERT_THAT(Save("3.leaf", params), IsOk());
  EXPECT_THAT(Open("3.leaf").bases(), IsEmpty());
  EXPECT_EQ(EntriesOf(Open("3.leaf").Load("params").value()), EntriesOf(params));
}

TEST_F(SaveHistoryTest, ReplacedFile_IsNotItsOwnBase) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  EXPECT_THAT(Open("1.leaf").bases(), IsEmpty());
  EXPECT_EQ(EntriesOf(Open("1.leaf").Load("params").value()), EntriesOf(params));
}

TEST_F(SaveHistoryTest, AnotherDirectory_IsAnError) {
  const ParamStore params = StoreAt({{".a", ThousandOf(1)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  const TempDir other;
  SaveOptions options;
  options.history = &history_;
  EXPECT_THAT(SaveCheckpoint(other.File("2.leaf"), {{"params", params}}, options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("cannot save to ", other.File("2.leaf"),
                                    ": expected the directory of the history, ", dir_.path(),
                                    ", found ", other.path())));
  EXPECT_THAT(other.List(), IsEmpty());
}

TEST_F(SaveHistoryTest, DurableSave_BuildsOnDurableFilesOnly) {
  const ParamStore params = StoreAt({{".a", ThousandOf(1)}});
  ASSERT_THAT(Save("1.leaf", params, {.io = {.durable = false}}), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  EXPECT_THAT(Open("2.leaf").bases(), IsEmpty());
  ASSERT_THAT(Save("3.leaf", params), IsOk());
  EXPECT_THAT(Open("3.leaf").bases(), SizeIs(1));
}

TEST_F(SaveHistoryTest, MissingBase_IsNamedWithTheLeaf) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  ASSERT_THAT(FileSystem::Posix().Remove(dir_.File("1.leaf")), IsOk());
  const CheckpointReader reader = Open("2.leaf");
  EXPECT_EQ(reader.LoadLeaf("params", ".b").value(), Leaf(ThousandOf(3)));
  EXPECT_THAT(
      reader.LoadLeaf("params", ".a").status().message(),
      testing::AllOf(HasSubstr("item 'params', '.a': base: "), HasSubstr(dir_.File("1.leaf"))));
  EXPECT_EQ(reader.LoadLeaf("params", ".a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(reader.Verify().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SaveHistoryTest, ReplacedBase_IsDetected) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  ASSERT_THAT(SaveCheckpoint(dir_.File("1.leaf"), {{"params", ZerosLike(params).value()}}), IsOk());
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const absl::Status status = Open("2.leaf", mode).Load("params").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("1.leaf: expected the file of "));
  }
}

TEST_F(SaveHistoryTest, TruncatedBase_ReportsItsExpectedSize) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  const std::string bytes = ReadFile(dir_.File("1.leaf"));
  WriteFile(dir_.File("1.leaf"), bytes.substr(0, 200));
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    EXPECT_THAT(Open("2.leaf", mode).Load("params"),
                StatusIs(absl::StatusCode::kDataLoss,
                         HasSubstr(absl::StrCat("base: ", dir_.File("1.leaf"),
                                                ": expected a file of ", bytes.size(),
                                                " bytes, found 200; the file is truncated"))));
  }
}

TEST_F(SaveHistoryTest, DamageInABase_IsFound) {
  ParamStore params = StoreAt({{".a", ThousandOf(1)}, {".b", ThousandOf(2)}});
  ASSERT_THAT(Save("1.leaf", params), IsOk());
  ASSERT_THAT(params.Set(".b", ThousandOf(3)), IsOk());
  ASSERT_THAT(Save("2.leaf", params), IsOk());
  std::string bytes = ReadFile(dir_.File("1.leaf"));
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  WriteFile(dir_.File("1.leaf"), bytes);
  EXPECT_EQ(Open("2.leaf").Load("params").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Open("2.leaf").Verify().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace leafstore
