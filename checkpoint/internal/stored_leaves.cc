#include "leafstore/checkpoint/internal/stored_leaves.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/select/internal/leaf_matches.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// Tensors that are close together in the file are read together, up to this many bytes. Tensors
// larger than a quarter of it are read alone.
constexpr int64_t kWindow = int64_t{4} << 20;
constexpr int64_t kLarge = kWindow / 4;
constexpr int64_t kSmallGap = int64_t{16} << 10;

// Returns whether a tensor can be a view of bytes at this offset (Tensor::FromBuffer).
bool IsAligned(DType dtype, int64_t offset) {
  const size_t bytes = dtype == DType::kC64 ? sizeof(float) : DTypeBits(dtype) / 8;
  return offset % std::max<int64_t>(1, static_cast<int64_t>(bytes)) == 0;
}

// Loads the leaves of one thread.
class Loader {
 public:
  // `places` are in the order of the leaves' bytes, up to the last leaf of this thread.
  Loader(const StoredLeaves& leaves, absl::Span<const uint32_t> places, bool verify)
      : leaves_(leaves), places_(places), verify_(verify) {}

  // Loads the leaf at places[index]. Calls must be in order of ascending `index`.
  absl::Status Load(size_t index, Leaf* out) {
    const uint32_t place = places_[index];
    const EntryInfo entry = leaves_.entry(place);
    if (entry.value != nullptr) {
      *out = Leaf(*entry.value);
      return absl::OkStatus();
    }
    const absl::StatusOr<const FileBytes*> file = leaves_.FileOf(entry.base);
    if (!file.ok()) return leaves_.Named(place, nullptr, file.status());
    absl::StatusOr<Tensor> tensor = LoadTensor(index, entry, **file);
    if (tensor.ok() && tensor->dtype() == DType::kBool && !AreBools(tensor->bytes())) {
      tensor = absl::DataLossError("expected bools to be 0 or 1, found another value");
    }
    if (!tensor.ok()) return leaves_.Named(place, *file, tensor.status());
    *out = Leaf(*std::move(tensor));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Tensor> LoadTensor(size_t index, const EntryInfo& entry, const FileBytes& file) {
    const LeafSpec& spec = entry.spec;
    if (entry.stored_size == 0) return Tensor::Uninitialized(spec.dtype(), spec.shape());
    if (entry.codec == kCodecNone) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, file.Map());
      const bool is_view = !map->null() && IsAligned(spec.dtype(), entry.offset);
      return is_view ? View(index, entry, file, *map) : Copy(index, entry, file, map->null());
    }
    if (entry.codec == kCodecZstd) return Decompress(index, entry, file);
    return WithReason(
        absl::UnimplementedError(absl::StrCat("its bytes are stored with codec ", entry.codec,
                                              ", which this reader of format version ",
                                              kFormatVersion, " does not support")),
        ErrorReason::kNewerVersion);
  }

  absl::StatusOr<Tensor> View(size_t index, const EntryInfo& entry, const FileBytes& file,
                              const Buffer& map) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor,
        Tensor::FromBuffer(entry.spec.dtype(), entry.spec.shape(), map, entry.offset));
    if (verify_ && entry.stored_size > kLarge) {
      LEAFSTORE_RETURN_IF_ERROR(
          file.CheckChecksum(entry.offset, entry.stored_size, entry.checksum));
    } else if (verify_ || tensor.dtype() == DType::kBool) {
      LEAFSTORE_RETURN_IF_ERROR(Get(index, entry, file).status());
    }
    return tensor;
  }

  absl::StatusOr<Tensor> Copy(size_t index, const EntryInfo& entry, const FileBytes& file,
                              bool can_read_alone) {
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::Uninitialized(entry.spec.dtype(), entry.spec.shape()));
    const absl::Span<std::byte> to = TensorAccess::bytes(&tensor);
    if (can_read_alone && entry.stored_size > kLarge) {
      LEAFSTORE_RETURN_IF_ERROR(file.ReadAt(entry.offset, to));
      LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(entry, to));
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(index, entry, file));
      std::memcpy(to.data(), bytes.data(), bytes.size());
    }
    return tensor;
  }

  absl::StatusOr<Tensor> Decompress(size_t index, const EntryInfo& entry, const FileBytes& file) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(index, entry, file));
    LEAFSTORE_RETURN_IF_ERROR(CheckZstdFrames(bytes, entry.spec.byte_size()));
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::Uninitialized(entry.spec.dtype(), entry.spec.shape()));
    if (!decompressor_.has_value()) {
      LEAFSTORE_ASSIGN_OR_RETURN(decompressor_, ZstdDecompressor::Create());
    }
    LEAFSTORE_RETURN_IF_ERROR(decompressor_->Decompress(bytes, TensorAccess::bytes(&tensor)));
    return tensor;
  }

  // Returns the stored bytes, in memory and checked. Valid until the next call.
  absl::StatusOr<absl::Span<const std::byte>> Get(size_t index, const EntryInfo& entry,
                                                  const FileBytes& file) {
    const int64_t window_end = window_begin_ + static_cast<int64_t>(window_.size());
    if (&file != window_file_ || entry.offset < window_begin_ ||
        entry.offset + entry.stored_size > window_end) {
      const int64_t end = WindowEnd(index, entry);
      window_ = {};
      LEAFSTORE_ASSIGN_OR_RETURN(window_, file.Get(entry.offset, end - entry.offset, &scratch_));
      window_file_ = &file;
      window_begin_ = entry.offset;
    }
    const auto bytes = window_.subspan(static_cast<size_t>(entry.offset - window_begin_),
                                       static_cast<size_t>(entry.stored_size));
    LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(entry, bytes));
    return bytes;
  }

  // Returns the end of a window that begins with this tensor and includes the small ones after it.
  int64_t WindowEnd(size_t index, const EntryInfo& entry) const {
    int64_t end = entry.offset + entry.stored_size;
    for (++index; index < places_.size(); ++index) {
      const EntryInfo next = leaves_.entry(places_[index]);
      if (next.stored_size == 0) continue;
      if (next.stored_size > kLarge || next.base != entry.base || next.offset < end ||
          next.offset - end > kSmallGap ||
          next.offset + next.stored_size - entry.offset > kWindow) {
        break;
      }
      end = next.offset + next.stored_size;
    }
    return end;
  }

  absl::Status CheckChecksum(const EntryInfo& entry, absl::Span<const std::byte> bytes) const {
    if (!verify_) return absl::OkStatus();
    return CompareChecksum(entry.offset, entry.stored_size, entry.checksum, Checksum(bytes));
  }

  const StoredLeaves& leaves_;
  const absl::Span<const uint32_t> places_;
  const bool verify_;
  Buffer scratch_;
  std::optional<ZstdDecompressor> decompressor_;  // created when it is first needed
  // The window: a byte range of a file that is in memory.
  const FileBytes* window_file_ = nullptr;
  int64_t window_begin_ = 0;
  absl::Span<const std::byte> window_;
};

// Returns whether a file is mapped, so that views of it are made without reading bytes.
bool IsMapped(const absl::StatusOr<const FileBytes*>& file) {
  if (!file.ok()) return false;  // Loader reports the error
  const absl::StatusOr<const Buffer*> map = (*file)->Map();
  return map.ok() && !(*map)->null();
}

// Divides the leaves into runs that are worth a thread, and returns their ends.
std::vector<size_t> EndsOfRuns(const StoredLeaves& leaves, absl::Span<const uint32_t> places,
                               bool verify) {
  std::vector<size_t> ends;
  int64_t bytes = 0;
  std::optional<uint32_t> base;  // the last one, and whether it is mapped
  bool is_mapped = false;
  for (size_t i = 0; i < places.size(); ++i) {
    const EntryInfo entry = leaves.entry(places[i]);
    const bool may_be_view = !verify && entry.codec == kCodecNone && entry.stored_size > 0 &&
                             entry.spec.dtype() != DType::kBool &&
                             IsAligned(entry.spec.dtype(), entry.offset);
    if (may_be_view && entry.base != base) {
      base = entry.base;
      is_mapped = IsMapped(leaves.FileOf(entry.base));
    }
    if (!may_be_view || !is_mapped) bytes += entry.stored_size;
    if (bytes < kBytesPerThread && i + 1 < places.size()) continue;
    ends.push_back(i + 1);
    bytes = 0;
  }
  return ends;
}

// The leaves to load, and the Layout and slots of the result.
struct ChosenLeaves {
  std::vector<uint32_t> places;  // in the source, ascending
  Layout layout;
  SlotSet slots;
};

absl::StatusOr<ChosenLeaves> AtPlaces(const StoredLeaves& stored,
                                      const std::vector<uint32_t>& places) {
  const uint32_t count = stored.slots().size();
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < count && (i == 0 || places[i] > places[i - 1])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expected ascending places below ", count, ", found ", places[i]));
  }
  return ChosenLeaves{places, stored.layout(), stored.slots().AtPlaces(places)};
}

absl::StatusOr<ChosenLeaves> Subtree(const StoredLeaves& stored, absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, stored.layout().def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  TreeDef::Cut cut = def.Subtree(def.Resolve(node));
  std::vector<uint32_t> places;
  std::vector<Slot> chosen;
  for (uint32_t leaf = 0; leaf < cut.leaves.size(); ++leaf) {
    const uint32_t place = stored.slots().PlaceOf(cut.leaves[leaf]);
    if (place == kNoPlace) continue;
    places.push_back(place);
    chosen.push_back(leaf);
  }
  const uint32_t size = cut.def.leaf_count();
  return ChosenLeaves{std::move(places), Layout(std::move(cut.def)),
                      SlotSet::FromSorted(size, std::move(chosen))};
}

absl::StatusOr<Slot> GetSlot(const Layout& layout, absl::string_view path) {
  if (!layout.has_def()) return layout.Get(path);
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  const NodeId owner = def.Resolve(node);
  if (def.kind(owner) == NodeKind::kLeaf) return def.leaf_begin(owner);
  return absl::InvalidArgumentError(
      absl::StrCat("at '", path, "': expected a leaf, found ", NodeKindName(def.kind(owner))));
}

}  // namespace

absl::StatusOr<std::vector<Leaf>> StoredLeaves::Load(absl::Span<const uint32_t> places) const {
  const std::vector<uint32_t> order = ByteOrder(places);
  std::vector<uint32_t> reordered;
  reordered.reserve(order.size());
  for (const uint32_t index : order) reordered.push_back(places[index]);
  const absl::Span<const uint32_t> in_byte_order = order.empty() ? places : reordered;
  const std::vector<size_t> ends = EndsOfRuns(*this, in_byte_order, verify_);
  std::vector<Leaf> out(places.size());
  std::vector<absl::Status> statuses(ends.size());
  const int threads = ThreadsFor(io_.threads, kBytesPerThread * static_cast<int64_t>(ends.size()));
  ParallelFor(ends.size(), threads, [&](size_t run) {
    Loader loader(*this, in_byte_order.subspan(0, ends[run]), verify_);
    for (size_t i = run == 0 ? 0 : ends[run - 1]; i < ends[run] && statuses[run].ok(); ++i) {
      statuses[run] = loader.Load(i, &out[order.empty() ? i : order[i]]);
    }
  });
  for (const absl::Status& status : statuses) LEAFSTORE_RETURN_IF_ERROR(status);
  return out;
}

absl::StatusOr<ParamStore> LoadChosen(const StoredLeaves& stored, const LoadOptions& options) {
  const int set = static_cast<int>(options.filter.has_value()) +
                  static_cast<int>(options.subtree.has_value()) +
                  static_cast<int>(options.places.has_value());
  if (set > 1) {
    return stored.Named(absl::InvalidArgumentError(
        absl::StrCat("expected one of filter, subtree and places, found ", set)));
  }
  absl::StatusOr<ChosenLeaves> chosen = ChosenLeaves{{}, stored.layout(), stored.slots()};
  if (options.filter.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        const Grouping grouping,
        CompileGrouping(stored, {{"matching", *options.filter}, {"rest", Rest()}},
                        {.allow_empty = true}));
    chosen->slots = grouping.SlotsOf(0);
    for (uint32_t i = 0; i < chosen->slots.size(); ++i) {
      chosen->places.push_back(stored.slots().PlaceOf(chosen->slots.SlotAt(i)));
    }
  } else if (options.subtree.has_value()) {
    chosen = Subtree(stored, *options.subtree);
  } else if (options.places.has_value()) {
    chosen = AtPlaces(stored, *options.places);
  } else {
    chosen->places.resize(stored.slots().size());
    std::iota(chosen->places.begin(), chosen->places.end(), 0);
  }
  if (!chosen.ok()) return stored.Named(chosen.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load(chosen->places));
  return ParamStore::Create(std::move(chosen->layout), std::move(chosen->slots), std::move(leaves));
}

absl::StatusOr<Leaf> LoadLeaf(const StoredLeaves& stored, absl::string_view path) {
  const absl::StatusOr<Slot> slot = GetSlot(stored.layout(), path);
  if (!slot.ok()) return stored.Named(slot.status());
  const uint32_t place = stored.slots().PlaceOf(*slot);
  if (place == kNoPlace) {
    return stored.Named(absl::NotFoundError(absl::StrCat("it was saved without '", path, "'")));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load({place}));
  return std::move(leaves[0]);
}

absl::StatusOr<Grouping> CompileGrouping(const StoredLeaves& stored,
                                         std::vector<NamedFilter> filters,
                                         const GroupingOptions& options) {
  absl::StatusOr<Grouping> grouping;
  if (std::any_of(filters.begin(), filters.end(), std::mem_fn(&NamedFilter::has_callable))) {
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, LoadChosen(stored, {}));
    grouping = Grouping::Compile(store, std::move(filters), options);
  } else {
    const auto spec = [&stored](uint32_t place) { return stored.spec(place); };
    grouping = Grouping::Compile(LeafSpecs(stored.layout(), stored.slots(), spec),
                                 std::move(filters), options);
  }
  if (!grouping.ok()) return stored.Named(grouping.status());
  return grouping;
}

absl::StatusOr<RestoreReport> LoadInto(const StoredLeaves& stored, ParamStore* store,
                                       const RestoreOptions& options) {
  const auto spec = [&stored](uint32_t place) { return stored.spec(place); };
  absl::StatusOr<LeafMatches> matches =
      MatchLeaves(LeafSpecs(stored.layout(), stored.slots(), spec), *store, options);
  if (!matches.ok()) return stored.Named(matches.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load(matches->places));
  return ReplaceLeaves(*std::move(matches), std::move(leaves), store);
}

}  // namespace leafstore::internal
