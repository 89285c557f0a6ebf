#include "tests/checkpoint/format_validator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "xxhash.h"

#include "tests/checkpoint/text_validator.h"
#include "tests/checkpoint/wire_message.h"

namespace leafstore {
namespace {

constexpr uint64_t kMaxInt64 = 0x7fffffffffffffff;
constexpr size_t kEnd = 64;  // the size of the preamble, and of the footer

using Wide = unsigned __int128;  // for products and sums of sizes

uint64_t Hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t IntegerAt(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, size);
  return value;
}

Texts ReadStrings(const std::string& bytes) {
  const WireMessage message(bytes);
  std::string_view rest = message.LastBytes(1);
  Texts texts;
  for (const uint32_t size : message.Varints32(2)) texts.emplace_back(TakeBytes(size, &rest));
  Check(rest.empty(), "strings: bytes without a size");
  return texts;
}

void CheckAscending(const Texts& texts, const std::string& what) {
  for (size_t i = 1; i < texts.size(); ++i) {
    Check(texts[i - 1] < texts[i], what + ": not strictly ascending");
  }
}

std::vector<uint8_t> BytesOfColumn(std::string_view column) {
  return std::vector<uint8_t>(column.begin(), column.end());
}

enum Kind : uint8_t { kLeaf = 1, kNone, kDict, kList, kTuple, kStruct, kAlias, kCustom };

// The message TreeDef. After Validate, `leaves` is the number of its leaves.
class Structure {
 public:
  explicit Structure(std::string_view bytes) : message_(bytes) {}

  uint32_t Validate() {
    CheckUtf8(strings_, "strings");
    Check(!kinds_.empty(), "kinds: no node");
    for (node_ = 0; node_ < kinds_.size(); ++node_) {
      Check(node_ == 0 || !open_.empty(), "kinds: a second root");
      AddNode(static_cast<Kind>(kinds_[node_]));
    }
    Check(open_.empty(), "child_counts: more children than nodes");
    counts_.CheckUsed();
    keys_.CheckUsed();
    int_dicts_.CheckUsed();
    int_keys_.CheckUsed();
    targets_.CheckUsed();
    tag_nodes_.CheckUsed();
    tag_strings_.CheckUsed();
    if (!type_names_.empty()) {
      type_names_.CheckUsed();
      Check(any_type_name_, "type_names: all 0");
    }
    Check(used_ == strings_.size(), "strings: not all used");
    Check(std::set<std::string>(strings_.begin(), strings_.end()).size() == strings_.size(),
          "strings: one twice");
    return leaves_;
  }

  // Equal for equal structures, as a valid structure has only one message.
  auto Identity() const {
    return std::tuple(kinds_, message_.Varints32(2), message_.Varints32(3), message_.Varints32(4),
                      message_.Varints(5), message_.Varints32(6), message_.Varints32(7),
                      message_.Varints32(8), message_.Varints32(9), strings_);
  }

 private:
  struct Open {
    uint32_t node;
    uint32_t left;  // children to come
    bool has_names;
    bool has_ints;
    std::optional<std::string> last_name;
    std::optional<int64_t> last_int;
  };

  // Returns a string that is used now: one used before, or the next new one.
  const std::string& Use(uint32_t index) {
    Check(index < strings_.size() && index <= used_, "strings: not in order of first use");
    used_ = std::max<size_t>(used_, index + size_t{1});
    return strings_[index];
  }

  void AddKey() {
    Open& parent = open_.back();
    Check(parent.left-- > 0, "child_counts");
    if (parent.has_ints) {
      const int64_t key = int_keys_.Next();
      Check(!parent.last_int || *parent.last_int < key, "int_keys: not ascending");
      parent.last_int = key;
    } else if (parent.has_names) {
      const std::string& key = Use(keys_.Next());
      Check(!parent.last_name || *parent.last_name < key, "keys: not ascending");
      parent.last_name = key;
    }
  }

  void AddTypeName(Kind kind) {
    const uint32_t name = type_names_.empty() ? 0 : type_names_.Next();
    Check(kind == kStruct || name != 0, "type_names: a custom without one");
    if (name == 0) return;
    any_type_name_ = true;
    Check(!Use(name - 1).empty(), "type_names: an empty one");
  }

  void AddTags() {
    std::string last;  // no tag is empty
    while (tag_nodes_.NextIs(node_)) {
      tag_nodes_.Next();
      const std::string& tag = Use(tag_strings_.Next());
      Check(last < tag, "tags: not ascending, or empty");
      last = tag;
    }
  }

  void AddAlias() {
    const uint32_t target = targets_.Next();
    Check(target < node_ && kinds_[target] != kAlias, "alias_targets: not an earlier node");
    for (const Open& above : open_) Check(above.node != target, "alias_targets: a cycle");
  }

  void AddNode(Kind kind) {
    Check(kind >= kLeaf && kind <= kCustom, "kinds: unknown");
    if (node_ > 0) AddKey();
    if (kind == kLeaf) ++leaves_;
    if (kind == kAlias) AddAlias();
    const bool is_container = kind != kLeaf && kind != kNone && kind != kAlias;
    uint32_t children = 0;
    if (is_container) children = counts_.Next();
    if (kind == kStruct || kind == kCustom) AddTypeName(kind);
    bool ints = false;
    if (kind == kDict && int_dicts_.NextIs(node_)) {
      int_dicts_.Next();
      Check(children > 0, "int_key_dicts: without children");
      ints = true;
    }
    AddTags();
    if (is_container) open_.push_back({node_, children, kind == kStruct || kind == kDict, ints});
    while (!open_.empty() && open_.back().left == 0) open_.pop_back();
  }

  const WireMessage message_;
  const std::vector<uint8_t> kinds_ = BytesOfColumn(message_.LastBytes(1));
  const Texts strings_ = ReadStrings(message_.Merged(10));
  Entries<uint32_t> counts_{message_.Varints32(2), "child_counts"};
  Entries<uint32_t> keys_{message_.Varints32(3), "keys"};
  Entries<uint32_t> int_dicts_{message_.Varints32(4), "int_key_dicts"};
  Entries<int64_t> int_keys_{message_.SignedVarints(5), "int_keys"};
  Entries<uint32_t> type_names_{message_.Varints32(6), "type_names"};
  Entries<uint32_t> targets_{message_.Varints32(7), "alias_targets"};
  Entries<uint32_t> tag_nodes_{message_.Varints32(8), "tag_nodes"};
  Entries<uint32_t> tag_strings_{message_.Varints32(9), "tag_strings"};
  uint32_t node_ = 0;
  uint32_t leaves_ = 0;
  size_t used_ = 0;
  bool any_type_name_ = false;
  std::vector<Open> open_;
};

constexpr uint8_t kBits[] = {0,  8,  8,  8, 16, 16, 32, 32, 64, 64, 16, 16,
                             32, 64, 64, 8, 8,  8,  8,  8,  4,  6,  6};

// Returns the size of a tensor in bytes.
uint64_t ByteSize(uint8_t dtype, const std::vector<uint64_t>& shape) {
  Check(dtype >= 1 && dtype < sizeof(kBits), "dtypes: unknown");
  Wide elements = 1;
  bool empty = false;
  for (const uint64_t extent : shape) {
    Check(extent <= kMaxInt64, "dims: too large");
    if (extent > 0) elements *= extent;
    empty = empty || extent == 0;
    Check(elements <= kMaxInt64, "dims: too many elements");
  }
  Check(empty || elements * kBits[dtype] % 8 == 0, "dims: not whole bytes");
  const Wide bytes = elements * kBits[dtype] / 8;
  Check(bytes <= kMaxInt64, "dims: too many bytes");
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

void CheckValues(const WireMessage& values, uint32_t count) {
  const Texts strings = ReadStrings(values.Merged(5));
  Entries<uint8_t> kinds(BytesOfColumn(values.LastBytes(1)), "values.kinds");
  Entries<uint8_t> bools(BytesOfColumn(values.LastBytes(2)), "values.bools");
  Entries<int64_t> ints(values.SignedVarints(3), "values.ints");
  Entries<uint64_t> floats(values.Fixed64s(4), "values.floats");
  Entries<std::string> texts(strings, "values.strings");
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t kind = kinds.Next();
    Check(kind >= 1 && kind <= 5, "values.kinds: unknown");
    if (kind == 1) Check(bools.Next() <= 1, "values.bools: neither 0 nor 1");
    if (kind == 2) ints.Next();
    if (kind == 3) floats.Next();
    if (kind == 4) Check(IsUtf8(texts.Next()), "values.strings: not UTF-8");
    if (kind == 5) texts.Next();
  }
  kinds.CheckUsed();
  bools.CheckUsed();
  ints.CheckUsed();
  floats.CheckUsed();
  texts.CheckUsed();
}

// Returns how many of the slots are present.
uint32_t CheckPresence(std::string_view bits, uint32_t slots) {
  if (bits.empty()) return slots;
  Check(bits.size() == (slots + size_t{7}) / 8, "presence: size");
  uint32_t present = 0;
  for (size_t i = 0; i < bits.size() * 8; ++i) {
    const bool bit = (static_cast<uint8_t>(bits[i / 8]) >> (i % 8) & 1) != 0;
    Check(!bit || i < slots, "presence: a bit after the last slot");
    present += bit ? 1 : 0;
  }
  return present;
}

// Returns the sizes of the tensors.
std::vector<uint64_t> CheckLeaves(const WireMessage& leaves, uint32_t slots) {
  const uint32_t present = CheckPresence(leaves.LastBytes(1), slots);
  const std::vector<uint8_t> dtypes = BytesOfColumn(leaves.LastBytes(2));
  Check(dtypes.size() == present, "dtypes: size");
  Entries<uint8_t> ranks(BytesOfColumn(leaves.LastBytes(3)), "ranks");
  Entries<uint64_t> dims(leaves.Varints(4), "dims");
  std::vector<uint64_t> sizes;
  for (const uint8_t dtype : dtypes) {
    if (dtype == 0) continue;
    const uint8_t rank = ranks.Next();
    Check(rank <= 32, "ranks: over 32");
    std::vector<uint64_t> shape;
    for (uint8_t i = 0; i < rank; ++i) shape.push_back(dims.Next());
    sizes.push_back(ByteSize(dtype, shape));
  }
  ranks.CheckUsed();
  dims.CheckUsed();
  const std::string values = leaves.Merged(5);
  CheckValues(WireMessage(values), present - static_cast<uint32_t>(sizes.size()));
  return sizes;
}

void CheckLabels(const WireMessage& labels, uint32_t slots) {
  const Texts names = ReadStrings(labels.Merged(1));
  CheckUtf8(names, "labels");
  for (const std::string& name : names) Check(!name.empty(), "labels: an empty name");
  Check(std::set<std::string>(names.begin(), names.end()).size() == names.size(), "labels: twice");
  const std::vector<uint32_t> groups = labels.Varints32(2);
  Check(groups.size() == slots, "labels: one group per slot");
  for (const uint32_t group : groups) Check(group <= names.size(), "labels: no such group");
}

void CheckMetadata(const std::string& bytes) {
  const WireMessage message(bytes);
  const Texts keys = ReadStrings(message.Merged(1));
  const Texts values = ReadStrings(message.Merged(2));
  Check(keys.size() == values.size(), "metadata: size");
  CheckUtf8(keys, "metadata");
  CheckUtf8(values, "metadata");
  CheckAscending(keys, "metadata");
}

void CheckMetrics(const std::string& bytes) {
  const WireMessage message(bytes);
  const Texts names = ReadStrings(message.Merged(1));
  Check(names.size() == message.Fixed64s(2).size(), "metrics: size");
  CheckUtf8(names, "metrics");
  CheckAscending(names, "metrics");
  for (const std::string& name : names) Check(!name.empty(), "metrics: an empty name");
}

// Returns the name and the size of a base.
std::pair<std::string, uint64_t> CheckBase(std::string_view bytes) {
  const WireMessage base(bytes);
  const std::string name(base.LastBytes(1));
  Check(!name.empty() && IsUtf8(name) && name != "." && name != ".." &&
            name.find('/') == name.npos && name.find('\0') == name.npos,
        "base: the name");
  Check(base.Last(2) <= kMaxInt64, "base: the size");
  return {name, base.Last(2)};
}

void CheckRun(const std::string& bytes) {
  const WireMessage run(bytes);
  Check(run.LastBytes(1).size() == 16, "run: the id");
  if (run.Has(2)) CheckBase(run.Merged(2));
}

class ManifestValidator {
 public:
  // `end` is the offset of the manifest.
  ManifestValidator(std::string_view bytes, uint64_t end) : manifest_(bytes), end_(end) {}

  void Validate() {
    ReadBases();
    ReadStructures();
    std::set<std::string> names;
    for (const std::string_view bytes : manifest_.All(2)) {
      const WireMessage item(bytes);
      const std::string name(item.LastBytes(1));
      Check(!name.empty() && IsUtf8(name), "item: the name");
      Check(names.insert(name).second, "items: a name twice");
      ValidateItem(item);
    }
    Check(used_structures_ == leaf_counts_.size(), "treedefs: not all used");
    for (size_t base = 0; base < bases_.size(); ++base) ValidateSegmentsOf(base);
    CheckMetadata(manifest_.Merged(3));
    CheckMetrics(manifest_.Merged(5));
    if (manifest_.Has(6)) CheckRun(manifest_.Merged(6));
  }

 private:
  struct File {
    std::string name;
    uint64_t size;
  };
  // A segment in a file: its offset, stored size and checksum.
  using Segment = std::tuple<uint64_t, uint64_t, uint64_t, uint8_t>;

  void ReadBases() {
    bases_.push_back({"", end_ + kEnd});  // this file, up to the manifest
    std::set<std::string> names;
    for (const std::string_view bytes : manifest_.All(4)) {
      const auto [name, size] = CheckBase(bytes);
      Check(names.insert(name).second, "bases: a name twice");
      bases_.push_back({name, size});
    }
    Check(bases_.size() <= 1 + 64, "bases: too many");
    segments_.resize(bases_.size());
  }

  void ReadStructures() {
    std::vector<Structure> structures;
    for (const std::string_view bytes : manifest_.All(1)) {
      structures.emplace_back(bytes);
      leaf_counts_.push_back(structures.back().Validate());
      for (size_t i = 0; i + 1 < structures.size(); ++i) {
        Check(structures[i].Identity() != structures.back().Identity(), "treedefs: one twice");
      }
    }
  }

  uint32_t SlotsOf(const WireMessage& item) {
    const auto index = static_cast<uint32_t>(item.Last(2));
    if (index == 0) {
      const Texts paths = ReadStrings(item.Merged(3));
      CheckPaths(paths);
      return static_cast<uint32_t>(paths.size());
    }
    Check(!item.Has(3), "item: a structure and paths");
    Check(index <= leaf_counts_.size() && index <= used_structures_ + 1, "item: the treedef");
    used_structures_ = std::max<size_t>(used_structures_, index);
    return leaf_counts_[index - 1];
  }

  void ValidateItem(const WireMessage& item) {
    const uint32_t slots = SlotsOf(item);
    const std::string leaves = item.Merged(4);
    const std::vector<uint64_t> sizes = CheckLeaves(WireMessage(leaves), slots);
    const std::string segments = item.Merged(5);
    ReadSegments(WireMessage(segments), sizes);
    const std::string labels = item.Merged(6);
    if (item.Has(6)) CheckLabels(WireMessage(labels), slots);
    CheckMetadata(item.Merged(7));
  }

  void ReadSegments(const WireMessage& message, const std::vector<uint64_t>& sizes) {
    const std::vector<uint64_t> offsets = message.Varints(1);
    const std::vector<uint64_t> checksums = message.Fixed64s(2);
    std::vector<uint8_t> codecs = BytesOfColumn(message.LastBytes(3));
    std::vector<uint64_t> stored = message.Varints(4);
    std::vector<uint32_t> bases = message.Varints32(5);
    if (codecs.empty()) codecs.resize(sizes.size());
    if (stored.empty()) stored = sizes;
    if (bases.empty()) bases.resize(sizes.size());
    for (const size_t size :
         {offsets.size(), checksums.size(), codecs.size(), stored.size(), bases.size()}) {
      Check(size == sizes.size(), "segments: one entry per tensor");
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      Check(bases[i] < bases_.size(), "segments: no such base");
      Check(codecs[i] == 0 ? stored[i] == sizes[i] : (stored[i] == 0) == (sizes[i] == 0),
            "segments: the stored size");
      Check(stored[i] <= kMaxInt64 && offsets[i] <= kMaxInt64 / 64, "segments: too large");
      AddSegment(bases[i], {offsets[i] * 64, stored[i], checksums[i], codecs[i]});
    }
  }

  void AddSegment(uint32_t base, const Segment& segment) {
    const auto& [offset, size, checksum, codec] = segment;
    if (size == 0) {
      Check(offset == 0 && checksum == 0x2d06800538d394c2, "segments: an empty one");
      return;
    }
    Check(bases_[base].size >= kEnd, "segments: outside of the file");
    const uint64_t end = bases_[base].size - kEnd;
    Check(offset >= kEnd && offset <= end && size <= end - offset, "segments: outside of the file");
    Check(offset % (size >= 65536 ? 4096 : 64) == 0, "segments: the alignment");
    segments_[base].push_back(segment);
  }

  void ValidateSegmentsOf(size_t base) {
    std::vector<Segment>& segments = segments_[base];
    std::sort(segments.begin(), segments.end());
    Check(base == 0 || !segments.empty(), "bases: one without tensors");
    Wide total = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
      total += std::get<1>(segments[i]);
      if (i == 0) continue;
      const auto& [offset, size, checksum, codec] = segments[i - 1];
      const bool shared = base != 0 && segments[i] == segments[i - 1];
      Check(shared || std::get<0>(segments[i]) >= offset + size, "segments: an overlap");
    }
    Check(base == 0 || total <= Wide{16} * bases_[base].size, "bases: too much in it");
  }

  const WireMessage manifest_;
  const uint64_t end_;
  std::vector<File> bases_;
  std::vector<std::vector<Segment>> segments_;  // by base
  std::vector<uint32_t> leaf_counts_;           // by structure
  size_t used_structures_ = 0;
};

void ValidateFile(std::string_view file) {
  Check(file.size() >= 2 * kEnd, "the size");
  const std::string_view preamble = file.substr(0, kEnd);
  const std::string_view footer = file.substr(file.size() - kEnd);
  Check(preamble.substr(0, 8) == std::string_view("\x89LEAF\r\n\x1a", 8), "preamble: magic bytes");
  Check(IntegerAt(preamble, 56, 8) == Hash(preamble.substr(0, 56)), "preamble: checksum");
  Check(IntegerAt(preamble, 12, 4) <= 2, "preamble: min_reader");
  Check(footer.substr(0, 8) == std::string_view("leafend\n", 8), "footer: magic bytes");
  Check(IntegerAt(footer, 56, 8) == Hash(footer.substr(0, 56)), "footer: checksum");
  Check(footer.substr(40, 8) == preamble.substr(8, 8), "footer: versions");
  Check(IntegerAt(footer, 32, 8) == file.size(), "footer: length of the file");
  const uint64_t offset = IntegerAt(footer, 8, 8);
  const uint64_t size = IntegerAt(footer, 16, 8);
  const size_t end = file.size() - kEnd;
  Check(offset >= kEnd && offset <= end && offset % 64 == 0 && size <= end - offset,
        "footer: the manifest");
  Check((offset + size + 63) / 64 * 64 == end, "footer: the end of the manifest");
  const std::string_view manifest = file.substr(offset, size);
  Check(IntegerAt(footer, 24, 8) == Hash(manifest), "manifest: checksum");
  Check(file.substr(offset + size, end - offset - size).find_first_not_of('\0') == file.npos,
        "padding before the footer");
  ManifestValidator(manifest, offset).Validate();
}

}  // namespace

std::string WhyInvalid(std::string_view file) {
  try {
    ValidateFile(file);
    return "";
  } catch (const Invalid& why) {
    return why.what();
  }
}

}  // namespace leafstore
