// LEAFSTORE_FIELDS: how a struct says which of its members are part of the model.
//
//   struct Linear {
//     Tensor weight, bias;
//     double dropout = 0.1;                                  // a static leaf
//     LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"), dropout)
//     LEAFSTORE_TYPE_NAME("Linear")                          // optional; what type: filters see
//   };
//
// The macro stands in the public part of the struct and names members of it, each once; their order
// does not matter, flattening sorts them by name. Members that are not named are left alone by
// flattening and unflattening. Tagged(member, tags...) gives the member's node tags for filters.
// The type name is the author's word, never the compiler's, because it is saved.
//
// What a member may be is listed in binding.h.
#ifndef LEAFSTORE_TREEDEF_FIELDS_H_
#define LEAFSTORE_TREEDEF_FIELDS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#define LEAFSTORE_FIELDS(...)                                                       \
  static constexpr ::std::string_view LeafstoreFieldText() { return #__VA_ARGS__; } \
  auto LeafstoreFields() {                                                          \
    using ::leafstore::Tagged;                                                      \
    return ::leafstore::internal::MakeFields(__VA_ARGS__);                          \
  }                                                                                 \
  auto LeafstoreFields() const {                                                    \
    using ::leafstore::Tagged;                                                      \
    return ::leafstore::internal::MakeFields(__VA_ARGS__);                          \
  }

#define LEAFSTORE_TYPE_NAME(name) \
  static constexpr ::std::string_view LeafstoreTypeName() { return name; }

namespace leafstore {

namespace internal {

// A member and its tags. T is const where the struct is.
template <typename T, size_t kTags>
struct Field {
  T& value;
  std::array<std::string_view, kTags> tags;
};

}  // namespace internal

// A member with tags, inside LEAFSTORE_FIELDS.
template <typename T, typename... Tags>
internal::Field<T, sizeof...(Tags)> Tagged(T& member, Tags... tags) {
  return {member, {std::string_view(tags)...}};
}

namespace internal {

template <typename T>
Field<T, 0> ToField(T& member) {
  return {member, {}};
}
template <typename T, size_t kTags>
Field<T, kTags> ToField(const Field<T, kTags>& field) {
  return field;
}
// By value for Tagged(...), which is a temporary; by reference for a plain member.
template <typename T, size_t kTags>
Field<T, kTags> ToField(Field<T, kTags>&& field) {
  return field;
}

template <typename... Args>
auto MakeFields(Args&&... args) {
  return std::make_tuple(ToField(std::forward<Args>(args))...);
}

constexpr std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

// The length of the first argument in `text`: up to a comma outside all parentheses and quotes.
constexpr size_t ArgumentLength(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        quoted = false;
      continue;
    }
    if (text[i] == '"') quoted = true;
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] == ',' && depth == 0) return i;
  }
  return text.size();
}

// "weight" of "weight" and of `Tagged(weight, "norm")`.
constexpr std::string_view MemberName(std::string_view argument) {
  const size_t open = argument.find('(');
  if (open == std::string_view::npos) return Trim(argument);
  argument.remove_prefix(open + 1);
  return Trim(argument.substr(0, ArgumentLength(argument.substr(0, argument.rfind(')')))));
}

template <size_t kCount>
constexpr std::array<std::string_view, kCount> FieldNames(std::string_view text) {
  std::array<std::string_view, kCount> names = {};
  for (size_t i = 0; i < kCount; ++i) {
    const size_t length = ArgumentLength(text);
    names[i] = MemberName(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return names;
}

// The positions of `names` in byte order.
template <size_t kCount>
constexpr std::array<size_t, kCount> SortedOrder(
    const std::array<std::string_view, kCount>& names) {
  std::array<size_t, kCount> order = {};
  for (size_t i = 0; i < kCount; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&names](size_t a, size_t b) { return names[a] < names[b]; });
  return order;
}

// The fields of a struct T, in order of their names, known when compiling.
template <typename T>
struct FieldTable {
  static constexpr size_t kCount =
      std::tuple_size_v<decltype(std::declval<T&>().LeafstoreFields())>;
  static constexpr std::array<std::string_view, kCount> kNames =
      FieldNames<kCount>(T::LeafstoreFieldText());
  static constexpr std::array<size_t, kCount> kOrder = SortedOrder(kNames);
};

template <typename T>
concept HasFields = requires(T& t) {
  T::LeafstoreFieldText();
  t.LeafstoreFields();
};

template <typename T>
constexpr std::string_view TypeNameOf() {
  if constexpr (requires { T::LeafstoreTypeName(); }) {
    return T::LeafstoreTypeName();
  } else {
    return {};
  }
}

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_FIELDS_H_
