// A Key is one step from a node of a model's tree to a child.
//
//   Key::Attribute("weight")   a struct's field       text  .weight     dotted  weight
//   Key::Item("a b")           a dict's string key    text  ['a b']     dotted  a b
//   Key::Index(3)              a position in a list,
//                              or a dict's int key    text  [3]         dotted  3
//
// Text. The canonical text is what jax.tree_util.keystr prints, with Python's quoting of strings:
// single quotes, or double ones when the string has a single quote and no double one. Backslash,
// the quote itself and control characters (U+0000-U+001F, U+007F-U+009F) are escaped as Python
// escapes them (`\\`, `\'`, `\n`, `\r`, `\t`, `\x07`); all other characters stand as they are. An
// attribute that is no identifier is quoted after its dot (`.'a b'`), so that text is injective:
// different sequences of keys never have the same text. An identifier is letters, digits, `_` and
// any character outside ASCII that is no control character, and does not begin with a digit.
//
// Order. Keys of one container sort as flattening visits them: attributes and string items by
// their bytes, indices by number. Across kinds: attribute < item < index.
//
// Names are UTF-8. A Key may be made of any bytes; IsValid() tells, and everything that takes
// keys into a tree or out of a file asks it.
//
// Threads: values; const calls are safe from many threads.
#ifndef LEAFSTORE_CORE_KEY_H_
#define LEAFSTORE_CORE_KEY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace leafstore {

enum class KeyKind : uint8_t { kAttribute, kItem, kIndex };

// A key that borrows its name. It lives as long as the bytes it points to (a Key, or the TreeDef
// that gave it).
struct KeyRef {
  KeyKind kind = KeyKind::kIndex;
  absl::string_view name;  // of an attribute or item; empty for an index
  int64_t index = 0;       // of an index; 0 otherwise

  static KeyRef Attribute(absl::string_view name) { return {KeyKind::kAttribute, name, 0}; }
  static KeyRef Item(absl::string_view name) { return {KeyKind::kItem, name, 0}; }
  static KeyRef Index(int64_t index) { return {KeyKind::kIndex, {}, index}; }

  // Whether the name is UTF-8 (an index always is valid). O(length).
  bool IsValid() const;

  friend bool operator==(const KeyRef& a, const KeyRef& b) {
    return a.kind == b.kind && a.index == b.index && a.name == b.name;
  }
  friend std::strong_ordering operator<=>(const KeyRef& a, const KeyRef& b) {
    if (a.kind != b.kind) return a.kind <=> b.kind;
    if (a.kind == KeyKind::kIndex) return a.index <=> b.index;
    return a.name.compare(b.name) <=> 0;
  }
};

// A key that owns its name.
class Key {
 public:
  static Key Attribute(absl::string_view name) { return Key(KeyRef::Attribute(name)); }
  static Key Item(absl::string_view name) { return Key(KeyRef::Item(name)); }
  static Key Index(int64_t index) { return Key(KeyRef::Index(index)); }
  explicit Key(const KeyRef& ref)
      : kind_(ref.kind), index_(ref.index), name_(ref.name.data(), ref.name.size()) {}

  KeyKind kind() const { return kind_; }
  // The name of an attribute or item; empty for an index.
  const std::string& name() const { return name_; }
  // The number of an index; 0 otherwise.
  int64_t index() const { return index_; }

  // A borrowed view of this key, valid while this key lives and is not assigned to.
  KeyRef ref() const& { return {kind_, name_, index_}; }
  KeyRef ref() && = delete;  // would dangle

  friend bool operator==(const Key& a, const Key& b) { return a.ref() == b.ref(); }
  friend std::strong_ordering operator<=>(const Key& a, const Key& b) {
    return a.ref() <=> b.ref();
  }
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.kind_, key.index_, key.name_);
  }

 private:
  KeyKind kind_;
  int64_t index_;
  std::string name_;
};

// Appends the canonical text of `key` to `out`. O(length).
void AppendKeyText(const KeyRef& key, std::string* out);

// Appends the key's part of a dotted name: the name itself or the number. O(length).
void AppendDottedKey(const KeyRef& key, std::string* out);

// Appends `text` as Python's repr of a str would print it (see the top of this file). O(length).
void AppendQuoted(absl::string_view text, std::string* out);

// The length of what AppendKeyText appends. O(length), allocates nothing.
size_t KeyTextSize(const KeyRef& key);

namespace internal {

// The length in bytes of the longest identifier (see the top of this file) that `text` begins with;
// 0 if it begins with none. For Path::Parse.
size_t IdentifierPrefixSize(absl::string_view text);

}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_KEY_H_
