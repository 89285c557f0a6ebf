// Binder of structs with LEAFSTORE_FIELDS (fields.h).
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_STRUCT_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_STRUCT_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/fields.h"
#include "leafstore/treedef/bind/internal/binder.h"

namespace leafstore::internal {

constexpr absl::string_view AbslView(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

// A type that has both is a leaf.
template <typename T>
requires(HasFields<T> && !HasLeafTraits<T>) struct Binder<T> {
  using Table = FieldTable<T>;

  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& self) {
    LEAFSTORE_RETURN_IF_ERROR(flattener.OpenStruct(AbslView(TypeNameOf<T>()), kSorted));
    auto list = self.LeafstoreFields();
    if constexpr (kHasTensorsOnly) {
      const auto tensors = SortedTensors(list);
      if (flattener.AddTensors(absl::MakeConstSpan(tensors))) return flattener.CloseStruct();
    }
    absl::Status status;
    ForEachSorted([&]<size_t kIndex>() {
      flattener.SetKey(KeyRef::Attribute(AbslView(Table::kNames[kIndex])));
      auto& field = std::get<kIndex>(list.fields);
      for (const std::string_view tag : field.tags) flattener.Tag(AbslView(tag));
      status = FlattenNode(flattener, field.value);
      return status.ok();
    });
    LEAFSTORE_RETURN_IF_ERROR(status);
    return flattener.CloseStruct();
  }

  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_RETURN_IF_ERROR(reader.EnterStruct(kSorted));
    absl::Status status;
    if (out != nullptr) {
      auto list = out->LeafstoreFields();
      ForEachSorted([&]<size_t kIndex>() {
        status = UnflattenNode(reader, &std::get<kIndex>(list.fields).value);
        return status.ok();
      });
    } else if (!kHasTensorsOnly || !reader.PassTensors(Table::kCount)) {
      ForEachSorted([&]<size_t kIndex>() {
        status = UnflattenNode<Member<kIndex>>(reader, nullptr);
        return status.ok();
      });
    }
    LEAFSTORE_RETURN_IF_ERROR(status);
    reader.LeaveStruct();
    return absl::OkStatus();
  }

 private:
  template <size_t kIndex>
  using Member = std::remove_reference_t<
      decltype(std::get<kIndex>(std::declval<typename Table::List&>().fields).value)>;

  // Most leaves of a model are in structs that have only leaves.
  static constexpr bool kHasTensorsOnly = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
    return sizeof...(kIndex) > 0 && (std::is_same_v<Member<kIndex>, Tensor> && ...);
  }
  (std::make_index_sequence<Table::kCount>());

  // The fields' tensors, in order of the names.
  template <typename List>
  static auto SortedTensors(List& list) {
    return [&list]<size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      return std::array{&std::get<Table::kOrder[kPlaces]>(list.fields).value...};
    }
    (std::make_index_sequence<Table::kCount>());
  }

  // Calls fn<index>() for the index of each field, in order of the names, while it returns true.
  template <typename Fn>
  static void ForEachSorted(Fn fn) {
    [&fn]<size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      (void)(fn.template operator()<Table::kOrder[kPlaces]>() && ...);
    }
    (std::make_index_sequence<Table::kCount>());
  }

  static constexpr std::array<absl::string_view, Table::kCount> kSorted = [] {
    std::array<absl::string_view, Table::kCount> names;
    for (size_t i = 0; i < Table::kCount; ++i) {
      names[i] = AbslView(Table::kNames[Table::kOrder[i]]);
    }
    return names;
  }();
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_STRUCT_H_
