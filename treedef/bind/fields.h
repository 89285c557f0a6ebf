// LEAFSTORE_FIELDS: declares which members of a struct are part of the model.
//
//   struct Linear {
//     Tensor weight, bias;
//     double dropout = 0.1;                                  // a static leaf
//     LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"), dropout)
//     LEAFSTORE_TYPE_NAME("Linear")                          // optional; what type: filters see
//   };
//
// Write the macro in the public part of the struct. It lists members (private ones too), each once;
// their order does not matter, because flattening sorts them by name. Flattening and unflattening
// ignore members that are not listed. Tagged(member, tags...) adds tags for filters to the member's
// node; tags are string literals or strings with static lifetime. The type name is the one you
// write, not the compiler's, because it is saved.
//
// Bases. The list is not inherited: a derived struct has its own, which may also list members of a
// base, as `scale`, `Base::scale` or `this->scale` (the last is needed if the base is a template
// parameter); the saved name is `scale`. A struct without a list whose base has one does not
// compile as a model, because its members would be lost.
//
// A member listed twice, or an argument that is not the name of a member, does not compile either.
//
// binding.h lists the allowed types of members.
#ifndef LEAFSTORE_TREEDEF_BIND_FIELDS_H_
#define LEAFSTORE_TREEDEF_BIND_FIELDS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#define LEAFSTORE_FIELDS(...)                                                       \
  static constexpr ::std::string_view LeafstoreFieldText() { return #__VA_ARGS__; } \
  auto LeafstoreFields() {                                                          \
    using ::leafstore::Tagged;                                                      \
    return ::leafstore::internal::MakeFields(this __VA_OPT__(, ) __VA_ARGS__);      \
  }                                                                                 \
  auto LeafstoreFields() const {                                                    \
    using ::leafstore::Tagged;                                                      \
    return ::leafstore::internal::MakeFields(this __VA_OPT__(, ) __VA_ARGS__);      \
  }

#define LEAFSTORE_TYPE_NAME(name) \
  static constexpr ::std::string_view LeafstoreTypeName() { return name; }

namespace leafstore {

namespace internal {

// A member and its tags. T is const if the struct is.
template <typename T, size_t kTags>
struct Field {
  T& value;
  std::array<std::string_view, kTags> tags;
};

// The result of LeafstoreFields: the fields of the struct Self, in the order listed.
template <typename Self, typename... Fields>
struct FieldList {
  using Struct = Self;
  static constexpr size_t kCount = sizeof...(Fields);
  std::tuple<Fields...> fields;
};

template <typename T>
constexpr std::string_view TagText(const T& tag) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return tag;
  } else {
    return std::string_view(tag.data(), tag.size());  // absl's may be a different type
  }
}

}  // namespace internal

// A member with tags, inside LEAFSTORE_FIELDS.
template <typename T, typename... Tags>
auto Tagged(T& member, Tags&&... tags) {
  static_assert(!(std::is_same_v<Tags, std::string> || ...),
                "a tag must live on: give a literal, not a temporary string");
  return internal::Field<T, sizeof...(Tags)>{member, {internal::TagText(tags)...}};
}

namespace internal {

template <typename T>
Field<T, 0> ToField(T& member) {
  return {member, {}};
}
template <typename T, size_t kTags>
Field<T, kTags> ToField(Field<T, kTags>&& tagged) {
  return tagged;
}

template <typename Self, typename... Args>
auto MakeFields(Self*, Args&&... args) {
  return FieldList<std::remove_const_t<Self>, decltype(ToField(std::forward<Args>(args)))...>{
      {ToField(std::forward<Args>(args))...}};
}

constexpr std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

// Returns the length of the first argument in `text`: up to a comma outside parentheses and quotes.
constexpr size_t ArgumentLength(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        quoted = false;
      }
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')') {
      --depth;
    } else if (text[i] == ',' && depth == 0) {
      return i;
    }
  }
  return text.size();
}

// Returns the part of `text` after the last `separator`, or all of it.
constexpr std::string_view Behind(std::string_view separator, std::string_view text) {
  const size_t found = text.rfind(separator);
  return found == std::string_view::npos ? text : text.substr(found + separator.size());
}

// Returns "weight" for "weight", "Base::weight", "this->weight" and `Tagged(weight, "norm")`.
constexpr std::string_view MemberName(std::string_view argument) {
  const size_t open = argument.find('(');
  if (open != std::string_view::npos) {
    argument = argument.substr(open + 1, argument.rfind(')') - open - 1);
    argument = argument.substr(0, ArgumentLength(argument));
  }
  return Trim(Behind("->", Behind("::", argument)));
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

constexpr bool IsMemberName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool ascii_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!ascii_letter && !(c >= '0' && c <= '9') && static_cast<unsigned char>(c) < 0x80) {
      return false;
    }
  }
  return true;
}

// Returns the positions of `names` in byte order.
template <size_t kCount>
constexpr std::array<size_t, kCount> SortedOrder(
    const std::array<std::string_view, kCount>& names) {
  std::array<size_t, kCount> order = {};
  for (size_t i = 0; i < kCount; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&names](size_t a, size_t b) { return names[a] < names[b]; });
  return order;
}

// The fields of a struct T, in order of their names, known at compile time.
template <typename T>
struct FieldTable {
  using List = decltype(std::declval<T&>().LeafstoreFields());
  static_assert(std::is_same_v<typename List::Struct, T>,
                "LEAFSTORE_FIELDS is not inherited: the derived struct needs a list of its own, "
                "which may name members of its base");

  static constexpr size_t kCount = List::kCount;
  static constexpr std::array<std::string_view, kCount> kNames =
      FieldNames<kCount>(T::LeafstoreFieldText());
  static constexpr std::array<size_t, kCount> kOrder = SortedOrder(kNames);

  static_assert(std::all_of(kNames.begin(), kNames.end(), IsMemberName),
                "LEAFSTORE_FIELDS takes names of members, bare or as Tagged(member, tags...)");
  static_assert(std::adjacent_find(kOrder.begin(), kOrder.end(),
                                   [](size_t a, size_t b) { return kNames[a] == kNames[b]; }) ==
                    kOrder.end(),
                "LEAFSTORE_FIELDS names a member twice");
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

#endif  // LEAFSTORE_TREEDEF_BIND_FIELDS_H_
