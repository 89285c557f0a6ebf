#include "leafstore/core/value.h"

#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"

namespace leafstore {
namespace {

// The number of bytes that are shown.
constexpr size_t kShownBytes = 16;

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
  constexpr absl::string_view kKindNames[] = {"bool", "int", "float", "str", "bytes"};
  return IsValueKind(static_cast<uint64_t>(kind)) ? kKindNames[static_cast<size_t>(kind) - 1]
                                                  : "invalid";
}

bool Value::IsValid() const {
  const auto* text = As<std::string>();
  return text == nullptr || internal::IsValidUtf8(*text);
}

int64_t Value::byte_size() const {
  if (const auto* text = As<std::string>()) return static_cast<int64_t>(text->size());
  if (const auto* bytes = As<Bytes>()) return static_cast<int64_t>(bytes->data.size());
  return kind() == ValueKind::kBool ? 1 : 8;
}

std::string Value::ToString() const {
  if (const auto* value = As<bool>()) return *value ? "true" : "false";
  if (const auto* value = As<int64_t>()) return absl::StrCat(*value);
  if (const auto* value = As<double>()) return DoubleToString(*value);
  if (const auto* value = As<Bytes>()) return BytesToString(*value);
  return Quoted(*As<std::string>());
}

}  // namespace leafstore
