// Binding: which C++ types can be part of a model, and what they become in a TreeDef.
//
//   a struct with LEAFSTORE_FIELDS            struct
//   std::vector, std::array                   list
//   std::pair, std::tuple                     tuple
//   std::map, std::unordered_map,             dict; keys are std::string or a signed integer
//     absl::btree_map, absl::flat_hash_map
//   std::optional, std::unique_ptr            their content, or none
//   std::shared_ptr                           its content, or none; met again: an alias
//   Tree                                      whatever it holds
//   Tensor, Leaf                              leaf
//   Value, bool, integers, floating point,    static leaf
//     std::string, Bytes
//   Eigen matrices, arrays and tensors        leaf (binding_eigen.h)
//   a type with LeafTraits                    leaf
//
// A type of one's own becomes a leaf by a specialisation:
//
//   template <>
//   struct leafstore::LeafTraits<Quaternion> {
//     static absl::StatusOr<Leaf> ToLeaf(const Quaternion& q) {
//       return Tensor::From<float>({4}, {q.w, q.x, q.y, q.z});
//     }
//     static absl::Status FromLeaf(const Leaf& leaf, Quaternion* out);
//     static absl::Status Check(const Leaf& leaf);   // optional: what FromLeaf would say
//   };
//
// FromLeaf must give an error, and change nothing, for a leaf that is not of the right kind, dtype
// or shape; the message says what was expected and what was found, the path is put before it. Each
// leaf is checked before anything is written: by Check, or else by FromLeaf on an object that is
// thrown away.
//
// Numbers. Integers become Value ints and must fit; floating point becomes Value floats; reading a
// float back is an error where it is another number (a double into a float that would round).
//
// Sharing. Two shared_ptrs tie when they point to one object of one type, const or not; objects of
// two types at one address (a struct and its first member) are two. A cycle is an error. When
// unflattened, an object is made anew, and shared again by all that shared it; what else pointed to
// the old object keeps it. Only a shared_ptr, or a Tree, can be an alias: a plain member where the
// TreeDef has one is an error.
//
// None. A null pointer and a pointer to an empty optional both become none. Unflattened, a none is
// a null pointer, unless something shares it.
//
// Writing in place. Unflattening makes new objects only where a container grows, an empty holder is
// filled, or something is shared; others keep their place and the members that are not listed. A
// Tree keeps its nodes as far as their kinds and keys are those that are written. Elements, keys and
// values that are made must have a default.
//
// Recursion. Structs that nest through pointers or vectors to their own type are walked by
// recursion, to kMaxStructDepth (flattener.h), which takes about 1 KiB of stack a level.
#ifndef LEAFSTORE_TREEDEF_BIND_BINDING_H_
#define LEAFSTORE_TREEDEF_BIND_BINDING_H_

#include "leafstore/treedef/bind/fields.h"               // IWYU pragma: export
#include "leafstore/treedef/bind/internal/binder.h"      // IWYU pragma: export
#include "leafstore/treedef/bind/internal/containers.h"  // IWYU pragma: export
#include "leafstore/treedef/bind/internal/pointers.h"    // IWYU pragma: export
#include "leafstore/treedef/bind/internal/struct.h"      // IWYU pragma: export
#include "leafstore/treedef/bind/internal/tree.h"        // IWYU pragma: export
#include "leafstore/treedef/bind/leaf_traits.h"          // IWYU pragma: export

#endif  // LEAFSTORE_TREEDEF_BIND_BINDING_H_
