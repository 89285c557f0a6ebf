#include "leafstore/store/layout.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "xxhash.h"

#include "leafstore/core/internal/lazy.h"
#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/layout_of_paths.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/path_table.h"

namespace leafstore {

struct Layout::Loose {
  explicit Loose(internal::PathTable t) : table(std::move(t)) {}

  const internal::PathTable table;
  uint64_t fingerprint = 0;

  const absl::StatusOr<TreeDef>& def() const {
    return made_def.Get([this] {
      std::vector<Path> paths;
      paths.reserve(table.size());
      for (uint32_t i = 0; i < table.size(); ++i) {
        paths.push_back(Path::Parse(table.text(i)).value());  // it was printed by Path
      }
      return internal::TreeDefOfPaths(paths);
    });
  }

  // The slots by dotted form.
  using DottedIndex = std::unordered_map<std::string, std::vector<Slot>>;
  const DottedIndex& dotted() const {
    return made_dotted.Get([this] {
      DottedIndex index;
      for (uint32_t i = 0; i < table.size(); ++i) {
        index[Path::Parse(table.text(i)).value().Dotted()].push_back(i);
      }
      return index;
    });
  }

  mutable internal::Lazy<absl::StatusOr<TreeDef>> made_def;
  mutable internal::Lazy<DottedIndex> made_dotted;
};

Layout::Layout() = default;
Layout::Layout(TreeDef def) : def_(std::move(def)) {}

namespace {

// Returns the error, with bytes that are not UTF-8 escaped, since messages are UTF-8.
absl::Status NotUtf8(absl::Span<const Key> above, const Key& key) {
  constexpr size_t kMax = 200;
  const Path parent(std::vector<Key>(above.begin(), above.end()));
  return absl::InvalidArgumentError(absl::StrCat(
      "at ", internal::PathForMessage(parent), ": expected ",
      key.kind() == KeyKind::kAttribute ? "an attribute" : "an item", " in UTF-8, found '",
      absl::CHexEscape(absl::string_view(key.name()).substr(0, kMax)), "'"));
}

}  // namespace

absl::StatusOr<Layout> Layout::Create(std::vector<Path> paths) {
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  texts.reserve(paths.size());
  for (const Path& path : paths) {
    for (size_t i = 0; i < path.size(); ++i) {
      if (!path.keys()[i].ref().IsValid()) return NotUtf8(path.keys().first(i), path.keys()[i]);
    }
    texts.push_back(path.ToString());
    if (texts.back().size() > Path::kMaxTextSize) {  // it could not be parsed again
      return internal::PathTooLong(internal::PathForMessage(path));
    }
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto table, internal::PathTable::Create(texts));
  auto loose = std::make_shared<Loose>(std::move(table));
  uint64_t hash = texts.size();
  for (const std::string& text : texts) hash = XXH3_64bits_withSeed(text.data(), text.size(), hash);
  loose->fingerprint = hash;
  return Layout(std::move(loose));
}

uint32_t Layout::size() const {
  return loose_ != nullptr ? loose_->table.size() : def_.leaf_count();
}

Slot Layout::SlotOf(absl::string_view path_text) const {
  static_assert(internal::PathTable::kNotFound == kNoSlot);
  const internal::PathTable* table =
      loose_ == nullptr ? internal::KnownPathsOf(def_) : &loose_->table;
  const Slot slot = table == nullptr ? kNoSlot : table->Find(path_text);
  return slot != kNoSlot || loose_ != nullptr ? slot : FindAgain(path_text);
}

// Finds a path of a tree whose table does not exist yet or does not contain it.
Slot Layout::FindAgain(absl::string_view path_text) const {
  const absl::StatusOr<const internal::PathTable*> table = internal::PathsOf(def_);
  if (!table.ok()) return FindByWalking(path_text);
  const Slot slot = (*table)->Find(path_text);
  return slot == kNoSlot && def_.has_aliases() ? FindByWalking(path_text) : slot;
}

// Finds a path by walking the tree, for paths through aliases, which are not in the table as there
// may be exponentially many, and for trees whose paths are too long for a table. Does not use
// TreeDef::Find, whose errors cost a search for suggestions.
Slot Layout::FindByWalking(absl::string_view path_text) const {
  const absl::StatusOr<Path> path = Path::Parse(path_text);
  if (!path.ok()) return kNoSlot;
  NodeId node = kRootNode;
  for (const Key& key : path->keys()) {
    node = def_.FindChild(node, key.ref());
    if (node == kNoNode) return kNoSlot;
    node = def_.Resolve(node);
  }
  return def_.kind(node) == NodeKind::kLeaf ? def_.leaf_begin(node) : kNoSlot;
}

namespace {

absl::Status NotALeaf(const TreeDef& def, absl::string_view path, NodeId node) {
  return absl::InvalidArgumentError(absl::StrCat("at '", path, "': expected a leaf, found ",
                                                 NodeKindName(def.kind(def.Resolve(node)))));
}

}  // namespace

absl::StatusOr<Slot> Layout::Get(absl::string_view path_text) const {
  if (const std::optional<Slot> slot = Find(path_text)) return *slot;
  if (loose_ == nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def_.Find(path_text));
    return NotALeaf(def_, path_text, node);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const Path path, Path::Parse(path_text));
  if (const absl::StatusOr<TreeDef>& made = loose_->def(); made.ok()) {
    if (const absl::StatusOr<NodeId> node = made->Find(path); node.ok()) {
      return NotALeaf(*made, path_text, *node);
    }
  }
  std::vector<absl::string_view> texts;
  for (uint32_t i = 0; i < size(); ++i) texts.push_back(loose_->table.text(i));
  return absl::NotFoundError(absl::StrCat("no leaf at ", internal::QuotedPath(path_text),
                                          internal::DidYouMean(path_text, texts)));
}

absl::StatusOr<Slot> Layout::GetDotted(absl::string_view dotted) const {
  if (loose_ == nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def_.FindDotted(dotted));
    const NodeId owner = def_.Resolve(node);
    if (def_.kind(owner) == NodeKind::kLeaf) return def_.leaf_begin(owner);
    return NotALeaf(def_, dotted, owner);
  }
  const std::vector<Slot> found = SlotsOfDotted(dotted);
  if (found.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", dotted, "' could be ", internal::QuotedPath(PathText(found[0])), " or ",
                     internal::QuotedPath(PathText(found[1])), "; use one of these"));
  }
  if (!found.empty()) return found[0];
  std::vector<std::string> names;  // in the order of slots, so that the message is always the same
  for (Slot slot = 0; slot < size(); ++slot) names.push_back(Dotted(slot));
  return absl::NotFoundError(
      absl::StrCat("no leaf at '", dotted, "'", internal::DidYouMean(dotted, names)));
}

std::vector<Slot> Layout::SlotsOfDotted(absl::string_view dotted) const {
  std::vector<Slot> slots;
  if (loose_ != nullptr) {
    const auto found = loose_->dotted().find(std::string(dotted));
    return found == loose_->dotted().end() ? slots : found->second;
  }
  for (const NodeId node : def_.NodesOfDotted(dotted)) {
    const NodeId owner = def_.Resolve(node);
    if (def_.kind(owner) == NodeKind::kLeaf) slots.push_back(def_.leaf_begin(owner));
  }
  return slots;
}

std::string Layout::PathText(Slot slot) const {
  if (loose_ != nullptr) return std::string(loose_->table.text(slot));
  const NodeId node = def_.node_of_leaf(slot);
  absl::StatusOr<std::string> text = def_.PathText(node);
  return text.ok() ? *std::move(text) : def_.PathForMessage(node);
}

std::string Layout::Dotted(Slot slot) const {
  if (loose_ != nullptr) return PathOf(slot).Dotted();
  const NodeId node = def_.node_of_leaf(slot);
  absl::StatusOr<std::string> text = def_.Dotted(node);
  return text.ok() ? *std::move(text) : def_.PathForMessage(node);
}

Path Layout::PathOf(Slot slot) const {
  if (loose_ != nullptr) return Path::Parse(loose_->table.text(slot)).value();
  return def_.PathOf(def_.node_of_leaf(slot));
}

std::string Layout::PathForMessage(Slot slot) const {
  if (loose_ != nullptr) return internal::PathForMessage(PathOf(slot));
  return def_.PathForMessage(def_.node_of_leaf(slot));
}

absl::Status Layout::ForEachPath(
    const SlotSet& slots, PathForm form,
    absl::FunctionRef<void(uint32_t place, absl::string_view text)> visit) const {
  uint32_t place = 0;
  if (loose_ != nullptr) {  // its texts are within the limit
    for (; place < slots.size(); ++place) {
      const Slot slot = slots.SlotAt(place);
      if (form == PathForm::kCanonical) {
        visit(place, loose_->table.text(slot));
      } else {
        visit(place, PathOf(slot).ToText(form));
      }
    }
    return absl::OkStatus();
  }
  internal::PathCursor cursor(form);
  internal::TextBudget budget(slots.size());
  for (NodeId node = kRootNode; node < def_.node_count() && place < slots.size();) {
    if (slots.SlotAt(place) >= def_.leaf_begin(def_.end(node))) {  // no leaf requested
      node = def_.end(node);
      continue;
    }
    if (!cursor.Enter(def_, node)) return internal::PathTooLong(def_.PathForMessage(node));
    if (def_.kind(node) == NodeKind::kLeaf) {
      LEAFSTORE_RETURN_IF_ERROR(budget.Spend(cursor.text().size()));
      visit(place++, cursor.text());
    }
    ++node;
  }
  return absl::OkStatus();
}

absl::StatusOr<TreeDef> Layout::def() const {
  return loose_ != nullptr ? loose_->def() : absl::StatusOr<TreeDef>(def_);
}

uint64_t Layout::fingerprint() const {
  return loose_ != nullptr ? loose_->fingerprint : def_.hash();
}

}  // namespace leafstore
