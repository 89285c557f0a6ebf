// Each call of the file system fails once while other formats are read and written: the work ends
// with the error or does not need the call, and a place has the old files or the new ones.
#include "tests/io/any_call_fails.h"

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_files.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class AnyCallFailsTest : public testing::Test {
 protected:
  using Work = std::function<absl::Status(FileSystem*)>;

  // Does the work with each call failing in turn, from a new copy of `start_`, and calls `check`
  // with the result. The error names a path.
  void Sweep(const Work& work, const std::function<void(const absl::Status&)>& check) {
    for (const absl::StatusCode code : codes_) {
      for (int at = 0;; ++at) {
        SCOPED_TRACE(absl::StrCat("call ", at, ", code ", static_cast<int>(code)));
        std::filesystem::remove_all(place_);
        std::filesystem::copy(start_, place_, std::filesystem::copy_options::recursive);
        AnyCallFails files({.fail_at = at, .code = code});
        const absl::Status status = work(&files);
        if (!files.has_failed()) {
          EXPECT_THAT(status, IsOk());
          break;
        }
        if (!status.ok()) {
          EXPECT_THAT(status.message(), HasSubstr(dir_.path()));
        }
        check(status);
        if (HasFailure()) return;
      }
    }
  }

  AnyCallFailsTest() {
    std::filesystem::create_directory(start_);
    std::filesystem::create_directory(dir_.File("place"));
  }

  // One of the process, one of the disk, and a file that vanishes.
  std::vector<absl::StatusCode> codes_ = {absl::StatusCode::kUnavailable,
                                          absl::StatusCode::kUnknown, absl::StatusCode::kNotFound};
  TempDir dir_;
  const std::string start_ = dir_.File("start");
  const std::string place_ = dir_.File("place");
  const ParamStore old_ = NamedStoreOf(
      {{"a", PatternTensor(DType::kF32, {100}, 1)}, {"b", PatternTensor(DType::kF32, {100}, 2)}});
  const ParamStore new_ = SmallNamedStore();
};

// Every call of a reader.
absl::Status ReadAll(const std::string& path, const SafetensorsReadOptions& options,
                     ParamStore* into) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader,
                             SafetensorsReader::Open(path, options));
  LEAFSTORE_RETURN_IF_ERROR(ItemOptionsFromSafetensors(reader).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.Load().status());
  LEAFSTORE_RETURN_IF_ERROR(reader.Load({.places = std::vector<uint32_t>{0}}).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadTensor(reader.name(0)).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadLeaf(reader.GetLeaves().value()->PathText(0)).status());
  LEAFSTORE_RETURN_IF_ERROR(reader.LoadInto(into).status());
  const Filter callable =
      filters::Callable([](const NodeView& node) { return node.kind() == NodeKind::kLeaf; });
  LEAFSTORE_RETURN_IF_ERROR(
      reader.CompileGrouping({{"all", callable}, {"rest", Rest()}}, {.allow_empty = true})
          .status());
  LEAFSTORE_RETURN_IF_ERROR(reader.IsCanonical().status());
  LEAFSTORE_RETURN_IF_ERROR(reader.Verify());
  return LoadSafetensors(path, options).status();
}

TEST_F(AnyCallFailsTest, ReadingSafetensors_ReturnsTheErrorWithThePath) {
  ASSERT_THAT(SaveSafetensors(start_ + "/one.safetensors", old_,
                              {.io = {.durable = false}, .structure = StructureSave::kAlways}),
              IsOk());
  std::filesystem::create_directory(start_ + "/set");
  ASSERT_THAT(SaveSafetensorsShards(start_ + "/set/model.safetensors", old_, 400,
                                    {.io = {.durable = false}}),
              IsOk());
  std::filesystem::create_directory(start_ + "/plain");
  for (const char* name :
       {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
    std::filesystem::copy(start_ + "/set/" + name, start_ + "/plain/" + name);
  }
  for (const std::string path : {"/one.safetensors", "/set", "/set/model.safetensors.index.json",
                                 "/set/model-00001-of-00002.safetensors", "/plain",
                                 "/plain/model-00002-of-00002.safetensors"}) {
    for (const ReadMode mode : {ReadMode::kAuto, ReadMode::kMap, ReadMode::kRead}) {
      SCOPED_TRACE(path);
      const auto work = [&](FileSystem* files) {
        ParamStore into = old_.Snapshot().value();
        return ReadAll(place_ + path, {.io = {.mode = mode, .threads = 1, .file_system = files}},
                       &into);
      };
      Sweep(work, [](const absl::Status&) {});
    }
  }
}

TEST_F(AnyCallFailsTest, SavingSafetensors_LeavesTheOldOrTheNew) {
  codes_.pop_back();  // a directory that is said not to exist has no old model
  const std::string file = "/model.safetensors";
  const std::vector<std::pair<const char*, int64_t>> kinds = {{"one file", 1 << 20},
                                                              {"a set", 400}};
  for (const auto& [from, from_bytes] : kinds) {
    for (const auto& [to, to_bytes] : kinds) {
      SCOPED_TRACE(absl::StrCat(from, " to ", to));
      std::filesystem::remove_all(start_);
      std::filesystem::create_directory(start_);
      ASSERT_THAT(
          SaveSafetensorsShards(start_ + file, old_, from_bytes, {.io = {.durable = false}}),
          IsOk());
      const int64_t most = to_bytes == 400 ? 16 : to_bytes;
      Sweep(
          [&](FileSystem* files) {
            return SaveSafetensorsShards(place_ + file, new_, most,
                                         {.io = {.file_system = files}, .replace_set = true})
                .status();
          },
          [&](const absl::Status& status) {
            const absl::StatusOr<ParamStore> loaded = LoadSafetensors(place_);
            ASSERT_THAT(loaded, IsOk()) << status;
            if (status.ok()) {
              EXPECT_EQ(EntriesOf(*loaded), EntriesOf(new_));
            } else {
              EXPECT_THAT(EntriesOf(*loaded), AnyOf(EntriesOf(old_), EntriesOf(new_))) << status;
            }
          });
    }
  }
}

TEST_F(AnyCallFailsTest, NumPyFiles_AreReadAndWrittenOrKept) {
  const Tensor old_tensor = PatternTensor(DType::kF32, {3, 4}, 1);
  const Tensor new_tensor = PatternTensor(DType::kF64, {5}, 2);
  const ParamStore numbers = NamedStoreOf({{"x", new_tensor}});
  ASSERT_THAT(SaveNpz(start_ + "/a.npz", old_), IsOk());
  ASSERT_THAT(SaveNpy(start_ + "/a.npy", old_tensor), IsOk());
  for (const bool deflate : {false, true}) {
    Sweep(
        [&](FileSystem* files) -> absl::Status {
          const NumpyOptions options = {.io = {.file_system = files}, .deflate = deflate};
          LEAFSTORE_RETURN_IF_ERROR(LoadNpy(place_ + "/a.npy", options).status());
          ParamStore into = old_.Snapshot().value();
          LEAFSTORE_RETURN_IF_ERROR(LoadNpzInto(place_ + "/a.npz", &into, {}, options).status());
          LEAFSTORE_RETURN_IF_ERROR(SaveNpz(place_ + "/empty.npz", NamedStoreOf({}), options));
          LEAFSTORE_RETURN_IF_ERROR(SaveNpz(place_ + "/a.npz", numbers, options));
          return SaveNpy(place_ + "/a.npy", new_tensor, options);
        },
        [&](const absl::Status& status) {
          const auto array = LoadNpy(place_ + "/a.npy");
          const auto archive = LoadNpz(place_ + "/a.npz");
          ASSERT_THAT(array, IsOk());
          ASSERT_THAT(archive, IsOk());
          EXPECT_THAT(Leaf(*array), AnyOf(Leaf(old_tensor), Leaf(new_tensor)));
          EXPECT_THAT(EntriesOf(*archive), AnyOf(EntriesOf(old_), EntriesOf(numbers)));
          if (status.ok()) {
            EXPECT_EQ(Leaf(*array), Leaf(new_tensor));
          }
        });
  }
}

}  // namespace
}  // namespace leafstore
