// StoredLeaves::Load and LoadRows.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/internal/free_list.h"
#include "leafstore/checkpoint/internal/read_plan.h"
#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/direct_buffer.h"

namespace leafstore::internal {
namespace {

// Tensors up to this size are created by the thread that reads them.
constexpr int64_t kSmallTensor = int64_t{1} << 20;

// Returns whether a tensor can begin at this offset from a multiple of the element size
// (FromBuffer).
bool IsAligned(DType dtype, int64_t offset) {
  const size_t bytes = dtype == DType::kC64 ? sizeof(float) : DTypeBits(dtype) / 8;
  return bytes == 0 || offset % static_cast<int64_t>(bytes) == 0;
}

absl::Status CheckBools(const EntryInfo& entry, absl::Span<const std::byte> bytes) {
  if (entry.spec.dtype() != DType::kBool || AreBools(bytes)) return absl::OkStatus();
  return absl::DataLossError("expected bools to be 0 or 1, found another value");
}

ReadPlan::Range RangeOf(const EntryInfo& entry, const FileBytes* file, ReadMode mode, bool verify) {
  return {.file = file,
          .mode = mode,
          .file_index = entry.base,
          .offset = entry.offset,
          .size = entry.stored_size,
          .verify = verify,
          .checksum = entry.checksum,
          .blocks = entry.block_checksums};
}

class Loader {
 public:
  Loader(const StoredLeaves& leaves, const IoOptions& io, bool verify,
         absl::Span<const uint32_t> places)
      : leaves_(leaves),
        places_(places),
        verify_(verify),
        max_shared_(ReadPlan::MaxShared(io)),
        plan_(io),
        out_(places.size()) {}

  absl::StatusOr<std::vector<Leaf>> Load() {
    for (size_t i = 0; i < places_.size(); ++i) LEAFSTORE_RETURN_IF_ERROR(Plan(i));
    LEAFSTORE_RETURN_IF_ERROR(plan_.Run(
        [this](size_t range, int64_t, absl::Span<const std::byte> bytes) {
          return Visit(targets_[range], bytes);
        },
        [this](size_t range, int64_t, const absl::Status& error) {
          const uint32_t place = places_[targets_[range].index];
          return leaves_.Named(place, files_[leaves_.entry(place).base].bytes, error);
        }));
    return std::move(out_);
  }

 private:
  struct File {
    const FileBytes* bytes = nullptr;
    ReadMode mode = ReadMode::kMap;
    const Buffer* map = nullptr;  // with kMap
  };
  // What a range of the plan is for.
  struct Target {
    size_t index;  // in places_
    bool is_made;  // the leaf exists, and the range is its bytes or a part of them
  };

  // Opens the file of an EntryInfo::base, and chooses how to read it.
  absl::StatusOr<const File*> FileOf(uint32_t base) {
    if (base < files_.size() && files_[base].bytes != nullptr) return &files_[base];
    if (base >= files_.size()) files_.resize(base + 1);
    LEAFSTORE_ASSIGN_OR_RETURN(const FileBytes* bytes, leaves_.FileOf(base));
    File& file = files_[base];
    file.mode = bytes->ModeFor(bytes->size() < kLeastDirect ? 0 : WantedBytes(base));
    if (file.mode == ReadMode::kMap) {
      LEAFSTORE_ASSIGN_OR_RETURN(file.map, bytes->Map());
    }
    file.bytes = bytes;
    return &file;
  }

  // Returns the bytes in a file that are needed now.
  int64_t WantedBytes(uint32_t base) {
    if (!leaves_.needs_bytes()) return 0;
    if (wanted_.empty()) {
      for (const uint32_t place : places_) {
        const EntryInfo entry = leaves_.entry(place);
        if (entry.base >= wanted_.size()) wanted_.resize(entry.base + 1, 0);
        int64_t& sum = wanted_[entry.base];
        // Tensors of a base may share bytes, so the sum can be anything.
        if (__builtin_add_overflow(sum, entry.stored_size, &sum)) sum = INT64_MAX;
      }
    }
    return wanted_[base];
  }

  // Makes the leaf, or plans to read it.
  absl::Status Plan(size_t index) {
    const uint32_t place = places_[index];
    const EntryInfo entry = leaves_.entry(place);
    if (entry.value != nullptr) {
      out_[index] = Leaf(*entry.value);
      return absl::OkStatus();
    }
    const absl::StatusOr<const File*> file = FileOf(entry.base);
    if (!file.ok()) return leaves_.Named(place, nullptr, file.status());
    const absl::Status planned = PlanTensor(index, entry, **file);
    return planned.ok() ? planned : leaves_.Named(place, (*file)->bytes, planned);
  }

  absl::Status PlanTensor(size_t index, const EntryInfo& entry, const File& file) {
    const DType dtype = entry.spec.dtype();
    absl::StatusOr<Tensor> made = Tensor();
    ReadPlan::Range range = RangeOf(entry, file.bytes, file.mode, verify_);
    if (entry.stored_size == 0) {
      made = Tensor::Uninitialized(dtype, entry.spec.shape());
    } else if (entry.codec == kCodecNone && IsView(entry, file)) {
      const bool is_ready = !verify_ && dtype != DType::kBool;
      if (is_ready || entry.stored_size > kSmallTensor) made = View(entry, file);
      if (is_ready) range.size = 0;
    } else if (entry.codec == kCodecNone && entry.stored_size > max_shared_) {
      made = MakeFor(entry, file, &range.out);
    } else if (entry.codec != kCodecNone && entry.codec != kCodecZstd) {
      return WithReason(
          absl::UnimplementedError(absl::StrCat("its bytes are stored with codec ", entry.codec,
                                                ", which this reader of format version ",
                                                kFormatVersion, " does not support")),
          ErrorReason::kNewerVersion);
    }
    if (!made.ok()) return made.status();
    range.is_complete = made->null();
    if (range.size > 0) {
      plan_.Add(range);
      targets_.push_back({index, !made->null()});
    }
    if (!made->null()) out_[index] = Leaf(*std::move(made));
    return absl::OkStatus();
  }

  static bool IsView(const EntryInfo& entry, const File& file) {
    return file.map != nullptr && IsAligned(entry.spec.dtype(), entry.offset);
  }
  static absl::StatusOr<Tensor> View(const EntryInfo& entry, const File& file) {
    return Tensor::FromBuffer(entry.spec.dtype(), entry.spec.shape(), *file.map, entry.offset);
  }

  // Makes a tensor whose bytes are read into `*out`.
  static absl::StatusOr<Tensor> MakeFor(const EntryInfo& entry, const File& file, std::byte** out) {
    const DType dtype = entry.spec.dtype();
    // A direct read needs an address with the same alignment as the offset. Any read is faster into
    // huge pages.
    const int64_t before = entry.offset % static_cast<int64_t>(kDirectAlignment);
    if (file.mode != ReadMode::kMap && IsAligned(dtype, before)) {
      LEAFSTORE_ASSIGN_OR_RETURN(const DirectBuffer memory,
                                 DirectBuffer::Allocate(before + entry.stored_size));
      *out = memory.data + before;
      return Tensor::FromBuffer(dtype, entry.spec.shape(), memory.buffer,
                                *out - memory.buffer.data());
    }
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(dtype, entry.spec.shape()));
    *out = TensorAccess::data(&tensor);
    return tensor;
  }

  absl::Status Visit(const Target& target, absl::Span<const std::byte> bytes) {
    const EntryInfo entry = leaves_.entry(places_[target.index]);
    if (target.is_made) return CheckBools(entry, bytes);
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Make(entry, files_[entry.base], bytes));
    LEAFSTORE_RETURN_IF_ERROR(CheckBools(entry, tensor.bytes()));
    out_[target.index] = Leaf(std::move(tensor));
    return absl::OkStatus();
  }

  // Makes a tensor from its stored bytes.
  absl::StatusOr<Tensor> Make(const EntryInfo& entry, const File& file,
                              absl::Span<const std::byte> bytes) {
    if (entry.codec == kCodecZstd) return Decompress(entry, bytes);
    if (IsView(entry, file)) return View(entry, file);
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::Uninitialized(entry.spec.dtype(), entry.spec.shape()));
    std::memcpy(TensorAccess::data(&tensor), bytes.data(), bytes.size());
    return tensor;
  }

  absl::StatusOr<Tensor> Decompress(const EntryInfo& entry, absl::Span<const std::byte> bytes) {
    LEAFSTORE_RETURN_IF_ERROR(CheckZstdFrames(bytes, entry.spec.byte_size()));
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::Uninitialized(entry.spec.dtype(), entry.spec.shape()));
    std::optional<ZstdDecompressor> decompressor = decompressors_.Take();
    if (!decompressor.has_value()) {
      LEAFSTORE_ASSIGN_OR_RETURN(decompressor, ZstdDecompressor::Create());
    }
    const absl::Status status = decompressor->Decompress(bytes, TensorAccess::bytes(&tensor));
    decompressors_.Give(*std::move(decompressor));
    if (!status.ok()) return status;
    return tensor;
  }

  const StoredLeaves& leaves_;
  const absl::Span<const uint32_t> places_;
  const bool verify_;
  const int64_t max_shared_;
  ReadPlan plan_;
  std::vector<Target> targets_;  // of each range
  std::vector<Leaf> out_;
  std::vector<File> files_;      // by EntryInfo::base
  std::vector<int64_t> wanted_;  // bytes of each file, once they matter
  FreeList<ZstdDecompressor> decompressors_;
};

// Rows of a tensor as bytes of its segment.
struct RowBytes {
  Shape shape;
  int64_t begin = 0;
  int64_t size = 0;
};

absl::StatusOr<RowBytes> BytesOfRows(const LeafSpec& spec, const RowRange& rows) {
  if (!spec.is_tensor() || spec.shape().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a tensor with rows, found ", spec.ToString()));
  }
  const int64_t count = spec.shape()[0];
  if (rows.begin < 0 || rows.begin > rows.end || rows.end > count) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected rows between 0 and ", count, ", found rows from ", rows.begin, " to ", rows.end));
  }
  RowBytes out{.shape = Shape(spec.shape().begin(), spec.shape().end())};
  out.shape[0] = rows.end - rows.begin;
  if (count == 0) return out;
  if (spec.byte_size() % count != 0) {
    return absl::InvalidArgumentError(absl::StrCat("expected rows of whole bytes, found ", count,
                                                   " rows that have ", spec.byte_size(),
                                                   " bytes together"));
  }
  const int64_t row = spec.byte_size() / count;
  out.begin = row * rows.begin;
  out.size = row * out.shape[0];
  return out;
}

// Cuts rows out of a complete tensor.
absl::StatusOr<Tensor> Cut(const Tensor& from, const RowBytes& rows) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(from.dtype(), rows.shape));
  std::memcpy(TensorAccess::data(&tensor), from.bytes().data() + rows.begin,
              static_cast<size_t>(rows.size));
  return tensor;
}

// Narrows a range to the blocks that contain the rows, which are checked without the others.
void Narrow(const RowBytes& rows, ReadPlan::Range* range) {
  int64_t begin = rows.begin;
  int64_t end = rows.begin + rows.size;
  if (range->verify) {
    const int64_t first = begin / kBlockSize;
    begin = first * kBlockSize;
    end = std::min((end + kBlockSize - 1) / kBlockSize * kBlockSize, range->size);
    range->blocks = range->blocks.subspan(static_cast<size_t>(first),
                                          static_cast<size_t>((end - begin - 1) / kBlockSize + 1));
  }
  range->offset += begin;
  range->size = end - begin;
}

// Reads rows of a tensor that is not compressed.
absl::StatusOr<Tensor> ReadRows(const EntryInfo& entry, const FileBytes& file, const RowBytes& rows,
                                const IoOptions& io, bool verify) {
  const DType dtype = entry.spec.dtype();
  const int64_t begin = entry.offset + rows.begin;
  ReadPlan::Range range = RangeOf(entry, &file, ReadMode::kMap, verify);
  Narrow(rows, &range);
  range.mode = file.ModeFor(range.size);
  Tensor tensor;
  std::byte* out = nullptr;  // null: the tensor is a view
  if (range.mode == ReadMode::kMap && IsAligned(dtype, begin)) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, file.Map());
    LEAFSTORE_ASSIGN_OR_RETURN(tensor, Tensor::FromBuffer(dtype, rows.shape, *map, begin));
    if (!verify && dtype != DType::kBool) return tensor;
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(tensor, Tensor::Uninitialized(dtype, rows.shape));
    out = TensorAccess::data(&tensor);
  }
  const auto visit = [&](size_t, int64_t position, absl::Span<const std::byte> bytes) {
    // Blocks have bytes before and after the rows.
    const int64_t at = range.offset + position - begin;
    const int64_t from = std::max<int64_t>(at, 0);
    const int64_t to = std::min(at + static_cast<int64_t>(bytes.size()), rows.size);
    bytes = bytes.subspan(static_cast<size_t>(from - at), static_cast<size_t>(to - from));
    if (out != nullptr) std::memcpy(out + from, bytes.data(), bytes.size());
    return CheckBools(entry, bytes);
  };
  ReadPlan plan(io);
  plan.Add(range);
  LEAFSTORE_RETURN_IF_ERROR(
      plan.Run(visit, [](size_t, int64_t, const absl::Status& error) { return error; }));
  return tensor;
}

}  // namespace

absl::StatusOr<std::vector<Leaf>> StoredLeaves::Load(absl::Span<const uint32_t> places) const {
  return Loader(*this, io_, verify_, places).Load();
}

absl::StatusOr<Tensor> StoredLeaves::LoadRows(uint32_t place, const RowRange& range) const {
  const EntryInfo entry = this->entry(place);
  const absl::StatusOr<RowBytes> rows = BytesOfRows(entry.spec, range);
  if (!rows.ok()) return Named(place, nullptr, rows.status());
  if (rows->size == 0) return Tensor::Uninitialized(entry.spec.dtype(), rows->shape);
  if (entry.codec != kCodecNone || (verify_ && entry.block_checksums.empty())) {
    // It can only be checked or decompressed as a whole.
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, Load({place}));
    return Cut(leaves[0].tensor(), *rows);
  }
  const absl::StatusOr<const FileBytes*> file = FileOf(entry.base);
  if (!file.ok()) return Named(place, nullptr, file.status());
  absl::StatusOr<Tensor> tensor = ReadRows(entry, **file, *rows, io_, verify_);
  return tensor.ok() ? std::move(tensor) : Named(place, *file, tensor.status());
}

}  // namespace leafstore::internal
