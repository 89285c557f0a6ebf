// Checks that each hostile file causes its expected error in both read modes and with `strict`, and
// that the error names the path that was opened. Without `strict`, files that are only unusual, or
// have a tensor that is not readable, are read and say so.
#include "tests/interop/safetensors_attacks.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/reader.h"

#include "tests/core/status_matchers.h"
#include "tests/io/memory_file.h"

namespace leafstore {
namespace {

using testing::HasSubstr;

class SafetensorsAttackTest : public testing::TestWithParam<SafetensorsAttack> {};

TEST_P(SafetensorsAttackTest, EveryAttack_HasItsExpectedError) {
  const SafetensorsAttack& attack = GetParam();
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    MemoryFile file(attack.File());
    SafetensorsReadOptions options;
    options.io.mode = mode;
    options.io.file_system = &file;
    options.strict = true;
    const absl::StatusOr<SafetensorsReader> reader =
        SafetensorsReader::Open("some.safetensors", options);
    ASSERT_FALSE(reader.ok());
    EXPECT_THAT(reader, StatusIs(attack.code, HasSubstr("some.safetensors: ")));
    for (const std::string& words : attack.words) {
      EXPECT_THAT(reader, StatusIs(attack.code, HasSubstr(words)));
    }
  }
}

TEST_P(SafetensorsAttackTest, WithoutStrict_OnlyWhatIsUnusualIsRead) {
  const SafetensorsAttack& attack = GetParam();
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    MemoryFile file(attack.File());
    SafetensorsReadOptions options;
    options.io.mode = mode;
    options.io.file_system = &file;
    const absl::StatusOr<SafetensorsReader> reader =
        SafetensorsReader::Open("some.safetensors", options);
    if (!attack.unusual) {
      ASSERT_FALSE(reader.ok());
      EXPECT_THAT(reader, StatusIs(attack.code, HasSubstr("some.safetensors: ")));
      for (const std::string& words : attack.words) {
        EXPECT_THAT(reader, StatusIs(attack.code, HasSubstr(words)));
      }
      continue;
    }
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_NE(reader->notes().empty(), reader->unreadable().empty());
    EXPECT_EQ(reader->Load().ok(), reader->unreadable().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsAttackTest, testing::ValuesIn(SafetensorsAttacks()),
                         [](const auto& attack) { return attack.param.name; });

TEST(SafetensorsAttacksTest, Attacks_HaveUniqueNames) {
  std::set<std::string> names;
  for (const SafetensorsAttack& attack : SafetensorsAttacks()) {
    EXPECT_TRUE(names.insert(attack.name).second) << attack.name;
  }
}

}  // namespace
}  // namespace leafstore
