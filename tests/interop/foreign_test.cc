// Files of other kinds are named for what they are, with what to do, and never called damaged.
#include "leafstore/interop/internal/foreign.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/reader.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/foreign_files.h"
#include "tests/io/memory_file.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void ExpectForeign(const absl::Status& status, const ForeignFile& file) {
  EXPECT_THAT(status, StatusIs(kInvalid, AllOf(HasSubstr("x: "), HasSubstr("expected "),
                                               HasSubstr(file.found), HasSubstr("; "),
                                               Not(HasSubstr("damage")))))
      << file.name;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kForeign) << file.name;
}

TEST(ForeignTest, EveryReader_NamesFilesOfOtherKinds) {
  for (const ForeignFile& file : ForeignFiles()) {
    MemoryFile files(file.bytes);
    const IoOptions io = {.file_system = &files};
    ExpectForeign(SafetensorsReader::Open("x", {.io = io}).status(), file);
    ExpectForeign(LoadNpy("x", {.io = io}).status(), file);
    ExpectForeign(LoadNpz("x", {.io = io}).status(), file);
  }
}

TEST(ForeignTest, OwnFormats_AreNamedToTheWrongReader) {
  const auto open = [](const std::string& bytes) {
    MemoryFile files(bytes);
    return SafetensorsReader::Open("x", {.io = {.file_system = &files}}).status();
  };
  EXPECT_THAT(open(std::string("\x89LEAF\r\n\x1a") + std::string(56, '\0')),
              StatusIs(kInvalid, HasSubstr("found a checkpoint of leafstore")));
  EXPECT_THAT(open(std::string("\x93NUMPY\1\0", 8)),
              StatusIs(kInvalid, HasSubstr("found an array of NumPy")));
  EXPECT_THAT(open(std::string("PK\3\4\0\0\0\0\0\0", 10)),
              StatusIs(kInvalid, HasSubstr("found a zip archive")));
}

// A header's length may begin with the bytes of another format.
TEST(ForeignTest, TruncatedSafetensors_AreNotForeign) {
  std::vector<std::string> lengths = {std::string("\x81\xa1\x20\0", 4),
                                      std::string("\x08\x01\x12\0", 4)};
  for (const ForeignFile& file : ForeignFiles()) {
    for (size_t size = 1; size <= 4; ++size) lengths.push_back(file.bytes.substr(0, size));
  }
  for (std::string length : lengths) {
    length.resize(8, '\0');
    const std::string bytes = length + "{\"weight\":{\"dtype\":\"F32\",";
    EXPECT_THAT(internal::CheckNotForeign(bytes, "a file"), IsOk()) << length;
    uint64_t size = 0;
    std::memcpy(&size, length.data(), sizeof(size));
    if (size <= 27) continue;
    EXPECT_EQ(internal::FileKindOf(bytes, 100), internal::FileKind::kSafetensors) << length;
    MemoryFile files(bytes);
    const absl::Status status =
        SafetensorsReader::Open("x", {.io = {.file_system = &files}}).status();
    EXPECT_THAT(status, StatusIs(kDamage, HasSubstr("the safetensors are truncated")));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kTruncated);
  }
}

TEST(ForeignTest, OwnFormats_AreRecognizedByTheirFirstBytes) {
  using internal::FileKind;
  using internal::FileKindOf;
  const auto kind = [](const std::string& bytes) { return FileKindOf(bytes, 1000); };
  EXPECT_EQ(kind("\x89LEAF\r\n\x1a"), FileKind::kLeaf);
  EXPECT_EQ(kind("\x89"), FileKind::kLeaf);
  EXPECT_EQ(kind("\x93NUM"), FileKind::kNpy);
  EXPECT_EQ(kind(std::string("PK\3\4\0\0", 6)), FileKind::kZip);
  EXPECT_EQ(kind("PK\5\6"), FileKind::kZip);
  EXPECT_EQ(kind("\xef\xbb\xbf {\"a\": 1}"), FileKind::kJson);
  EXPECT_EQ(kind(std::string("\2\0\0\0\0\0\0\0{}", 10)), FileKind::kSafetensors);
  EXPECT_EQ(kind(std::string("GGUF\3\0\0\0{", 9)), FileKind::kForeign);
  EXPECT_EQ(kind("a text"), FileKind::kForeign);
  EXPECT_EQ(kind(""), FileKind::kUnknown);
  EXPECT_EQ(kind("\xff\xfe\xfd\xfc"), FileKind::kUnknown);
}

TEST(ForeignTest, OtherBytes_AreNotForeign) {
  for (const std::string& bytes :
       {std::string(), std::string(100, '\0'), std::string("\xff\xfe\xfd\xfc"), std::string("\1\2"),
        std::string("text, then a zero\0", 18), std::string("   \n")}) {
    EXPECT_THAT(internal::CheckNotForeign(bytes, "a file"), IsOk());
  }
}

TEST(ForeignTest, LongLines_AreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\xc3\xa9";
  const absl::Status status = internal::CheckNotForeign(text.substr(0, 511), "a file");
  EXPECT_EQ(ReasonOf(status), ErrorReason::kForeign);
  EXPECT_LT(status.message().size(), 300u);
}

}  // namespace
}  // namespace leafstore
