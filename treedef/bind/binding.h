// Binding: which C++ types can be part of a model, and what they become in a TreeDef.
//
//   a struct with LEAFSTORE_FIELDS            struct
//   std::vector, std::array                   list
//   std::pair, std::tuple                     tuple
//   std::map, std::unordered_map,             dict; keys are std::string or a signed integer
//     absl::btree_map, absl::flat_hash_map
//   std::optional, std::unique_ptr            their content, or none
//   std::shared_ptr                           its content, or none; a second pointer: an alias
//   Tree                                      whatever it holds
//   Tensor, Leaf                              leaf
//   Value, bool, integers, floating point,    static leaf
//     std::string, Bytes
//   Eigen matrices, arrays and tensors        leaf (binding_eigen.h)
//   a type with LeafTraits                    leaf
//
// Your own type becomes a leaf by a specialization:
//
//   template <>
//   struct leafstore::LeafTraits<Quaternion> {
//     static absl::StatusOr<Leaf> ToLeaf(const Quaternion& q) {
//       return Tensor::From<float>({4}, {q.w, q.x, q.y, q.z});
//     }
//     static absl::Status FromLeaf(const Leaf& leaf, Quaternion* out);
//     static absl::Status Check(const Leaf& leaf);   // optional: what FromLeaf would return
//   };
//
// FromLeaf must return an error, and change nothing, for a leaf of the wrong kind, dtype or shape.
// Its message states what was expected and what was found; the path is added before it. Every leaf
// is checked before anything is written: by Check, or by FromLeaf on a temporary object.
//
// Numbers. Integers become Value ints and must fit. Floating point becomes Value floats; reading
// one back is an error if its value would change (a double into a float that would round).
//
// Sharing. Two shared_ptrs tie when they point to one object of one type, const or not; objects of
// two types at one address (a struct and its first member) are two. A cycle is an error.
// Unflattening makes a new object, shared again by all that shared it; other pointers to the old
// object keep it. Only a shared_ptr, or a Tree, can be an alias: a plain member where the TreeDef
// has an alias is an error.
//
// None. A null pointer and a pointer to an empty optional both become none. Unflattened, a none is
// a null pointer, unless something shares it.
//
// Writing in place. Unflattening makes new objects only if a container grows, an empty holder is
// filled, or something is shared. Others keep their place and their members that are not listed. A
// Tree keeps its nodes as far as their kinds and keys equal those that are written. Elements, keys
// and values that are made must be default-constructible.
//
// Recursion. Structs that nest through pointers or vectors to their own type are visited by
// recursion, at most 1,000 deep, with about 1 KiB of stack per level.
#ifndef LEAFSTORE_TREEDEF_BIND_BINDING_H_
#define LEAFSTORE_TREEDEF_BIND_BINDING_H_

#include "leafstore/treedef/bind/fields.h"                // IWYU pragma: export
#include "leafstore/treedef/bind/internal/binder.h"       // IWYU pragma: export
#include "leafstore/treedef/bind/internal/containers.h"   // IWYU pragma: export
#include "leafstore/treedef/bind/internal/leaf_traits.h"  // IWYU pragma: export

#endif  // LEAFSTORE_TREEDEF_BIND_BINDING_H_
