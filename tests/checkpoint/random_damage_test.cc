// Random damage of a checkpoint: flipped bits, truncation, and blocks that are swapped, duplicated,
// shifted or overwritten. Each is DataLoss that names the place, and never uses more memory than
// the size of the file justifies, returns a wrong value, or crashes.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"
#include "tests/memory_use.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using Random = std::mt19937_64;

size_t Below(size_t end, Random* random) {
  return std::uniform_int_distribution<size_t>(0, end - 1)(*random);
}

// Returns a range of the file: usually small, sometimes large.
std::pair<size_t, size_t> RandomRange(size_t size, Random* random) {
  const size_t at = Below(size, random);
  const size_t most = Below(4, random) == 0 ? size : 600;
  return {at, 1 + Below(std::min(most, size - at), random)};
}

using Change = void (*)(std::string* bytes, Random* random);

void TurnOverBits(std::string* bytes, Random* random) {
  for (size_t i = 1 + Below(8, random); i > 0; --i) {
    char& byte = (*bytes)[Below(bytes->size(), random)];
    byte = static_cast<char>(byte ^ (1 << Below(8, random)));
  }
}

void CutEnd(std::string* bytes, Random* random) { bytes->resize(Below(bytes->size(), random)); }

void CutBeginning(std::string* bytes, Random* random) {
  bytes->erase(0, 1 + Below(bytes->size() - 1, random));
}

void TakeOut(std::string* bytes, Random* random) {
  const auto [at, size] = RandomRange(bytes->size(), random);
  bytes->erase(at, size);
}

void Double(std::string* bytes, Random* random) {
  const auto [at, size] = RandomRange(bytes->size(), random);
  bytes->insert(at, bytes->substr(at, size));
}

void CopyOver(std::string* bytes, Random* random) {
  const auto [at, size] = RandomRange(bytes->size(), random);
  const size_t to = Below(bytes->size() - size + 1, random);
  bytes->replace(to, size, bytes->substr(at, size));
}

// The sizes that a disk moves: sectors or pages.
void SwapBlocks(std::string* bytes, Random* random) {
  const size_t block = Below(2, random) == 0 ? 512 : 4096;
  const size_t blocks = bytes->size() / block;
  if (blocks < 2) return;
  const size_t a = Below(blocks, random) * block, b = Below(blocks, random) * block;
  std::swap_ranges(bytes->begin() + static_cast<std::ptrdiff_t>(a),
                   bytes->begin() + static_cast<std::ptrdiff_t>(a + block),
                   bytes->begin() + static_cast<std::ptrdiff_t>(b));
}

void FillWithOneByte(std::string* bytes, Random* random) {
  const auto [at, size] = RandomRange(bytes->size(), random);
  const char fills[] = {'\0', '\xff', static_cast<char>(Below(256, random))};
  bytes->replace(at, size, size, fills[Below(3, random)]);
}

void FillWithNoise(std::string* bytes, Random* random) {
  const auto [at, size] = RandomRange(bytes->size(), random);
  for (size_t i = at; i < at + size; ++i) (*bytes)[i] = static_cast<char>((*random)());
}

void AddBehind(std::string* bytes, Random* random) {
  bytes->append(1 + Below(200, random), static_cast<char>((*random)()));
}

constexpr Change kChanges[] = {TurnOverBits, TurnOverBits,  CutEnd,          CutBeginning,
                               TakeOut,      Double,        CopyOver,        SwapBlocks,
                               SwapBlocks,   FillWithNoise, FillWithOneByte, AddBehind};

// About 300 KB: several items, a structure with every kind of node, small and large tensors, some
// of them compressed, groups and metadata.
std::string GoodFile() {
  std::vector<std::pair<Path, Leaf>> entries;
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    std::vector<uint32_t> numbers(static_cast<size_t>(i * i));
    for (uint32_t& number : numbers) {
      number = i % 3 == 0 ? static_cast<uint32_t>(i) : static_cast<uint32_t>(random());
    }
    Tensor tensor = Tensor::From<uint32_t>({static_cast<int64_t>(numbers.size())}, numbers).value();
    entries.emplace_back(Path::Parse(absl::StrCat(".w[", i, "]")).value(), std::move(tensor));
  }
  const TempDir dir;
  SaveOptions options;
  options.io.durable = false;
  options.zstd_level = 3;
  options.metadata = {{"run", "a"}};
  options.metrics = {{"loss", 0.5}};
  const absl::Status saved =
      SaveCheckpoint(dir.File("a.leaf"),
                     {{"params", EveryKindStore(), {.metadata = {{"k", "v"}}}},
                      {"numbers", ParamStore::FromEntries(std::move(entries)).value()}},
                     options);
  EXPECT_THAT(saved, IsOk());
  return ReadFile(dir.File("a.leaf"));
}

// A tensor of three blocks, and small ones.
std::string GoodFileWithBlocks() {
  std::vector<uint32_t> numbers(600'000);
  Random random(2);
  for (uint32_t& number : numbers) number = static_cast<uint32_t>(random());
  const TempDir dir;
  const ParamStore store =
      ParamStore::FromEntries(
          {{Path().Item("large"), Tensor::From<uint32_t>({600, 1000}, numbers).value()},
           {Path().Item("small"), Tensor::Scalar(2.5)}})
          .value();
  EXPECT_THAT(SaveCheckpoint(dir.File("a.leaf"), {{"params", EveryKindStore()}, {"more", store}},
                             {.io = {.durable = false}}),
              IsOk());
  return ReadFile(dir.File("a.leaf"));
}

// Returns the first error of opening, loading and verifying everything.
absl::Status ReadAll(const std::string& bytes, ReadMode mode) {
  MemoryFile file(bytes);
  absl::StatusOr<CheckpointReader> reader =
      CheckpointReader::Open("a.leaf", {.io = {.mode = mode, .file_system = &file}});
  if (!reader.ok()) return reader.status();
  const absl::Status verified = reader->Verify();
  for (const std::string& item : reader->items()) {
    const absl::Status loaded = reader->Load(item).status();
    // Verify finds every damaged tensor that a load finds.
    if (!loaded.ok()) {
      EXPECT_FALSE(verified.ok());
      return loaded;
    }
  }
  return verified;
}

bool NamesAPlace(absl::string_view message) {
  for (const absl::string_view place :
       {"preamble: ", "footer: ", "manifest", "padding before ", "item '", "truncated"}) {
    if (absl::StrContains(message, place)) return true;
  }
  return false;
}

// Damages a file, and requires that each damage is found.
void ExpectFound(const std::string& good, int damages, int64_t most_memory) {
  constexpr ReadMode kModes[] = {ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect};
  ASSERT_THAT(ReadAll(good, ReadMode::kMap), IsOk());
  Random random(20261122);
  int changed = 0;
  for (int i = 0; i < damages; ++i) {
    std::string bytes = good;
    const size_t kind = Below(std::size(kChanges), &random);
    kChanges[kind](&bytes, &random);
    if (bytes == good) continue;
    ++changed;
    const MemoryUse use;
    const absl::Status status = ReadAll(bytes, kModes[i % 3]);
    ASSERT_LT(use.peak(), most_memory) << "damage " << i << " of kind " << kind;
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss)
        << "damage " << i << " of kind " << kind << ": " << status;
    ASSERT_TRUE(NamesAPlace(status.message())) << status;
    ASSERT_TRUE(absl::StartsWith(status.message(), "a.leaf: ")) << status;
  }
  std::printf("%d damages of a file of %zu bytes\n", changed, good.size());
  EXPECT_GT(changed, damages * 9 / 10);
}

TEST(RandomDamageTest, RandomDamage_IsAlwaysFoundAndNamed) {
  const std::string good = GoodFile();
  ExpectFound(good, Dose(3'000, 100'000), static_cast<int64_t>(40 * good.size()));
}

TEST(RandomDamageTest, RandomDamageOfBlocks_IsAlwaysFoundAndNamed) {
  const std::string good = GoodFileWithBlocks();
  ExpectFound(good, Dose(150, 10'000), static_cast<int64_t>(8 * good.size()));
}

}  // namespace
}  // namespace leafstore
