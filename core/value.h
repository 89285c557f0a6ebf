// Value: a static leaf (not a tensor): a bool, an integer, a double, a string or bytes.
//
//   Value activation("gelu");
//   Value layers(12);
//   *activation.As<std::string>();       // "gelu"
//   layers.As<double>();                 // nullptr: 12 is an integer, and stays one
//   layers.kind() == ValueKind::kInt;
//
// Constructors accept exact types and convert nothing: a pointer does not become a bool, a
// character does not become an integer, 1 does not become 1.0. Integers are signed, with 64 bits; a
// type with values beyond that range (uint64_t) does not compile, so convert it explicitly.
//
// Equality is that of the saved bytes: a NaN equals itself and no other NaN, 0.0 differs from -0.0,
// 1 from 1.0 and from true, "a" from Bytes{"a"}.
//
// Strings are UTF-8. A Value may hold any bytes; every call that adds values to a tree or reads
// them from a file checks IsValid().
//
// Threads: a value; const calls are thread-safe.
#ifndef LEAFSTORE_CORE_VALUE_H_
#define LEAFSTORE_CORE_VALUE_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"

namespace leafstore {

// Uninterpreted bytes: not text, no encoding.
struct Bytes {
  std::string data;

  friend bool operator==(const Bytes& a, const Bytes& b) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Bytes& bytes) {
    return H::combine(std::move(h), bytes.data);
  }
};

// The kinds. Their values are written to disk, never change, and are never reused.
enum class ValueKind : uint8_t { kBool = 1, kInt = 2, kFloat = 3, kString = 4, kBytes = 5 };

// Returns whether an integer is a ValueKind. Check this before casting an integer from a file.
constexpr bool IsValueKind(uint64_t id) { return id >= 1 && id <= 5; }

// Returns "bool", "int", "float", "str" or "bytes". Static storage.
absl::string_view ValueKindName(ValueKind kind);

namespace internal {

template <typename T, typename... Others>
concept OneOf = (std::same_as<T, Others> || ...);

// Integer types whose values all fit into int64_t; not bool, and no type of a character.
template <typename T>
concept IntegerType = std::integral<T> && std::numeric_limits<T>::digits <= 63 &&
                      !OneOf<T, bool, char, wchar_t, char8_t, char16_t, char32_t>;

}  // namespace internal

class Value {
 public:
  template <std::same_as<bool> T>
  explicit Value(T value) : value_(value) {}
  template <internal::IntegerType T>
  explicit Value(T value) : value_(static_cast<int64_t>(value)) {}
  // Converts a float to double exactly; the bits of a NaN may change.
  template <internal::OneOf<float, double> T>
  explicit Value(T value) : value_(static_cast<double>(value)) {}
  explicit Value(std::string value) : value_(std::move(value)) {}
  template <internal::OneOf<std::string_view, absl::string_view> T>
  explicit Value(T value) : value_(std::string(value.data(), value.size())) {}
  // Copies up to the first zero byte.
  explicit Value(const char* value) : value_(std::string(value)) {}
  explicit Value(std::nullptr_t) = delete;
  explicit Value(Bytes value) : value_(std::move(value)) {}

  ValueKind kind() const { return static_cast<ValueKind>(value_.index() + 1); }

  // Returns the contents as bool, int64_t, double, std::string or Bytes; null if the kind differs.
  // Valid while this value is neither assigned to nor destroyed.
  template <internal::OneOf<bool, int64_t, double, std::string, Bytes> T>
  const T* As() const& {
    return std::get_if<T>(&value_);
  }
  template <typename T>
  const T* As() && = delete;  // would dangle

  // Returns whether a string is UTF-8. Other kinds are always valid. O(length).
  bool IsValid() const;

  // Returns the size of the contents: 1 for a bool, 8 for an int or float, otherwise the length.
  int64_t byte_size() const;

  // Formats the value for a message: `true`, `12`, `0.1`, `1.0`, `'gelu'`, `3 bytes 0a0b0c`. A
  // double has the fewest digits that parse to the same double, and never looks like an integer. A
  // string is quoted as in paths (key.h). Of bytes the first 16 are shown. O(length).
  std::string ToString() const;

  friend bool operator==(const Value& a, const Value& b) {
    const auto* x = a.As<double>();
    const auto* y = b.As<double>();
    return x != nullptr && y != nullptr ? Bits(*x) == Bits(*y) : a.value_ == b.value_;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Value& value) {
    const auto* scalar = value.As<double>();
    h = scalar != nullptr
            ? H::combine(std::move(h), Bits(*scalar))
            : std::visit([&h](const auto& x) { return H::combine(std::move(h), x); }, value.value_);
    // The kind comes last, so that no value's hash expansion is a suffix of another's.
    return H::combine(std::move(h), value.value_.index());
  }

 private:
  static uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

  // In the order of ValueKind: kind() is the index plus 1.
  std::variant<bool, int64_t, double, std::string, Bytes> value_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_VALUE_H_
