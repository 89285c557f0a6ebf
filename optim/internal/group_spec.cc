#include "leafstore/optim/internal/group_spec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore::internal {

absl::StatusOr<GroupSpec> GroupSpec::OfLeaves(const ParamStore& group) {
  GroupSpec spec;
  spec.layout_ = group.layout();
  spec.slots_ = group.slots();
  spec.leaves_ = LeafColumns::Of(group.leaves());
  std::vector<std::string> problems;
  for (uint32_t place = 0; place < group.size(); ++place) {
    const LeafSpec leaf = group.leaf(place).spec();
    if (!leaf.is_tensor() || leaf.dtype() == DType::kF32 || leaf.dtype() == DType::kF64) continue;
    problems.push_back(absl::StrCat("at ", group.PathText(place), ": expected f32 or f64, found ",
                                    leaf.ToString()));
  }
  if (problems.empty()) return spec;
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot train these tensors (cast them, or put them into a group without an optimizer):\n",
      absl::StrJoin(problems, "\n")));
}

void GroupSpec::AddLoose(const ParamStore& store) {
  fingerprint_ = store.spec_fingerprint();
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (!store.leaf(place).is_tensor()) continue;
    loose_.push_back({slots_.PlaceOf(store.slot(place)), place});
  }
}

absl::StatusOr<GroupSpec> GroupSpec::Create(const ParamStore& group) {
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("make an optimizer"));
  LEAFSTORE_ASSIGN_OR_RETURN(GroupSpec spec, OfLeaves(group));
  spec.AddLoose(group);
  return spec;
}

absl::StatusOr<GroupSpec> GroupSpec::Create(const Packed& group) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore leaves, group.store());
  LEAFSTORE_ASSIGN_OR_RETURN(GroupSpec spec, OfLeaves(leaves));
  spec.pack_ = group.pack_layout();
  for (uint32_t place = 0; place < group.pack_layout().size(); ++place) {
    spec.packed_.push_back(spec.slots_.PlaceOf(group.pack_layout().slot(place)));
  }
  spec.AddLoose(group.rest());
  return spec;
}

absl::Status GroupSpec::Check(const ParamStore& params) const {
  if (pack_.has_value()) {
    return absl::FailedPreconditionError(
        "parameters: expected a packed group, found one that is not packed: call Regroup first");
  }
  LEAFSTORE_RETURN_IF_ERROR(params.CheckNoBorrow("step"));
  if (params.layout() == layout_ && params.slots() == slots_ &&
      params.spec_fingerprint() == fingerprint_) {
    return absl::OkStatus();
  }
  return CheckLeaves(params);
}

absl::Status GroupSpec::Check(const Packed& params) const {
  if (!pack_.has_value()) {
    return absl::FailedPreconditionError(
        "parameters: expected a group that is not packed, found a packed one: call Regroup first");
  }
  if (params.pack_layout() == *pack_ && params.slots() == slots_ &&
      params.rest().spec_fingerprint() == fingerprint_) {
    return absl::OkStatus();
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore leaves, params.store());
  LEAFSTORE_RETURN_IF_ERROR(CheckLeaves(leaves));
  return absl::InvalidArgumentError(
      absl::StrCat("parameters: expected a pack of the ", DTypeName(pack_->dtype()),
                   " tensors, found one of the ", DTypeName(params.dtype()), " tensors"));
}

absl::Status GroupSpec::CheckLeaves(const ParamStore& params) const {
  if (!(params.layout() == layout_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameters: expected the Layout of ", layout_.size(),
                     " paths that this optimizer is for, found a different one, of ",
                     params.layout().size(), " paths"));
  }
  FitReporter reporter;
  for (uint32_t place = 0; place < size(); ++place) {
    const Slot slot = slots_.SlotAt(place);
    reporter.CheckLeaf(layout_, slot, leaves_.spec(place), params.FindSlot(slot));
  }
  reporter.AddUnexpected(params, Align(params, {layout_, slots_}));
  return reporter.report().ToStatus("parameters differ from the group that this optimizer is for");
}

}  // namespace leafstore::internal
