#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "simdjson.h"

#include "leafstore/interop/safetensors_header_builder.h"

namespace leafstore {
namespace {

// So many digits surely fit 63 bits. More are left standing, where a comma or bracket must be.
constexpr ptrdiff_t kMostDigits = 18;

// Walks the text once from its first byte to its last, and looks at none behind it.
class UsualParser {
 public:
  UsualParser(absl::string_view text, SafetensorsHeaderBuilder* builder)
      : at_(text.data()),
        end_(text.data() + text.size()),
        builder_(builder),
        is_plain_(IsPlain(text)) {}

  bool Parse() {
    if (!Take('{')) return false;
    if (Take('}')) return AtEnd();
    do {
      absl::string_view name;
      if (!TakeString(&name) || !Take(':')) return false;
      if (!(name == kSafetensorsMetadataName ? ParseMetadata() : ParseEntry(name))) return false;
    } while (Take(','));
    return Take('}') && AtEnd();
  }

 private:
  // What strings may not have, or not as it is: escapes and control characters.
  static bool IsSpecial(char c) {
    return static_cast<bool>(static_cast<uint8_t>(static_cast<uint8_t>(c) < 0x20) |
                             static_cast<uint8_t>(c == '\\'));
  }

  // Whether no string can have any of that. Bytes are or'ed rather than asked one by one, so that
  // the compiler takes many at once.
  static bool IsPlain(absl::string_view text) {
    uint8_t special = 0;
    for (const char c : text) special |= static_cast<uint8_t>(IsSpecial(c));
    return special == 0;
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE void SkipSpace() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  // Goes behind the next token if it is this one.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool Take(char token) {
    if (at_ < end_ && *at_ != token) SkipSpace();
    if (at_ == end_ || *at_ != token) return false;
    ++at_;
    return true;
  }

  // Goes behind this text if it is what follows.
  template <size_t kSize>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TakeText(const char (&wanted)[kSize]) {
    if (end_ - at_ < static_cast<ptrdiff_t>(kSize - 1)) return false;
    if (std::memcmp(at_, wanted, kSize - 1) != 0) return false;
    at_ += kSize - 1;
    return true;
  }

  // A string that is as it is written.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TakeString(absl::string_view* out) {
    if (!Take('"')) return false;
    const auto* quote =
        static_cast<const char*>(std::memchr(at_, '"', static_cast<size_t>(end_ - at_)));
    if (quote == nullptr) return false;
    *out = absl::string_view(at_, static_cast<size_t>(quote - at_));
    at_ = quote + 1;
    return is_plain_ || std::none_of(out->begin(), out->end(), IsSpecial);
  }

  // An integer from 0 on, in digits alone.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TakeCount(int64_t* out) {
    SkipSpace();
    at_ = ReadCount(at_, end_, out);
    return at_ != nullptr;
  }

  // What is behind the digits; null where there are none, or too many.
  ABSL_ATTRIBUTE_NOINLINE static const char* ReadCount(const char* at, const char* end,
                                                       int64_t* out) {
    const char* const begin = at;
    const char* const most = at + std::min(kMostDigits, end - at);
    int64_t count = 0;
    while (at < most && *at >= '0' && *at <= '9') count = count * 10 + (*at++ - '0');
    *out = count;
    return at == begin || (*begin == '0' && at - begin > 1) ? nullptr : at;
  }

  bool ParseMetadata() {
    if (met_metadata_ || !Take('{')) return false;
    met_metadata_ = true;
    Metadata metadata;
    if (!Take('}')) {
      do {
        absl::string_view key;
        absl::string_view value;
        if (!TakeString(&key) || !Take(':') || !TakeString(&value)) return false;
        if (!metadata.try_emplace(std::string(key), std::string(value)).second) return false;
      } while (Take(','));
      if (!Take('}')) return false;
    }
    builder_->SetMetadata(std::move(metadata));
    return true;
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ParseEntry(absl::string_view name) {
    absl::string_view dtype;
    int64_t offsets[2] = {0, 0};
    int met = 0;  // a bit for each field
    if (!Take('{')) return false;
    do {
      int bit = 0;
      SkipSpace();
      if (TakeText("\"dtype\":")) {
        bit = 1;
        if (!TakeString(&dtype)) return false;
      } else if (TakeText("\"shape\":")) {
        bit = 2;
        if (!ParseShape()) return false;
      } else if (TakeText("\"data_offsets\":")) {
        bit = 4;
        if (!ParseOffsets(offsets)) return false;
      }
      if (bit == 0 || (met & bit) != 0) return false;
      met |= bit;
    } while (Take(','));
    return Take('}') && met == 7 && builder_->Add(name, dtype, shape_, offsets[0], offsets[1]).ok();
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ParseShape() {
    shape_.clear();
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      int64_t extent = 0;
      if (!TakeCount(&extent) || shape_.size() == kMaxRank) return false;
      shape_.push_back(extent);
    } while (Take(','));
    return Take(']');
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ParseOffsets(int64_t* offsets) {
    return Take('[') && TakeCount(&offsets[0]) && Take(',') && TakeCount(&offsets[1]) && Take(']');
  }

  const char* at_;
  const char* const end_;
  SafetensorsHeaderBuilder* const builder_;
  const bool is_plain_;
  bool met_metadata_ = false;
  Shape shape_;  // of the entry that is being parsed
};

}  // namespace

bool ParseUsualSafetensorsHeader(absl::string_view text, SafetensorsHeaderBuilder* builder) {
  return simdjson::validate_utf8(text.data(), text.size()) && UsualParser(text, builder).Parse();
}

}  // namespace leafstore
