// Flattener and Unflattener: the two sides between a model and (TreeDef, leaves).
//
// A Binder (binder.h), or the walk over a Tree, describes a model's nodes to them one by one.
//
// A Flattener either builds a new TreeDef, or follows a given one and fails if the kinds, keys
// or ties of the model differ from it (tags and type names may differ). Following builds and hashes
// no string. Tensors passed as non-const are moved out only in Finish, when nothing can fail any
// more.
//
// Unflattening runs the same code twice: first to check that every node fits, with nothing to write
// to, then to write. So a failed call changes nothing.
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_FLATTENER_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_FLATTENER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/leaf.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore::internal {

// The deepest nesting of a user's structs (through pointers to their own type), which are visited
// by recursion. A dynamic Tree has no such limit.
inline constexpr int kMaxStructDepth = 1000;

// The names of a type's fields, sorted: one static array per type, whose address identifies it.
using SortedNames = absl::Span<const absl::string_view>;

// Remembers which structs of a TreeDef have the fields of which C++ type. Texts are compared only
// for the first struct of a type; a later one is recognized by the string ids of its keys.
class KnownStructs {
 public:
  // Returns whether the children of the struct at `node` have exactly these names. All calls must
  // be for one TreeDef. O(fields).
  bool HasFields(const TreeDef& def, NodeId node, SortedNames names);

 private:
  // The struct of each type, identified by the address of its names, that matched last.
  HashMap<const void*, NodeId> right_;
  // The one of them that matched last: structs of one type often follow each other.
  std::pair<const void*, NodeId> last_ = {nullptr, kNoNode};
};

// Returns a leaf as text, without the middle of a long string.
std::string LeafForMessage(const Leaf& leaf);

// The structure of a model and its leaves, in order.
struct FlatTree {
  TreeDef def;
  std::vector<Leaf> leaves;
};

class Flattener {
 public:
  // Whether tensors passed as non-const are copied, which shares their bytes, or moved out.
  enum class Tensors { kCopy, kTake };

  // Builds a new TreeDef, or follows `like`.
  explicit Flattener(Tensors tensors = Tensors::kCopy);
  explicit Flattener(const TreeDef& like, Tensors tensors = Tensors::kCopy);

  // These work as in TreeDefBuilder. Callers return an error at once. A key is not copied and must
  // live until its node is added.
  void SetKey(const KeyRef& key) {
    key_ = key;
    has_key_ = true;
  }
  absl::Status Open(NodeKind container, absl::string_view type_name = {});
  absl::Status Close();
  // Like Open and Close, for a struct whose children will have these names; SetKey is still called
  // for each.
  // error ResourceExhausted: structs nest deeper than kMaxStructDepth.
  absl::Status OpenStruct(absl::string_view type_name, SortedNames names);
  absl::Status CloseStruct() {
    --depth_;
    return Close();
  }
  absl::Status None() {
    return AddNode(NodeKind::kNone, [](TreeDefBuilder* b) { b->None(); });
  }
  // Adds a tag to the next node.
  void Tag(absl::string_view tag) {
    if (!like_) tags_.emplace_back(tag);
  }

  // Adds a leaf. error InvalidArgument: it is null (a Tensor without a value), or a string that is
  // not UTF-8.
  absl::Status AddLeaf(Leaf leaf);
  // Like AddLeaf. T is Tensor or const Tensor; with Tensors::kTake, a Tensor must not move until
  // Finish.
  template <typename T>
  absl::Status AddTensor(T& tensor) {
    if (tensor.null()) return NullLeaf();
    if (absl::Status status = AddLeafNode(); !status.ok()) return status;
    Keep(tensor);
    return absl::OkStatus();
  }
  // Adds all children of the open struct at once, in order of their names, if a structure is
  // followed that has as many leaves there, and no tensor is null. Otherwise does nothing and
  // returns false: adding them one by one reports what is wrong.
  template <typename T>
  bool AddTensors(absl::Span<T* const> tensors) {
    if (!FollowsLeaves(tensors.size())) return false;
    for (const T* tensor : tensors) {
      if (tensor->null()) return false;
    }
    for (T* tensor : tensors) Keep(*tensor);
    cursor_ += static_cast<NodeId>(tensors.size());
    return true;
  }

  // Begins the object at `address` of type `type` (any unique pointer) as the next node. Returns
  // true if it is new: flatten it, then call EndShared. Returns false if it occurred before: an
  // alias was added. error InvalidArgument: it is not complete (a cycle).
  absl::StatusOr<bool> BeginShared(const void* address, const void* type);
  void EndShared(const void* address, const void* type);

  // Returns `error` with the path of the next node before its message.
  absl::Status At(const absl::Status& error);

  // Returns the result. After an error no tensor has been taken.
  // error: as TreeDefBuilder::Build.
  absl::StatusOr<FlatTree> Finish() &&;

 private:
  struct Shared {
    NodeId node;
    bool open;
  };
  struct OpenNode {
    NodeId node;
    bool has_known_keys;  // its children have the keys of the model: no need to compare them
  };
  struct ToTake {
    Tensor* tensor;
    uint32_t leaf;
  };

  NodeId next_node() const { return like_ ? cursor_ : builder_->next_node(); }
  absl::Status AddLeafNode() {
    return AddNode(NodeKind::kLeaf, [](TreeDefBuilder* b) { b->Leaf(); });
  }
  // Returns whether the next nodes are all children of the open struct: `count` leaves of known
  // keys.
  bool FollowsLeaves(size_t count) const {
    if (!like_ || !open_.back().has_known_keys) return false;
    const NodeId end = like_->end(open_.back().node);
    return end - cursor_ == count && like_->leaf_begin(end) - like_->leaf_begin(cursor_) == count;
  }
  // Adds the tensor as the next leaf, now or, with Tensors::kTake, in Finish.
  void Keep(const Tensor& tensor) { leaves_.emplace_back(tensor); }
  void Keep(Tensor& tensor) {
    if (tensors_ == Tensors::kCopy) return Keep(std::as_const(tensor));
    to_take_.push_back({&tensor, static_cast<uint32_t>(leaves_.size())});
    leaves_.emplace_back();
  }
  void TakeTensors();

  // Adds a node by `add`, with its key and its tags, or steps over the node that is followed.
  template <typename Add>
  absl::Status AddNode(NodeKind kind, const Add& add) {
    if (like_) return Match(kind);
    BeginNode();
    add(&*builder_);
    for (const std::string& tag : tags_) builder_->Tag(tag);
    tags_.clear();
    return builder_->status();
  }
  // Building: sets the key of the next node.
  void BeginNode();

  // Following: steps over the next node, which must be of this kind and, in a dict or struct, under
  // this key.
  absl::Status Match(NodeKind kind);
  bool MatchesAlias(NodeId owner) const;
  bool AtEnd() const {
    return open_.empty() ? cursor_ != kRootNode : cursor_ == like_->end(open_.back().node);
  }
  bool KeyDiffers() const;
  absl::Status Differs(absl::string_view found) const;

  absl::Status NullLeaf();
  absl::Status Cycle(NodeId owner);
  // Returns the path of the next node in the model.
  std::string PathForMessage();

  std::optional<TreeDefBuilder> builder_;
  std::optional<TreeDef> like_;
  NodeId cursor_ = 0;           // following: the next node
  std::vector<OpenNode> open_;  // following: the open containers
  KnownStructs known_structs_;
  KeyRef key_;
  bool has_key_ = false;
  std::vector<std::string> tags_;  // of the next node
  int depth_ = 0;
  const Tensors tensors_;
  std::vector<Leaf> leaves_;
  std::vector<ToTake> to_take_;  // their leaves are null so far
  HashMap<std::pair<const void*, const void*>, Shared> shared_;
  // The alias added last, and its owner.
  NodeId last_alias_ = kNoNode;
  NodeId last_alias_owner_ = kNoNode;
};

class Unflattener {
 public:
  // Reads leaves in the order of `def`, which must outlive this: copies them, or moves them out of
  // `given` if that is not null.
  Unflattener(const TreeDef& def, absl::Span<const Leaf> leaves, std::vector<Leaf>* given)
      : def_(def), leaves_(leaves), given_(given) {}

  // Begins the check. error FailedPrecondition: the count of leaves differs from that of `def`, or
  // a leaf is null.
  absl::Status CheckLeaves();
  // Ends the check and returns to the root to write.
  void BeginWriting();
  bool writing() const { return writing_; }

  const TreeDef& def() const { return def_; }
  // Returns the next node, and its kind.
  NodeId node() const { return cursor_; }
  NodeKind kind() const { return def_.kind(cursor_); }

  // Steps into a container, whose children come next, or over a none or a leaf.
  // error InvalidArgument: the next node is something else.
  absl::Status Enter(NodeKind container) {
    if (kind() != container) return Expected(NodeKindName(container));
    ++cursor_;
    return absl::OkStatus();
  }
  // Like Enter above, for a container that must have this many children.
  absl::Status Enter(NodeKind container, size_t child_count);
  // Like Enter, for a struct that must have these fields; call LeaveStruct after its last child.
  // error ResourceExhausted: structs nest deeper than kMaxStructDepth.
  absl::Status EnterStruct(SortedNames names);
  void LeaveStruct() { --depth_; }
  // Returns the next leaf. error InvalidArgument: the next node is something else.
  absl::StatusOr<const Leaf*> PeekLeaf() const {
    if (kind() != NodeKind::kLeaf) return Expected("leaf");
    return &leaves_[def_.leaf_begin(cursor_)];
  }
  // Returns whether the next node is a leaf with a tensor.
  bool IsTensor() const {
    return kind() == NodeKind::kLeaf && is_tensor_[def_.leaf_begin(cursor_)] != 0;
  }
  // Steps over the next `count` nodes if all of them are tensors; otherwise does nothing and
  // returns false.
  bool PassTensors(uint32_t count) {
    const NodeId end = cursor_ + count;
    if (end > def_.node_count()) return false;
    const uint32_t first = def_.leaf_begin(cursor_);
    if (def_.leaf_begin(end) - first != count) return false;
    const auto begin = is_tensor_.begin() + first;
    if (std::find(begin, begin + count, 0) != begin + count) return false;
    cursor_ = end;
    return true;
  }
  // Steps over the leaf that PeekLeaf returned and moves or copies it.
  Leaf TakeLeaf() {
    const uint32_t leaf = def_.leaf_begin(cursor_++);
    return given_ != nullptr ? std::move((*given_)[leaf]) : leaves_[leaf];
  }
  // Goes to another node without taking any leaf.
  void GoTo(NodeId node) { cursor_ = node; }

  // Return the error "at .layers[0]: expected <what>, found ..." about the next node or its key.
  absl::Status Expected(absl::string_view what) const;
  absl::Status ExpectedKey(absl::string_view what) const;
  // Returns `error` with the path of the next node before its message.
  absl::Status At(const absl::Status& error) const;

  // Returns whether this node has an alias. O(nodes) for the first call, then O(1).
  bool IsOwner(NodeId node) { return def_.has_aliases() && FindOwner(node); }
  // Keeps the object made for a node (null while checking), for its aliases.
  void Remember(NodeId node, std::shared_ptr<void> object, const void* type);
  // Returns whether an object of this type was kept for the owner of the next node, an alias.
  bool Remembers(const void* type) const;
  // Steps over an alias and returns its object.
  // error InvalidArgument: the next node is not an alias, or no object of that type was kept.
  absl::StatusOr<std::shared_ptr<void>> TakeAlias(const void* type);

 private:
  std::string Found() const;
  absl::Status OtherFields(SortedNames names) const;
  bool FindOwner(NodeId node);

  const TreeDef& def_;
  absl::Span<const Leaf> leaves_;
  std::vector<Leaf>* const given_;
  // Read from all leaves at once, which waits for memory once, not once per leaf.
  std::vector<uint8_t> is_tensor_;
  NodeId cursor_ = 0;
  bool writing_ = false;
  int depth_ = 0;
  KnownStructs known_structs_;
  std::optional<HashSet<NodeId>> owners_;
  // One node may be objects of several types: a pointer to a pointer.
  HashMap<std::pair<NodeId, const void*>, std::shared_ptr<void>> objects_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_FLATTENER_H_
