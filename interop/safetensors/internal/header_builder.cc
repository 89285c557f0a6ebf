#include "leafstore/interop/safetensors/internal/header_builder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

// The minimum bytes of JSON per entry; most entries are not much longer.
constexpr size_t kBytesOfAnEntry = 48;

std::string TensorForMessage(absl::string_view name) {
  return absl::StrCat("tensor ", QuotedForMessage(name));
}

// Returns ByteSize if it is a simple product, as it mostly is; -1 if ByteSize must be called.
int64_t PlainByteSize(DType dtype, ShapeRef shape) {
  const size_t bits = DTypeBits(dtype);
  if (bits % 8 != 0 || shape.size() > kMaxRank) return -1;
  auto bytes = static_cast<int64_t>(bits / 8);
  for (const int64_t extent : shape) {
    if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return -1;
  }
  return bytes;
}

}  // namespace

SafetensorsHeaderBuilder::SafetensorsHeaderBuilder(size_t text_size, int64_t data_begin,
                                                   int64_t data_size,
                                                   const SafetensorsLeniency& lenient)
    : data_begin_(data_begin), data_size_(data_size), lenient_(lenient) {
  // Reserves for the maximum number of entries; unused memory is never touched.
  const size_t most = text_size / kBytesOfAnEntry + 1;
  out_.names_.reserve(text_size);
  out_.name_begins_.reserve(most + 1);
  out_.dtypes_.reserve(most);
  out_.dims_begins_.reserve(most + 1);
  out_.byte_sizes_.reserve(most);
  out_.offsets_.reserve(most);
}

absl::Status SafetensorsHeaderBuilder::Add(absl::string_view name, absl::string_view dtype_name,
                                           ShapeRef shape, int64_t begin, int64_t end) {
  if (begin > end) {
    return DamagedJson(absl::StrCat(TensorForMessage(name), ", data_offsets"),
                       "a begin that is not after the end",
                       absl::StrCat("[", begin, ",", end, "]"));
  }
  if (end > data_size_) {
    return DamagedJson(absl::StrCat(TensorForMessage(name), ", data_offsets"),
                       absl::StrCat("at most ", data_size_, ", the bytes after the header"),
                       absl::StrCat(end));
  }
  if (shape.size() > kMaxRank) {
    return absl::UnimplementedError(absl::StrCat(TensorForMessage(name),
                                                 ": this reader knows ranks up to ", kMaxRank,
                                                 ", found ", shape.size()));
  }
  // Most tensors have the dtype of the previous one.
  const bool again = last_dtype_.has_value() && SafetensorsDTypeName(*last_dtype_) == dtype_name;
  const std::optional<DType> dtype = again ? last_dtype_ : SafetensorsDTypeOf(dtype_name);
  last_dtype_ = dtype;
  if (dtype.has_value()) {
    int64_t size = PlainByteSize(*dtype, shape);
    if (size < 0) {
      const absl::StatusOr<int64_t> checked = ByteSize(*dtype, shape);
      if (!checked.ok()) {
        return absl::DataLossError(
            absl::StrCat(TensorForMessage(name), ": ", checked.status().message()));
      }
      size = *checked;
    }
    if (size != end - begin) {
      return DamagedJson(
          TensorForMessage(name),
          absl::StrCat(size, " bytes, as ", dtype_name, ShapeToString(shape), " requires"),
          absl::StrCat(end - begin, " in data_offsets"));
    }
  } else if (!lenient_.unknown_dtypes) {
    return absl::UnimplementedError(absl::StrCat(TensorForMessage(name), ": its dtype ",
                                                 QuotedForMessage(dtype_name),
                                                 " is not known to this reader"));
  } else {
    unknown_.resize(out_.size() + 1);
    unknown_.back() = true;
  }
  if (out_.size() > 0 && out_.name(out_.size() - 1) >= name) runs_.push_back(out_.size());
  out_.names_.append(name.data(), name.size());
  out_.name_begins_.push_back(static_cast<uint32_t>(out_.names_.size()));
  out_.dims_.insert(out_.dims_.end(), shape.begin(), shape.end());
  out_.dims_begins_.push_back(static_cast<uint32_t>(out_.dims_.size()));
  out_.byte_sizes_.push_back(end - begin);
  out_.offsets_.push_back(begin);
  out_.dtypes_.push_back(dtype.value_or(DType::kU8));
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsHeader> SafetensorsHeaderBuilder::Finish() && {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames());
  if (!IsInOrder()) Sort();
  LEAFSTORE_RETURN_IF_ERROR(CheckBytes());
  if (!unknown_.empty()) LeaveOut();
  for (int64_t& offset : out_.offsets_) offset += data_begin_;
  return std::move(out_);
}

// The writer sorts names within each dtype, and most models have one or two dtypes: a file has a
// few runs of ascending names, and duplicates can only be in different runs.
absl::Status SafetensorsHeaderBuilder::CheckNames() const {
  constexpr size_t kMostRuns = 4;
  if (runs_.empty()) return absl::OkStatus();
  return runs_.size() < kMostRuns ? CheckRuns() : CheckByHash();
}

absl::Status SafetensorsHeaderBuilder::TwoOfName(absl::string_view name) {
  return DamagedJson("header", "tensors of different names",
                     absl::StrCat("two called ", QuotedForMessage(name)));
}

absl::Status SafetensorsHeaderBuilder::CheckRuns() const {
  std::vector<uint32_t> ends = runs_;
  ends.push_back(out_.size());
  std::vector<uint32_t> next = {0};  // the current name of each run
  next.insert(next.end(), runs_.begin(), runs_.end());
  // Repeatedly takes the smallest of the current names.
  absl::string_view last;
  for (uint32_t i = 0; i < out_.size(); ++i) {
    size_t least = next.size();
    for (size_t run = 0; run < next.size(); ++run) {
      if (next[run] == ends[run]) continue;
      if (least == next.size() || out_.name(next[run]) < out_.name(next[least])) least = run;
    }
    const absl::string_view name = out_.name(next[least]++);
    if (i > 0 && name == last) return TwoOfName(name);
    last = name;
  }
  return absl::OkStatus();
}

absl::Status SafetensorsHeaderBuilder::CheckByHash() const {
  absl::flat_hash_set<absl::string_view> names;
  names.reserve(out_.size());
  for (uint32_t tensor = 0; tensor < out_.size(); ++tensor) {
    if (!names.insert(out_.name(tensor)).second) return TwoOfName(out_.name(tensor));
  }
  return absl::OkStatus();
}

bool SafetensorsHeaderBuilder::IsInOrder() const {
  for (size_t i = 1; i < out_.offsets_.size(); ++i) {
    const int64_t before = out_.offsets_[i - 1];
    const int64_t here = out_.offsets_[i];
    if (here < before || (here == before && out_.byte_sizes_[i] < out_.byte_sizes_[i - 1])) {
      return false;
    }
  }
  return true;
}

void SafetensorsHeaderBuilder::Sort() {
  std::vector<uint32_t> order(out_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return out_.offsets_[a] != out_.offsets_[b] ? out_.offsets_[a] < out_.offsets_[b]
                                                : out_.byte_sizes_[a] < out_.byte_sizes_[b];
  });
  if (!unknown_.empty()) {
    unknown_.resize(out_.size());
    std::vector<bool> sorted;
    for (const uint32_t tensor : order) sorted.push_back(unknown_[tensor]);
    unknown_ = std::move(sorted);
  }
  out_ = Select(order);
}

SafetensorsHeader SafetensorsHeaderBuilder::Select(const std::vector<uint32_t>& tensors) const {
  SafetensorsHeader selected;
  selected.metadata_ = out_.metadata_;
  selected.left_out_ = out_.left_out_;
  selected.left_out_bytes_ = out_.left_out_bytes_;
  for (const uint32_t tensor : tensors) {
    const absl::string_view name = out_.name(tensor);
    const ShapeRef shape = out_.spec(tensor).shape();
    selected.names_.append(name.data(), name.size());
    selected.name_begins_.push_back(static_cast<uint32_t>(selected.names_.size()));
    selected.dims_.insert(selected.dims_.end(), shape.begin(), shape.end());
    selected.dims_begins_.push_back(static_cast<uint32_t>(selected.dims_.size()));
    selected.dtypes_.push_back(out_.dtypes_[tensor]);
    selected.byte_sizes_.push_back(out_.byte_sizes_[tensor]);
    selected.offsets_.push_back(out_.offsets_[tensor]);
  }
  return selected;
}

// Checks that the tensors are contiguous and end with the file.
absl::Status SafetensorsHeaderBuilder::CheckBytes() const {
  int64_t end = 0;
  for (uint32_t tensor = 0; tensor < out_.size(); ++tensor) {
    const int64_t begin = out_.offsets_[tensor];
    if (begin < end || (begin > end && !lenient_.holes)) {
      const std::string where =
          end == 0 ? "byte 0 of the tensors"
                   : absl::StrCat("byte ", end, ", where ", QuotedForMessage(out_.name(tensor - 1)),
                                  " ends");
      return DamagedJson(TensorForMessage(out_.name(tensor)),
                         absl::StrCat("its bytes from ", where, ", on"),
                         absl::StrCat("from byte ", begin,
                                      begin < end ? " on: they overlap" : " on: there is a hole"));
    }
    end = begin + out_.byte_sizes_[tensor];
  }
  if (end == data_size_ || lenient_.trailing_bytes) return absl::OkStatus();
  return DamagedJson("file", absl::StrCat(end, " bytes of tensors after the header"),
                     absl::StrCat(data_size_, ": bytes that are no tensor's at its end"));
}

void SafetensorsHeaderBuilder::LeaveOut() {
  unknown_.resize(out_.size());
  std::vector<uint32_t> known;
  for (uint32_t tensor = 0; tensor < out_.size(); ++tensor) {
    if (unknown_[tensor]) {
      out_.left_out_.emplace_back(out_.name(tensor));
      out_.left_out_bytes_ += out_.byte_sizes_[tensor];
    } else {
      known.push_back(tensor);
    }
  }
  out_ = Select(known);
}

}  // namespace leafstore::internal
