// Converts Labels to messages and back.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/select/labels.h"

namespace leafstore::internal {

void EncodeLabels(const Labels& labels, proto::Labels* out) {
  for (const std::string& name : labels.names()) AddString(name, out->mutable_names());
  for (Slot slot = 0; slot < labels.layout().size(); ++slot) {
    const uint32_t group = labels.GroupOf(slot);
    out->add_groups(group == kNoGroup ? 0 : group + 1);
  }
}

absl::StatusOr<Labels> DecodeLabels(const proto::Labels& in, const Layout& layout,
                                    absl::string_view where) {
  const std::string column = absl::StrCat(where, ", labels");
  LEAFSTORE_ASSIGN_OR_RETURN(const auto texts, DecodeStrings(in.names(), column));
  std::vector<uint32_t> groups(in.groups().begin(), in.groups().end());
  for (uint32_t& group : groups) group = group == 0 ? kNoGroup : group - 1;
  absl::StatusOr<Labels> labels =
      Labels::Create(layout, groups, std::vector<std::string>(texts.begin(), texts.end()));
  if (!labels.ok()) return AsDataLoss(labels.status(), column);
  return labels;
}

}  // namespace leafstore::internal
