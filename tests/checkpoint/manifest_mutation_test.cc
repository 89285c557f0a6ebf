// Forged manifests with correct checksums: a reader accepts what a validator accepts that was
// written from docs/format.md alone, and nothing else.
//
// Stated differences: none. (Segments' contents, and the zeros between them, are checked by Verify.)
#include "tests/checkpoint/manifest_mutation.h"

#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/format_validator.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/interop/memory_disk.h"

namespace leafstore {
namespace {

ParamStore LoosePaths() {
  return ParamStore::FromEntries({{Path().Attribute("a"), Filled(1, 20'000)},
                                  {Path().Attribute("not one"), Filled(2, 3)},
                                  {Path().Item("b 'c\"").Index(-7), Value(2.5)},
                                  {Path().Item("\x7f\n").Index(0), Value(true)}})
      .value();
}

ParamStore PartOfEveryKind() {
  const ParamStore whole = EveryKindStore();
  return ParamStore::Create(whole.layout(), SlotSet::Create(6, {2, 3}).value(),
                            {whole.leaf(2), whole.leaf(3)})
      .value();
}

// Returns a file with every field of a manifest but bases.
std::string Saved(bool compressed) {
  MemoryDisk disk;
  SaveOptions options;
  options.io = {.durable = false, .file_system = &disk};
  options.metadata = {{"a", "1"}, {"b", "2"}};
  options.metrics = {{"accuracy", 0.5}, {"loss", 1.5}};
  const RunInfo run{std::string(16, 'r'), FileIdentity{"step-1.leaf", 4711, 12}};
  if (compressed) options.zstd_level = 3;
  const ParamStore whole = EveryKindStore();
  ItemOptions whole_options;
  whole_options.metadata = {{"key", "value"}};
  whole_options.grouping =
      Grouping::Create(whole.layout(), std::vector<uint32_t>{0, 0, 1, 1, kNoGroup, 1}, {"x", "y"})
          .value();
  EXPECT_THAT(
      internal::CheckpointAccess::Save(
          "x",
          {{"whole", whole, whole_options}, {"part", PartOfEveryKind()}, {"loose", LoosePaths()}},
          options, run),
      IsOk());
  return disk.bytes();
}

// Returns the file with half of its tensors in two earlier files.
std::string WithBases(const std::string& file) {
  Manifest manifest = ManifestOf(file);
  manifest.bases = {{"one.leaf", 1 << 20, 1}, {"two.leaf", 900, 2}};
  manifest.items[0].segments.bases = {1, 2, 0};
  manifest.items[1].segments.bases = {1, 0};
  manifest.items[1].segments.offsets[0] = manifest.items[0].segments.offsets[0];
  return WithManifest(file, manifest);
}

absl::Status Read(const std::string& file) {
  MemoryFile disk(file);
  return CheckpointReader::Open("x", {.io = {.mode = ReadMode::kRead, .file_system = &disk}})
      .status();
}

TEST(FormatValidatorTest, WhatLeafstoreWrites_IsValid) {
  for (const std::string& file : {Saved(false), Saved(true), WithBases(Saved(false))}) {
    EXPECT_EQ(WhyInvalid(file), "");
    EXPECT_THAT(Read(file), IsOk());
  }
}

TEST(ManifestMutationTest, ReaderAndValidator_AcceptTheSame) {
  const std::vector<std::string> files = {Saved(false), Saved(true), WithBases(Saved(false))};
  std::mt19937_64 random(20'261'130);
  const int count = Dose(20'000, 200'000, 5'000);
  int accepted = 0;
  std::map<std::string, int> reasons;
  for (int i = 0; i < count; ++i) {
    const std::string& file = files[static_cast<size_t>(i) % files.size()];
    const std::string mutated = WithManifest(file, MutatedManifest(ManifestBytesOf(file), &random));
    const absl::Status read = Read(mutated);
    const std::string why = WhyInvalid(mutated);
    ASSERT_EQ(read.ok(), why.empty())
        << "case " << i << ": the reader says " << read << ", the validator '" << why << "'";
    EXPECT_TRUE(read.ok() || absl::IsDataLoss(read)) << read;
    accepted += read.ok() ? 1 : 0;
    ++reasons[why];
  }
  std::printf("%d of %d accepted, %d reasons\n", accepted, count, static_cast<int>(reasons.size()));
  EXPECT_GT(accepted, count / 50);
  EXPECT_GT(reasons.size(), 40) << "most rules are broken by some case";
}

}  // namespace
}  // namespace leafstore
