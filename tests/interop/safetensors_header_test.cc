#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/reader.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_attacks.h"
#include "tests/io/memory_file.h"
#include "tests/refusing_new.h"
#include "tests/status_codes.h"

namespace leafstore {

using internal::EncodeSafetensorsHeader;
using internal::ParseSafetensorsIndex;
using internal::SafetensorsDTypeName;
using internal::SafetensorsDTypeOf;
using internal::SafetensorsEntry;
using internal::SafetensorsHeader;
using internal::SafetensorsOrder;

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

absl::StatusOr<SafetensorsHeader> Parse(absl::string_view text, int64_t data_size,
                                        const SafetensorsLeniency& lenient = {}) {
  return SafetensorsHeader::Parse(text, 8 + static_cast<int64_t>(text.size()) + data_size, lenient);
}

// Opens a file with this header, with `strict`.
absl::Status OpenStrictly(absl::string_view text, int64_t data_size) {
  MemoryFile file(SafetensorsFileOf(text, static_cast<size_t>(data_size)));
  return SafetensorsReader::Open("m", {.io = {.file_system = &file}, .strict = true}).status();
}

std::vector<std::string> NamesIn(const SafetensorsHeader& header) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < header.size(); ++i) names.emplace_back(header.name(i));
  return names;
}

// Names have escapes, and values are not read, so all of the reader's buffers are in use.
TEST(SafetensorsHeaderTest, WithoutMemoryToParse_IsResourceExhausted) {
  refusable_size = 16384;  // more than the arrays that simdjson has in debug builds only
  std::string text = R"({"weight_map":{},"metadata":{"a":0)";
  for (int i = 0; i < 4000; ++i) absl::StrAppend(&text, R"(,"\u00e9)", i, R"(":[])");
  text += "}}";
  ASSERT_THAT(ParseSafetensorsIndex(text), IsOk());  // also makes the pool of buffers
  int failed = 0;
  for (int allowed = 0;; ++allowed) {
    allocations_left = allowed;
    const absl::Status status = ParseSafetensorsIndex(text).status();
    allocations_left = -1;
    if (!std::exchange(memory_was_refused, false)) break;
    if (status.ok()) continue;  // a buffer that is not used was refused
    ++failed;
    EXPECT_THAT(status, StatusIs(kExhausted, HasSubstr("index: no memory to parse it")));
  }
  refusable_size = 0;
  EXPECT_GE(failed, 2);
}

TEST(SafetensorsHeaderTest, WithoutTensors_IsEmpty) {
  const SafetensorsHeader header = Parse("{}      ", 0).value();
  EXPECT_EQ(header.size(), 0u);
  EXPECT_FALSE(header.metadata().has_value());
}

TEST(SafetensorsHeaderTest, Parse_ReturnsSpecAndOffsetOfEachTensor) {
  const absl::string_view text = R"({"a.b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                                 R"("":{"data_offsets":[24,25],"shape":[],"dtype":"BOOL"},)"
                                 R"("é\n":{"dtype":"F4","shape":[0,7],"data_offsets":[25,25]}} )";
  const SafetensorsHeader header = Parse(text, 25).value();
  EXPECT_THAT(NamesIn(header), ElementsAre("a.b", "", "é\n"));
  EXPECT_EQ(header.spec(0), LeafSpec(DType::kF32, {2, 3}));
  EXPECT_EQ(header.byte_size(0), 24);
  EXPECT_EQ(header.offset(0), 8 + static_cast<int64_t>(text.size()));
  EXPECT_EQ(header.spec(1), LeafSpec(DType::kBool, {}));
  EXPECT_EQ(header.offset(1), header.offset(0) + 24);
  EXPECT_EQ(header.spec(2), LeafSpec(DType::kF4, {0, 7}));
  EXPECT_EQ(header.byte_size(2), 0);
}

TEST(SafetensorsHeaderTest, Tensors_AreInTheOrderOfTheirBytes) {
  const SafetensorsHeader header =
      Parse(absl::StrCat("{", BytesEntry("c", 5, 9), ",", BytesEntry("nothing", 2, 2), ",",
                         BytesEntry("a", 0, 2), ",", BytesEntry("b", 2, 5), "}"),
            9)
          .value();
  EXPECT_THAT(NamesIn(header), ElementsAre("a", "nothing", "b", "c"));
  EXPECT_EQ(header.byte_size(2), 3);
  EXPECT_EQ(header.spec(3), LeafSpec(DType::kU8, {4}));
}

// The reference sorts names within each dtype, so a file has a few runs of ascending names.
TEST(SafetensorsHeaderTest, Names_AreUniqueInRunsOfAnyNumber) {
  constexpr int kLength = 3;
  for (const int runs : {1, 2, 3, 4, 5, 9}) {
    std::vector<std::string> names;
    for (int run = 0; run < runs; ++run) {
      for (int i = 0; i < kLength; ++i) names.push_back(absl::StrCat("n", i, "of", runs - run));
    }
    const auto parse = [&names] {
      std::vector<std::string> entries;
      for (int i = 0; i < static_cast<int>(names.size()); ++i) {
        entries.push_back(BytesEntry(names[static_cast<size_t>(i)], i, i + 1));
      }
      return Parse(absl::StrCat("{", absl::StrJoin(entries, ","), "}"),
                   static_cast<int64_t>(names.size()));
    };
    EXPECT_THAT(NamesIn(parse().value()), ElementsAreArray(names));
    for (size_t other = 0; other + 1 < names.size(); ++other) {
      const std::string kept = std::exchange(names.back(), names[other]);
      EXPECT_THAT(parse(), StatusIs(kDamage, HasSubstr(absl::StrCat("two called '", names[other]))))
          << runs;
      names.back() = kept;
    }
  }
}

TEST(SafetensorsHeaderTest, DTypeNames_CoverEveryDType) {
  for (const DType dtype : AllDTypes()) {
    const absl::string_view name = SafetensorsDTypeName(dtype);
    EXPECT_EQ(SafetensorsDTypeOf(name), dtype) << name;
    // Eight elements fill complete bytes in every type.
    const int64_t bytes = static_cast<int64_t>(DTypeBits(dtype));
    const SafetensorsHeader header =
        Parse(absl::StrCat("{\"a\":{\"dtype\":\"", name, "\",\"shape\":[8],\"data_offsets\":[0,",
                           bytes, "]}}"),
              bytes)
            .value();
    EXPECT_EQ(header.spec(0), LeafSpec(dtype, {8}));
    EXPECT_EQ(header.byte_size(0), bytes);
  }
  EXPECT_EQ(SafetensorsDTypeOf("f32"), std::nullopt);
}

TEST(SafetensorsHeaderTest, Parse_ReturnsMetadata) {
  const SafetensorsHeader header =
      Parse(R"({"__metadata__":{"b":"2","":"","a\u0000":"\"\\é"}})", 0).value();
  EXPECT_THAT(*header.metadata(), UnorderedElementsAre(Pair("b", "2"), Pair("", ""),
                                                       Pair(std::string("a\0", 2), "\"\\é")));
  EXPECT_TRUE(Parse(R"({"__metadata__":{}})", 0)->metadata().has_value());
}

TEST(SafetensorsHeaderTest, WhiteSpaceWithinTheObject_IsAccepted) {
  EXPECT_THAT(Parse("{\n\t\"a\" : {\"dtype\": \"U8\",\r\n \"shape\": [ 2 ],"
                    " \"data_offsets\": [0, 2]} }",
                    2),
              IsOk());
}

TEST(SafetensorsHeaderTest, MinusZero_IsNotACount) {
  EXPECT_THAT(
      Parse(absl::StrCat("{", BytesEntry("a-0", 0, 2), ",", BytesEntry("\\\"[-0]", 2, 4), "}"), 4),
      IsOk());
  EXPECT_THAT(Parse(R"({"a":{"dtype":"U8","shape":[ -0 ],"data_offsets":[0,0]}})", 0),
              StatusIs(kDamage, HasSubstr("integers from 0 to 2^63 - 1, found -0")));
  // As in the reference, `-0` is an ordinary number in an ignored field.
  const std::string other =
      R"({"a":{"x":[-0, -0,1e-0],"dtype":"U8","y":-0,"shape":[0],"data_offsets":[0,0]}})";
  EXPECT_THAT(OpenStrictly(other, 0), StatusIs(kDamage, HasSubstr("found another, 'x'")));
  EXPECT_THAT(Parse(other, 0)->spec(0).shape().size(), 1u);
  EXPECT_THAT(Parse(R"({"a":{"x":-0,"dtype":"U8","shape":[0],"data_offsets":[0,-0]}})", 0),
              StatusIs(kDamage, HasSubstr("2^63 - 1, found [0,-0]")));
}

TEST(SafetensorsHeaderTest, HeaderLongerThanItsFile_IsDataLoss) {
  const absl::string_view text = R"({"__metadata__":{}})";
  const SafetensorsLeniency lenient = {.trailing_bytes = true};
  for (const int64_t size : {int64_t{26}, int64_t{8}, int64_t{0}, int64_t{-1}}) {
    EXPECT_THAT(SafetensorsHeader::Parse(text, size, lenient),
                StatusIs(kDamage, HasSubstr("a file of at least 27 bytes")));
  }
  EXPECT_THAT(SafetensorsHeader::Parse(text, 27, lenient), IsOk());
}

// ---- what is unusual ----

struct Unusual {
  std::string text;
  int64_t data_size;
  std::vector<std::string> notes;
};

std::vector<Unusual> UnusualHeaders() {
  const std::string a = BytesEntry("a", 0, 4);
  return {
      {" \n{}", 0, {"header: expected '{' as its first byte, found ' '"}},
      {"{}\t\r\n ", 0, {"header: expected '}' and spaces at its end, found '\\n'"}},
      {"\t{}\n",
       0,
       {"header: expected '{' as its first byte, found '\\t'",
        "header: expected '}' and spaces at its end, found '\\n'"}},
      {R"({"__metadata__":null})",
       0,
       {"header, __metadata__: expected an object of strings, found null"}},
      {R"({"a":{"dtype":"U8","x":[-1.5],"shape":[4],"data_offsets":[0,4]}})",
       4,
       {"tensor 'a': expected the fields dtype, shape and data_offsets, found another, 'x'"}},
      {R"({"a":{"dtype":"U8","x":1,"y":{},"shape":[4],"data_offsets":[0,4],"z":null}})",
       4,
       {"tensor 'a': expected the fields dtype, shape and data_offsets, found another, 'x' (and 2 "
        "more)"}},
  };
}

TEST(SafetensorsUnusualTest, UnusualHeaders_AreReadWithANote) {
  for (const Unusual& one : UnusualHeaders()) {
    const absl::StatusOr<SafetensorsHeader> header = Parse(one.text, one.data_size);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->notes().Lines(), one.notes) << one.text;
    // A reader has the same notes, and with `strict` the first as its error, without the count.
    MemoryFile file(SafetensorsFileOf(one.text, static_cast<size_t>(one.data_size)));
    EXPECT_EQ(SafetensorsReader::Open("m", {.io = {.file_system = &file}})->notes(), one.notes);
    const absl::Status strict = OpenStrictly(one.text, one.data_size);
    const std::string first = one.notes[0].substr(0, one.notes[0].find(" (and "));
    EXPECT_EQ(strict, WithReason(absl::DataLossError("m: " + first), ErrorReason::kUnusual));
  }
  EXPECT_THAT(Parse("{}   ", 0)->notes().Lines(), IsEmpty());
  EXPECT_THAT(OpenStrictly("{}   ", 0), IsOk());
}

TEST(SafetensorsUnusualTest, DamageComesBeforeWhatIsUnusual) {
  const absl::Status strict = OpenStrictly(absl::StrCat("\t{", BytesEntry("a", 0, 4), "}"), 5);
  EXPECT_THAT(strict, StatusIs(kDamage, HasSubstr("belong to no tensor")));
  EXPECT_EQ(ReasonOf(strict), ErrorReason::kNone);
}

TEST(SafetensorsUnusualTest, ArraysAndTextAsMetadata_AreDamage) {
  for (const std::string value : {"[]", "\"\"", "1", "false"}) {
    EXPECT_THAT(Parse("{\"__metadata__\":" + value + "}", 0),
                StatusIs(kDamage, HasSubstr("an object of strings")));
  }
}

TEST(SafetensorsUnusualTest, UnknownDTypesAndRanks_AreNotReadable) {
  std::string ones = "1";
  for (int i = 0; i < 32; ++i) ones += ",1";
  const std::string text = absl::StrCat(
      R"({"r":{"dtype":"U8","shape":[)", ones, R"(],"data_offsets":[8,9]},)", BytesEntry("b", 6, 8),
      R"(,"u":{"dtype":"I2","shape":[8],"data_offsets":[4,6]},)", BytesEntry("a", 0, 4), "}");
  const SafetensorsHeader header = Parse(text, 9).value();
  EXPECT_THAT(NamesIn(header), ElementsAre("a", "b"));
  ASSERT_EQ(header.unreadable().size(), 2u);
  EXPECT_EQ(header.unreadable()[0].name, "u");
  EXPECT_EQ(header.unreadable()[0].what, "dtype 'I2', shape [8]");
  EXPECT_EQ(header.unreadable()[0].byte_size, 2);
  EXPECT_EQ(header.unreadable()[1].what, "rank 33; this reader supports ranks up to 32");
  EXPECT_THAT(header.notes().Lines(), IsEmpty());
  EXPECT_THAT(OpenStrictly(text, 9), StatusIs(kUnknown, HasSubstr("tensor 'u' is not readable")));
}

// ---- leniency: each field allows exactly one deviation ----

struct Forgiven {
  std::string name;
  std::string text;
  int64_t data_size;
  bool SafetensorsLeniency::*field;
};

std::vector<Forgiven> WhatMayBeForgiven() {
  using L = SafetensorsLeniency;
  const std::string a = BytesEntry("a", 0, 4);
  return {
      {"MetadataValue", R"({"__metadata__":{"a":"b","n":{"x":[1]}}})", 0, &L::metadata_values},
      {"Hole", absl::StrCat("{", a, ",", BytesEntry("b", 6, 8), "}"), 8, &L::holes},
      {"TrailingBytes", absl::StrCat("{", a, "}"), 6, &L::trailing_bytes},
  };
}

TEST(SafetensorsLeniencyTest, EachField_AllowsOneDeviation) {
  bool SafetensorsLeniency::*const fields[] = {
      &SafetensorsLeniency::metadata_values,
      &SafetensorsLeniency::holes,
      &SafetensorsLeniency::trailing_bytes,
  };
  for (const Forgiven& one : WhatMayBeForgiven()) {
    EXPECT_FALSE(Parse(one.text, one.data_size).ok()) << one.name;
    for (const auto field : fields) {
      SafetensorsLeniency lenient;
      lenient.*field = true;
      EXPECT_EQ(Parse(one.text, one.data_size, lenient).ok(), field == one.field) << one.name;
    }
  }
}

TEST(SafetensorsLeniencyTest, WhiteSpaceBeforeTheObject_IsNotPadding) {
  // Allocated with exactly this size, so that AddressSanitizer finds a read past its end.
  const std::string text = absl::StrCat(std::string(200, ' '), "{", BytesEntry("a", 0, 4), "}");
  const std::vector<char> exact(text.begin(), text.end());
  EXPECT_THAT(Parse(absl::string_view(exact.data(), exact.size()), 4), IsOk());
}

TEST(SafetensorsLeniencyTest, AmbiguousHeaders_AreNeverAccepted) {
  SafetensorsLeniency all;
  all.metadata_values = all.holes = all.trailing_bytes = true;
  const std::string a = BytesEntry("a", 0, 4);
  const absl::Status twice = Parse(absl::StrCat("{", a, ",", a, "}"), 4, all).status();
  EXPECT_THAT(twice, StatusIs(kDamage, HasSubstr("two called 'a'")));
  EXPECT_EQ(ReasonOf(twice), ErrorReason::kAmbiguous);
  EXPECT_THAT(Parse(absl::StrCat("{", a, ",", BytesEntry("b", 3, 7), "}"), 7, all),
              StatusIs(kDamage, HasSubstr("they overlap")));
  EXPECT_THAT(Parse(R"({"__metadata__":{"a":1,"a":"b"}})", 0, all),
              StatusIs(kDamage, HasSubstr("two 'a'")));
  EXPECT_THAT(Parse(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}})", 4, all),
              StatusIs(kDamage, HasSubstr("expected 3 bytes")));
  // The bytes of a tensor that is not readable must not overlap others either.
  EXPECT_THAT(
      Parse(absl::StrCat(R"({"u":{"dtype":"I2","shape":[8],"data_offsets":[2,4]},)", a, "}"), 4,
            all),
      StatusIs(kDamage, HasSubstr("they overlap")));
  EXPECT_THAT(Parse("[]", 0, all), StatusIs(kDamage, HasSubstr("expected '{'")));
}

TEST(SafetensorsLeniencyTest, MetadataValues_AreSkipped) {
  const SafetensorsHeader header =
      Parse(R"({"__metadata__":{"n":1,"s":"t"}})", 0, {.metadata_values = true}).value();
  EXPECT_THAT(*header.metadata(), ElementsAre(Pair("s", "t")));
}

TEST(SafetensorsLeniencyTest, MaxHeader_LimitsTheHeader) {
  const std::string file = SafetensorsFileOf("{}      ", 0);
  const auto bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(file.data()), 8);
  SafetensorsLeniency lenient;
  lenient.max_header = 7;
  EXPECT_THAT(SafetensorsHeader::ParseLength(bytes, 16, lenient),
              StatusIs(kExhausted, HasSubstr("expected at most 7 bytes, found 8")));
  lenient.max_header = 8;
  EXPECT_EQ(SafetensorsHeader::ParseLength(bytes, 16, lenient).value(), 8);
}

TEST(SafetensorsLeniencyTest, HeaderLimit_IsWithinTheParsersLimit) {
  const auto parse = [](uint64_t length, int64_t max_header) {
    SafetensorsLeniency lenient;
    lenient.max_header = max_header;
    return SafetensorsHeader::ParseLength(
               absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&length), 8),
               int64_t{1} << 40, lenient)
        .status();
  };
  for (const int64_t low : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    EXPECT_THAT(parse(0, low), IsOk());
    EXPECT_THAT(parse(2, low), StatusIs(kExhausted, HasSubstr("at most 0 bytes, found 2")));
  }
  for (const int64_t high : {kMaxLenientSafetensorsHeader, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(parse(uint64_t{kMaxLenientSafetensorsHeader}, high), IsOk());
    EXPECT_THAT(parse(uint64_t{kMaxLenientSafetensorsHeader} + 1, high),
                StatusIs(kExhausted, HasSubstr("at most 4294963200 bytes, found 4294963201")));
  }
}

// ---- writing ----

SafetensorsEntry Entry(absl::string_view name, DType dtype, const Shape& shape) {
  return {name, LeafSpec(dtype, shape)};
}

TEST(SafetensorsHeaderTest, Encode_MatchesTheReference) {
  const Shape shape = {2, 3};
  const Shape scalar = {};
  const std::vector<SafetensorsEntry> entries = {Entry("a\"\n", DType::kF32, shape),
                                                 Entry("é", DType::kBool, scalar)};
  const std::string bytes =
      EncodeSafetensorsHeader(entries, Metadata{{"b", "2"}, {"a", "\x01\x7f"}}).value();
  EXPECT_EQ(bytes.size() % 8, 0u);
  EXPECT_EQ(bytes[0], static_cast<char>(bytes.size() - 8));
  EXPECT_EQ(bytes.substr(8),
            "{\"__metadata__\":{\"a\":\"\\u0001\x7f\",\"b\":\"2\"},"
            "\"a\\\"\\n\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
            "\"é\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[24,25]}}    ");
  EXPECT_EQ(EncodeSafetensorsHeader({}, std::nullopt).value(),
            std::string("\x8\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_EQ(EncodeSafetensorsHeader({}, Metadata{}).value().substr(8),
            "{\"__metadata__\":{}}     ");
}

TEST(SafetensorsHeaderTest, Order_IsByDTypeThenByName) {
  const Shape shape = {8};
  std::vector<SafetensorsEntry> entries;
  for (const DType dtype : AllDTypes()) entries.push_back(Entry("m", dtype, shape));
  for (const absl::string_view name : {"b", "B", "", "\xc3\xa9", "a.b", "a"}) {
    entries.push_back(Entry(name, DType::kF32, shape));
  }
  std::vector<std::string> found;
  for (const uint32_t i : SafetensorsOrder(entries)) {
    found.push_back(
        absl::StrCat(SafetensorsDTypeName(entries[i].spec.dtype()), " ", entries[i].name));
  }
  EXPECT_THAT(found, ElementsAre("U64 m", "I64 m", "F64 m", "C64 m", "F32 ", "F32 B", "F32 a",
                                 "F32 a.b", "F32 b", "F32 m", "F32 \xc3\xa9", "U32 m", "I32 m",
                                 "BF16 m", "F16 m", "U16 m", "I16 m", "F8_E5M2FNUZ m",
                                 "F8_E4M3FNUZ m", "F8_E8M0 m", "F8_E4M3 m", "F8_E5M2 m", "I8 m",
                                 "U8 m", "F6_E3M2 m", "F6_E2M3 m", "F4 m", "BOOL m"));
}

TEST(SafetensorsHeaderTest, Encode_RejectsInvalidNames) {
  const Shape shape = {1};
  EXPECT_THAT(EncodeSafetensorsHeader(
                  {Entry("a", DType::kU8, shape), Entry("a", DType::kI8, shape)}, std::nullopt),
              StatusIs(kInvalid, HasSubstr("two called 'a'")));
  EXPECT_THAT(EncodeSafetensorsHeader({Entry("\xff", DType::kU8, shape)}, std::nullopt),
              StatusIs(kInvalid, AllOf(HasSubstr("a name in UTF-8"), HasSubstr("\\xff"))));
  EXPECT_THAT(EncodeSafetensorsHeader({Entry("__metadata__", DType::kU8, shape)}, std::nullopt),
              StatusIs(kInvalid, HasSubstr("found '__metadata__'")));
  EXPECT_THAT(EncodeSafetensorsHeader({}, Metadata{{"a", "\xff"}}),
              StatusIs(kInvalid, HasSubstr("expected metadata in UTF-8, found in 'a'")));
}

TEST(SafetensorsHeaderTest, Encode_RejectsOverflowingSizes) {
  const Shape half = {int64_t{1} << 62};
  const Shape rest = {(int64_t{1} << 62) - 1};
  EXPECT_THAT(EncodeSafetensorsHeader({Entry("a", DType::kU8, half), Entry("b", DType::kU8, rest)},
                                      std::nullopt),
              IsOk());
  EXPECT_THAT(EncodeSafetensorsHeader({Entry("a", DType::kU8, half), Entry("b", DType::kU8, half)},
                                      std::nullopt),
              StatusIs(kExhausted, HasSubstr("less than 2^63 bytes")));
}

TEST(SafetensorsHeaderTest, Encode_RejectsHeadersOverTheLimit) {
  const Shape shape = {1};
  const std::string half(50'000'000, 'a');
  const std::string other(50'000'000, 'b');
  EXPECT_THAT(EncodeSafetensorsHeader({Entry(half, DType::kU8, shape)}, std::nullopt), IsOk());
  EXPECT_THAT(EncodeSafetensorsHeader(
                  {Entry(half, DType::kU8, shape), Entry(other, DType::kU8, shape)}, std::nullopt),
              StatusIs(kExhausted, HasSubstr("a header of at most 100000000 bytes")));
}

TEST(SafetensorsHeaderTest, RandomHeaders_RoundTrip) {
  const uint32_t seed = 20221123;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> names;
    std::vector<Shape> shapes;
    std::vector<SafetensorsEntry> entries;
    const size_t count = random() % 20;
    for (size_t i = 0; i < count; ++i) {
      std::string name = absl::StrCat(i, ".");
      for (uint32_t letters = random() % 6; letters > 0; --letters) {
        name.push_back(static_cast<char>(random() % 128));
      }
      names.push_back(std::move(name));
      Shape shape;
      for (uint32_t rank = random() % 4; rank > 0; --rank) shape.push_back(random() % 4);
      shape.push_back(8);
      shapes.push_back(std::move(shape));
    }
    int64_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      entries.push_back(Entry(names[i], AllDTypes()[random() % AllDTypes().size()], shapes[i]));
      bytes += entries.back().spec.byte_size();
    }
    std::vector<SafetensorsEntry> sorted;
    for (const uint32_t i : SafetensorsOrder(entries)) sorted.push_back(entries[i]);
    const std::string encoded = EncodeSafetensorsHeader(sorted, std::nullopt).value();
    const SafetensorsHeader header = Parse(encoded.substr(8), bytes).value();
    ASSERT_EQ(header.size(), count);
    for (uint32_t i = 0; i < count; ++i) {
      // Tensors without bytes at one offset are in the order of the header.
      EXPECT_EQ(header.name(i), sorted[i].name);
      EXPECT_EQ(header.spec(i), sorted[i].spec);
    }
  }
}

}  // namespace
}  // namespace leafstore
