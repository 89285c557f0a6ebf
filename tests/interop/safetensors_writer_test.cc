#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_attacks.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/faulty_file_system.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SafetensorsWriterTest, Bytes_DoNotDependOnTheOrderOfTensors) {
  const TempDir dir;
  std::vector<NamedTensor> tensors = {{"b", PatternTensor(DType::kF32, {2}, 1)},
                                      {"a", PatternTensor(DType::kF32, {3}, 2)},
                                      {"c", PatternTensor(DType::kI64, {1}, 3)}};
  ASSERT_THAT(SaveSafetensors(dir.File("one"), tensors), IsOk());
  std::swap(tensors[0], tensors[2]);
  ASSERT_THAT(SaveSafetensors(dir.File("two"), tensors), IsOk());
  EXPECT_EQ(ReadFile(dir.File("one")), ReadFile(dir.File("two")));
  EXPECT_THAT(dir.List(), ElementsAre("one", "two"));
}

TEST(SafetensorsWriterTest, InvalidArguments_LeaveNoFile) {
  const TempDir dir;
  const std::string path = dir.File("x");
  const Tensor tensor = PatternTensor(DType::kU8, {1});
  EXPECT_THAT(SaveSafetensors("", SmallNamedStore()), StatusIs(kInvalid, HasSubstr("a path")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", tensor}, {"a", tensor}}),
              StatusIs(kInvalid, HasSubstr("two called 'a'")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", Tensor()}}),
              StatusIs(kInvalid, HasSubstr("called 'a', found null")));
  EXPECT_THAT(SaveSafetensors(path, {{"a\xff", tensor}}), StatusIs(kInvalid, HasSubstr("UTF-8")));
  EXPECT_THAT(SaveSafetensors(path, {{"a", tensor}}, {.metadata = Metadata{{"k", "\xff"}}}),
              StatusIs(kInvalid, HasSubstr("expected metadata in UTF-8, found in 'k'")));
  const ParamStore two =
      ParamStore::FromEntries({{Path().Item("a").Item("b"), tensor}, {Path().Item("a.b"), tensor}})
          .value();
  EXPECT_THAT(SaveSafetensors(path, two), StatusIs(kInvalid, HasSubstr("the same dotted form")));
  ParamStore borrowed = SmallNamedStore();
  const MutableTensor open = borrowed.Mutate("['mask']").value();
  EXPECT_THAT(SaveSafetensors(path, borrowed),
              StatusIs(kPrecondition, HasSubstr("cannot save while a mutable borrow")));
  EXPECT_THAT(dir.List(), IsEmpty());
}

TEST(SafetensorsWriterTest, StaticLeavesWithoutAStructure_AreAnErrorUnlessDropped) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  EXPECT_THAT(SaveSafetensors(dir.File("x"), store, {.structure = StructureSave::kNever}),
              StatusIs(kInvalid,
                       AllOf(HasSubstr("found the static leaf 'gelu'"), HasSubstr("drop_static"))));
  EXPECT_THAT(dir.List(), IsEmpty());
  ASSERT_THAT(SaveSafetensors(dir.File("x"), store,
                              {.structure = StructureSave::kNever, .drop_static = true}),
              IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
  EXPECT_EQ(reader.size(), 3u);
  EXPECT_FALSE(reader.metadata().has_value());
}

TEST(SafetensorsWriterTest, Progress_IsReported) {
  const TempDir dir;
  std::vector<int64_t> told;
  int64_t last_total = 0;
  const Tensor large = PatternTensor(DType::kU8, {10 << 20});
  ASSERT_THAT(SaveSafetensors(dir.File("x"), {{"a", large}, {"b", PatternTensor(DType::kU8, {9})}},
                              {.io = {.durable = false,
                                      .progress =
                                          [&](int64_t done, int64_t total) {
                                            told.push_back(done);
                                            last_total = total;
                                          }}}),
              IsOk());
  EXPECT_EQ(last_total, (10 << 20) + 9);
  EXPECT_THAT(told, ElementsAre(4 << 20, 8 << 20, (10 << 20) + 9));
}

TEST(SafetensorsWriterTest, Commit_IsThatOfACheckpoint) {
  const TempDir dir;
  FaultyFileSystem files;
  ASSERT_THAT(SaveSafetensors(dir.File("x"), SmallNamedStore(), {.io = {.file_system = &files}}),
              IsOk());
  ASSERT_EQ(files.log.size(), 6u);
  EXPECT_EQ(files.log[0], "create");
  EXPECT_THAT(files.log[1], HasSubstr("write"));
  EXPECT_THAT(std::vector<std::string>(files.log.begin() + 2, files.log.end()),
              ElementsAre("sync", "close", "rename", "sync directory"));
}

TEST(SafetensorsWriterTest, FailureOfAnyCall_KeepsTheOldFile) {
  const TempDir dir;
  const std::string path = dir.File("x");
  ASSERT_THAT(SaveSafetensors(path, NamedStoreOf({})), IsOk());
  const std::string before = ReadFile(path);
  FaultyFileSystem counting;
  ASSERT_THAT(SaveSafetensors(dir.File("y"), SmallNamedStore(), {.io = {.file_system = &counting}}),
              IsOk());
  FileSystem::Posix().Remove(dir.File("y")).IgnoreError();
  for (int call = 0; call < counting.calls; ++call) {
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_THAT(SaveSafetensors(path, SmallNamedStore(), {.io = {.file_system = &files}}),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    EXPECT_THAT(dir.List(), ElementsAre("x"));
    // The last call syncs the directory; the new file already exists then.
    if (call + 1 < counting.calls) {
      EXPECT_EQ(ReadFile(path), before) << "call " << call;
    }
  }
}

// ---- shards ----

TEST(LoadSafetensorsTest, LoadSafetensors_LoadsAFileOrASet) {
  const TempDir dir;
  const ParamStore store = StoreOfSizes({4, 5});
  ASSERT_THAT(SaveSafetensors(dir.File("one.safetensors"), store), IsOk());
  EXPECT_EQ(EntriesOf(LoadSafetensors(dir.File("one.safetensors")).value()), EntriesOf(store));
  ASSERT_THAT(SaveSafetensorsShards(dir.File("model.safetensors"), store, 5), IsOk());
  EXPECT_EQ(EntriesOf(LoadSafetensors(dir.path()).value()), EntriesOf(store));
  EXPECT_EQ(LoadSafetensors(dir.File("missing.safetensors")).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace leafstore
