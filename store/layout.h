// Layout: the shared, immutable half of a dictionary: which paths there are, in which order.
//
//   Layout layout = flat.params.layout();
//   layout.Find(".layers[0].weight");   // its slot
//   layout.PathText(slot);              // and back
//
// A Layout is that of a TreeDef, whose leaves are its slots; or it is made of paths alone
// (Create(paths)) for dictionaries that were filled by hand or come from a format without
// structure. Then the order is that of Path, and def() makes containers from the keys: attributes a
// struct, items a dict, indices 0..n-1 a list, other indices a dict with int keys.
//
// Identity. Layouts of one TreeDef are equal, and TreeDefs of one structure are one object. Stores
// of equal Layouts (parameters, gradients, optimizer state, groups of them) are zipped and merged
// by position, without hashing a string. A Layout of paths equals its copies alone.
//
// Lookup. The index from text to slot is made at the first Find and kept for as long as the
// TreeDef lives. A path through an alias finds the owner's slot.
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
  // Of paths, in any order. error AlreadyExists: a path occurs twice. error InvalidArgument: a key
  // is not UTF-8. error ResourceExhausted: one text is over Path::kMaxTextSize, or all together
  // over PathTable's limit. O(n log n).
  static absl::StatusOr<Layout> Create(std::vector<Path> paths);

  // Number of slots.
  uint32_t size() const;

  // The slot of a path's canonical text. No value where there is none. O(length), expected;
  // where the structure has aliases, one that is no leaf's costs a walk.
  std::optional<Slot> Find(absl::string_view path_text) const {
    const Slot slot = SlotOf(path_text);
    return slot == kNoSlot ? std::nullopt : std::optional<Slot>(slot);
  }
  // The same with kNoSlot where there is none: what an optional costs to return shows in a lookup.
  Slot SlotOf(absl::string_view path_text) const;
  // The same, and otherwise error NotFound with the near names, InvalidArgument where the text is
  // no path, or where it is the path of a container.
  absl::StatusOr<Slot> Get(absl::string_view path_text) const;
  // By dotted form. error InvalidArgument: two nodes have it (names both), or no leaf but a
  // container has. error NotFound, with near names. O(paths) for a Layout of paths.
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

  // The structure. Of a Layout of paths: made from the keys at the first call and kept.
  // error InvalidArgument: the paths are no tree (one is the beginning of another, or the keys
  // below one path are of different kinds); names both paths.
  absl::StatusOr<TreeDef> def() const;
  // Whether this is the Layout of a TreeDef that was given.
  bool has_def() const { return loose_ == nullptr; }

  // The TreeDef's hash, or XXH3-64 of the texts of paths where there are paths alone. The same for
  // equal Layouts, and for two that are made of the same paths alone; but not for one of these and
  // a TreeDef's of the same paths.
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
