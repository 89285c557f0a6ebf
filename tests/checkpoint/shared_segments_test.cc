// Tensors that have the same bytes in a base: allowed, as a tensor may be in more items than before,
// but a base does not hold many times its own size.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kElements = 5'000;

ParamStore FilledTensor(float value) {
  return ParamStore::FromEntries({{Path().Attribute("w"), Filled(value, kElements)}}).value();
}

class SharedSegmentsTest : public testing::Test {
 protected:
  // Saves a base with one item, and then this many items with the same tensor.
  void SaveTwice(int items) {
    const ParamStore params = FilledTensor(1);
    SaveHistory history;
    SaveOptions options;
    options.io.durable = false;
    options.history = &history;
    ASSERT_THAT(SaveCheckpoint(dir_.File("base.leaf"), {{"params", params}}, options), IsOk());
    std::vector<CheckpointItem> all;
    for (int i = 0; i < items; ++i) all.emplace_back(absl::StrCat("item ", i), params);
    ASSERT_THAT(SaveCheckpoint(dir_.File("a.leaf"), std::move(all), options), IsOk());
  }
  // Forges the manifest of a.leaf and opens it.
  template <typename Change>
  absl::Status OpenForged(const Change& change) {
    const std::string file = ReadFile(dir_.File("a.leaf"));
    Manifest manifest = ManifestOf(file);
    change(&manifest);
    WriteFile(dir_.File("b.leaf"), WithManifest(file, manifest));
    return CheckpointReader::Open(dir_.File("b.leaf")).status();
  }

  TempDir dir_;
};

TEST_F(SharedSegmentsTest, ManyItems_ShareATensorOnce) {
  SaveTwice(10);
  const CheckpointReader reader = CheckpointReader::Open(dir_.File("a.leaf")).value();
  EXPECT_LT(reader.file_size(), kElements * 4);
  EXPECT_THAT(reader.Verify(), IsOk());
  for (const std::string& item : reader.items()) {
    EXPECT_EQ(reader.LoadLeaf(item, ".w").value(), Leaf(Filled(1, kElements)));
  }
}

TEST_F(SharedSegmentsTest, MoreThanTheLimit_IsWrittenAnew) {
  SaveTwice(40);
  const CheckpointReader reader = CheckpointReader::Open(dir_.File("a.leaf")).value();
  EXPECT_GT(reader.file_size(), 20 * kElements * 4);
  EXPECT_LT(reader.file_size(), 30 * kElements * 4);
  EXPECT_THAT(reader.Verify(), IsOk());
  for (const std::string& item : reader.items()) {
    EXPECT_EQ(reader.LoadLeaf(item, ".w").value(), Leaf(Filled(1, kElements)));
  }
}

TEST_F(SharedSegmentsTest, MoreThanTheLimit_IsDamage) {
  SaveTwice(10);
  EXPECT_THAT(OpenForged([](Manifest* manifest) { manifest->bases[0].file_size = 12'000; }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected bytes from 64 to ")));
  EXPECT_THAT(OpenForged([](Manifest* manifest) {
                for (int i = 0; i < 10; ++i) {
                  ManifestItem copy = manifest->items[0];
                  copy.name = absl::StrCat("copy ", i);
                  manifest->items.push_back(std::move(copy));
                }
              }),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("'.w': expected at most "),
                             HasSubstr(" bytes of tensors in the base 'base.leaf' of "))));
}

TEST_F(SharedSegmentsTest, PartlySharedBytes_AreDamage) {
  SaveTwice(2);
  EXPECT_THAT(OpenForged([](Manifest* manifest) { manifest->items[1].segments.offsets[0] += 64; }),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("expected bytes of its own, or all those of another tensor")));
  EXPECT_THAT(OpenForged([](Manifest* manifest) { ++manifest->items[1].segments.checksums[0]; }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("all those of another tensor")));
  EXPECT_THAT(OpenForged([](Manifest* manifest) {
                manifest->items[1].segments.codecs = {internal::kCodecZstd};
              }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("all those of another tensor")));
}

TEST_F(SharedSegmentsTest, MoreThan64Bases_AreDamage) {
  SaveTwice(1);
  const auto with_bases = [this](uint32_t count) {
    return OpenForged([count](Manifest* manifest) {
      const ManifestItem item = manifest->items[0];
      const FileIdentity base = manifest->bases[0];
      for (uint32_t i = 1; i < count; ++i) {
        manifest->items.push_back(item);
        manifest->items.back().name = absl::StrCat("copy ", i);
        manifest->items.back().segments.bases = {i + 1};
        manifest->bases.push_back(base);
        manifest->bases.back().name = absl::StrCat("base ", i, ".leaf");
      }
    });
  };
  EXPECT_THAT(with_bases(64), IsOk())
      << "the others do not exist, which affects only their tensors";
  EXPECT_THAT(with_bases(65), StatusIs(absl::StatusCode::kDataLoss,
                                       HasSubstr("expected at most 64 bases, found 65")));
}

TEST_F(SharedSegmentsTest, DamagedSharedBytes_AreReportedForEachTensor) {
  SaveTwice(2);
  std::string base = ReadFile(dir_.File("base.leaf"));
  base[4096] = static_cast<char>(base[4096] ^ 1);
  base[64] = static_cast<char>(base[64] ^ 1);
  WriteFile(dir_.File("base.leaf"), base);
  const CheckpointReader reader = CheckpointReader::Open(dir_.File("a.leaf")).value();
  EXPECT_THAT(reader.Verify(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("item 'item 0'"), HasSubstr("item 'item 1'"),
                             HasSubstr("base.leaf: expected checksum"))));
}

}  // namespace
}  // namespace leafstore
