// Layout: the shared, immutable half of a dictionary: its paths and their order.
//
//   Layout layout = flat.params.layout();
//   layout.Find(".layers[0].weight");   // its slot
//   layout.PathText(slot);              // and back
//
// A Layout is made of a TreeDef, whose leaves are its slots, or of paths alone (Create(paths)), for
// dictionaries that were filled by hand or come from a format without structure. Paths alone are
// ordered as Path orders them, and def() makes containers from their keys: attributes make a
// struct, items a dict, indices 0..n-1 a list, other indices a dict with int keys.
//
// Identity. Layouts of one TreeDef are equal, and TreeDefs of one structure are one object. Stores
// of equal Layouts (parameters, gradients, optimizer state, groups of them) are zipped and merged
// by position, without hashing a string. A Layout of paths alone equals only its copies.
//
// Lookup. The index from text to slot is made by the first Find and kept while the TreeDef lives. A
// path through an alias finds the owner's slot.
//
// Threads: immutable, cheap to copy; all calls are safe from many threads.
#ifndef LEAFSTORE_STORE_LAYOUT_H_
#define LEAFSTORE_STORE_LAYOUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/path.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class Layout {
 public:
  // No paths.
  Layout();
  explicit Layout(TreeDef def);
  // Makes a Layout of paths, in any order. error AlreadyExists: a path occurs twice. error
  // InvalidArgument: a key is not UTF-8. error ResourceExhausted: one text is over
  // Path::kMaxTextSize, or all together are over 64 MiB + 256 bytes per path. O(n log n).
  static absl::StatusOr<Layout> Create(std::vector<Path> paths);

  // Returns the number of slots.
  uint32_t size() const;

  // Returns the slot of a path's canonical text, or nullopt if it has none. O(length), expected; if
  // the structure has aliases, a text that is not a leaf's is searched key by key.
  std::optional<Slot> Find(absl::string_view path_text) const {
    const Slot slot = SlotOf(path_text);
    return slot == kNoSlot ? std::nullopt : std::optional<Slot>(slot);
  }
  // Like Find, but returns kNoSlot if it has none, which is measurably faster than an optional.
  Slot SlotOf(absl::string_view path_text) const;
  // Like Find, but returns an error. NotFound: no such leaf, with suggestions. InvalidArgument: the
  // text is not a path, or is the path of a container.
  absl::StatusOr<Slot> Get(absl::string_view path_text) const;
  // Returns the slot of a dotted form. error InvalidArgument: two nodes have it (names both), or a
  // container has it. error NotFound: none has it, with suggestions. O(paths) for paths alone.
  absl::StatusOr<Slot> FindDotted(absl::string_view dotted) const;

  // Returns the path of a slot, which must be less than size(), or its canonical or dotted text. A
  // text over Path::kMaxTextSize is cut as for messages. O(length).
  Path PathOf(Slot slot) const;
  std::string PathText(Slot slot) const;
  std::string Dotted(Slot slot) const;
  // Returns the canonical text for messages: "(root)" for the root, without its middle if it is
  // long. O(1).
  std::string PathForMessage(Slot slot) const;
  // Calls `visit` for each of these slots, in order, with its place and its text, which is valid
  // during the call. Prints each key once, and so is several times faster than PathText of each.
  // error ResourceExhausted: a text is longer than Path::kMaxTextSize; those before it were
  // visited. O(nodes + length of what is printed).
  absl::Status ForEachPath(
      const SlotSet& slots, PathForm form,
      absl::FunctionRef<void(uint32_t place, absl::string_view text)> visit) const;

  // Returns the structure; for paths alone, it is made from the keys at the first call and kept.
  // error InvalidArgument: the paths do not form a tree (one is the beginning of another, or the
  // keys below one path are of different kinds); names both paths.
  absl::StatusOr<TreeDef> def() const;
  // Returns whether this Layout was made of a TreeDef.
  bool has_def() const { return loose_ == nullptr; }

  // Returns the TreeDef's hash, or for paths alone XXH3-64 of their texts. Equal Layouts have equal
  // fingerprints, and so have two Layouts made of the same paths alone; one made of a TreeDef with
  // the same paths has another.
  uint64_t fingerprint() const;

  friend bool operator==(const Layout& a, const Layout& b) {
    return a.loose_ == b.loose_ && (a.loose_ != nullptr || a.def_ == b.def_);
  }

 private:
  struct Loose;
  Slot FindAgain(absl::string_view path_text) const;
  Slot FindByWalking(absl::string_view path_text) const;
  explicit Layout(std::shared_ptr<const Loose> loose) : loose_(std::move(loose)) {}

  TreeDef def_;                         // where loose_ is null
  std::shared_ptr<const Loose> loose_;  // paths alone
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_LAYOUT_H_
