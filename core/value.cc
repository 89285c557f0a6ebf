#include "leafstore/core/value.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"

namespace leafstore {
namespace {

// The number of bytes that are shown.
constexpr size_t kShownBytes = 16;

std::string BoolToString(bool value) { return value ? "true" : "false"; }

std::string DoubleToString(double value) {
  // The shortest form of a double has at most 24 characters: -2.2250738585072014e-308.
  char buffer[32];
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string out(buffer, result.ptr);
  // Without a point, an exponent, "inf" or "nan" the text would look like an integer.
  if (out.find_first_of(".ein") == std::string::npos) out.append(".0");
  return out;
}

std::string BytesToString(const Bytes& bytes) {
  const size_t size = bytes.data.size();
  std::string out = absl::StrCat(size, size == 1 ? " byte" : " bytes");
  if (size == 0) return out;
  absl::StrAppend(&out, " ",
                  absl::BytesToHexString(absl::string_view(bytes.data).substr(0, kShownBytes)));
  if (size > kShownBytes) out.append("...");
  return out;
}

}  // namespace

absl::string_view ValueKindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kFloat:
      return "float";
    case ValueKind::kString:
      return "str";
    case ValueKind::kBytes:
      return "bytes";
  }
  return "invalid";
}

bool Value::IsValid() const {
  const auto* text = As<std::string>();
  return text == nullptr || internal::IsValidUtf8(*text);
}

int64_t Value::byte_size() const {
  switch (kind()) {
    case ValueKind::kBool:
      return 1;
    case ValueKind::kInt:
    case ValueKind::kFloat:
      return 8;
    case ValueKind::kString:
      return static_cast<int64_t>(As<std::string>()->size());
    case ValueKind::kBytes:
      return static_cast<int64_t>(As<Bytes>()->data.size());
  }
  return 0;
}

std::string Value::ToString() const {
  switch (kind()) {
    case ValueKind::kBool:
      return BoolToString(*As<bool>());
    case ValueKind::kInt:
      return absl::StrCat(*As<int64_t>());
    case ValueKind::kFloat:
      return DoubleToString(*As<double>());
    case ValueKind::kString: {
      std::string out;
      AppendQuoted(*As<std::string>(), &out);
      return out;
    }
    case ValueKind::kBytes:
      return BytesToString(*As<Bytes>());
  }
  return "";
}

bool Value::Equals(const Value& other) const {
  if (kind() != other.kind()) return false;
  if (kind() == ValueKind::kFloat) {
    return Hashable(*As<double>()) == Hashable(*other.As<double>());
  }
  return value_ == other.value_;
}

}  // namespace leafstore
