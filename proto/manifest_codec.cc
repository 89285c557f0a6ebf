#include "leafstore/proto/manifest_codec.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/proto/internal/manifest_head.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore {
namespace internal {
namespace {

void EncodeMetadata(const Metadata& metadata, proto::Metadata* out) {
  for (const auto& [key, value] : metadata) {
    AddString(key, out->mutable_keys());
    AddString(value, out->mutable_values());
  }
}

// Makes a map of ascending keys and their values.
template <typename Map, typename Values>
absl::StatusOr<Map> DecodeMap(const proto::Strings& key_column, const Values& values,
                              absl::string_view column) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto keys, DecodeStrings(key_column, column));
  if (keys.size() != static_cast<size_t>(values.size())) {
    return WrongMessage(column, absl::StrCat(keys.size(), " values, as keys"), values.size());
  }
  Map map;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && keys[i] <= keys[i - 1]) {
      return WrongMessage(column, absl::StrCat("a key after ", Quoted(keys[i - 1])),
                          Quoted(keys[i]));
    }
    map.emplace_hint(map.end(), std::string(keys[i]), values[static_cast<int>(i)]);
  }
  return map;
}

absl::StatusOr<Metadata> DecodeMetadata(const proto::Metadata& in, absl::string_view where) {
  const std::string column = absl::StrCat(where, ", metadata");
  LEAFSTORE_ASSIGN_OR_RETURN(const auto values, DecodeStrings(in.values(), column));
  LEAFSTORE_ASSIGN_OR_RETURN(Metadata metadata, DecodeMap<Metadata>(in.keys(), values, column));
  if (absl::Status status = CheckMetadata(metadata); !status.ok()) return AsDataLoss(status, where);
  return metadata;
}

absl::StatusOr<Metrics> DecodeMetrics(const proto::Metrics& in) {
  LEAFSTORE_ASSIGN_OR_RETURN(Metrics metrics,
                             DecodeMap<Metrics>(in.names(), in.values(), "manifest, metrics"));
  if (absl::Status status = CheckMetrics(metrics); !status.ok()) {
    return AsDataLoss(status, "manifest");
  }
  return metrics;
}

void EncodeBase(const FileIdentity& base, proto::Base* out) {
  out->set_name(base.name);
  out->set_file_size(static_cast<uint64_t>(base.file_size));
  out->set_manifest_checksum(base.manifest_checksum);
}

absl::StatusOr<FileIdentity> DecodeBase(const proto::Base& base, absl::string_view where) {
  if (!IsPlainFileName(base.name())) {
    return WrongMessage(where, "the name of a file, without a directory", Quoted(base.name()));
  }
  if (base.file_size() > std::numeric_limits<int64_t>::max()) {
    return WrongMessage(where, "sizes below 2^63", base.file_size());
  }
  return FileIdentity{base.name(), static_cast<int64_t>(base.file_size()),
                      base.manifest_checksum()};
}

absl::StatusOr<std::vector<FileIdentity>> DecodeBases(
    const google::protobuf::RepeatedPtrField<proto::Base>& in) {
  constexpr absl::string_view kColumn = "manifest, bases";
  std::vector<FileIdentity> bases;
  HashSet<absl::string_view> names;
  for (const proto::Base& base : in) {
    LEAFSTORE_ASSIGN_OR_RETURN(FileIdentity decoded, DecodeBase(base, kColumn));
    if (!names.insert(base.name()).second) {
      return WrongMessage(kColumn, "files with different names",
                          absl::StrCat("two called ", Quoted(base.name())));
    }
    bases.push_back(std::move(decoded));
  }
  return bases;
}

void EncodeRun(const RunInfo& run, proto::Run* out) {
  out->set_id(run.id);
  if (run.parent.has_value()) EncodeBase(*run.parent, out->mutable_parent());
}

absl::StatusOr<RunInfo> DecodeRun(const proto::Run& in) {
  if (in.id().size() != RunInfo::kIdSize) {
    return WrongMessage("manifest, run", absl::StrCat("an id of ", RunInfo::kIdSize, " bytes"),
                        in.id().size());
  }
  RunInfo run{.id = in.id(), .parent = {}};
  if (in.has_parent()) {
    LEAFSTORE_ASSIGN_OR_RETURN(run.parent, DecodeBase(in.parent(), "manifest, run, parent"));
  }
  return run;
}

// Checks that each tensor's base exists, and that each base has the bytes of some tensor.
absl::Status CheckBasesInUse(const Manifest& manifest) {
  std::vector<bool> used(manifest.bases.size(), false);
  for (const ManifestItem& item : manifest.items) {
    for (uint32_t tensor = 0; tensor < item.segments.bases.size(); ++tensor) {
      const uint32_t base = item.segments.bases[tensor];
      if (base > used.size()) {
        return WrongMessage(absl::StrCat("item ", Quoted(item.name), ", column bases"),
                            absl::StrCat("at most ", used.size(), ", the number of bases"), base);
      }
      if (base > 0 && item.stored_size(tensor) > 0) used[base - 1] = true;
    }
  }
  const auto unused = std::find(used.begin(), used.end(), false);
  if (unused == used.end()) return absl::OkStatus();
  return WrongMessage(
      "manifest, bases", "each in use",
      absl::StrCat(Quoted(manifest.bases[unused - used.begin()].name), ", which has no tensor"));
}

void EncodeSegments(const ManifestItem::Segments& segments, proto::Segments* out) {
  out->mutable_offsets()->Reserve(static_cast<int>(segments.offsets.size()));
  for (const uint64_t offset : segments.offsets) out->add_offsets(offset / kSegmentAlignment);
  out->mutable_checksums()->Assign(segments.checksums.begin(), segments.checksums.end());
  out->set_codecs(std::string(segments.codecs.begin(), segments.codecs.end()));
  out->mutable_stored_sizes()->Assign(segments.stored_sizes.begin(), segments.stored_sizes.end());
  out->mutable_bases()->Assign(segments.bases.begin(), segments.bases.end());
  out->mutable_block_checksums()->Assign(segments.block_checksums.begin(),
                                         segments.block_checksums.end());
}

// Checks that each column has an entry per tensor, or is optional and empty.
absl::Status CheckSegmentColumns(const proto::Segments& in, uint32_t tensors,
                                 absl::string_view where) {
  const struct {
    absl::string_view name;
    size_t size;
    bool optional;
  } columns[] = {{"offsets", static_cast<size_t>(in.offsets_size()), false},
                 {"checksums", static_cast<size_t>(in.checksums_size()), false},
                 {"codecs", in.codecs().size(), true},
                 {"stored_sizes", static_cast<size_t>(in.stored_sizes_size()), true},
                 {"bases", static_cast<size_t>(in.bases_size()), true}};
  for (const auto& column : columns) {
    if (column.size == tensors || (column.size == 0 && column.optional)) continue;
    return WrongMessage(absl::StrCat(where, ", column ", column.name),
                        absl::StrCat(tensors, " entries, one per tensor"), column.size);
  }
  return absl::OkStatus();
}

absl::StatusOr<ManifestItem::Segments> DecodeSegments(const proto::Segments& in, uint32_t tensors,
                                                      absl::string_view where) {
  constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max();
  LEAFSTORE_RETURN_IF_ERROR(CheckSegmentColumns(in, tensors, where));
  ManifestItem::Segments out;
  out.offsets.reserve(tensors);
  for (const uint64_t offset : in.offsets()) {
    if (offset > kMaxSize / kSegmentAlignment) {
      return WrongMessage(absl::StrCat(where, ", column offsets"), "positions below 2^63",
                          absl::StrCat(offset, " times ", kSegmentAlignment));
    }
    out.offsets.push_back(offset * kSegmentAlignment);
  }
  for (const uint64_t stored : in.stored_sizes()) {
    if (stored > kMaxSize) {
      return WrongMessage(absl::StrCat(where, ", column stored_sizes"), "sizes below 2^63", stored);
    }
    out.stored_sizes.push_back(static_cast<int64_t>(stored));
  }
  out.checksums.assign(in.checksums().begin(), in.checksums().end());
  out.codecs.assign(in.codecs().begin(), in.codecs().end());
  out.bases.assign(in.bases().begin(), in.bases().end());
  out.block_checksums.assign(in.block_checksums().begin(), in.block_checksums().end());
  return out;
}

// Finds the block checksums of each tensor. error DataLoss: their count differs from the count of
// the tensors' blocks.
absl::Status IndexBlocks(absl::string_view where, ManifestItem* item) {
  const uint64_t found = item->segments.block_checksums.size();
  if (found == 0) return absl::OkStatus();
  uint64_t expected = 0;  // stays below 2^44, as the loop ends once it is above `found`
  const uint32_t tensors = item->leaves.tensor_count();
  item->segments.first_blocks.reserve(tensors);
  for (uint32_t tensor = 0; tensor < tensors && expected <= found; ++tensor) {
    item->segments.first_blocks.push_back(static_cast<uint32_t>(expected));
    expected += static_cast<uint64_t>(BlockCount(item->stored_size(tensor)));
  }
  if (expected == found) return absl::OkStatus();
  return WrongMessage(
      absl::StrCat(where, ", column block_checksums"),
      expected < found ? absl::StrCat(expected, " entries, one per block") : "an entry per block",
      found);
}

// Decodes the structure or the paths of an item. `*used` is the number of structures that items use
// so far.
absl::StatusOr<Layout> DecodeLayout(const proto::Item& in, const std::vector<TreeDef>& defs,
                                    size_t* used, absl::string_view where) {
  if (in.treedef() == 0) return DecodePaths(in.paths(), absl::StrCat(where, ", column paths"));
  if (in.has_paths()) return WrongMessage(where, "a treedef or paths", "both");
  // In order of first use: an item has a structure that was used before, or the next new one.
  if (in.treedef() > defs.size() || in.treedef() > *used + 1) {
    return WrongMessage(absl::StrCat(where, ", treedef"),
                        absl::StrCat("at most ", std::min(defs.size(), *used + 1)), in.treedef());
  }
  *used = std::max<size_t>(*used, in.treedef());
  return Layout(defs[in.treedef() - 1]);
}

absl::StatusOr<ManifestItem> DecodeItem(const proto::Item& in, const std::vector<TreeDef>& defs,
                                        size_t* used) {
  if (absl::Status status = CheckItemName(in.name()); !status.ok()) {
    return AsDataLoss(status, "manifest");
  }
  const std::string where = absl::StrCat("item ", Quoted(in.name()));
  ManifestItem item;
  item.name = in.name();
  LEAFSTORE_ASSIGN_OR_RETURN(item.layout, DecodeLayout(in, defs, used, where));
  LEAFSTORE_ASSIGN_OR_RETURN(DecodedLeaves decoded, DecodeLeaves(in.leaves(), item.layout, where));
  item.slots = std::move(decoded.slots);
  item.leaves = std::move(decoded.leaves);
  LEAFSTORE_ASSIGN_OR_RETURN(item.segments,
                             DecodeSegments(in.segments(), item.leaves.tensor_count(), where));
  LEAFSTORE_RETURN_IF_ERROR(IndexBlocks(where, &item));
  if (in.has_labels()) {
    LEAFSTORE_ASSIGN_OR_RETURN(item.grouping, DecodeGrouping(in.labels(), item.layout, where));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(item.metadata, DecodeMetadata(in.metadata(), where));
  return item;
}

absl::StatusOr<std::vector<TreeDef>> DecodeTreeDefs(const proto::Manifest& in) {
  std::vector<TreeDef> defs;
  HashSet<TreeDef> different;
  for (const proto::TreeDef& message : in.treedefs()) {
    LEAFSTORE_ASSIGN_OR_RETURN(TreeDef def, DecodeTreeDefMessage(message, {}));
    if (!different.insert(def).second) {
      return WrongMessage("manifest", "each structure once", "one twice");
    }
    defs.push_back(std::move(def));
  }
  return defs;
}

absl::StatusOr<std::vector<ManifestItem>> DecodeItems(const proto::Manifest& in) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<TreeDef> defs, DecodeTreeDefs(in));
  std::vector<ManifestItem> items;
  HashSet<absl::string_view> names;
  size_t used = 0;
  for (const proto::Item& item : in.items()) {
    if (!names.insert(item.name()).second) {
      return WrongMessage("manifest", "items with different names",
                          absl::StrCat("two called ", Quoted(item.name())));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(ManifestItem decoded, DecodeItem(item, defs, &used));
    items.push_back(std::move(decoded));
  }
  if (used == defs.size()) return items;
  return WrongMessage("manifest", absl::StrCat(used, " structures, all in use"), defs.size());
}

// The number of each structure in the manifest, from 1 on.
using TreeDefNumbers = HashMap<TreeDef, uint32_t>;

// Encodes the structure of an item, once for all items that share it, or its paths.
absl::Status EncodeLayout(const Layout& layout, TreeDefNumbers* numbers, proto::Manifest* message,
                          proto::Item* out) {
  if (!layout.has_def()) {
    EncodePaths(layout, out->mutable_paths());
    return absl::OkStatus();
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  const auto [it, is_new] = numbers->try_emplace(def, static_cast<uint32_t>(numbers->size() + 1));
  out->set_treedef(it->second);
  return is_new ? EncodeTreeDefMessage(def, message->add_treedefs()) : absl::OkStatus();
}

absl::Status EncodeItem(const ManifestItem& item, TreeDefNumbers* numbers,
                        proto::Manifest* message) {
  proto::Item* out = message->add_items();
  out->set_name(item.name);
  LEAFSTORE_RETURN_IF_ERROR(EncodeLayout(item.layout, numbers, message, out));
  EncodeLeaves(item.slots, item.leaves, out->mutable_leaves());
  EncodeSegments(item.segments, out->mutable_segments());
  if (item.grouping.has_value()) EncodeGrouping(*item.grouping, out->mutable_labels());
  if (!item.metadata.empty()) EncodeMetadata(item.metadata, out->mutable_metadata());
  return absl::OkStatus();
}

// Decodes the fields that a Manifest and a ManifestHead have.
template <typename Message>
absl::StatusOr<ManifestHead> DecodeHead(const Message& in) {
  ManifestHead head;
  LEAFSTORE_ASSIGN_OR_RETURN(head.bases, DecodeBases(in.bases()));
  LEAFSTORE_ASSIGN_OR_RETURN(head.metrics, DecodeMetrics(in.metrics()));
  if (in.has_run()) {
    LEAFSTORE_ASSIGN_OR_RETURN(head.run, DecodeRun(in.run()));
  }
  return head;
}

}  // namespace

absl::StatusOr<ManifestHead> DecodeManifestHead(absl::string_view bytes) {
  proto::ManifestHead in;
  LEAFSTORE_RETURN_IF_ERROR(ParseMessage(bytes, "manifest", &in));
  return DecodeHead(in);
}

}  // namespace internal

absl::Status CheckItemName(absl::string_view name) {
  if (!name.empty() && internal::IsValidUtf8(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected an item's name in UTF-8 and not empty, found ",
                   name.empty() ? "''" : Value(Bytes{std::string(name)}).ToString()));
}

absl::Status CheckRun(const RunInfo& run) {
  const auto wrong = [](absl::string_view expected, const absl::AlphaNum& found) {
    return absl::InvalidArgumentError(absl::StrCat("run: expected ", expected, ", found ", found));
  };
  if (run.id.size() != RunInfo::kIdSize) {
    return wrong(absl::StrCat("an id of ", RunInfo::kIdSize, " bytes"), run.id.size());
  }
  if (!run.parent.has_value()) return absl::OkStatus();
  if (!IsPlainFileName(run.parent->name)) {
    return wrong("the name of a parent, without a directory",
                 Value(Bytes{run.parent->name}).ToString());
  }
  if (run.parent->file_size >= 0) return absl::OkStatus();
  return wrong("a parent's size of at least 0", run.parent->file_size);
}

bool IsPlainFileName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && internal::IsValidUtf8(name) &&
         name.find('/') == absl::string_view::npos && name.find('\0') == absl::string_view::npos;
}

absl::StatusOr<std::string> EncodeManifest(const Manifest& manifest) {
  proto::Manifest message;
  internal::TreeDefNumbers numbers;
  for (const ManifestItem& item : manifest.items) {
    LEAFSTORE_RETURN_IF_ERROR(internal::EncodeItem(item, &numbers, &message));
  }
  if (!manifest.metadata.empty()) {
    internal::EncodeMetadata(manifest.metadata, message.mutable_metadata());
  }
  for (const auto& [name, value] : manifest.metrics) {
    internal::AddString(name, message.mutable_metrics()->mutable_names());
    message.mutable_metrics()->add_values(value);
  }
  for (const FileIdentity& base : manifest.bases) internal::EncodeBase(base, message.add_bases());
  if (manifest.run.has_value()) internal::EncodeRun(*manifest.run, message.mutable_run());
  return internal::Serialize(message, "manifest");
}

absl::StatusOr<Manifest> DecodeManifest(absl::string_view bytes) {
  proto::Manifest in;
  LEAFSTORE_RETURN_IF_ERROR(internal::ParseMessage(bytes, "manifest", &in));
  Manifest manifest;
  LEAFSTORE_ASSIGN_OR_RETURN(manifest.items, internal::DecodeItems(in));
  LEAFSTORE_ASSIGN_OR_RETURN(manifest.metadata,
                             internal::DecodeMetadata(in.metadata(), "manifest"));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::ManifestHead head, internal::DecodeHead(in));
  manifest.bases = std::move(head.bases);
  manifest.metrics = std::move(head.metrics);
  manifest.run = std::move(head.run);
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckBasesInUse(manifest));
  return manifest;
}

}  // namespace leafstore
