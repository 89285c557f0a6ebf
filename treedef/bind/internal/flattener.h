// Flattener and Unflattener: the two sides between a model and (TreeDef, leaves).
//
// What a Binder (binder.h) or the walk over a Tree tells its nodes to. Users meet neither; they say
// what is in a model by LEAFSTORE_FIELDS and LeafTraits (binding.h).
//
// A Flattener either builds a new TreeDef, or follows one that is given and fails where the kinds,
// keys or ties of the model differ from it (tags and type names may differ); the callers need not
// know which. Following builds no string and hashes none. Tensors that it meets as non-const are
// taken only at the end, when nothing can fail any more.
//
// Unflattening runs twice over the same code: once to check that every node fits, with nothing to
// write to, and once to write. So a failed call changes nothing.
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

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/treedef/bind/internal/known_structs.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore::internal {

// Deepest nesting of a user's structs (through pointers to their own type), which are walked by
// recursion; a dynamic Tree has no such limit.
inline constexpr int kMaxStructDepth = 1000;

// Returns a leaf as text, without the middle of a long string.
std::string LeafForMessage(const Leaf& leaf);

// The structure of a model and its leaves, in order.
struct FlatTree {
  TreeDef def;
  std::vector<Leaf> leaves;
};

class Flattener {
 public:
  // What happens to tensors that are met as non-const: they are copied, which shares their bytes,
  // or moved out of the model.
  enum class Tensors { kCopy, kTake };

  // Builds a new TreeDef.
  explicit Flattener(Tensors tensors = Tensors::kCopy);
  // Follows `like`.
  explicit Flattener(const TreeDef& like, Tensors tensors = Tensors::kCopy);

  // As in TreeDefBuilder. An error ends the walk: callers return it at once. A key is not copied
  // and must live until its node is added.
  void SetKey(const KeyRef& key) {
    key_ = key;
    has_key_ = true;
  }
  absl::Status Open(NodeKind container, absl::string_view type_name = {});
  absl::Status Close();
  // The same of a struct whose children will be these; they still give their keys.
  // error ResourceExhausted: structs nest deeper than kMaxStructDepth.
  absl::Status OpenStruct(absl::string_view type_name, SortedNames names);
  absl::Status CloseStruct() {
    --depth_;
    return Close();
  }
  absl::Status None();
  // A tag of the node to come.
  void Tag(absl::string_view tag) {
    if (!like_) tags_.emplace_back(tag);
  }

  // A leaf. error InvalidArgument: it is null (a Tensor that was never given a value), or a string
  // that is not UTF-8.
  absl::Status AddLeaf(Leaf leaf);
  absl::Status AddTensor(const Tensor& tensor);
  // The same. Where tensors are taken, this one must stay where it is until Finish.
  absl::Status AddTensor(Tensor& tensor);
  // Adds all children of the struct that is open at once, in order of their names (T is Tensor or
  // const Tensor), if a structure is followed that has as many leaves there, and no tensor is null.
  // Otherwise does nothing: added one by one, they say what is wrong.
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

  // Says that the node to come is the object at `address` of type `type` (any unique pointer).
  // True: it is new, flatten it, then call EndShared. False: it was there before, an alias has been
  // added. error InvalidArgument: it is open: a cycle.
  absl::StatusOr<bool> BeginShared(const void* address, const void* type);
  void EndShared(const void* address, const void* type);

  // `error` with the path of the node to come before its message.
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
    bool has_known_keys;  // its children's are those of the model: they need not be compared
  };
  struct ToTake {
    Tensor* tensor;
    uint32_t leaf;
  };

  // The number that the node to come will have.
  NodeId next_node() const { return like_ ? cursor_ : builder_->next_node(); }
  absl::Status AddLeafNode();
  // Whether the nodes to come are all children of the open struct, `count` leaves of known keys.
  bool FollowsLeaves(size_t count) const {
    if (!like_ || !open_.back().has_known_keys) return false;
    const NodeId end = like_->end(open_.back().node);
    return end - cursor_ == count && like_->leaf_begin(end) - like_->leaf_begin(cursor_) == count;
  }
  // The tensor as the next leaf, now or, where it is taken, later.
  void Keep(const Tensor& tensor) { leaves_.emplace_back(tensor); }
  void Keep(Tensor& tensor) {
    if (tensors_ == Tensors::kCopy) return Keep(std::as_const(tensor));
    to_take_.push_back({&tensor, static_cast<uint32_t>(leaves_.size())});
    leaves_.emplace_back();
  }
  void TakeTensors();

  // Building: what every node is given before and after it is added.
  void BeginNode();
  absl::Status EndNode();

  // Following: passes the node to come, which must be of this kind and, in a dict or struct, under
  // this key.
  absl::Status Match(NodeKind kind);
  absl::Status MatchAlias(NodeId owner);
  bool AtEnd() const {
    return open_.empty() ? cursor_ != kRootNode : cursor_ == like_->end(open_.back().node);
  }
  bool KeyDiffers() const;
  absl::Status Differs(absl::string_view found) const;
  std::string Describe(NodeId node) const;

  absl::Status NullLeaf();
  absl::Status Cycle(NodeId owner);
  // The path of the node to come, as the model has it.
  std::string PathForMessage();

  std::optional<TreeDefBuilder> builder_;
  std::optional<TreeDef> like_;
  NodeId cursor_ = 0;           // following: the node to come
  std::vector<OpenNode> open_;  // following: the open containers
  KnownStructs known_structs_;
  KeyRef key_;
  bool has_key_ = false;
  std::vector<std::string> tags_;  // of the node to come
  int depth_ = 0;
  const Tensors tensors_;
  std::vector<Leaf> leaves_;
  std::vector<ToTake> to_take_;  // their leaves are null so far
  absl::flat_hash_map<std::pair<const void*, const void*>, Shared> shared_;
  // The alias added last, and what it stands for.
  NodeId last_alias_ = kNoNode;
  NodeId last_alias_owner_ = kNoNode;
};

class Unflattener {
 public:
  // Over leaves in the order of `def`: as copies, or given away. `def` must outlive this.
  Unflattener(const TreeDef& def, absl::Span<const Leaf> leaves);
  Unflattener(const TreeDef& def, std::vector<Leaf>* leaves);

  // Begins the check. error FailedPrecondition: as many leaves as `def` has are not there, or one
  // of them is null.
  absl::Status CheckLeaves();
  // Ends the check and goes back to the root to write.
  void BeginWriting();
  bool writing() const { return writing_; }

  const TreeDef& def() const { return def_; }
  // The node to come, and its kind.
  NodeId node() const { return cursor_; }
  NodeKind kind() const { return def_.kind(cursor_); }

  // Passes the head of a container; its children come next.
  // error InvalidArgument: the node to come is something else.
  absl::Status Enter(NodeKind container) {
    if (kind() != container) return Expected(NodeKindName(container));
    ++cursor_;
    return absl::OkStatus();
  }
  // The same, of a container that must have this many children.
  absl::Status Enter(NodeKind container, size_t child_count);
  // The same, of a struct that must have these fields, whose children come next; LeaveStruct goes
  // behind the last. error ResourceExhausted: structs nest deeper than kMaxStructDepth.
  absl::Status EnterStruct(SortedNames names);
  void LeaveStruct() { --depth_; }
  // Passes a none. error InvalidArgument: the node to come is something else.
  absl::Status None() {
    if (kind() != NodeKind::kNone) return Expected("none");
    ++cursor_;
    return absl::OkStatus();
  }
  // The leaf to come. error InvalidArgument: the node to come is something else.
  absl::StatusOr<const Leaf*> PeekLeaf() const {
    if (kind() != NodeKind::kLeaf) return Expected("leaf");
    return &leaves_[def_.leaf_begin(cursor_)];
  }
  // Whether the leaf to come is a tensor; false where it is no leaf.
  bool IsTensor() const {
    return kind() == NodeKind::kLeaf && is_tensor_[def_.leaf_begin(cursor_)] != 0;
  }
  // Passes the next `count` nodes if all of them are tensors; does nothing otherwise.
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
  // Passes the leaf that PeekLeaf gave and takes it.
  Leaf TakeLeaf() {
    const uint32_t number = def_.leaf_begin(cursor_++);
    return given_ != nullptr ? std::move((*given_)[number]) : leaves_[number];
  }
  // Goes to another node, with nothing taken on the way.
  void GoTo(NodeId node) { cursor_ = node; }

  // "at .layers[0]: expected dict, found list of 3", for the node to come.
  absl::Status Expected(absl::string_view what) const;
  // "at .layers[0]: expected <what>, found the key [0]", for the node to come.
  absl::Status ExpectedKey(absl::string_view what) const;
  // `error` with the path of the node to come before its message.
  absl::Status At(const absl::Status& error) const;

  // Ties. Whether an alias of this node is anywhere. O(nodes) for the first call, then O(1).
  bool IsOwner(NodeId node) { return def_.has_aliases() && FindOwner(node); }
  // Keeps the object made for a node (null while checking), to be given at its aliases.
  void Remember(NodeId node, std::shared_ptr<void> object, const void* type);
  // Whether an object of this type was remembered for what the alias to come stands for.
  bool Remembers(const void* type) const;
  // Passes an alias and gives its object.
  // error InvalidArgument: the node to come is no alias, or no object of that type is remembered.
  absl::StatusOr<std::shared_ptr<void>> TakeAlias(const void* type);

 private:
  std::string Found() const;
  absl::Status OtherFields(SortedNames names) const;
  bool FindOwner(NodeId node);

  const TreeDef& def_;
  absl::Span<const Leaf> leaves_;
  std::vector<Leaf>* given_ = nullptr;
  // Asked of all leaves at once, which waits for memory once, not once a leaf.
  std::vector<uint8_t> is_tensor_;
  NodeId cursor_ = 0;
  bool writing_ = false;
  int depth_ = 0;
  KnownStructs known_structs_;
  std::optional<absl::flat_hash_set<NodeId>> owners_;
  // One node may be objects of several types: a pointer to a pointer.
  absl::flat_hash_map<std::pair<NodeId, const void*>, std::shared_ptr<void>> objects_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_FLATTENER_H_
