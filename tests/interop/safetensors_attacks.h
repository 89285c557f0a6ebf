// Hostile safetensors files, one for each fault that a header can have, and the error that reading
// each must return. They are also the first inputs of the fuzz target.
#ifndef LEAFSTORE_TESTS_INTEROP_SAFETENSORS_ATTACKS_H_
#define LEAFSTORE_TESTS_INTEROP_SAFETENSORS_ATTACKS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "tests/status_codes.h"

namespace leafstore {

// Returns the eight bytes before a header of this length.
inline std::string SafetensorsLength(uint64_t length) {
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes;
}

// Returns a file with this header and `data_size` bytes of tensors: 0, 1, 0, 1, ...
inline std::string SafetensorsFileOf(absl::string_view header, size_t data_size) {
  std::string bytes = absl::StrCat(SafetensorsLength(header.size()), header);
  for (size_t i = 0; i < data_size; ++i) bytes.push_back(static_cast<char>(i % 2));
  return bytes;
}

struct SafetensorsAttack {
  std::string name;   // of the test
  std::string begin;  // the file, without the spaces at its end
  absl::StatusCode code;
  std::vector<std::string> words;  // parts of the message
  // The count of spaces at the end. They are not part of `begin`, because each test process makes
  // the list of attacks, and one of them has 100 MB of spaces.
  size_t spaces = 0;
  // Without `strict` it is read, with a note, or its tensor is listed as not readable.
  bool unusual = false;

  std::string File() const { return begin + std::string(spaces, ' '); }
};

// Returns the entry of a U8 tensor, `"a":{...}`.
inline std::string BytesEntry(absl::string_view name, int64_t begin, int64_t end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"U8\",\"shape\":[", end - begin,
                      "],\"data_offsets\":[", begin, ",", end, "]}");
}

inline std::vector<SafetensorsAttack> SafetensorsAttacks() {
  std::vector<SafetensorsAttack> all;
  const auto raw = [&](std::string name, std::string file, absl::StatusCode code,
                       std::vector<std::string> words) {
    all.push_back({std::move(name), std::move(file), code, std::move(words), /*spaces=*/0, false});
  };
  const auto add = [&](std::string name, absl::string_view header, size_t data_size,
                       std::vector<std::string> words, absl::StatusCode code = kDamage) {
    raw(std::move(name), SafetensorsFileOf(header, data_size), code, std::move(words));
  };
  // Returns a header with one tensor, 'a', whose dtype, shape and offsets are the given JSON.
  const auto entry = [](absl::string_view dtype, absl::string_view shape,
                        absl::string_view offsets) {
    return absl::StrCat("{\"a\":{\"dtype\":", dtype, ",\"shape\":", shape,
                        ",\"data_offsets\":", offsets, "}}");
  };
  const std::string a = BytesEntry("a", 0, 4);

  // The length.
  raw("EmptyFile", "", kDamage, {"expected 8 bytes", "a file of 0"});
  raw("SevenBytes", std::string(7, '\0'), kDamage, {"expected 8 bytes", "a file of 7"});
  raw("HeaderOfNoBytes", std::string(8, '\0'), kDamage, {"expected '{'", "found none"});
  raw("LengthPastTheEnd", std::string("\3\0\0\0\0\0\0\0{}", 10), kDamage,
      {"expected a length of at most 2", "found 3", "truncated"});
  raw("LengthOfTwoToTheSixtyThree", std::string("\0\0\0\0\0\0\0\x80{}", 10), kDamage,
      {"expected a length of at most 2", "found 9223372036854775808"});
  raw("LengthOfAllOnes", absl::StrCat(std::string(8, '\xff'), "{}"), kDamage,
      {"expected a length", "found 18446744073709551615"});
  raw("LengthOverTheLimit", SafetensorsLength(100'000'001) + "{}", kExhausted,
      {"expected at most 100000000 bytes", "found 100000001"});
  all.back().spaces = 99'999'999;
  raw("TextFile", "version https://git-lfs.github.com/spec/v1\n", kInvalid,
      {"expected a file of safetensors, found a Git LFS pointer", "git lfs pull"});

  // The begin and the end of the header.
  add("SpaceBefore", " {}", 0, {"expected '{' as its first byte", "found ' '"});
  add("NewlineBefore", "\n{}", 0, {"expected '{' as its first byte"});
  add("ByteOrderMark", "\xef\xbb\xbf{}", 0, {"expected '{' as its first byte"});
  add("List", "[]", 0, {"expected '{' as its first byte", "found '['"});
  add("Null", "null", 0, {"expected '{' as its first byte"});
  add("SpacesAlone", "        ", 0, {"expected '{' as its first byte", "found none"});
  add("NewlineBehind", "{}\n", 0, {"expected '}' and spaces at its end", "found '\\n'"});
  add("TabBehind", "{}\t", 0, {"expected '}' and spaces at its end"});
  add("ZerosBehind", absl::string_view("{}\0\0", 4), 0, {"expected '}' and spaces at its end"});
  add("TwoObjects", "{}{}", 0, {"expected JSON"});
  add("TextBehindTheObject", "{} x}", 0, {"expected JSON"});

  // JSON.
  add("Unclosed", "{\"a\":{}", 0, {"expected"});
  add("TrailingComma", absl::StrCat("{", a, ",}"), 4, {"expected JSON"});
  add("Comment", absl::StrCat("{/**/", a, "}"), 4, {"expected JSON"});
  add("SingleQuotes", "{'a':1}", 0, {"expected JSON"});
  add("KeyWithoutQuotes", "{a:1}", 0, {"expected JSON"});
  add("ControlCharacterInName", absl::StrCat("{", BytesEntry("a\nb", 0, 4), "}"), 4,
      {"expected JSON"});
  add("InvalidUtf8InName", absl::StrCat("{", BytesEntry("a\xff", 0, 4), "}"), 4, {"expected JSON"});
  add("OverlongUtf8InName", absl::StrCat("{", BytesEntry("\xc0\x80", 0, 4), "}"), 4,
      {"expected JSON"});
  add("SurrogateUtf8InName", absl::StrCat("{", BytesEntry("\xed\xa0\x80", 0, 4), "}"), 4,
      {"expected JSON"});
  add("InvalidUtf8InMetadata", "{\"__metadata__\":{\"a\":\"\xff\"}}", 0, {"expected JSON"});
  add("LoneSurrogateEscape", absl::StrCat("{", BytesEntry("\\ud800", 0, 4), "}"), 4, {"expected"});
  add("NestedDeeply",
      absl::StrCat("{\"a\":", std::string(100'000, '['), std::string(100'000, ']'), "}"), 0,
      {"nested at most 64 deep"});
  add("NestedObjects",
      [] {
        std::string text;
        for (int i = 0; i < 1000; ++i) text += "{\"a\":";
        return text + "1" + std::string(1000, '}');
      }(),
      0, {"nested at most 64 deep"});
  add("LoneLowSurrogateEscape", absl::StrCat("{", BytesEntry("\\udc00", 0, 4), "}"), 4,
      {"expected"});
  add("LoneLowSurrogateInMetadata", "{\"__metadata__\":{\"a\":\"\\udc00\"}}", 0, {"expected"});

  // Names.
  add("NameTwice", absl::StrCat("{", a, ",", BytesEntry("a", 4, 8), "}"), 8,
      {"tensors with different names", "two called 'a'"});
  add("NameTwiceWithEqualOffsets", absl::StrCat("{", a, ",", a, "}"), 4,
      {"tensors with different names", "two called 'a'"});
  add("NameTwiceByAnEscape", absl::StrCat("{", a, ",", BytesEntry("\\u0061", 4, 8), "}"), 8,
      {"two called 'a'"});
  add("NameTwiceInTwoRuns",
      absl::StrCat("{", BytesEntry("b", 0, 1), ",", BytesEntry("d", 1, 2), ",",
                   BytesEntry("a", 2, 3), ",", BytesEntry("d", 3, 4), "}"),
      4, {"two called 'd'"});
  add("NameTwiceInManyRuns",
      [] {
        std::string text = "{";
        for (int i = 0; i < 20; ++i) {
          absl::StrAppend(&text, i == 0 ? "" : ",",
                          BytesEntry(absl::StrCat("n", 30 - i), i, i + 1));
        }
        return absl::StrCat(text, ",", BytesEntry("n17", 20, 21), "}");
      }(),
      21, {"two called 'n17'"});
  add("EmptyNameTwice", absl::StrCat("{", BytesEntry("", 0, 0), ",", BytesEntry("", 0, 0), "}"), 0,
      {"two called ''"});

  // Metadata.
  add("MetadataTwice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, {"one __metadata__", "two"});
  add("MetadataTwiceByAnEscape", "{\"__metadata__\":{},\"__metadata_\\u005f\":{}}", 0,
      {"one __metadata__"});
  add("MetadataKeyTwice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0,
      {"__metadata__: expected different keys", "two 'k'"});
  add("MetadataKeyTwiceWithOneValue", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0,
      {"two 'k'"});
  add("MetadataNull", "{\"__metadata__\":null}", 0, {"an object of strings", "found null"});
  add("MetadataList", "{\"__metadata__\":[\"a\"]}", 0, {"an object of strings", "found a list"});
  add("MetadataString", "{\"__metadata__\":\"a\"}", 0, {"an object of strings", "a string"});
  add("MetadataLikeATensor",
      "{\"__metadata__\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
      {"key 'shape'", "expected a string", "found a list"});
  add("MetadataNumber", "{\"__metadata__\":{\"k\":1}}", 0, {"key 'k'", "found a number"});
  add("MetadataNullValue", "{\"__metadata__\":{\"k\":null}}", 0, {"key 'k'", "found null"});
  add("MetadataBool", "{\"__metadata__\":{\"k\":true}}", 0, {"key 'k'", "found a bool"});
  add("MetadataObject", "{\"__metadata__\":{\"k\":{}}}", 0, {"key 'k'", "found an object"});

  // Entries.
  add("EntryAsList", "{\"a\":[\"U8\",[4],[0,4]]}", 4,
      {"tensor 'a'", "expected an object", "found a list"});
  add("EntryNull", "{\"a\":null}", 0, {"tensor 'a'", "found null"});
  add("EntryNumber", "{\"a\":1}", 0, {"tensor 'a'", "found a number"});
  add("EntryEmpty", "{\"a\":{}}", 0, {"tensor 'a'", "a field dtype", "none"});
  add("NoShape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, {"a field shape"});
  add("NoOffsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, {"a field data_offsets"});
  add("UnknownField",
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"strides\":[1]}}", 4,
      {"tensor 'a'", "the fields dtype, shape and data_offsets", "'strides'"});
  add("FieldInCapitals", "{\"a\":{\"DType\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
      {"tensor 'a'", "dtype"});
  add("DTypeTwice",
      "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
      {"one field dtype", "two"});
  add("ShapeTwice", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4],\"data_offsets\":[0,4]}}",
      4, {"one field shape", "two"});
  add("OffsetsTwice",
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"data_offsets\":[0,4]}}", 4,
      {"one field data_offsets", "two"});

  // dtypes.
  add("UnknownDType", entry("\"F128\"", "[4]", "[0,64]"), 64, {"tensor 'a'", "dtype 'F128'"},
      kUnknown);
  add("EmptyDType", entry("\"\"", "[4]", "[0,4]"), 4, {"dtype ''"}, kUnknown);
  add("DTypeInSmallLetters", entry("\"u8\"", "[4]", "[0,4]"), 4, {"dtype 'u8'"}, kUnknown);
  add("DTypeNumber", entry("8", "[4]", "[0,4]"), 4, {"a string as dtype", "a number"});
  add("DTypeNull", entry("null", "[4]", "[0,4]"), 4, {"a string as dtype", "null"});
  add("DTypeObject", entry("{\"U8\":null}", "[4]", "[0,4]"), 4, {"a string as dtype", "an object"});

  // Shapes.
  add("ShapeNumber", entry("\"U8\"", "4", "[0,4]"), 4, {"a list as shape", "a number"});
  add("ShapeNull", entry("\"U8\"", "null", "[0,1]"), 1, {"a list as shape", "null"});
  add("NegativeExtent", entry("\"U8\"", "[-4]", "[0,4]"), 4,
      {"shape: expected integers from 0", "found -4"});
  add("MinusZeroExtent", entry("\"U8\"", "[-0]", "[0,0]"), 0, {"found -0"});
  add("FractionExtent", entry("\"U8\"", "[4.5]", "[0,4]"), 4, {"shape", "found 4.5"});
  add("ExtentWithPoint", entry("\"U8\"", "[4.0]", "[0,4]"), 4, {"shape", "integers from 0"});
  add("ExtentWithExponent", entry("\"U8\"", "[4e0]", "[0,4]"), 4, {"shape", "integers from 0"});
  add("StringExtent", entry("\"U8\"", "[\"4\"]", "[0,4]"), 4, {"shape", "found a string"});
  add("NullExtent", entry("\"U8\"", "[null]", "[0,4]"), 4, {"shape", "found null"});
  add("BoolExtent", entry("\"U8\"", "[true]", "[0,1]"), 1, {"shape", "found true"});
  add("NestedShape", entry("\"U8\"", "[[4]]", "[0,4]"), 4, {"shape", "found [4]"});
  add("ExtentWithLeadingZero", entry("\"U8\"", "[04]", "[0,4]"), 4, {"expected JSON"});
  add("ExtentWithPlus", entry("\"U8\"", "[+4]", "[0,4]"), 4, {"expected JSON"});
  add("HexadecimalExtent", entry("\"U8\"", "[0x4]", "[0,4]"), 4, {"expected JSON"});
  add("ExtentOfTwoToTheSixtyThree", entry("\"U8\"", "[9223372036854775808]", "[0,4]"), 4,
      {"shape", "found 9223372036854775808"});
  add("ExtentOfTwoToTheSixtyFour", entry("\"U8\"", "[18446744073709551616]", "[0,4]"), 4,
      {"expected"});
  add("ExtentOfAHundredDigits",
      entry("\"U8\"", absl::StrCat("[", std::string(100, '9'), "]"), "[0,4]"), 4, {"expected"});
  add("ProductOverflows", entry("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0, {"tensor 'a'"});
  add("ProductOverflowsBehindAZero", entry("\"U8\"", "[0,4294967296,4294967296]", "[0,0]"), 0,
      {"tensor 'a'"});
  add("ProductOverflowsBeforeAZero", entry("\"U8\"", "[4294967296,4294967296,0]", "[0,0]"), 0,
      {"tensor 'a'"});
  add("ProductOverflowsAroundAZero", entry("\"U8\"", "[4294967296,0,4294967296]", "[0,0]"), 0,
      {"tensor 'a'"});
  add("BytesOverflow", entry("\"F64\"", "[2305843009213693952]", "[0,0]"), 0, {"tensor 'a'"});
  add("BytesWrapToFour", entry("\"F32\"", "[4611686018427387905]", "[0,4]"), 4, {"tensor 'a'"});
  add("RankOverTheLimit",
      entry("\"U8\"",
            absl::StrCat(
                "[1",
                [] {
                  std::string text;
                  for (int i = 0; i < 32; ++i) text += ",1";
                  return text;
                }(),
                "]"),
            "[0,1]"),
      1, {"ranks up to 32", "rank 33"}, kUnknown);
  add("HalfAByte", entry("\"F4\"", "[1]", "[0,1]"), 1, {"tensor 'a'"});
  add("HalfAByteRoundedDown", entry("\"F4\"", "[3]", "[0,1]"), 1, {"tensor 'a'"});
  add("SixBitsMisaligned", entry("\"F6_E2M3\"", "[2]", "[0,2]"), 2, {"tensor 'a'"});

  // Offsets.
  add("OffsetsNull", entry("\"U8\"", "[4]", "null"), 4, {"a list of two integers", "null"});
  add("OffsetsObject", entry("\"U8\"", "[4]", "{\"0\":0,\"1\":4}"), 4,
      {"a list of two integers", "an object"});
  add("OneOffset", entry("\"U8\"", "[4]", "[4]"), 4, {"a list of two integers", "[4]"});
  add("ThreeOffsets", entry("\"U8\"", "[4]", "[0,4,4]"), 4, {"two integers", "[0,4,4]"});
  add("OffsetsReversed", entry("\"U8\"", "[4]", "[4,0]"), 4,
      {"a begin that is not after the end", "[4,0]"});
  add("NegativeOffset", entry("\"U8\"", "[8]", "[-4,4]"), 8, {"integers from 0", "[-4,4]"});
  add("MinusZeroOffset", entry("\"U8\"", "[4]", "[-0,4]"), 4, {"-0"});
  add("FractionOffset", entry("\"U8\"", "[4]", "[0,4.0]"), 4, {"integers from 0"});
  add("ExponentOffset", entry("\"U8\"", "[4]", "[0,4e0]"), 4, {"integers from 0"});
  add("StringOffset", entry("\"U8\"", "[4]", "[\"0\",\"4\"]"), 4, {"integers from 0"});
  add("OffsetPastTheEnd", entry("\"U8\"", "[8]", "[0,8]"), 4,
      {"tensor 'a'", "at most 4", "found 8"});
  add("OffsetOfTwoToTheSixtyThree", entry("\"U8\"", "[4]", "[9223372036854775808,4]"), 4,
      {"integers from 0 to 2^63 - 1"});
  add("TooManyBytesForTheShape", entry("\"U8\"", "[3]", "[0,4]"), 4,
      {"tensor 'a'", "expected 3 bytes", "U8[3]", "found 4"});
  add("TooFewBytesForTheShape", entry("\"F32\"", "[2]", "[0,4]"), 4,
      {"expected 8 bytes", "F32[2]", "found 4"});
  add("NoBytesForAScalar", entry("\"F32\"", "[]", "[0,0]"), 0, {"expected 4 bytes", "found 0"});

  // The positions of tensors.
  add("Overlap", absl::StrCat("{", a, ",", BytesEntry("b", 2, 6), "}"), 6,
      {"tensor 'b'", "byte 4, where 'a' ends", "they overlap"});
  add("SameBytes", absl::StrCat("{", a, ",", BytesEntry("b", 0, 4), "}"), 4,
      {"tensor 'b'", "they overlap"});
  add("OneInsideAnother", absl::StrCat("{", a, ",", BytesEntry("b", 1, 2), "}"), 4,
      {"tensor 'b'", "they overlap"});
  add("NothingInsideAnother", absl::StrCat("{", a, ",", BytesEntry("b", 2, 2), "}"), 4,
      {"tensor 'b'", "they overlap"});
  add("OverlapOutOfOrder", absl::StrCat("{", BytesEntry("b", 2, 6), ",", a, "}"), 6,
      {"tensor 'b'", "where 'a' ends", "they overlap"});
  add("Hole", absl::StrCat("{", a, ",", BytesEntry("b", 5, 8), "}"), 8,
      {"tensor 'b'", "byte 4, where 'a' ends", "found from byte 5 on: there is a hole"});
  add("HoleBeforeTheFirst", absl::StrCat("{", BytesEntry("a", 1, 4), "}"), 4,
      {"tensor 'a'", "byte 0", "there is a hole"});
  add("HoleBeforeNothing", absl::StrCat("{", a, ",", BytesEntry("b", 5, 5), "}"), 5,
      {"tensor 'b'", "there is a hole"});
  add("TrailingByte", absl::StrCat("{", a, "}"), 5,
      {"expected 4 bytes of tensors", "found 5", "belong to no tensor"});
  add("TensorsOfNoHeader", "{}", 1, {"expected 0 bytes of tensors", "found 1"});
  add("TrailingBytesOfMetadataAlone", "{\"__metadata__\":{}}", 3, {"expected 0 bytes", "found 3"});
  for (SafetensorsAttack& attack : all) {
    for (const char* name : {"SpaceBefore", "NewlineBefore", "NewlineBehind", "TabBehind",
                             "MetadataNull", "UnknownField", "UnknownDType", "EmptyDType",
                             "DTypeInSmallLetters", "RankOverTheLimit"}) {
      if (attack.name == name) attack.unusual = true;
    }
  }
  return all;
}

inline void PrintTo(const SafetensorsAttack& attack, std::ostream* out) { *out << attack.name; }

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_SAFETENSORS_ATTACKS_H_
