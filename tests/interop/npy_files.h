// NumPy files for tests, including hostile ones.
#ifndef LEAFSTORE_TESTS_INTEROP_NPY_FILES_H_
#define LEAFSTORE_TESTS_INTEROP_NPY_FILES_H_

#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "tests/status_codes.h"

namespace leafstore {

// Returns a `.npy` file with the header `dict`, followed by a newline, and `bytes`.
inline std::string NpyFileOf(const std::string& dict, const std::string& bytes,
                             char version = '\1') {
  const std::string text = dict + "\n";
  std::string out = absl::StrCat("\x93NUMPY", std::string(1, version), std::string(1, '\0'));
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), version == '\1' ? 2 : 4);
  return absl::StrCat(out, text, bytes);
}

// An invalid file, and the error that reading it must return.
struct NpyAttack {
  std::string name;
  std::string file;
  absl::StatusCode code;
  std::string words;  // part of the message
};

inline void PrintTo(const NpyAttack& attack, std::ostream* out) { *out << attack.name; }

inline std::vector<NpyAttack> NpyAttacks() {
  const std::string good = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }";
  const auto with = [](const std::string& descr, const std::string& order,
                       const std::string& shape) {
    return NpyFileOf(
        "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }",
        "\1\1");
  };
  const auto descr = [&](const std::string& text) { return with(text, "False", "(2,)"); };
  const auto shape = [&](const std::string& text) { return with("'|u1'", "False", text); };
  std::string long_length = NpyFileOf(good, "\1\1");
  long_length[8] = '\xff';
  std::string no_newline = NpyFileOf(good, "\1\1");
  no_newline[no_newline.size() - 3] = ' ';
  return {
      {"Empty", "", kDamage, "expected '\\x93NUMPY'"},
      {"AnotherMagic", "\x93NUMPZ" + std::string(20, '\0'), kDamage, "expected '\\x93NUMPY'"},
      {"MagicAlone", "\x93NUMPY", kDamage, "the end of the file"},
      {"VersionZero", NpyFileOf(good, "\1\1", '\0'), kUnknown, "version is 0.0"},
      {"LengthPastTheEnd", long_length, kDamage, "a length of at most"},
      {"LengthOfFourGigabytes",
       absl::StrCat("\x93NUMPY", std::string("\2\0\xff\xff\xff\xff", 6), good), kDamage,
       "found 4294967295"},
      {"HeaderOverTheLimit", NpyFileOf(good + std::string(10'000, ' '), "\1\1"), kExhausted,
       "at most 10000 bytes"},
      {"NoNewline", no_newline, kDamage, "a newline at its end"},
      {"NoDict", NpyFileOf("[1, 2]", ""), kDamage, "expected '{'"},
      {"TwoDicts", NpyFileOf(good + good, "\1\1"), kDamage, "a newline at its end"},
      {"NoDescr", NpyFileOf("{'fortran_order': False, 'shape': (2,), }", "\1\1"), kDamage,
       "a key 'descr'"},
      {"NoOrder", NpyFileOf("{'descr': '|u1', 'shape': (2,), }", "\1\1"), kDamage,
       "a key 'fortran_order'"},
      {"NoShape", NpyFileOf("{'descr': '|u1', 'fortran_order': False, }", "\1\1"), kDamage,
       "a key 'shape'"},
      {"KeyTwice",
       NpyFileOf("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,), }",
                 "\1\1"),
       kDamage, "one key 'descr', found two"},
      {"AnotherKey",
       NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'x': 1, }", "\1\1"),
       kDamage, "found 'x'"},
      {"NoComma", NpyFileOf("{'descr': '|u1' 'fortran_order': False, 'shape': (2,), }", "\1\1"),
       kDamage, "',' or '}'"},
      {"Escape", descr("'\\x7cu1'"), kDamage, "a string without '\\'"},
      {"UnclosedString", NpyFileOf("{'descr", ""), kDamage, "the end of a string"},
      {"Call", descr("__import__('os').system('true')"), kDamage, "expected a string"},
      {"Object", descr("'|O'"), kUnknown,
       "its dtype '|O' (Python objects, pickled) is not supported"},
      {"Record", descr("[('a', '<f4'), ('b', '<i4')]"), kUnknown, "its dtype is a record"},
      {"Strings", descr("'<U4'"), kUnknown, "its dtype '<U4' (text)"},
      {"ByteStrings", descr("'|S4'"), kUnknown, "its dtype '|S4' (byte strings)"},
      {"Complex128", descr("'<c16'"), kUnknown, "its dtype '<c16' (complex128)"},
      {"LongDouble", descr("'<f16'"), kUnknown, "its dtype '<f16' (longdouble)"},
      {"Dates", descr("'<M8[ns]'"), kUnknown, "its dtype '<M8[ns]' (dates)"},
      {"AnotherName", descr("'f32'"), kDamage, "a dtype such as '<f4'"},
      {"TwoArrays", absl::StrCat(NpyFileOf(good, "\1\1"), NpyFileOf(good, "\1\1")), kInvalid,
       "another one after the first; numpy.save was called twice"},
      {"EmptyDescr", descr("''"), kDamage, "a dtype such as '<f4'"},
      {"WideWithoutByteOrder", descr("'|f4'"), kUnknown, "its dtype '|f4' is not"},
      {"NumberAsDescr", descr("4"), kDamage, "expected a string"},
      {"NumberAsOrder", with("'|u1'", "0", "(2,)"), kDamage, "True or False"},
      {"SmallFalse", with("'|u1'", "false", "(2,)"), kDamage, "True or False"},
      {"ListAsShape", shape("[2]"), kDamage, "a tuple, '('"},
      {"NumberAsShape", shape("2"), kDamage, "a tuple, '('"},
      {"ParenthesesAsShape", shape("(2)"), kDamage, "',' in a tuple of one"},
      {"NegativeExtent", shape("(-2,)"), kDamage, "an integer from 0"},
      {"FractionExtent", shape("(2.0,)"), kDamage, "',' or ')'"},
      {"LeadingZero", shape("(02,)"), kDamage, "an integer from 0"},
      {"HugeExtent", shape("(9223372036854775808,)"), kDamage, "an integer from 0"},
      {"Overflow", shape("(4294967296, 4294967296)"), kDamage, "npy header"},
      {"OverflowBehindZero", shape("(0, 4294967296, 4294967296)"), kDamage, "npy header"},
      {"RankOverTheLimit",
       shape("(" +
             [] {
               std::string text;
               for (int i = 0; i < 33; ++i) text += "1,";
               return text;
             }() +
             ")"),
       kUnknown, "ranks up to 32"},
      {"TooFewBytes", NpyFileOf(good, "\1"), kDamage, "expected 2 bytes after the header"},
      {"TooManyBytes", NpyFileOf(good, "\1\1\1"), kDamage, "found 3"},
      {"BytesOfNothing", shape("(1000000000000,)"), kDamage, "expected 1000000000000 bytes"},
      {"BoolThatIsNone",
       NpyFileOf("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "\1\2"), kDamage,
       "bools to be 0 or 1"},
  };
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_NPY_FILES_H_
