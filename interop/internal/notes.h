// Notes: what is unusual about a file that is read because it is unambiguous.
//
//   LEAFSTORE_RETURN_IF_ERROR(notes.Add("white space", [] { return DamagedJson(...); }));
//
// Threads: not thread-safe.
#ifndef LEAFSTORE_INTEROP_INTERNAL_NOTES_H_
#define LEAFSTORE_INTEROP_INTERNAL_NOTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"

namespace leafstore::internal {

class Notes {
 public:
  Notes() = default;
  // With `strict`, Add returns an error.
  explicit Notes(bool strict) : strict_(strict) {}

  // Adds a note of this kind, a string with static storage. `describe` returns the error to report
  // with `strict`, whose message is the note. Without `strict` it is called only for the first note
  // of each kind, so that a file with a million of them costs no more. error kUnusual: `strict` is
  // set.
  template <typename Describe>
  absl::Status Add(absl::string_view kind, const Describe& describe) {
    if (strict_) return WithReason(describe(), ErrorReason::kUnusual);
    for (Note& note : notes_) {
      if (note.kind != kind) continue;
      ++note.count;
      return absl::OkStatus();
    }
    notes_.push_back({kind, std::string(describe().message()), 1});
    return absl::OkStatus();
  }

  // Appends a line for each kind to `lines`, after `prefix`.
  void AppendTo(absl::string_view prefix, std::vector<std::string>* lines) const {
    for (const Note& note : notes_) {
      lines->push_back(absl::StrCat(prefix, note.text));
      if (note.count > 1) absl::StrAppend(&lines->back(), " (and ", note.count - 1, " more)");
    }
  }

 private:
  struct Note {
    absl::string_view kind;
    std::string text;  // of the first
    int64_t count;
  };

  bool strict_ = false;
  std::vector<Note> notes_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_NOTES_H_
