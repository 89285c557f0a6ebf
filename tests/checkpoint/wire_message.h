// WireMessage: the fields of a protobuf message, read without the protobuf library.
//
//   WireMessage message(bytes);          // throws Invalid
//   message.Last(2);                     // the last varint of field 2, or 0
//   message.Varints(4);                  // a repeated field, packed or not
//
// As in protobuf, unknown fields, and fields of another wire type, are ignored; the last value of a
// field that is not repeated counts; and several values of a message field are one message, which
// has the bytes of all of them.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_WIRE_MESSAGE_H_
#define LEAFSTORE_TESTS_CHECKPOINT_WIRE_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leafstore {

// The reason why a file is invalid.
struct Invalid : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void Check(bool valid, const std::string& why) {
  if (!valid) throw Invalid(why);
}

enum WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Removes the first integer of `bytes`, and returns it.
inline uint64_t TakeVarint(std::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    Check(!bytes->empty(), "varint: cut off");
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  throw Invalid("varint: over ten bytes");
}
inline std::string_view TakeBytes(uint64_t size, std::string_view* bytes) {
  Check(size <= bytes->size(), "field: longer than its message");
  const std::string_view taken = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return taken;
}
inline uint64_t TakeFixed64(std::string_view* bytes) {
  uint64_t value;
  std::memcpy(&value, TakeBytes(sizeof(value), bytes).data(), sizeof(value));
  return value;
}

class WireMessage {
 public:
  explicit WireMessage(std::string_view bytes) {
    while (!bytes.empty()) {
      const uint64_t tag = TakeVarint(&bytes);
      Field field{tag >> 3, static_cast<WireType>(tag & 7), 0, {}};
      Check(field.number > 0, "field: number 0");
      switch (field.type) {
        case kVarint:
          field.value = TakeVarint(&bytes);
          break;
        case kFixed64:
          field.value = TakeFixed64(&bytes);
          break;
        case kBytes:
          field.bytes = TakeBytes(TakeVarint(&bytes), &bytes);
          break;
        case kFixed32:
          TakeBytes(4, &bytes);
          break;
        default:
          throw Invalid("field: wire type " + std::to_string(tag & 7));
      }
      fields_.push_back(field);
    }
  }

  uint64_t Last(uint64_t number, WireType type = kVarint) const {
    uint64_t last = 0;
    for (const Field& field : fields_) {
      if (field.number == number && field.type == type) last = field.value;
    }
    return last;
  }
  std::string_view LastBytes(uint64_t number) const {
    const std::vector<std::string_view> all = All(number);
    return all.empty() ? std::string_view() : all.back();
  }
  // Returns each value of a repeated field of bytes or messages.
  std::vector<std::string_view> All(uint64_t number) const {
    std::vector<std::string_view> all;
    for (const Field& field : fields_) {
      if (field.number == number && field.type == kBytes) all.push_back(field.bytes);
    }
    return all;
  }
  bool Has(uint64_t number) const { return !All(number).empty(); }
  // Returns the bytes of a message field.
  std::string Merged(uint64_t number) const {
    std::string merged;
    for (const std::string_view bytes : All(number)) merged += bytes;
    return merged;
  }
  std::vector<uint64_t> Varints(uint64_t number) const {
    return Numbers(number, kVarint, TakeVarint);
  }
  std::vector<uint32_t> Varints32(uint64_t number) const {
    std::vector<uint32_t> numbers;
    for (const uint64_t value : Varints(number)) numbers.push_back(static_cast<uint32_t>(value));
    return numbers;
  }
  std::vector<int64_t> SignedVarints(uint64_t number) const {
    std::vector<int64_t> numbers;
    for (const uint64_t value : Varints(number)) {
      numbers.push_back(static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)));
    }
    return numbers;
  }
  std::vector<uint64_t> Fixed64s(uint64_t number) const {
    return Numbers(number, kFixed64, TakeFixed64);
  }

 private:
  struct Field {
    uint64_t number;
    WireType type;
    uint64_t value;
    std::string_view bytes;
  };

  std::vector<uint64_t> Numbers(uint64_t number, WireType type,
                                uint64_t (*take)(std::string_view*)) const {
    std::vector<uint64_t> numbers;
    for (const Field& field : fields_) {
      if (field.number != number) continue;
      if (field.type == type) numbers.push_back(field.value);
      if (field.type != kBytes) continue;
      for (std::string_view packed = field.bytes; !packed.empty();) {
        numbers.push_back(take(&packed));
      }
    }
    return numbers;
  }

  std::vector<Field> fields_;
};

// Reads the entries of a column one after another.
template <typename T>
class Entries {
 public:
  Entries(std::vector<T> entries, std::string what)
      : entries_(std::move(entries)), what_(std::move(what)) {}

  const T& Next() {
    Check(next_ < entries_.size(), what_ + ": too few entries");
    return entries_[next_++];
  }
  bool NextIs(const T& value) const { return next_ < entries_.size() && entries_[next_] == value; }
  bool empty() const { return entries_.empty(); }
  void CheckUsed() const { Check(next_ == entries_.size(), what_ + ": too many entries"); }

 private:
  std::vector<T> entries_;
  std::string what_;
  size_t next_ = 0;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_WIRE_MESSAGE_H_
