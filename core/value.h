// Value: a static leaf, one that is no tensor. A bool, an integer, a double, a string or bytes.
//
//   Value activation("gelu");
//   Value layers(12);
//   *activation.As<std::string>();       // "gelu"
//   layers.As<double>();                 // nullptr: 12 is an integer, and stays one
//   layers.kind() == ValueKind::kInt;
//
// Constructors take exact types, so that nothing turns into something else on the way: a pointer is
// never a bool, a character never a number, 1 never 1.0. Integers are 64 bits with a sign; a type
// that has numbers beyond them (uint64_t) does not compile, and its owner says what shall happen.
//
// Equality is that of the saved bytes: a NaN equals itself and no other NaN, 0.0 differs from -0.0,
// 1 from 1.0 and from true, "a" from Bytes{"a"}.
//
// Strings are UTF-8. A Value may be made of any bytes; IsValid() tells, and everything that takes
// values into a tree or out of a file asks it.
//
// Threads: a value; const calls are safe from many threads.
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

// Bytes without a meaning that leafstore knows: no text, no encoding.
struct Bytes {
  std::string data;

  friend bool operator==(const Bytes& a, const Bytes& b) = default;
};

// The numbers are written to disk. They never change and are never used again for another kind.
enum class ValueKind : uint8_t { kBool = 1, kInt = 2, kFloat = 3, kString = 4, kBytes = 5 };

// Whether `number` is one of the above: what a file says must pass here before it becomes one.
constexpr bool IsValueKind(uint64_t number) { return number >= 1 && number <= 5; }

// "bool", "int", "float", "str", "bytes". Static storage.
absl::string_view ValueKindName(ValueKind kind);

namespace internal {

template <typename T>
concept CharacterType = std::same_as<T, char> || std::same_as<T, wchar_t> ||
    std::same_as<T, char8_t> || std::same_as<T, char16_t> || std::same_as<T, char32_t>;

// Integers of which every number is an int64_t.
template <typename T>
concept IntegerType = std::integral<T> && !std::same_as<T, bool> && !CharacterType<T> &&
                      std::numeric_limits<T>::digits <= std::numeric_limits<int64_t>::digits;

template <typename T>
concept StringViewType = std::same_as<T, std::string_view> || std::same_as<T, absl::string_view>;

template <typename T>
concept ValueType = std::same_as<T, bool> || std::same_as<T, int64_t> || std::same_as<T, double> ||
    std::same_as<T, std::string> || std::same_as<T, Bytes>;

}  // namespace internal

class Value {
 public:
  template <std::same_as<bool> T>
  explicit Value(T value) : value_(value) {}
  template <internal::IntegerType T>
  explicit Value(T value) : value_(static_cast<int64_t>(value)) {}
  // A float becomes the double of the same number; the bits of a NaN may change.
  template <typename T>
  requires std::same_as<T, float> || std::same_as<T, double>
  explicit Value(T value) : value_(static_cast<double>(value)) {}
  explicit Value(std::string value) : value_(std::move(value)) {}
  template <internal::StringViewType T>
  explicit Value(T value) : value_(std::string(value.data(), value.size())) {}
  // Up to the first zero byte.
  explicit Value(const char* value) : value_(std::string(value)) {}
  explicit Value(std::nullptr_t) = delete;
  explicit Value(Bytes value) : value_(std::move(value)) {}

  ValueKind kind() const { return static_cast<ValueKind>(value_.index() + 1); }

  // The contents as bool, int64_t, double, std::string or Bytes; null where the kind is another.
  // Valid while this value is neither assigned to nor destroyed.
  template <internal::ValueType T>
  const T* As() const& {
    return std::get_if<T>(&value_);
  }
  template <internal::ValueType T>
  const T* As() && = delete;  // would dangle

  // Whether a string is UTF-8; all other kinds always are valid. O(length).
  bool IsValid() const;

  // Bytes of the contents: 1 for a bool, 8 for a number, the length of a string or bytes.
  int64_t byte_size() const;

  // For people: `true`, `12`, `0.1`, `1.0`, `'gelu'`, `3 bytes 0a0b0c`. Doubles have the fewest
  // digits that read back as the same number, and look like no integer; strings are quoted as in
  // paths (key.h), whole; of bytes the first 16 are shown. O(length).
  std::string ToString() const;

  friend bool operator==(const Value& a, const Value& b) { return a.Equals(b); }

  template <typename H>
  friend H AbslHashValue(H h, const Value& value) {
    h = std::visit(
        [&h](const auto& contents) { return H::combine(std::move(h), Hashable(contents)); },
        value.value_);
    // Behind the contents, so that no value's hash expansion is the end of another's.
    return H::combine(std::move(h), value.value_.index());
  }

 private:
  // What is equal exactly when two contents of one kind are.
  static bool Hashable(bool value) { return value; }
  static int64_t Hashable(int64_t value) { return value; }
  static uint64_t Hashable(double value) { return std::bit_cast<uint64_t>(value); }
  static absl::string_view Hashable(const std::string& value) { return value; }
  static absl::string_view Hashable(const Bytes& value) { return value.data; }

  bool Equals(const Value& other) const;

  // In the order of ValueKind: kind() is the index and 1.
  std::variant<bool, int64_t, double, std::string, Bytes> value_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_VALUE_H_
