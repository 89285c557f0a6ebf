#include "leafstore/treedef/internal/path_cursor.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/core/internal/utf8.h"

namespace leafstore::internal {
namespace {

// The maximum size of a path, and of one name in it, in a message.
constexpr size_t kMessageSize = 400;
constexpr size_t kMessageHalf = 180;
// A path with more keys is longer than a message shows; its beginning is not looked up.
constexpr size_t kMaxMessageKeys = 4096;
constexpr size_t kNameSize = 100;
constexpr size_t kNameHalf = 40;

// Returns `name` without its middle if it is long; cut between characters.
std::string Clipped(absl::string_view name) {
  if (name.size() <= kNameSize) return std::string(name);
  size_t head = kNameHalf;
  size_t tail = name.size() - kNameHalf;
  while (head > 0 && IsContinuationByte(name[head])) --head;
  while (tail < name.size() && IsContinuationByte(name[tail])) ++tail;
  return absl::StrCat(name.substr(0, head), "...", name.substr(tail));
}

bool IsPlain(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("_.:<>-/").find(c) != absl::string_view::npos;
  });
}

void AppendKey(const KeyRef& key, PathForm form, bool is_first, std::string* out) {
  if (form == PathForm::kCanonical) {
    AppendKeyText(key, out);
    return;
  }
  if (!is_first) out->push_back(form == PathForm::kSlash ? '/' : '.');
  AppendDottedKey(key, out);
}

// Returns up to kMessageHalf bytes of text of the last keys.
std::string TailOf(absl::Span<const KeyRef> keys) {
  std::string tail;
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    const std::string step = KeyForMessage(*key);
    if (!tail.empty() && tail.size() + step.size() > kMessageHalf) break;
    tail.insert(0, step);
  }
  return tail;
}

std::string KeysForMessage(absl::Span<const KeyRef> keys) {
  if (keys.empty()) return "(root)";
  if (keys.size() == kMaxMessageKeys) return absl::StrCat("...", TailOf(keys));
  std::string head;
  size_t head_size = 0;  // of the keys that fit into the first half
  size_t at = 0;
  while (at < keys.size() && head.size() <= kMessageSize) {
    head += KeyForMessage(keys[at++]);
    if (head.size() <= kMessageHalf || head_size == 0) head_size = head.size();
  }
  if (at == keys.size() && head.size() <= kMessageSize) return head;
  head.resize(head_size);
  return absl::StrCat(head, "...", TailOf(keys));
}

}  // namespace

absl::Status TextBudget::Exceeded() const {
  return absl::ResourceExhaustedError(absl::StrCat("expected paths of at most ",
                                                   MaxTotalText(paths_), " bytes together, for ",
                                                   paths_, " paths, found more"));
}

bool PathCursor::Push(const KeyRef& key, NodeId end) {
  const size_t begin = text_.size();
  AppendKey(key, form_, levels_.empty(), &text_);
  if (text_.size() > max_size_) {
    text_.resize(begin);
    return false;
  }
  levels_.push_back({begin, end});
  return true;
}

void PathCursor::Pop() {
  text_.resize(levels_.back().begin);
  levels_.pop_back();
}

bool PathCursor::Enter(const TreeDef& def, NodeId node) {
  size_t size = text_.size();
  while (!levels_.empty() && node >= levels_.back().end) {
    size = levels_.back().begin;
    levels_.pop_back();
  }
  text_.resize(size);
  return node == kRootNode || Push(def.key(node), def.end(node));
}

absl::Status PathTooLong(absl::string_view path_for_message) {
  return absl::ResourceExhaustedError(
      absl::StrCat("at ", path_for_message, ": expected a path of at most ", Path::kMaxTextSize,
                   " bytes, found a longer one"));
}

std::vector<uint64_t> PathTextSizes(const TreeDef& def) {
  std::vector<uint64_t> sizes(def.node_count());
  for (NodeId node = kRootNode + 1; node < def.node_count(); ++node) {
    sizes[node] = sizes[def.parent(node)] + KeyTextSize(def.key(node));
  }
  return sizes;
}

absl::StatusOr<std::string> PathText(const TreeDefColumns& columns, NodeId node, PathForm form) {
  std::vector<NodeId> way;
  for (NodeId at = node; at != kRootNode; at = columns.parents[at]) {
    way.push_back(at);
    if (way.size() > Path::kMaxTextSize) return PathTooLong(PathForMessage(columns, node));
  }
  std::string text;
  for (size_t i = way.size(); i > 0; --i) {
    AppendKey(KeyOf(columns, way[i - 1]), form, i == way.size(), &text);
    if (text.size() > Path::kMaxTextSize) return PathTooLong(PathForMessage(columns, node));
  }
  return text;
}

std::string PathForMessage(const TreeDefColumns& columns, NodeId node) {
  std::vector<KeyRef> keys;
  for (NodeId at = node; at != kRootNode && keys.size() < kMaxMessageKeys;
       at = columns.parents[at]) {
    keys.push_back(KeyOf(columns, at));
  }
  std::reverse(keys.begin(), keys.end());
  return KeysForMessage(keys);
}

std::string PathForMessage(const Path& path) {
  std::vector<KeyRef> keys;
  const size_t size = std::min(path.size(), kMaxMessageKeys);
  for (const Key& key : path.keys().last(size)) keys.push_back(key.ref());
  return KeysForMessage(keys);
}

std::string KeyForMessage(const KeyRef& key) {
  const std::string name = Clipped(key.name);
  std::string text;
  AppendKeyText({key.kind, name, key.index}, &text);
  return text;
}

std::string NodeForMessage(const TreeDef& def, NodeId node) {
  const NodeKind kind = def.kind(node);
  std::string out(NodeKindName(kind));
  if (kind == NodeKind::kAlias) {
    absl::StrAppend(&out, " of ", def.PathForMessage(def.alias_target(node)));
  } else if (IsContainer(kind)) {
    absl::StrAppend(&out, " of ", def.child_count(node));
  }
  return out;
}

std::string TagsForMessage(const TreeDef& def, NodeId node) {
  constexpr size_t kMaxShown = 8;
  const std::vector<absl::string_view> tags = def.tags(node);
  std::string out;
  for (size_t i = 0; i < std::min(tags.size(), kMaxShown); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ", ", NameForMessage(tags[i]));
  }
  if (tags.size() > kMaxShown) absl::StrAppend(&out, ", ... ", tags.size() - kMaxShown, " more");
  return out;
}

std::string NameForMessage(absl::string_view name) {
  const std::string clipped = Clipped(name);
  if (IsPlain(clipped)) return clipped;
  if (IsValidUtf8(clipped)) return Quoted(clipped);
  return absl::StrCat("'", absl::CHexEscape(clipped), "'");
}

}  // namespace leafstore::internal
