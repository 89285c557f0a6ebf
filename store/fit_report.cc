#include "leafstore/store/fit_report.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/internal/suggest.h"

namespace leafstore {
namespace {

// Appends "missing (2):" and a line with `text(item)` for each item, up to a limit.
template <typename Items, typename Text>
void AppendItems(absl::string_view title, const Items& items, Text text, std::string* out) {
  constexpr size_t kRoom = size_t{1} << 20;
  if (items.empty()) return;
  absl::StrAppend(out, out->empty() ? "" : "\n", title, " (", items.size(), "):");
  const size_t end = out->size() + kRoom;
  size_t shown = 0;
  for (; shown < items.size() && out->size() < end; ++shown) {
    absl::StrAppend(out, "\n  ", text(items[shown]));
  }
  if (shown < items.size()) absl::StrAppend(out, "\n  and ", items.size() - shown, " more");
}

}  // namespace

bool FitReport::ok() const {
  return missing.empty() && unexpected.empty() && duplicate.empty() && ambiguous.empty() &&
         dtype_mismatch.empty() && shape_mismatch.empty();
}

std::string FitReport::ToString(absl::Span<const std::string> candidates) const {
  // Quotes paths, with suggestions for the first ten only, as each searches all names.
  const auto with_suggestions = [](absl::Span<const std::string> names) {
    return [names, left = 10](const std::string& path) mutable {
      return absl::StrCat(internal::QuotedPath(path),
                          left-- > 0 ? internal::DidYouMean(path, names) : "");
    };
  };
  const auto conflict = [](absl::string_view verb, absl::string_view conjunction) {
    return [=](const Conflict& c) {
      if (c.first.empty() && c.second.empty()) return internal::QuotedPath(c.path);
      return absl::StrCat(internal::QuotedPath(c.path), " ", verb, " ",
                          internal::QuotedPath(c.first), " ", conjunction, " ",
                          internal::QuotedPath(c.second));
    };
  };
  const auto mismatch = [](const Mismatch& m) {
    return absl::StrCat(internal::QuotedPath(m.path), ": expected ", m.expected, ", found ",
                        m.found);
  };
  std::string text;
  // A missing path is often among the unexpected ones, misspelt.
  AppendItems("missing", missing, with_suggestions(unexpected), &text);
  AppendItems("unexpected", unexpected, with_suggestions(candidates), &text);
  AppendItems("duplicate", duplicate, conflict("would be both", "and"), &text);
  AppendItems("ambiguous", ambiguous, conflict("could be", "or"), &text);
  AppendItems("dtype mismatch", dtype_mismatch, mismatch, &text);
  AppendItems("shape mismatch", shape_mismatch, mismatch, &text);
  return text;
}

absl::Status FitReport::ToStatus(absl::string_view what,
                                 absl::Span<const std::string> candidates) const {
  if (ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ":\n", ToString(candidates)));
}

}  // namespace leafstore
