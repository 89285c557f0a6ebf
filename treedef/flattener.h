// Flattener and Unflattener: the two sides between a model and (TreeDef, leaves).
//
// What a binding (binding.h) or a walk over a Tree (flatten.h) tells its nodes to. Users meet them
// only in a LeafTraits or Binder of their own.
//
// A Flattener either builds a new TreeDef, or follows one that is given and fails where the kinds
// or keys of the model differ from it (tags and type names may differ); the callers need not know
// which. Following builds no string and hashes none. A TensorTaker walks a model that a Flattener
// has walked and moves its tensors out; nothing it does can fail.
//
// Unflattening runs twice over the same code: once to check that every node fits, with nothing to
// write to, and once to write. So a failed call changes nothing.
#ifndef LEAFSTORE_TREEDEF_FLATTENER_H_
#define LEAFSTORE_TREEDEF_FLATTENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

// Deepest nesting of a user's structs (through pointers to their own type); a dynamic Tree has no
// such limit.
inline constexpr int kMaxStructDepth = 1000;

class Flattener {
 public:
  // Builds a new TreeDef.
  Flattener();
  // Follows `like`.
  explicit Flattener(const TreeDef& like);

  // As in TreeDefBuilder. An error ends the walk: callers return it at once. A key is not copied
  // and must live until its node is added.
  void SetKey(const KeyRef& key) {
    key_ = key;
    has_key_ = true;
  }
  absl::Status Open(NodeKind container, absl::string_view type_name = {});
  absl::Status Close();
  absl::Status None();
  // A tag of the node to come.
  void Tag(absl::string_view tag);

  // A leaf. error InvalidArgument: it is null (a Tensor that was never given a value).
  absl::Status AddLeaf(Leaf leaf);
  absl::Status AddTensor(const Tensor& tensor);
  // From here on AddTensor leaves a null leaf behind, to be filled by a TensorTaker once nothing
  // can fail any more.
  void TakeTensorsLater() { tensors_later_ = true; }

  // Says that the node to come is the object at `address` of type `type` (any unique pointer).
  // True: it is new, flatten it, then call EndShared. False: it was there before, an alias has been
  // added. error InvalidArgument: it is open: a cycle.
  absl::StatusOr<bool> BeginShared(const void* address, const void* type);
  void EndShared(const void* address, const void* type);
  // The number that the node to come will have.
  NodeId next_node() const { return like_ ? cursor_ : builder_->next_node(); }

  // The nesting of structs. error ResourceExhausted: over kMaxStructDepth.
  absl::Status EnterStruct();
  void LeaveStruct() { --depth_; }

  // The result. error: as TreeDefBuilder::Build; InvalidArgument: `like` has more nodes.
  struct Result {
    TreeDef def;
    std::vector<Leaf> leaves;
  };
  absl::StatusOr<Result> Finish() &&;

 private:
  struct Shared {
    NodeId node;
    bool open;
  };
  absl::Status AddLeafNode();
  // Building: what every node is given before and after it is added.
  void BeginNode();
  absl::Status EndNode();
  absl::Status Match(NodeKind kind);
  absl::Status Differs(NodeKind found);
  absl::Status NullLeaf();
  std::string MessagePath();

  std::optional<TreeDefBuilder> builder_;
  std::optional<TreeDef> like_;
  NodeId cursor_ = 0;         // following: the node to come
  std::vector<NodeId> open_;  // following: the open containers
  KeyRef key_;
  bool has_key_ = false;
  std::vector<std::string> tags_;  // of the node to come
  int depth_ = 0;
  bool tensors_later_ = false;
  std::vector<Leaf> leaves_;
  absl::flat_hash_map<std::pair<const void*, const void*>, Shared> shared_;
};

// Takes the calls of a Flattener; see above.
class TensorTaker {
 public:
  // Puts the tensors into the null entries of `leaves`, which are in the order of `def`.
  TensorTaker(const TreeDef& def, std::vector<Leaf>* leaves) : def_(def), leaves_(leaves) {}

  void SetKey(const KeyRef&) {}
  absl::Status Open(NodeKind, absl::string_view = {}) { return Pass(); }
  absl::Status Close() { return absl::OkStatus(); }
  absl::Status None() { return Pass(); }
  void Tag(absl::string_view) {}
  absl::Status AddTensor(Tensor& tensor) {
    (*leaves_)[def_.leaf_begin(cursor_)] = std::move(tensor);
    return Pass();
  }
  absl::Status PassLeaf() { return Pass(); }
  absl::StatusOr<bool> BeginShared(const void*, const void*) {
    if (def_.kind(cursor_) != NodeKind::kAlias) return true;
    ++cursor_;
    return false;
  }
  void EndShared(const void*, const void*) {}
  absl::Status EnterStruct() { return absl::OkStatus(); }
  void LeaveStruct() {}

 private:
  absl::Status Pass() {
    ++cursor_;
    return absl::OkStatus();
  }

  const TreeDef& def_;
  std::vector<Leaf>* leaves_;
  NodeId cursor_ = 0;
};

class Unflattener {
 public:
  // Over leaves in the order of `def`, all there: as copies, or given away.
  Unflattener(const TreeDef& def, absl::Span<const Leaf> leaves);
  Unflattener(const TreeDef& def, std::vector<Leaf>* leaves);

  // Ends the check and goes back to the root to write.
  void BeginWriting();
  bool writing() const { return writing_; }

  const TreeDef& def() const { return def_; }
  // The node to come, and its kind.
  NodeId node() const { return cursor_; }
  NodeKind kind() const { return def_.kind(cursor_); }

  // Passes the head of a container; its children come next.
  // error InvalidArgument: the node to come is something else.
  absl::Status Enter(NodeKind container);
  // Passes a none. error InvalidArgument: the node to come is something else.
  absl::Status None();
  // The leaf to come. error InvalidArgument: the node to come is something else.
  absl::StatusOr<const Leaf*> PeekLeaf() const;
  // Passes the leaf that PeekLeaf gave, with or without taking it.
  Leaf TakeLeaf();
  void SkipLeaf() { ++cursor_; }

  // "at .layers[0]: expected dict, found list of 3", for the node to come.
  absl::Status Expected(absl::string_view what) const;

  // Ties. Keeps the object made for a node (null while checking), to be given at its aliases.
  void Remember(NodeId node, std::shared_ptr<void> object, const void* type);
  // Passes an alias and gives its object.
  // error InvalidArgument: the node to come is no alias, or its owner is of another type.
  absl::StatusOr<std::shared_ptr<void>> TakeAlias(const void* type);

  // The nesting of structs. error ResourceExhausted: over kMaxStructDepth.
  absl::Status EnterStruct();
  void LeaveStruct() { --depth_; }

 private:
  struct Object {
    std::shared_ptr<void> pointer;
    const void* type;
  };
  const TreeDef& def_;
  absl::Span<const Leaf> leaves_;
  std::vector<Leaf>* given_ = nullptr;
  NodeId cursor_ = 0;
  bool writing_ = false;
  int depth_ = 0;
  absl::flat_hash_map<NodeId, Object> objects_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_FLATTENER_H_
