#include "leafstore/treedef/internal/path_text.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/path.h"

namespace leafstore::internal {
namespace {

// How much of a path, and of one name in it, a message shows.
constexpr size_t kMessageSize = 400;
constexpr size_t kMessageHalf = 180;
// A path of so many steps is longer than a message shows; its beginning is not looked for.
constexpr size_t kMaxSteps = 4096;
constexpr size_t kNameSize = 100;
constexpr size_t kNameHalf = 40;

bool IsContinuationByte(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// `name`, without its middle where it is long; cut between characters.
std::string Clipped(absl::string_view name) {
  if (name.size() <= kNameSize) return std::string(name);
  size_t head = kNameHalf;
  size_t tail = name.size() - kNameHalf;
  while (head > 0 && IsContinuationByte(name[head])) --head;
  while (tail < name.size() && IsContinuationByte(name[tail])) ++tail;
  return absl::StrCat(name.substr(0, head), "...", name.substr(tail));
}

// The text of one step as it stands in the whole; a dotted one begins with its dot, which the whole
// loses at its beginning.
struct Canonical {
  static size_t Size(const KeyRef& key) { return KeyTextSize(key); }
  static void Append(const KeyRef& key, std::string* out) { AppendKeyText(key, out); }
};
struct Dotted {
  static size_t Size(const KeyRef& key) {
    if (key.kind == KeyKind::kIndex) return KeyTextSize(key) - 1;
    return 1 + key.name.size();
  }
  static void Append(const KeyRef& key, std::string* out) {
    out->push_back('.');
    AppendDottedKey(key, out);
  }
};

template <typename Style>
absl::StatusOr<std::string> TextOf(const TreeDefColumns& columns, NodeId node) {
  size_t size = 0;
  for (NodeId at = node; at != kRootNode; at = columns.parents[at]) {
    size += Style::Size(KeyOf(columns, at));
    if (size > Path::kMaxTextSize) {
      return absl::ResourceExhaustedError(
          absl::StrCat("at ", PathForMessage(columns, node), ": expected a path of at most ",
                       Path::kMaxTextSize, " bytes, found a longer one"));
    }
  }
  // From the end to the beginning: the parents come last.
  std::string text(size, '\0');
  std::string step;
  for (NodeId at = node; at != kRootNode; at = columns.parents[at]) {
    step.clear();
    Style::Append(KeyOf(columns, at), &step);
    size -= step.size();
    std::memcpy(text.data() + size, step.data(), step.size());
  }
  return text;
}

// The last nodes on the way from the root's child down to `node`: all, or kMaxSteps of them.
std::vector<NodeId> LastSteps(const TreeDefColumns& columns, NodeId node) {
  std::vector<NodeId> steps;
  for (NodeId at = node; at != kRootNode && steps.size() < kMaxSteps; at = columns.parents[at]) {
    steps.push_back(at);
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

// The text of the last steps, without the first ones where it would be over kMessageHalf.
std::string TailOf(const TreeDefColumns& columns, const std::vector<NodeId>& steps) {
  std::string tail;
  for (size_t i = steps.size(); i > 0; --i) {
    std::string step;
    AppendKeyForMessage(KeyOf(columns, steps[i - 1]), &step);
    if (!tail.empty() && tail.size() + step.size() > kMessageHalf) break;
    tail.insert(0, step);
  }
  return tail;
}

bool IsPlain(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("_.:<>-/").find(c) != absl::string_view::npos;
  });
}

}  // namespace

absl::StatusOr<std::string> PathTextOf(const TreeDefColumns& columns, NodeId node) {
  return TextOf<Canonical>(columns, node);
}

absl::StatusOr<std::string> DottedOf(const TreeDefColumns& columns, NodeId node) {
  absl::StatusOr<std::string> text = TextOf<Dotted>(columns, node);
  if (text.ok() && !text->empty()) text->erase(0, 1);
  return text;
}

std::string PathForMessage(const TreeDefColumns& columns, NodeId node) {
  if (node == kRootNode) return "(root)";
  const std::vector<NodeId> steps = LastSteps(columns, node);
  if (steps.size() == kMaxSteps) return absl::StrCat("...", TailOf(columns, steps));
  std::string head;
  size_t head_size = 0;  // of the whole steps within the first half
  size_t at = 0;
  while (at < steps.size() && head.size() <= kMessageSize) {
    AppendKeyForMessage(KeyOf(columns, steps[at++]), &head);
    if (head.size() <= kMessageHalf || head_size == 0) head_size = head.size();
  }
  if (at == steps.size() && head.size() <= kMessageSize) return head;
  head.resize(head_size);
  return absl::StrCat(head, "...", TailOf(columns, steps));
}

void AppendKeyForMessage(const KeyRef& key, std::string* out) {
  if (key.name.size() <= kNameSize) {
    AppendKeyText(key, out);
    return;
  }
  const std::string name = Clipped(key.name);
  AppendKeyText({key.kind, name, key.index}, out);
}

std::string NameForMessage(absl::string_view name) {
  const std::string clipped = Clipped(name);
  if (IsPlain(clipped)) return clipped;
  std::string out;
  if (IsValidUtf8(clipped)) {
    AppendQuoted(clipped, &out);
  } else {
    absl::StrAppend(&out, "'", absl::CHexEscape(clipped), "'");
  }
  return out;
}

}  // namespace leafstore::internal
