#include "leafstore/treedef/bind/fields.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/print.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"

namespace leafstore::fields_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Linear {
  Tensor weight = Scalar(1), bias = Scalar(2);
  int calls = 0;  // no part of the model
  LEAFSTORE_FIELDS(weight, bias)
  LEAFSTORE_TYPE_NAME("Linear")
};

struct Mlp {
  std::vector<Linear> layers = std::vector<Linear>(2);
  Linear head;
  std::string activation = "gelu";
  LEAFSTORE_FIELDS(layers, head, activation)
};

TEST(FieldsTest, Struct_HasItsFieldsInOrderOfTheirNames) {
  EXPECT_EQ(Structure(Mlp()),
            "struct, 7 leaves\n"
            "  .activation: leaf\n"
            "  .head: struct Linear\n"
            "    .bias: leaf\n"
            "    .weight: leaf\n"
            "  .layers: list of 2\n"
            "    [0]: struct Linear\n"
            "      .bias: leaf\n"
            "      .weight: leaf\n"
            "    [1]: struct Linear\n"
            "      .bias: leaf\n"
            "      .weight: leaf\n");
}

TEST(FieldsTest, OrderOfDeclarationAndOfTheList_DoesNotMatter) {
  struct Other {
    std::string activation;
    Linear head;
    std::vector<Linear> layers = std::vector<Linear>(2);
    LEAFSTORE_FIELDS(head, activation, layers)
  };
  EXPECT_EQ(FlattenTree(Mlp()).value().def, FlattenTree(Other()).value().def);
}

TEST(FieldsTest, Names_AreInByteOrder) {
  struct Names {
    int b = 0, B = 1, a10 = 2, a2 = 3, a = 4, _ = 5;
    LEAFSTORE_FIELDS(b, B, a10, a2, a, _)
  };
  EXPECT_THAT(LinesOf(Names()),
              ElementsAre(".B = 1", "._ = 5", ".a = 4", ".a10 = 2", ".a2 = 3", ".b = 0"));
}

TEST(FieldsTest, TypeName_IsTheDeclaredOne) {
  EXPECT_EQ(FlattenTree(Linear()).value().def.type_name(kRootNode), "Linear");
  EXPECT_EQ(FlattenTree(Mlp()).value().def.type_name(kRootNode), "");
}

TEST(FieldsTest, Tags_MayContainCommasAndParentheses) {
  static const std::string kLong = "a string that lives on";
  struct Norm {
    Tensor scale = Scalar(1), shift = Scalar(2), plain = Scalar(3);
    LEAFSTORE_FIELDS(Tagged(scale, "a,b", "quoted \"c\", (d", ")", "\\"), plain,
                     Tagged(shift, kLong, std::string_view("view"), absl::string_view("absl")))
  };
  const TreeDef def = FlattenTree(Norm()).value().def;
  EXPECT_EQ(def.node_count(), 4u);
  EXPECT_THAT(def.tags(def.Find(".scale").value()),
              ElementsAre(")", "\\", "a,b", "quoted \"c\", (d"));
  EXPECT_THAT(def.tags(def.Find(".shift").value()),
              ElementsAre("a string that lives on", "absl", "view"));
  EXPECT_THAT(def.tags(def.Find(".plain").value()), ElementsAre());
}

TEST(FieldsTest, Tags_AreForFieldsOfAnyKind) {
  struct Model {
    Mlp mlp;
    std::unique_ptr<Linear> none, some = std::make_unique<Linear>();
    LEAFSTORE_FIELDS(Tagged(mlp, "body"), Tagged(none, "n"), Tagged(some, "s"))
  };
  const TreeDef def = FlattenTree(Model()).value().def;
  EXPECT_TRUE(def.has_tag(def.Find(".mlp").value(), "body"));
  EXPECT_TRUE(def.has_tag(def.Find(".none").value(), "n"));
  EXPECT_TRUE(def.has_tag(def.Find(".some").value(), "s"));
}

TEST(FieldsTest, InvalidTag_IsAnErrorWithThePath) {
  struct Bad {
    Tensor w = Scalar(1);
    LEAFSTORE_FIELDS(Tagged(w, "\xff"))
  };
  EXPECT_THAT(FlattenTree(Bad()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at .w: expected a tag")));
}

TEST(FieldsTest, List_MayHaveLinesAndComments) {
  struct Model {
    int first = 1;
    int second = 2;
    int third = 3;
    LEAFSTORE_FIELDS(first,  // the first
                     Tagged(second, "tag"),
                     /* and */ third)
  };
  EXPECT_THAT(LinesOf(Model()), ElementsAre(".first = 1", ".second = 2", ".third = 3"));
}

TEST(FieldsTest, StructsOfOneFieldOrNone_AreStructs) {
  struct One {
    int only = 1;
    LEAFSTORE_FIELDS(only)
  };
  struct None {
    int no_part = 7;
    LEAFSTORE_FIELDS()
  };
  EXPECT_THAT(LinesOf(One()), ElementsAre(".only = 1"));
  EXPECT_EQ(Structure(None()), "struct, 0 leaves\n");
  None none;
  EXPECT_THAT(UnflattenFrom(Tree::Struct(), &none), IsOk());
  EXPECT_EQ(none.no_part, 7);
}

TEST(FieldsTest, ManyFields_AreAllFlattened) {
  struct Many {
    int a0 = 0, a1 = 1, a2 = 2, a3 = 3, a4 = 4, a5 = 5, a6 = 6, a7 = 7, a8 = 8, a9 = 9;
    int b0 = 0, b1 = 1, b2 = 2, b3 = 3, b4 = 4, b5 = 5, b6 = 6, b7 = 7, b8 = 8, b9 = 9;
    int c0 = 0, c1 = 1, c2 = 2, c3 = 3, c4 = 4, c5 = 5, c6 = 6, c7 = 7, c8 = 8, c9 = 9;
    int d0 = 0, d1 = 1, d2 = 2, d3 = 3, d4 = 4, d5 = 5, d6 = 6, d7 = 7, d8 = 8, d9 = 9;
    LEAFSTORE_FIELDS(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9,
                     b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9)
  };
  FlatTree flat = FlattenTree(Many()).value();
  ASSERT_EQ(flat.leaves.size(), 40u);
  for (uint32_t i = 0; i < 40; ++i) {
    EXPECT_EQ(flat.leaves[i].value(), Value(static_cast<int>(i % 10)));
    flat.leaves[i] = Value(static_cast<int>(i));
  }
  Many many;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &many), IsOk());
  EXPECT_EQ(many.a3, 3);
  EXPECT_EQ(many.d9, 39);
}

class Hidden {
 public:
  explicit Hidden(float weight = 0) : weight_(Scalar(weight)) {}
  float weight() const { return NumberOf(weight_); }
  LEAFSTORE_FIELDS(weight_)

 private:
  Tensor weight_;
};

TEST(FieldsTest, PrivateMembers_MayBeListed) {
  const FlatTree flat = FlattenTree(Hidden(5)).value();
  EXPECT_THAT(Lines(flat), ElementsAre(".weight_ = tensor 5"));
  Hidden hidden;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &hidden), IsOk());
  EXPECT_EQ(hidden.weight(), 5);
}

template <typename T>
struct Scaled : T {
  double scale = 2;
  LEAFSTORE_FIELDS(this->weight, scale)
};
struct Base {
  Tensor weight = Scalar(1);
  std::string name = "base";
  LEAFSTORE_FIELDS(weight, name)
  LEAFSTORE_TYPE_NAME("Base")
};
struct Derived : Base {
  int extra = 3;
  LEAFSTORE_FIELDS(extra, Base::weight, Tagged(Base::name, "n"))
};
struct Holder : Base {
  Base inner;
  LEAFSTORE_FIELDS(inner)
  LEAFSTORE_TYPE_NAME("Holder")
};

TEST(FieldsTest, DerivedStruct_MayListMembersOfItsBase) {
  EXPECT_THAT(LinesOf(Scaled<Linear>()), ElementsAre(".scale = 2.0", ".weight = tensor 1"));
  EXPECT_THAT(LinesOf(Derived()),
              ElementsAre(".extra = 3", ".name = 'base'", ".weight = tensor 1"));
  const TreeDef def = FlattenTree(Derived()).value().def;
  EXPECT_TRUE(def.has_tag(def.Find(".name").value(), "n"));
  EXPECT_EQ(def.type_name(kRootNode), "Base") << "the name is inherited, as members are";
}

TEST(FieldsTest, DerivedStruct_HasOnlyItsOwnListAndName) {
  EXPECT_EQ(Structure(Holder()),
            "struct Holder, 2 leaves\n"
            "  .inner: struct Base\n"
            "    .name: leaf\n"
            "    .weight: leaf\n");
}

TEST(FieldsTest, StructTemplates_AreStructs) {
  struct Pair {
    Scaled<Linear> a;
    Scaled<Base> b;
    LEAFSTORE_FIELDS(a, b)
  };
  EXPECT_THAT(LinesOf(Pair()), ElementsAre(".a.scale = 2.0", ".a.weight = tensor 1",
                                           ".b.scale = 2.0", ".b.weight = tensor 1"));
}

TEST(FieldsTest, ConstModel_IsFlattened) {
  const Mlp model;
  EXPECT_EQ(FlattenTree(model).value().leaves.size(), 7u);
  const Mlp& reference = model;
  EXPECT_EQ(FlattenTree(reference).value().leaves.size(), 7u);
  EXPECT_FALSE(model.head.weight.null());
}

TEST(FieldsTest, ConstMember_IsFlattened) {
  struct Model {
    const Tensor weight = Scalar(1);
    const int n = 2;
    LEAFSTORE_FIELDS(weight, n)
  };
  EXPECT_THAT(LinesOf(Model()), ElementsAre(".n = 2", ".weight = tensor 1"));
  Model model;
  const FlatTree flat = FlattenTree(std::move(model)).value();
  EXPECT_THAT(Lines(flat), ElementsAre(".n = 2", ".weight = tensor 1")) << "copied, not taken";
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wextra-semi"
TEST(FieldsTest, Semicolon_MayFollowTheList) {
  struct Model {
    int n = 2;
    LEAFSTORE_FIELDS(n);
    LEAFSTORE_TYPE_NAME("Model");
  };
  EXPECT_THAT(LinesOf(Model()), ElementsAre(".n = 2"));
}
#pragma GCC diagnostic pop

TEST(FieldsTest, MembersThatAreNotListed_KeepTheirValues) {
  Linear source;
  source.calls = 1;
  source.weight = Scalar(10);
  const FlatTree flat = FlattenTree(source).value();
  EXPECT_EQ(flat.leaves.size(), 2u);
  Linear linear;
  linear.calls = 9;
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &linear), IsOk());
  EXPECT_EQ(linear.calls, 9);
  EXPECT_EQ(NumberOf(linear.weight), 10);
}

static_assert(internal::MemberName(" weight ") == "weight");
static_assert(internal::MemberName("Tagged(weight, \"a,b)\")") == "weight");
static_assert(internal::MemberName("leafstore::Tagged( this->weight )") == "weight");
static_assert(internal::MemberName("(weight)") == "weight");
static_assert(internal::ArgumentLength("a, b") == 1);
static_assert(internal::ArgumentLength("Tagged(a, \"x\\\",\"), b") == 17);
static_assert(!internal::IsMemberName("a.b") && !internal::IsMemberName("") &&
              !internal::IsMemberName("0a") && internal::IsMemberName("_a0"));

}  // namespace
}  // namespace leafstore::fields_test
