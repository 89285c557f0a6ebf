// Loads the tensors of a SafetensorsFile: as views of its mapping, or by reading.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/file.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::internal {
namespace {

// Adjacent small tensors are read together, up to this many bytes; tensors larger than a quarter of
// it are read alone.
constexpr int64_t kWindow = int64_t{4} << 20;
constexpr int64_t kLarge = kWindow / 4;

// Returns the alignment of an element (Tensor::FromBuffer).
int64_t AlignmentOf(DType dtype) {
  if (dtype == DType::kC64) return 4;
  return std::max<int64_t>(1, static_cast<int64_t>(DTypeBits(dtype) / 8));
}

absl::Status CheckBools(const Tensor& tensor) {
  // Always checked: other bools are undefined behaviour in C++.
  if (tensor.dtype() != DType::kBool || AreBools(tensor.bytes())) return absl::OkStatus();
  return absl::DataLossError("expected bools, 0 or 1, found another byte");
}

absl::Status MakeResident(const SafetensorsFile::Shard& shard, const Buffer& map,
                          const SafetensorsInfo& info) {
  return shard.file->MakeResident(info.offset,
                                  map.bytes().subspan(static_cast<size_t>(info.offset),
                                                      static_cast<size_t>(info.spec.byte_size())));
}

// Loads some tensors of one file, in the order of their bytes.
class Loader {
 public:
  Loader(const SafetensorsFile& file, absl::Span<const uint32_t> tensors)
      : file_(file), tensors_(tensors) {}

  // Loads tensors[i] into out[to[i]].
  absl::Status Load(absl::Span<const uint32_t> to, std::vector<Tensor>* out) {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      absl::StatusOr<Tensor> tensor = LoadOne(i);
      absl::Status status = tensor.ok() ? CheckBools(*tensor) : tensor.status();
      if (!status.ok()) return Named(tensors_[i], status);
      (*out)[to[i]] = *std::move(tensor);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Named(uint32_t tensor, const absl::Status& status) const {
    const std::string& path = file_.files()[file_.ShardOf(tensor)].path;
    return WithContext(status,
                       absl::StrCat(path, ": tensor ", QuotedForMessage(file_.name(tensor))));
  }

  absl::StatusOr<Tensor> LoadOne(size_t i) {
    const SafetensorsInfo info = file_.entry(tensors_[i]);
    if (info.spec.byte_size() == 0)
      return Tensor::Uninitialized(info.spec.dtype(), info.spec.shape());
    const SafetensorsFile::Shard& shard = file_.files()[info.shard];
    LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, file_.MapOf(shard));
    if (!map->null() && info.offset % AlignmentOf(info.spec.dtype()) == 0) {
      if (info.spec.dtype() == DType::kBool)
        LEAFSTORE_RETURN_IF_ERROR(MakeResident(shard, *map, info));
      return Tensor::FromBuffer(info.spec.dtype(), info.spec.shape(), *map, info.offset);
    }
    return Copy(i, shard, *map, info);
  }

  absl::StatusOr<Tensor> Copy(size_t i, const SafetensorsFile::Shard& shard, const Buffer& map,
                              const SafetensorsInfo& info) {
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::Uninitialized(info.spec.dtype(), info.spec.shape()));
    LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
    if (!map.null()) {
      LEAFSTORE_RETURN_IF_ERROR(MakeResident(shard, map, info));
      std::memcpy(writing.raw_data(), map.data() + info.offset,
                  static_cast<size_t>(info.spec.byte_size()));
    } else if (info.spec.byte_size() > kLarge) {
      LEAFSTORE_RETURN_IF_ERROR(shard.file->ReadAt(info.offset, writing.bytes()));
    } else {
      LEAFSTORE_RETURN_IF_ERROR(FillWindow(i, shard, info));
      std::memcpy(writing.raw_data(), window_.data() + (info.offset - window_begin_),
                  static_cast<size_t>(info.spec.byte_size()));
    }
    writing.Close();
    return tensor;
  }

  // Reads a small tensor, and the tensors directly after it, into the window.
  absl::Status FillWindow(size_t i, const SafetensorsFile::Shard& shard,
                          const SafetensorsInfo& info) {
    const int64_t window_end = window_begin_ + static_cast<int64_t>(window_size_);
    int64_t end = info.offset + info.spec.byte_size();
    if (window_shard_ == info.shard && info.offset >= window_begin_ && end <= window_end) {
      return absl::OkStatus();
    }
    for (const uint32_t tensor : tensors_.subspan(i + 1)) {
      const SafetensorsInfo next = file_.entry(tensor);
      const int64_t next_end = next.offset + next.spec.byte_size();
      if (next.shard != info.shard || next_end - next.offset > kLarge ||
          next.offset - end > kLarge / 16 || next_end - info.offset > kWindow) {
        break;
      }
      end = std::max(end, next_end);
    }
    if (window_.null()) {
      LEAFSTORE_ASSIGN_OR_RETURN(window_, Buffer::AllocateUninitialized(kWindow));
    }
    window_size_ = 0;  // empty after an error
    const auto size = static_cast<size_t>(end - info.offset);
    LEAFSTORE_RETURN_IF_ERROR(
        shard.file->ReadAt(info.offset, absl::MakeSpan(window_.mutable_data(), size)));
    window_shard_ = info.shard;
    window_begin_ = info.offset;
    window_size_ = size;
    return absl::OkStatus();
  }

  const SafetensorsFile& file_;
  absl::Span<const uint32_t> tensors_;
  Buffer window_;
  uint32_t window_shard_ = 0;
  int64_t window_begin_ = 0;
  size_t window_size_ = 0;
};

}  // namespace

absl::Status SafetensorsFile::MakeResident(absl::Span<const uint32_t> tensors) const {
  for (const uint32_t tensor : tensors) {
    const SafetensorsInfo info = entry(tensor);
    const Shard& shard = files_[info.shard];
    LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, MapOf(shard));
    if (map->null() || info.spec.byte_size() == 0) continue;
    LEAFSTORE_RETURN_IF_ERROR(internal::MakeResident(shard, *map, info));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Tensor>> SafetensorsFile::Load(
    absl::Span<const uint32_t> tensors) const {
  // In the order of the bytes, divided into runs that are worth a thread.
  std::vector<uint32_t> to(tensors.size());
  std::iota(to.begin(), to.end(), 0);
  std::sort(to.begin(), to.end(), [&](uint32_t a, uint32_t b) { return tensors[a] < tensors[b]; });
  std::vector<uint32_t> sorted(tensors.size());
  std::vector<size_t> ends;
  int64_t bytes = 0;
  int64_t total = 0;
  for (size_t i = 0; i < to.size(); ++i) {
    sorted[i] = tensors[to[i]];
    bytes += entry(sorted[i]).spec.byte_size();
    if (bytes < kBytesPerThread && i + 1 < to.size()) continue;
    ends.push_back(i + 1);
    total += std::exchange(bytes, 0);
  }
  std::vector<Tensor> out(tensors.size());
  std::vector<absl::Status> statuses(ends.size());
  const bool maps = options_.io.mode == ReadMode::kMap;
  ParallelFor(ends.size(), maps ? 1 : ThreadsFor(options_.io.threads, total), [&](size_t run) {
    const size_t begin = run == 0 ? 0 : ends[run - 1];
    const size_t count = ends[run] - begin;
    Loader loader(*this, absl::MakeConstSpan(sorted).subspan(begin, count));
    statuses[run] = loader.Load(absl::MakeConstSpan(to).subspan(begin, count), &out);
  });
  for (const absl::Status& status : statuses) LEAFSTORE_RETURN_IF_ERROR(status);
  return out;
}

}  // namespace leafstore::internal
