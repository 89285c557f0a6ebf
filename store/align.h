// Align: where the leaves of one store are in another.
//
//   Alignment where = Align(file, params, {.by = AlignBy::kDotted});
//   where[0];              // the place in `params` of the first leaf of `file`, or kNoPlace
//   where.Unexpected();    // places of `file` that are nowhere in `params`
//   where.Missing();       // places of `params` that no leaf of `file` goes to
//
// All that brings leaves together by path is built on this: Merge, Update, LoadInto, diffs, and the
// state of optimizers. Where something does not fit, a FitReport (fit_report.h) says what.
//
// By path, leaves meet that have the same canonical path, or whose path in `from` is that of an
// alias of the leaf in `to`. Aliases of `from` are not leaves, so they look for nothing. By dotted
// form (path.h), those that have met none by path meet the leaf that alone has their dotted form:
// `['head.bias']` of a file from elsewhere meets `.head.bias` of a struct.
//
// Cost. Where the Layouts are equal, leaves meet by slot: O(1) each. Otherwise the two trees are
// walked side by side, from the root to the leaves that are sought: O(nodes above them *
// log children), and no text is made. By text, O(length) a leaf: where one of the two paths is no
// tree, where names are given, and by dotted form.
//
// Threads: functions of values; safe.
#ifndef LEAFSTORE_STORE_ALIGN_H_
#define LEAFSTORE_STORE_ALIGN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

enum class AlignBy : uint8_t { kPath, kDotted };

struct AlignOptions {
  AlignBy by = AlignBy::kPath;
  // By place of `from`, the canonical path that is sought instead of the leaf's own; empty: none
  // has another one. RenameMap (select/rename_map.h) makes these.
  absl::Span<const std::string> names = {};
};

// Some slots of a Layout. A Layout stands for all of its slots, and a ParamStore for those it holds.
struct LayoutPart {
  LayoutPart(const Layout& all)  // NOLINT: a Layout is all of itself
      : layout(all), slots(SlotSet::All(all.size())) {}
  LayoutPart(const ParamStore& store)  // NOLINT: a store is a part of its Layout
      : layout(store.layout()), slots(store.slots()) {}
  LayoutPart(Layout of, SlotSet some) : layout(std::move(of)), slots(std::move(some)) {}

  uint32_t size() const { return slots.size(); }

  Layout layout;
  SlotSet slots;
};

class Alignment {
 public:
  // A dotted form that two leaves of `to` have.
  struct Ambiguity {
    uint32_t from;  // the leaf that looks for it
    uint32_t first;
    uint32_t second;
  };
  // Two leaves of `from` that are at one place of `to`: a path and an alias, or one dotted form.
  struct Collision {
    uint32_t to;
    uint32_t first;
    uint32_t second;
  };

  // The place of `to` where the leaf at `place` of `from` is. kNoPlace: nowhere, or ambiguous.
  uint32_t operator[](uint32_t place) const { return places_[place]; }
  absl::Span<const uint32_t> places() const { return places_; }
  std::vector<uint32_t> TakePlaces() && { return std::move(places_); }
  // The reverse: by place of `to`, the first place of `from` that is there, or kNoPlace. O(leaves).
  std::vector<uint32_t> Sources() const;

  // Places of `from` that are nowhere in `to`, and are not ambiguous; ascending. O(leaves).
  std::vector<uint32_t> Unexpected() const;
  // Places of `to` where no leaf of `from` is, ascending. O(leaves).
  std::vector<uint32_t> Missing() const;
  // Ascending by place in `to`. O(leaves); O(1) where the Layouts are equal, as there are none.
  std::vector<Collision> Collisions() const;
  const std::vector<Ambiguity>& ambiguous() const { return ambiguous_; }

 private:
  friend Alignment Align(const LayoutPart& from, const LayoutPart& to, const AlignOptions& options);

  std::vector<uint32_t> places_;
  std::vector<Ambiguity> ambiguous_;  // ascending by `from`
  uint32_t to_size_ = 0;
  bool by_slot_ = false;  // so that no two are at one place
};

// Returns where the leaves of `from` are in `to`. By dotted form, leaves of `from` behind the first
// 64 MiB of text are nowhere: a tree of few strings can have paths of gigabytes.
Alignment Align(const LayoutPart& from, const LayoutPart& to, const AlignOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_ALIGN_H_
