// Column: reads the entries of a packed field one by one, and reports one that has too few or too
// many.
#ifndef LEAFSTORE_PROTO_INTERNAL_COLUMN_H_
#define LEAFSTORE_PROTO_INTERNAL_COLUMN_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/proto/internal/messages.h"

namespace leafstore::internal {

template <typename Values>
class Column {
 public:
  // The arguments must outlive this object. Messages name the column `<where>, column <name>`.
  Column(const Values& values, absl::string_view where, absl::string_view name)
      : values_(values), size_(static_cast<int>(values.size())), where_(where), name_(name) {}

  // Reads the next entry. Returns false at the end.
  template <typename T>
  bool Next(T* value) {
    if (next_ == size_) return false;
    *value = static_cast<T>(values_[next_++]);
    return true;
  }
  template <typename T>
  bool Peek(T value) const {
    return next_ < size_ && values_[next_] == value;
  }

  // Returns the error of a Next that was at the end.
  absl::Status TooShort() const {
    return Wrong(absl::StrCat("more than ", size_, " entries"), "their end");
  }
  absl::Status CheckUsed() const {
    if (next_ == size_) return absl::OkStatus();
    return Wrong(absl::StrCat(next_, " entries"), absl::StrCat(size_));
  }
  absl::Status Wrong(absl::string_view expected, absl::string_view found) const {
    return WrongMessage(absl::StrCat(where_, ", column ", name_), expected, found);
  }

 private:
  const Values& values_;
  const int size_;
  const absl::string_view where_;
  const absl::string_view name_;
  int next_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_PROTO_INTERNAL_COLUMN_H_
