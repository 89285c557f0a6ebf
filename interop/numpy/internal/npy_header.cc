#include "leafstore/interop/numpy/internal/npy_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";

// Returns the type letter and the size of an element, which NumPy's "<f4" and DTypeName's "f32"
// share; nullopt for a dtype that NumPy does not have.
std::optional<std::string> KindOf(DType dtype) {
  constexpr absl::string_view kReadable = "b1 u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8 c8";
  std::string kind = absl::StrCat(DTypeName(dtype).substr(0, 1), DTypeBits(dtype) / 8);
  if (!absl::StrContains(kReadable, kind)) return std::nullopt;
  return kind;
}

absl::Status WrongNpy(absl::string_view expected, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("npy header: expected ", expected, ", found ", found));
}

// Parses the text of a header, a Python dict literal of exactly this form, with keys in any order:
//
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(absl::string_view text, const std::map<int, DType>& void_dtypes)
      : text_(text), all_(text), void_dtypes_(void_dtypes) {}

  absl::Status Parse(NpyHeader* out) {
    if (!Consume("{")) return WrongHere("'{'");
    while (!Consume("}")) {
      LEAFSTORE_RETURN_IF_ERROR(ParseField(out));
      if (Consume(",")) continue;
      if (!Consume("}")) return WrongHere("',' or '}'");
      break;
    }
    SkipSpaces();
    // A newline ends the header; nothing follows.
    if (text_ != "\n") return WrongHere("a newline at its end");
    for (size_t i = 0; i < kKeys.size(); ++i) {
      if (!found_[i]) return WrongNpy(absl::StrCat("a key '", kKeys[i], "'"), "none");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ParseField(NpyHeader* out) {
    absl::string_view key;
    LEAFSTORE_RETURN_IF_ERROR(ParseString(&key));
    if (!Consume(":")) return WrongHere("':'");
    const size_t i =
        static_cast<size_t>(std::find(kKeys.begin(), kKeys.end(), key) - kKeys.begin());
    if (i == kKeys.size()) {
      return WrongNpy("the keys 'descr', 'fortran_order' and 'shape'", QuotedForMessage(key));
    }
    if (std::exchange(found_[i], true)) return WrongNpy(absl::StrCat("one key '", key, "'"), "two");
    return i == 0   ? ParseDescr(out)
           : i == 1 ? ParseBool(&out->fortran_order)
                    : ParseShape(&out->shape);
  }

  // The strings that are accepted contain no escapes.
  absl::Status ParseString(absl::string_view* out) {
    SkipSpaces();
    const char quote = text_.empty() ? '\0' : text_.front();
    if (quote != '\'' && quote != '"') return WrongHere("a string");
    const size_t end = text_.find(quote, 1);
    if (end == absl::string_view::npos) return WrongHere("the end of a string");
    *out = text_.substr(1, end - 1);
    if (out->find('\\') != absl::string_view::npos) return WrongHere("a string without '\\'");
    text_.remove_prefix(end + 1);
    return absl::OkStatus();
  }

  absl::Status ParseDescr(NpyHeader* out) {
    SkipSpaces();
    if (absl::StartsWith(text_, "[")) {
      return absl::UnimplementedError(
          "its dtype is a record, which a tensor cannot have; save each field as an array");
    }
    absl::string_view descr;
    LEAFSTORE_RETURN_IF_ERROR(ParseString(&descr));
    const std::string usual = UsualDescr(descr);
    const auto unknown = [&, descr] {
      return absl::UnimplementedError(absl::StrCat("its dtype ", QuotedForMessage(descr),
                                                   MeaningOf(usual.substr(1)),
                                                   " is not supported by this reader"));
    };
    descr = usual;
    if (descr.size() < 2 || absl::string_view("<>=|").find(descr[0]) == absl::string_view::npos) {
      return WrongNpy("a dtype such as '<f4'", QuotedForMessage(descr));
    }
    for (const DType dtype : AllDTypes()) {
      if (KindOf(dtype) != descr.substr(1)) continue;
      const bool one_byte = DTypeBits(dtype) == 8;
      if (descr[0] == '|' && !one_byte) return unknown();
      out->dtype = dtype;
      out->big_endian = descr[0] == '>' && !one_byte;
      return absl::OkStatus();
    }
    int size = 0;
    if (descr[1] != 'V' || !absl::SimpleAtoi(descr.substr(2), &size)) return unknown();
    const auto known = void_dtypes_.find(size);
    if (known == void_dtypes_.end()) return unknown();
    out->dtype = known->second;
    out->big_endian = descr[0] == '>' && size > 1;
    return absl::OkStatus();
  }

  // Converts a dtype without a byte order, or by name, to the form that NumPy writes; NumPy reads
  // these, too: "f4" and "float32" are "=f4". Returns any other text unchanged.
  static std::string UsualDescr(absl::string_view descr) {
    for (const DType dtype : AllDTypes()) {
      const std::optional<std::string> kind = KindOf(dtype);
      if (!kind.has_value()) continue;
      constexpr std::pair<char, absl::string_view> kWords[] = {
          {'i', "int"}, {'u', "uint"}, {'f', "float"}, {'c', "complex"}};
      std::string name = "bool";
      for (const auto& [letter, word] : kWords) {
        if (letter == (*kind)[0]) name = absl::StrCat(word, DTypeBits(dtype));
      }
      if (descr == *kind || descr == name) return absl::StrCat("=", *kind);
    }
    return std::string(descr);
  }

  // Returns the meaning of a dtype that is not supported, in parentheses; "" if it is not known.
  static std::string MeaningOf(absl::string_view kind) {
    constexpr std::pair<absl::string_view, absl::string_view> kMeanings[] = {
        {"U", "text"},          {"S", "byte strings"}, {"O", "Python objects, pickled"},
        {"M", "dates"},         {"m", "durations"},    {"c16", "complex128"},
        {"c32", "clongdouble"}, {"f16", "longdouble"}};
    for (const auto& [letter, meaning] : kMeanings) {
      if (absl::StartsWith(kind, letter)) return absl::StrCat(" (", meaning, ")");
    }
    if (!absl::StartsWith(kind, "V")) return "";
    const absl::string_view dtype = kind == "V1" ? "f8_e4m3" : kind == "V2" ? "bf16" : "";
    if (dtype.empty()) return " (bytes whose dtype NumPy does not name)";
    return absl::StrCat(" (bytes whose dtype NumPy does not name; --dtype-of '", kind, "=", dtype,
                        "', or NumpyOptions::void_dtypes, names it)");
  }

  absl::Status ParseBool(bool* out) {
    SkipSpaces();
    *out = absl::ConsumePrefix(&text_, "True");
    if (*out || absl::ConsumePrefix(&text_, "False")) return absl::OkStatus();
    return WrongHere("True or False");
  }

  absl::Status ParseShape(Shape* out) {
    out->clear();
    if (!Consume("(")) return WrongHere("a tuple, '('");
    bool comma = true;
    while (!Consume(")")) {
      if (!comma) return WrongHere("',' or ')'");
      int64_t extent = 0;
      LEAFSTORE_RETURN_IF_ERROR(ParseExtent(&extent));
      out->push_back(extent);
      if (out->size() > kMaxRank) {
        return absl::UnimplementedError(
            absl::StrCat("this reader supports ranks up to ", kMaxRank, ", found more"));
      }
      comma = Consume(",");
    }
    // `(3)` is not a tuple in Python, but the integer 3.
    if (out->size() == 1 && !comma) return WrongHere("',' in a tuple of one");
    return absl::OkStatus();
  }

  absl::Status ParseExtent(int64_t* out) {
    SkipSpaces();
    const auto* end =
        std::find_if(text_.begin(), text_.end(), [](char c) { return c < '0' || c > '9'; });
    const absl::string_view digits = text_.substr(0, static_cast<size_t>(end - text_.begin()));
    if (digits.empty() || (digits.size() > 1 && digits[0] == '0') ||
        !absl::SimpleAtoi(digits, out)) {
      return WrongHere("an integer from 0 to 2^63 - 1");
    }
    text_.remove_prefix(digits.size());
    absl::ConsumePrefix(&text_, "L");  // the suffix of a long in Python 2
    return absl::OkStatus();
  }

  void SkipSpaces() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  bool Consume(absl::string_view expected) {
    SkipSpaces();
    return absl::ConsumePrefix(&text_, expected);
  }
  absl::Status WrongHere(absl::string_view expected) const {
    const std::string found = text_.empty() ? "the end" : QuotedForMessage(text_.substr(0, 20));
    return WrongNpy(absl::StrCat(expected, " at byte ", all_.size() - text_.size()), found);
  }

  static constexpr std::array<absl::string_view, 3> kKeys = {"descr", "fortran_order", "shape"};

  absl::string_view text_;
  absl::string_view all_;
  const std::map<int, DType>& void_dtypes_;
  std::array<bool, 3> found_ = {};
};

// Returns the header's text. `*end` is its end in the file.
absl::StatusOr<absl::string_view> FindText(absl::string_view begin, int64_t file_size,
                                           int64_t* end) {
  constexpr int64_t kShort = 10;  // magic, version, and a length of two bytes
  constexpr int64_t kLong = 12;   // with a length of four bytes
  if (!absl::StartsWith(begin, kMagic)) {
    LEAFSTORE_RETURN_IF_ERROR(
        CheckNotForeign(begin.substr(0, kForeignBegin), "an array of NumPy (.npy)"));
    return WithReason(
        WrongNpy("'\\x93NUMPY' at its beginning",
                 begin.empty() ? "none" : QuotedForMessage(begin.substr(0, kMagic.size()))),
        ErrorReason::kNotThisFormat);
  }
  if (static_cast<int64_t>(begin.size()) < kLong) {
    return WrongNpy("a header", "the end of the file");
  }
  const auto major = static_cast<uint8_t>(begin[6]);
  const auto minor = static_cast<uint8_t>(begin[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return WithReason(
        absl::UnimplementedError(absl::StrCat("npy header: its version is ", major, ".", minor,
                                              "; this reader supports 1.0, 2.0 and 3.0")),
        ErrorReason::kNewerVersion);
  }
  uint32_t length = 0;
  std::memcpy(&length, begin.data() + 8, major == 1 ? sizeof(uint16_t) : sizeof(uint32_t));
  const int64_t text_begin = major == 1 ? kShort : kLong;
  *end = text_begin + static_cast<int64_t>(length);
  if (*end > file_size) {
    return WrongNpy(
        absl::StrCat("a length of at most ", file_size - text_begin, ", as the file has"),
        absl::StrCat(length));
  }
  if (*end > kMaxNpyHeader) {
    return absl::ResourceExhaustedError(
        absl::StrCat("npy header: expected at most ", kMaxNpyHeader, " bytes, found ", *end));
  }
  if (*end > static_cast<int64_t>(begin.size())) return WrongNpy("all of it", "a part");
  return begin.substr(static_cast<size_t>(text_begin), length);
}

}  // namespace

absl::Status CheckVoidDTypes(const std::map<int, DType>& void_dtypes) {
  for (const auto& [size, dtype] : void_dtypes) {
    if (size > 0 && DTypeBits(dtype) == 8 * static_cast<size_t>(size)) continue;
    return absl::InvalidArgumentError(absl::StrCat("V", size, ": expected a dtype of ", size,
                                                   size == 1 ? " byte" : " bytes", ", found ",
                                                   DTypeName(dtype)));
  }
  return absl::OkStatus();
}

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::Span<const std::byte> begin, int64_t file_size,
                                         const std::map<int, DType>& void_dtypes) {
  NpyHeader header;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const absl::string_view text,
      FindText(absl::string_view(reinterpret_cast<const char*>(begin.data()), begin.size()),
               file_size, &header.size));
  LEAFSTORE_RETURN_IF_ERROR(HeaderParser(text, void_dtypes).Parse(&header));
  const absl::StatusOr<int64_t> bytes = ByteSize(header.dtype, header.shape);
  if (!bytes.ok()) {
    return absl::DataLossError(absl::StrCat("npy header: ", bytes.status().message()));
  }
  header.byte_size = *bytes;
  if (file_size - header.size == *bytes) return header;
  const absl::string_view data = AsText(begin.subspan(static_cast<size_t>(header.size)));
  if (static_cast<size_t>(*bytes) < data.size() &&
      absl::StartsWith(data.substr(static_cast<size_t>(*bytes)), kMagic)) {
    return ForeignError("one array of NumPy (.npy)", "another one after the first",
                        "numpy.save was called twice; save each array in a file of its own");
  }
  return absl::DataLossError(absl::StrCat("npy: expected ", *bytes, " bytes after the header, as ",
                                          LeafSpec(header.dtype, header.shape).ToString(),
                                          " requires, found ", file_size - header.size));
}

absl::StatusOr<std::string> EncodeNpyHeader(const LeafSpec& tensor, bool raw_bits) {
  // Reserves room for this many digits of the first extent (numpy.lib.format, since NumPy 1.23).
  constexpr size_t kGrowthDigits = 21;
  constexpr size_t kAlignment = 64;
  DType dtype = tensor.dtype();
  Shape written(tensor.shape().begin(), tensor.shape().end());
  if (!KindOf(dtype).has_value()) {
    if (!raw_bits) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a dtype that NumPy has, found ", DTypeName(dtype),
                       "; cast it, or write its raw bits as integers (raw_bits, --raw-bits)"));
    }
    if (DTypeBits(dtype) % 8 != 0) written = {tensor.byte_size()};
    dtype = DTypeBits(dtype) == 16 ? DType::kU16 : DType::kU8;
  }
  const std::string kind = *KindOf(dtype);
  std::string text = absl::StrCat(
      "{'descr': '", kind[1] == '1' ? "|" : "<", kind, "', 'fortran_order': False, 'shape': (",
      absl::StrJoin(written, ", "), written.size() == 1 ? ",), }" : "), }");
  if (!written.empty()) text.append(kGrowthDigits - absl::StrCat(written[0]).size(), ' ');
  std::string out =
      absl::StrCat(kMagic, absl::string_view("\1\0", 2), absl::string_view("\0\0", 2));
  // Like NumPy, adds a full block of padding even if the header is already aligned.
  text.append(kAlignment - (out.size() + text.size() + 1) % kAlignment, ' ');
  text.push_back('\n');
  const auto length = static_cast<uint16_t>(text.size());
  std::memcpy(out.data() + 8, &length, sizeof(length));
  return absl::StrCat(out, text);
}

}  // namespace leafstore::internal
