#include "leafstore/interop/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "simdjson.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/core/utf8.h"
#include "leafstore/interop/json_text.h"

namespace leafstore {
namespace {

namespace dom = simdjson::dom;

constexpr absl::string_view kMetadataName = "__metadata__";

struct DTypeEntry {
  DType dtype;
  absl::string_view name;
};

// In the order in which the reference writes tensors: its enumeration, from the last to the first.
constexpr std::array<DTypeEntry, 22> kDTypes = {{
    {DType::kU64, "U64"},
    {DType::kI64, "I64"},
    {DType::kF64, "F64"},
    {DType::kC64, "C64"},
    {DType::kF32, "F32"},
    {DType::kU32, "U32"},
    {DType::kI32, "I32"},
    {DType::kBF16, "BF16"},
    {DType::kF16, "F16"},
    {DType::kU16, "U16"},
    {DType::kI16, "I16"},
    {DType::kF8E5M2FNUZ, "F8_E5M2FNUZ"},
    {DType::kF8E4M3FNUZ, "F8_E4M3FNUZ"},
    {DType::kF8E8M0, "F8_E8M0"},
    {DType::kF8E4M3, "F8_E4M3"},
    {DType::kF8E5M2, "F8_E5M2"},
    {DType::kI8, "I8"},
    {DType::kU8, "U8"},
    {DType::kF6E3M2, "F6_E3M2"},
    {DType::kF6E2M3, "F6_E2M3"},
    {DType::kF4, "F4"},
    {DType::kBool, "BOOL"},
}};

// Place of a dtype in kDTypes.
size_t RankOf(DType dtype) {
  static const std::array<uint8_t, 256> ranks = [] {
    std::array<uint8_t, 256> made = {};
    for (size_t i = 0; i < kDTypes.size(); ++i) {
      made[static_cast<uint8_t>(kDTypes[i].dtype)] = static_cast<uint8_t>(i);
    }
    return made;
  }();
  return ranks[static_cast<uint8_t>(dtype)];
}

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

absl::Status Wrong(absl::string_view where, absl::string_view expected, absl::string_view found) {
  return absl::DataLossError(absl::StrCat(where, ": expected ", expected, ", found ", found));
}

// "tensor 'a.b'"
std::string TensorForMessage(absl::string_view name) {
  return absl::StrCat("tensor ", QuotedForMessage(name));
}

}  // namespace

absl::string_view SafetensorsDTypeName(DType dtype) { return kDTypes[RankOf(dtype)].name; }

std::optional<DType> SafetensorsDTypeOf(absl::string_view name) {
  for (const DTypeEntry& entry : kDTypes) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

absl::StatusOr<int64_t> SafetensorsHeader::ParseLength(absl::Span<const std::byte> prefix,
                                                       int64_t file_size,
                                                       const SafetensorsLeniency& lenient) {
  constexpr int64_t kPrefix = sizeof(uint64_t);
  if (file_size < kPrefix || prefix.size() < kPrefix) {
    return Wrong("header", "8 bytes with its length", absl::StrCat("a file of ", file_size));
  }
  uint64_t length = 0;
  std::memcpy(&length, prefix.data(), sizeof(length));
  const auto rest = static_cast<uint64_t>(file_size - kPrefix);
  if (length > rest) {
    return Wrong("header", absl::StrCat("a length of at most ", rest, ", as the file has"),
                 absl::StrCat(length, "; this is no safetensors file, or it was cut short"));
  }
  if (length > static_cast<uint64_t>(lenient.max_header)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("header: expected at most ", lenient.max_header, " bytes, found ", length));
  }
  return static_cast<int64_t>(length);
}

// The one place where a header is believed.
class SafetensorsHeaderParser {
 public:
  SafetensorsHeaderParser(absl::string_view text, int64_t data_begin, int64_t data_size,
                          const SafetensorsLeniency& lenient)
      : text_(text), data_begin_(data_begin), data_size_(data_size), lenient_(lenient) {}

  absl::StatusOr<SafetensorsHeader> Parse() {
    LEAFSTORE_RETURN_IF_ERROR(TrimAndCheckEnds());
    has_escapes_ = text_.find('\\') != absl::string_view::npos;
    JsonDocument document;
    LEAFSTORE_ASSIGN_OR_RETURN(const dom::element root, document.Parse(text_, "header"));
    dom::object object;
    if (root.get(object) != simdjson::SUCCESS) return Wrong("header", "a JSON object", Kind(root));
    LEAFSTORE_RETURN_IF_ERROR(ParseFields(object));
    LEAFSTORE_RETURN_IF_ERROR(PutInOrder());
    return std::move(out_);
  }

 private:
  // Where the bytes of a tensor are, from the first of all on.
  struct Range {
    int64_t begin;
    int64_t end;
    uint32_t tensor;         // number in `out_`, or kLeftOut
    absl::string_view name;  // in the document
  };
  static constexpr uint32_t kLeftOut = 0xffffffff;

  // The three fields of an entry, as far as they have been met.
  struct Fields {
    std::optional<absl::string_view> dtype;
    bool shape = false;
    std::optional<Range> offsets;
  };

  static absl::string_view Kind(const dom::element& element) { return JsonKind(element); }

  absl::Status TrimAndCheckEnds() {
    constexpr absl::string_view kJsonSpaces = " \t\r\n";
    const absl::string_view behind = lenient_.white_space ? kJsonSpaces : " ";
    text_.remove_suffix(text_.size() - (text_.find_last_not_of(behind) + 1));
    if (lenient_.white_space) {
      text_.remove_prefix(std::min(text_.find_first_not_of(kJsonSpaces), text_.size()));
    }
    if (text_.empty() || text_.front() != '{') {
      return Wrong("header", "'{' as its first byte",
                   text_.empty() ? "none" : QuotedForMessage(text_.substr(0, 1)));
    }
    if (text_.back() != '}') {
      return Wrong("header", "'}' and spaces at its end",
                   QuotedForMessage(text_.substr(text_.size() - 1)));
    }
    return absl::OkStatus();
  }

  absl::Status ParseFields(const dom::object& object) {
    // A tensor takes 50 bytes and more of JSON.
    const size_t expected = std::min<size_t>(object.size(), text_.size() / 48 + 1);
    names_.reserve(expected);
    ranges_.reserve(expected);
    bool met_metadata = false;
    for (const dom::key_value_pair field : object) {
      const absl::string_view key = View(field.key);
      if (key == kMetadataName) {
        if (std::exchange(met_metadata, true)) {
          return Wrong("header", "one __metadata__", "two");
        }
        LEAFSTORE_RETURN_IF_ERROR(ParseMetadata(field.value));
        continue;
      }
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(key));
      if (!names_.insert(key).second) {
        return Wrong("header", "tensors of different names",
                     absl::StrCat("two called ", QuotedForMessage(key)));
      }
      LEAFSTORE_RETURN_IF_ERROR(ParseEntry(key, field.value));
    }
    return absl::OkStatus();
  }

  // The text is UTF-8, but an escape may stand for half a character.
  absl::Status CheckUtf8(absl::string_view text) const {
    if (!has_escapes_ || IsValidUtf8(text)) return absl::OkStatus();
    return Wrong("header", "strings in UTF-8", QuotedForMessage(text));
  }

  absl::Status ParseMetadata(const dom::element& element) {
    constexpr absl::string_view kWhere = "header, __metadata__";
    if (element.is_null() && lenient_.null_metadata) return absl::OkStatus();
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return Wrong(kWhere, "an object of strings", Kind(element));
    }
    Metadata metadata;
    for (const dom::key_value_pair field : object) {
      std::string_view value;
      const bool is_string = field.value.get(value) == simdjson::SUCCESS;
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(View(field.key)));
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(View(value)));
      if (!is_string && !lenient_.metadata_values) {
        return Wrong(absl::StrCat(kWhere, ", key ", QuotedForMessage(View(field.key))), "a string",
                     Kind(field.value));
      }
      if (!metadata.try_emplace(std::string(field.key), std::string(value)).second) {
        return Wrong(kWhere, "different keys",
                     absl::StrCat("two ", QuotedForMessage(View(field.key))));
      }
      if (!is_string) to_drop_.emplace_back(field.key);
    }
    for (const std::string& key : to_drop_) metadata.erase(key);
    out_.metadata_ = std::move(metadata);
    return absl::OkStatus();
  }

  absl::Status ParseEntry(absl::string_view name, const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return Wrong(TensorForMessage(name), "an object with dtype, shape and data_offsets",
                   Kind(element));
    }
    Fields fields;
    shape_.clear();
    for (const dom::key_value_pair field : object) {
      LEAFSTORE_RETURN_IF_ERROR(ParseField(name, field, &fields));
    }
    if (!fields.dtype.has_value()) return Missing(name, "dtype");
    if (!fields.shape) return Missing(name, "shape");
    if (!fields.offsets.has_value()) return Missing(name, "data_offsets");
    return AddEntry(name, *fields.dtype, *fields.offsets);
  }

  static absl::Status Missing(absl::string_view name, absl::string_view field) {
    return Wrong(TensorForMessage(name), absl::StrCat("a field ", field), "none");
  }

  absl::Status ParseField(absl::string_view name, const dom::key_value_pair& field,
                          Fields* fields) {
    const absl::string_view key = View(field.key);
    bool again = false;
    absl::Status status;
    if (key == "dtype") {
      again = fields->dtype.has_value();
      status = ParseDType(name, field.value, fields);
    } else if (key == "shape") {
      again = std::exchange(fields->shape, true);
      shape_.clear();
      status = ParseShape(name, field.value);
    } else if (key == "data_offsets") {
      again = fields->offsets.has_value();
      status = ParseOffsets(name, field.value, fields);
    } else if (!lenient_.unknown_fields) {
      return Wrong(TensorForMessage(name), "the fields dtype, shape and data_offsets",
                   absl::StrCat("another, ", QuotedForMessage(key)));
    }
    if (again) return Wrong(TensorForMessage(name), absl::StrCat("one field ", key), "two");
    return status;
  }

  static absl::Status ParseDType(absl::string_view name, const dom::element& element,
                                 Fields* fields) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) {
      return Wrong(TensorForMessage(name), "a string as dtype", Kind(element));
    }
    fields->dtype = View(text);
    return absl::OkStatus();
  }

  // A count: an integer of 0 or more, written as one. -1 where it is none.
  static int64_t CountOf(const dom::element& element) {
    int64_t count = 0;
    return element.is_int64() && element.get(count) == simdjson::SUCCESS && count >= 0 ? count : -1;
  }

  absl::Status ParseShape(absl::string_view name, const dom::element& element) {
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS) {
      return Wrong(TensorForMessage(name), "a list as shape", Kind(element));
    }
    for (const dom::element& extent : array) {
      const int64_t count = CountOf(extent);
      if (count < 0) {
        return Wrong(absl::StrCat(TensorForMessage(name), ", shape"), "integers from 0 to 2^63 - 1",
                     JsonForMessage(extent));
      }
      shape_.push_back(count);
    }
    if (shape_.size() <= kMaxRank) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat(TensorForMessage(name),
                                                 ": this reader knows ranks up to ", kMaxRank,
                                                 ", found ", shape_.size()));
  }

  static absl::Status ParseOffsets(absl::string_view name, const dom::element& element,
                                   Fields* fields) {
    const std::string where = absl::StrCat(TensorForMessage(name), ", data_offsets");
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS || array.size() != 2) {
      return Wrong(where, "a list of two integers", JsonForMessage(element));
    }
    const int64_t begin = CountOf(array.at(0).value_unsafe());
    const int64_t end = CountOf(array.at(1).value_unsafe());
    if (begin < 0 || end < 0) {
      return Wrong(where, "integers from 0 to 2^63 - 1", JsonForMessage(element));
    }
    if (begin > end)
      return Wrong(where, "a begin that is not after the end", JsonForMessage(element));
    fields->offsets = Range{begin, end, 0, name};
    return absl::OkStatus();
  }

  absl::Status AddEntry(absl::string_view name, absl::string_view dtype_name, Range range) {
    if (range.end > data_size_) {
      return Wrong(absl::StrCat(TensorForMessage(name), ", data_offsets"),
                   absl::StrCat("at most ", data_size_, ", as the file has behind the header"),
                   absl::StrCat(range.end));
    }
    const std::optional<DType> dtype = SafetensorsDTypeOf(dtype_name);
    if (!dtype.has_value()) {
      if (!lenient_.unknown_dtypes) {
        return absl::UnimplementedError(absl::StrCat(TensorForMessage(name), ": its dtype ",
                                                     QuotedForMessage(dtype_name),
                                                     " is not known to this reader"));
      }
      out_.left_out_.emplace_back(name);
      range.tensor = kLeftOut;
    } else {
      const absl::StatusOr<int64_t> size = ByteSize(*dtype, shape_);
      if (!size.ok()) {
        return absl::DataLossError(
            absl::StrCat(TensorForMessage(name), ": ", size.status().message()));
      }
      if (*size != range.end - range.begin) {
        return Wrong(
            TensorForMessage(name),
            absl::StrCat(*size, " bytes, as ", dtype_name, ShapeToString(shape_), " asks for"),
            absl::StrCat(range.end - range.begin, " in data_offsets"));
      }
      range.tensor = out_.size();
      out_.dtypes_.push_back(*dtype);
      out_.dims_.insert(out_.dims_.end(), shape_.begin(), shape_.end());
      out_.dims_begins_.push_back(static_cast<uint32_t>(out_.dims_.size()));
      out_.byte_sizes_.push_back(*size);
    }
    ranges_.push_back(range);
    return absl::OkStatus();
  }

  absl::Status PutInOrder() {
    const auto before = [](const Range& a, const Range& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    };
    if (!std::is_sorted(ranges_.begin(), ranges_.end(), before)) {
      std::stable_sort(ranges_.begin(), ranges_.end(), before);
      Permute();
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckRanges());
    out_.offsets_.reserve(out_.size());
    out_.name_begins_.reserve(out_.size() + 1);
    for (const Range& range : ranges_) {
      if (range.tensor == kLeftOut) continue;
      out_.offsets_.push_back(data_begin_ + range.begin);
      out_.names_.append(range.name.data(), range.name.size());
      out_.name_begins_.push_back(static_cast<uint32_t>(out_.names_.size()));
    }
    return absl::OkStatus();
  }

  // Puts what is known of the tensors into the order of the ranges.
  void Permute() {
    SafetensorsHeader sorted;
    sorted.metadata_ = std::move(out_.metadata_);
    sorted.left_out_ = std::move(out_.left_out_);
    for (const Range& range : ranges_) {
      if (range.tensor == kLeftOut) continue;
      const ShapeRef shape = out_.shape(range.tensor);
      sorted.dtypes_.push_back(out_.dtypes_[range.tensor]);
      sorted.dims_.insert(sorted.dims_.end(), shape.begin(), shape.end());
      sorted.dims_begins_.push_back(static_cast<uint32_t>(sorted.dims_.size()));
      sorted.byte_sizes_.push_back(out_.byte_sizes_[range.tensor]);
    }
    out_ = std::move(sorted);
  }

  // That they follow one another and end with the file.
  absl::Status CheckRanges() const {
    int64_t end = 0;
    absl::string_view last;
    for (const Range& range : ranges_) {
      const auto place = [&] {
        return end == 0 ? std::string("byte 0 of the tensors")
                        : absl::StrCat("byte ", end, ", where ", QuotedForMessage(last), " ends");
      };
      if (range.begin < end || (range.begin > end && !lenient_.holes)) {
        return Wrong(
            TensorForMessage(range.name), absl::StrCat("its bytes from ", place(), ", on"),
            absl::StrCat("from byte ", range.begin,
                         range.begin < end ? " on: they overlap" : " on: there is a hole"));
      }
      end = range.end;
      last = range.name;
    }
    if (end == data_size_ || lenient_.trailing_bytes) return absl::OkStatus();
    return Wrong("file", absl::StrCat(end, " bytes of tensors behind the header"),
                 absl::StrCat(data_size_, ": bytes that are no tensor's at its end"));
  }

  absl::string_view text_;
  const int64_t data_begin_;
  const int64_t data_size_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeader out_;
  std::vector<Range> ranges_;
  absl::flat_hash_set<absl::string_view> names_;
  bool has_escapes_ = false;  // whether any string has one
  Shape shape_;  // of the entry that is being parsed
  std::vector<std::string> to_drop_;
};

absl::StatusOr<SafetensorsHeader> SafetensorsHeader::Parse(absl::string_view text,
                                                           int64_t file_size,
                                                           const SafetensorsLeniency& lenient) {
  const int64_t begin = static_cast<int64_t>(sizeof(uint64_t) + text.size());
  return SafetensorsHeaderParser(text, begin, file_size - begin, lenient).Parse();
}

std::vector<uint32_t> SafetensorsOrder(absl::Span<const SafetensorsEntry> entries) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const size_t rank_a = RankOf(entries[a].dtype);
    const size_t rank_b = RankOf(entries[b].dtype);
    return rank_a != rank_b ? rank_a < rank_b : entries[a].name < entries[b].name;
  });
  return order;
}

namespace {

absl::Status CheckNames(absl::Span<const SafetensorsEntry> entries) {
  absl::flat_hash_set<absl::string_view> names;
  names.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) {
    LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(entry.name, "a name"));
    if (entry.name == kMetadataName) {
      return absl::InvalidArgumentError(
          "expected a tensor's name, found '__metadata__', which means something else in the file");
    }
    if (!names.insert(entry.name).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected tensors of different names, found two ", QuotedForMessage(entry.name)));
    }
  }
  return absl::OkStatus();
}

void AppendMetadata(const Metadata& metadata, std::string* out) {
  AppendJsonString(kMetadataName, out);
  absl::StrAppend(out, ":{");
  bool first = true;
  for (const auto& [key, value] : metadata) {
    if (!std::exchange(first, false)) out->push_back(',');
    AppendJsonString(key, out);
    out->push_back(':');
    AppendJsonString(value, out);
  }
  out->push_back('}');
}

void AppendEntry(const SafetensorsEntry& entry, int64_t begin, std::string* out) {
  AppendJsonString(entry.name, out);
  absl::StrAppend(out, ":{\"dtype\":\"", SafetensorsDTypeName(entry.dtype), "\",\"shape\":[");
  for (size_t i = 0; i < entry.shape.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",", entry.shape[i]);
  }
  absl::StrAppend(out, "],\"data_offsets\":[", begin, ",", begin + entry.byte_size, "]}");
}

}  // namespace

absl::StatusOr<std::string> EncodeSafetensorsHeader(absl::Span<const SafetensorsEntry> entries,
                                                    const std::optional<Metadata>& metadata) {
  constexpr size_t kPrefix = sizeof(uint64_t);
  constexpr size_t kAlignment = 8;
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(entries));
  if (metadata.has_value()) LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(*metadata));
  std::string out(kPrefix, '\0');
  out.push_back('{');
  if (metadata.has_value()) AppendMetadata(*metadata, &out);
  int64_t begin = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (out.back() != '{') out.push_back(',');
    AppendEntry(entry, begin, &out);
    if (__builtin_add_overflow(begin, entry.byte_size, &begin)) {
      return absl::ResourceExhaustedError("expected tensors of less than 2^63 bytes, found more");
    }
    if (out.size() > kMaxSafetensorsHeader + kPrefix) break;
  }
  out.push_back('}');
  out.append((kAlignment - out.size() % kAlignment) % kAlignment, ' ');
  const uint64_t length = out.size() - kPrefix;
  if (length > static_cast<uint64_t>(kMaxSafetensorsHeader)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("expected a header of at most ", kMaxSafetensorsHeader,
                     " bytes, found more; save in shards, or with shorter names"));
  }
  std::memcpy(out.data(), &length, kPrefix);
  return out;
}

}  // namespace leafstore
