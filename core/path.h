// A Path names a node of a model's tree: the sequence of Keys from the root down.
//
//   Path path = Path().Attribute("layers").Index(0).Item("w");
//   path.ToString();                     // ".layers[0]['w']"   canonical, injective
//   path.Dotted();                       // "layers.0.w"        for messages, globs, PyTorch names
//   Path::Parse(".layers[0]['w']").value() == path;
//
// The root's path is empty, and so are both its texts. Canonical text and Path are one to one. The
// dotted form is not (`a.b` may be two keys or one), so every lookup by dotted form checks for a
// second match.
//
// Order: lexicographic by Key, which is the order in which flattening visits the nodes.
//
// Threads: a value; const calls are thread-safe.
#ifndef LEAFSTORE_CORE_PATH_H_
#define LEAFSTORE_CORE_PATH_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/key.h"

namespace leafstore {

// The forms of a path as text. Messages show canonical text, shortened if it is long. kSlash is the
// dotted form with slashes instead of dots.
enum class PathForm : uint8_t { kCanonical, kDotted, kSlash };

class Path {
 public:
  // The longest text that Parse accepts, in bytes.
  static constexpr size_t kMaxTextSize = size_t{1} << 24;

  Path() = default;
  explicit Path(std::vector<Key> keys) : keys_(std::move(keys)) {}

  // Parses canonical text: Parse(text)->ToString() == text for every text that it accepts. Leading
  // zeros, `[-0]`, spaces, and quotes that ToString would not choose are errors.
  // error InvalidArgument: not canonical. The message has the column (1-based, in bytes), what was
  //       expected and what was found; for dotted text it suggests the canonical form.
  // error ResourceExhausted: longer than kMaxTextSize.
  // O(length).
  static absl::StatusOr<Path> Parse(absl::string_view text);

  // Append one key and return this path.
  Path& Attribute(absl::string_view name) & { return Append(Key::Attribute(name)); }
  Path& Item(absl::string_view name) & { return Append(Key::Item(name)); }
  Path& Index(int64_t index) & { return Append(Key::Index(index)); }
  Path& Append(Key key) &;
  // These return by value, so that `const Path& path = Path().Attribute("a")` does not dangle.
  Path Attribute(absl::string_view name) && { return std::move(this->Attribute(name)); }
  Path Item(absl::string_view name) && { return std::move(this->Item(name)); }
  Path Index(int64_t index) && { return std::move(this->Index(index)); }
  Path Append(Key key) && { return std::move(this->Append(std::move(key))); }

  // Valid while this path is neither changed nor destroyed.
  absl::Span<const Key> keys() const& { return keys_; }
  absl::Span<const Key> keys() && = delete;  // would dangle
  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }

  // Returns the canonical text. O(length).
  std::string ToString() const;
  // Returns the text in one of its forms. Only the canonical one is injective. O(length).
  std::string ToText(PathForm form) const;
  // Returns the dotted form. O(length).
  std::string Dotted() const { return ToText(PathForm::kDotted); }

  friend bool operator==(const Path& a, const Path& b) { return a.keys_ == b.keys_; }
  friend std::strong_ordering operator<=>(const Path& a, const Path& b) {
    return a.keys_ <=> b.keys_;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Path& path) {
    return H::combine(std::move(h), path.keys_);
  }

 private:
  std::vector<Key> keys_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_PATH_H_
