#include "leafstore/interop/safetensors/internal/header_builder.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

// The minimum bytes of JSON per entry; most entries are not much longer.
constexpr size_t kBytesOfAnEntry = 48;

// The most runs of ascending names that are merged; more are hashed. Writers sort the names within
// each dtype, and most models have one or two dtypes.
constexpr size_t kMaxRuns = 4;

}  // namespace

std::string TensorForMessage(absl::string_view name, absl::string_view field) {
  return absl::StrCat("tensor ", QuotedForMessage(name), field.empty() ? "" : ", ", field);
}

void SafetensorsHeader::Add(absl::string_view name, DType dtype, ShapeRef shape, int64_t byte_size,
                            int64_t offset) {
  names_.append(name.data(), name.size());
  name_begins_.push_back(static_cast<uint32_t>(names_.size()));
  tensors_.AddTensor(dtype, shape, byte_size);
  offsets_.push_back(offset);
}

SafetensorsHeaderBuilder::SafetensorsHeaderBuilder(size_t text_size, int64_t data_begin,
                                                   int64_t data_size,
                                                   const SafetensorsLeniency& lenient)
    : data_begin_(data_begin), data_size_(data_size), lenient_(lenient) {
  // Reserves for the maximum number of entries; unused memory is never touched.
  const size_t most = text_size / kBytesOfAnEntry + 1;
  out_.names_.reserve(text_size);
  out_.name_begins_.reserve(most + 1);
  out_.tensors_.Reserve(most, most, most);
  out_.offsets_.reserve(most);
}

absl::Status SafetensorsHeaderBuilder::Add(absl::string_view name, absl::string_view dtype_name,
                                           ShapeRef shape, int64_t begin, int64_t end) {
  if (begin > end) {
    return DamagedJson(TensorForMessage(name, "data_offsets"), "a begin that is not after the end",
                       absl::StrCat("[", begin, ",", end, "]"));
  }
  if (end > data_size_) {
    return DamagedJson(TensorForMessage(name, "data_offsets"),
                       absl::StrCat("at most ", data_size_, ", the bytes after the header"),
                       absl::StrCat(end));
  }
  const int64_t size = end - begin;
  if (out_.size() > 0 && out_.name(out_.size() - 1) >= name) runs_.push_back(out_.size());
  if (shape.size() > kMaxRank) {
    AddUnreadable(
        name, absl::StrCat("rank ", shape.size(), "; this reader supports ranks up to ", kMaxRank),
        begin, size);
    return absl::OkStatus();
  }
  // Most tensors have the dtype of the previous one.
  if (last_dtype_name_ != dtype_name) {
    last_dtype_ = SafetensorsDTypeOf(dtype_name);
    last_dtype_name_ = last_dtype_.has_value() ? SafetensorsDTypeName(*last_dtype_) : "";
  }
  const std::optional<DType> dtype = last_dtype_;
  if (!dtype.has_value()) {
    AddUnreadable(
        name,
        absl::StrCat("dtype ", QuotedForMessage(dtype_name), ", shape ", ShapeToString(shape)),
        begin, size);
    return absl::OkStatus();
  }
  int64_t expected = PlainByteSize(*dtype, shape);
  if (expected < 0) {
    const absl::StatusOr<int64_t> checked = ByteSize(*dtype, shape);
    if (!checked.ok()) {
      return absl::DataLossError(
          absl::StrCat(TensorForMessage(name), ": ", checked.status().message()));
    }
    expected = *checked;
  }
  if (size != expected) {
    return DamagedJson(
        TensorForMessage(name),
        absl::StrCat(expected, " bytes, as ", dtype_name, ShapeToString(shape), " requires"),
        absl::StrCat(size, " in data_offsets"));
  }
  out_.Add(name, *dtype, shape, size, begin);
  return absl::OkStatus();
}

void SafetensorsHeaderBuilder::AddUnreadable(absl::string_view name, std::string what,
                                             int64_t begin, int64_t size) {
  unreadable_.emplace_back(out_.size(), std::move(what));
  out_.Add(name, DType::kU8, {size}, size, begin);  // until Arrange
}

absl::StatusOr<SafetensorsHeader> SafetensorsHeaderBuilder::Finish() && {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames());
  const std::vector<uint32_t> order = Order();
  LEAFSTORE_RETURN_IF_ERROR(CheckBytes(order));
  if (!order.empty()) Arrange(order);
  for (int64_t& offset : out_.offsets_) offset += data_begin_;
  return std::move(out_);
}

absl::Status SafetensorsHeaderBuilder::CheckNames() const {
  if (runs_.empty()) return absl::OkStatus();
  const std::optional<uint32_t> again = runs_.size() < kMaxRuns ? MergeNames() : HashNames();
  if (!again.has_value()) return absl::OkStatus();
  return AmbiguousJson("header", "tensors with different names",
                       absl::StrCat("two called ", QuotedForMessage(out_.name(*again))));
}

std::optional<uint32_t> SafetensorsHeaderBuilder::MergeNames() const {
  std::vector<uint32_t> order(out_.size());
  std::iota(order.begin(), order.end(), 0);
  for (size_t run = 0; run < runs_.size(); ++run) {
    const uint32_t end = run + 1 < runs_.size() ? runs_[run + 1] : out_.size();
    std::inplace_merge(order.begin(), order.begin() + runs_[run], order.begin() + end,
                       [this](uint32_t a, uint32_t b) { return out_.name(a) < out_.name(b); });
  }
  const auto same = std::adjacent_find(order.begin(), order.end(), [this](uint32_t a, uint32_t b) {
    return out_.name(a) == out_.name(b);
  });
  return same == order.end() ? std::nullopt : std::make_optional(*same);
}

std::optional<uint32_t> SafetensorsHeaderBuilder::HashNames() const {
  HashSet<absl::string_view> names;
  names.reserve(out_.size());
  for (uint32_t tensor = 0; tensor < out_.size(); ++tensor) {
    if (!names.insert(out_.name(tensor)).second) return tensor;
  }
  return std::nullopt;
}

std::vector<uint32_t> SafetensorsHeaderBuilder::Order() const {
  const auto before = [this](uint32_t a, uint32_t b) {
    return out_.offset(a) != out_.offset(b) ? out_.offset(a) < out_.offset(b)
                                            : out_.byte_size(a) < out_.byte_size(b);
  };
  bool in_order = unreadable_.empty();
  for (uint32_t i = 1; in_order && i < out_.size(); ++i) in_order = !before(i, i - 1);
  if (in_order) return {};
  std::vector<uint32_t> order(out_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), before);
  return order;
}

absl::Status SafetensorsHeaderBuilder::CheckBytes(const std::vector<uint32_t>& order) const {
  int64_t end = 0;
  absl::string_view last;
  for (uint32_t i = 0; i < out_.size(); ++i) {
    const uint32_t tensor = order.empty() ? i : order[i];
    const int64_t begin = out_.offset(tensor);
    if (begin < end || (begin > end && !lenient_.holes)) {
      const std::string where =
          end == 0 ? "byte 0 of the tensors"
                   : absl::StrCat("byte ", end, ", where ", QuotedForMessage(last), " ends");
      return DamagedJson(TensorForMessage(out_.name(tensor)),
                         absl::StrCat("its bytes from ", where, ", on"),
                         absl::StrCat("from byte ", begin,
                                      begin < end ? " on: they overlap" : " on: there is a hole"));
    }
    end = begin + out_.byte_size(tensor);
    last = out_.name(tensor);
  }
  if (end == data_size_ || lenient_.trailing_bytes) return absl::OkStatus();
  return DamagedJson("file", absl::StrCat(end, " bytes of tensors after the header"),
                     absl::StrCat(data_size_, ": the bytes at its end belong to no tensor"));
}

void SafetensorsHeaderBuilder::Arrange(const std::vector<uint32_t>& order) {
  SafetensorsHeader sorted;
  sorted.metadata_ = std::move(out_.metadata_);
  sorted.notes_ = std::move(out_.notes_);
  for (const uint32_t tensor : order) {
    const auto at =
        std::lower_bound(unreadable_.begin(), unreadable_.end(), tensor,
                         [](const auto& one, uint32_t wanted) { return one.first < wanted; });
    if (at != unreadable_.end() && at->first == tensor) {
      sorted.unreadable_.push_back(
          {std::string(out_.name(tensor)), std::move(at->second), out_.byte_size(tensor)});
    } else {
      sorted.AddFrom(out_, tensor);
    }
  }
  out_ = std::move(sorted);
}

void SafetensorsHeader::AddFrom(const SafetensorsHeader& other, uint32_t tensor) {
  const LeafSpec spec = other.spec(tensor);
  Add(other.name(tensor), spec.dtype(), spec.shape(), other.byte_size(tensor),
      other.offset(tensor));
}

void SafetensorsHeader::Remove(const std::set<std::string, std::less<>>& names) {
  SafetensorsHeader kept;
  for (uint32_t tensor = 0; tensor < size(); ++tensor) {
    if (names.find(name(tensor)) == names.end()) kept.AddFrom(*this, tensor);
  }
  for (UnreadableLeaf& one : unreadable_) {
    if (names.find(one.name) == names.end()) kept.unreadable_.push_back(std::move(one));
  }
  kept.metadata_ = std::move(metadata_);
  kept.notes_ = std::move(notes_);
  *this = std::move(kept);
}

}  // namespace leafstore::internal
