// Notes: what is unusual about a file that is read, but can have only one meaning. CheckNone is the
// one place where it is an error.
//
//   notes.Add("white space", [] { return DamagedJson(...); });
//   if (options.strict) LEAFSTORE_RETURN_IF_ERROR(notes.CheckNone());
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
  // Adds something of this kind, a string with static storage. `describe` returns it as the error
  // that it is where nothing unusual is accepted; it is called for the first of each kind only, so
  // that a file with a million of them costs no more.
  template <typename Describe>
  void Add(absl::string_view kind, const Describe& describe) {
    for (Note& note : notes_) {
      if (note.kind != kind) continue;
      ++note.count;
      return;
    }
    notes_.push_back({kind, std::string(describe().message()), 1});
  }
  // Adds the notes of a part, with `prefix` before each.
  void AddAll(absl::string_view prefix, const Notes& part) {
    for (const Note& note : part.notes_) {
      notes_.push_back({note.kind, absl::StrCat(prefix, note.text), note.count});
    }
  }

  // Returns a line for each kind, with the count of the others.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const Note& note : notes_) {
      lines.push_back(note.text);
      if (note.count > 1) absl::StrAppend(&lines.back(), " (and ", note.count - 1, " more)");
    }
    return lines;
  }
  // Checks that there are none. error DataLoss, kUnusual: the first, without a count.
  absl::Status CheckNone() const {
    if (notes_.empty()) return absl::OkStatus();
    return WithReason(absl::DataLossError(notes_[0].text), ErrorReason::kUnusual);
  }

 private:
  struct Note {
    absl::string_view kind;
    std::string text;  // of the first
    int64_t count;
  };

  std::vector<Note> notes_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_NOTES_H_
