// Converts a Grouping to a message and back.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/select/grouping.h"

namespace leafstore::internal {

void EncodeGrouping(const Grouping& grouping, proto::Labels* out) {
  for (const std::string& name : grouping.names()) AddString(name, out->mutable_names());
  for (Slot slot = 0; slot < grouping.layout().size(); ++slot) {
    const uint32_t group = grouping.GroupOf(slot);
    out->add_groups(group == kNoGroup ? 0 : group + 1);
  }
}

absl::StatusOr<Grouping> DecodeGrouping(const proto::Labels& in, const Layout& layout,
                                        absl::string_view where) {
  const std::string column = absl::StrCat(where, ", labels");
  LEAFSTORE_ASSIGN_OR_RETURN(const auto texts, DecodeStrings(in.names(), column));
  std::vector<uint32_t> groups(in.groups().begin(), in.groups().end());
  for (uint32_t& group : groups) group = group == 0 ? kNoGroup : group - 1;
  absl::StatusOr<Grouping> grouping = Grouping::Create(
      layout, std::move(groups), std::vector<std::string>(texts.begin(), texts.end()));
  if (!grouping.ok()) return AsDataLoss(grouping.status(), column);
  return grouping;
}

}  // namespace leafstore::internal
