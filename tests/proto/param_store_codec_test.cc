#include "leafstore/proto/param_store_codec.h"

#include <random>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/proto/param_store.pb.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/proto/data_loss.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

void ExpectSame(const ParamStore& expected, const ParamStore& found) {
  ASSERT_TRUE(expected.slots() == found.slots());
  for (uint32_t place = 0; place < expected.size(); ++place) {
    EXPECT_EQ(expected.PathText(place), found.PathText(place));
    EXPECT_TRUE(expected.leaf(place) == found.leaf(place)) << expected.PathText(place);
  }
}

template <typename Change>
absl::StatusOr<ParamStore> ChangedStore(Change change) {
  proto::ParamStore message;
  EXPECT_TRUE(message.ParseFromString(EncodeParamStore(EveryKindStore()).value()));
  change(&message);
  return DecodeParamStore(message.SerializeAsString());
}

TEST(ParamStoreCodecTest, EveryKindOfLeaf_RoundTripsOnTheSameLayout) {
  const ParamStore store = EveryKindStore();
  const ParamStore found = DecodeParamStore(EncodeParamStore(store).value()).value();
  EXPECT_TRUE(found.layout() == store.layout());
  ExpectSame(store, found);
}

TEST(ParamStoreCodecTest, GroupsPathsAndEmptyStores_RoundTrip) {
  const ParamStore store = EveryKindStore();
  const ParamStore group = ParamStore::Create(store.layout(), SlotSet::Create(6, {1, 3}).value(),
                                              {store.leaf(1), store.leaf(3)})
                               .value();
  ExpectSame(group, DecodeParamStore(EncodeParamStore(group).value()).value());
  const ParamStore loose = ParamStore::FromEntries({{Path().Item("b").Index(2), Value(true)},
                                                    {Path().Item("a"), Value(-0.5)}})
                               .value();
  ExpectSame(loose, DecodeParamStore(EncodeParamStore(loose).value()).value());
  EXPECT_EQ(DecodeParamStore(EncodeParamStore(ParamStore()).value()).value().size(), 0u);
  EXPECT_EQ(DecodeParamStore("").value().size(), 0u);
}

TEST(ParamStoreCodecTest, EqualStores_HaveEqualBytes) {
  EXPECT_EQ(EncodeParamStore(EveryKindStore()).value(), EncodeParamStore(EveryKindStore()).value());
}

TEST(ParamStoreCodecTest, EncodeOfInvalidInput_IsAnError) {
  // Never touched: a mapping would take no memory either.
  static char byte;
  const Buffer huge = Buffer::External(&byte, int64_t{3} << 30, nullptr).value();
  const ParamStore large =
      ParamStore::FromEntries(
          {{Path().Item("w"), Tensor::FromBuffer(DType::kU8, {int64_t{3} << 30}, huge).value()}})
          .value();
  EXPECT_THAT(EncodeParamStore(large),
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("less than 2 GiB"), HasSubstr("3221225472"))));
  const ParamStore bad =
      ParamStore::FromEntries({{Path().Item("s"), Value(std::string("\xff"))}}).value();
  EXPECT_THAT(EncodeParamStore(bad), StatusIs(StatusCode::kInvalidArgument,
                                              AllOf(HasSubstr("['s']"), HasSubstr("UTF-8"))));
  ParamStore borrowed = EveryKindStore();
  const MutableTensor borrow = borrowed.Mutate(".embed").value();
  EXPECT_THAT(EncodeParamStore(borrowed),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("encode")));
}

TEST(ParamStoreCodecTest, DataOfAnotherSize_IsDataLoss) {
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_data()->pop_back(); }),
              IsDataLoss("store, data: expected 32 bytes, as dtypes and shapes require, found 31"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_data()->push_back(0); }),
              IsDataLoss("found 33"));
  // Nothing is allocated because of a shape.
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->set_dims(0, uint64_t{1} << 40); }),
              IsDataLoss("store, data: expected "));
}

TEST(ParamStoreCodecTest, InvalidLeafColumns_AreDataLoss) {
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->mutable_dtypes()->pop_back(); }),
              IsDataLoss("store, column dtypes: expected 6 entries, one per leaf, found 5"));
  EXPECT_THAT(ChangedStore([](auto* m) { (*m->mutable_leaves()->mutable_dtypes())[2] = 99; }),
              IsDataLoss("'.embed': expected a dtype or 0, found 99"));
  EXPECT_THAT(ChangedStore([](auto* m) { (*m->mutable_leaves()->mutable_ranks())[0] = 33; }),
              IsDataLoss("'.embed': expected a rank of at most 32, found 33"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->mutable_ranks()->pop_back(); }),
              IsDataLoss("expected its rank, found none"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->mutable_ranks()->push_back(0); }),
              IsDataLoss("column ranks"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->mutable_dims()->RemoveLast(); }),
              IsDataLoss("expected 2 extents, found 1"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->add_dims(1); }),
              IsDataLoss("column dims: expected 4 extents, found 5"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->set_dims(0, ~uint64_t{0}); }),
              IsDataLoss("is negative"));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_leaves()->set_dims(0, uint64_t{1} << 62); }),
              IsDataLoss("more than 2^63 - 1"));
  EXPECT_THAT(ChangedStore([](auto* m) {
                (*m->mutable_leaves()->mutable_dtypes())[2] = 20;
                m->mutable_leaves()->set_dims(0, 1);
              }),
              IsDataLoss("do not fill whole bytes"));
}

TEST(ParamStoreCodecTest, InvalidPresence_IsDataLoss) {
  const auto with_presence = [](const std::string& bits) {
    return ChangedStore([&](auto* m) { m->mutable_leaves()->set_presence(bits); });
  };
  EXPECT_THAT(with_presence(std::string(2, '\1')),
              IsDataLoss("column presence: expected 1 bytes, found 2"));
  EXPECT_THAT(with_presence("\x7f"), IsDataLoss("column presence: expected bits of 6 slots"));
  EXPECT_THAT(with_presence("\x1f"), IsDataLoss("column dtypes: expected 5 entries"));
  EXPECT_THAT(with_presence("\x3f"), IsOk());
}

TEST(ParamStoreCodecTest, InvalidValues_AreDataLoss) {
  const auto with_values = [](auto change) {
    return ChangedStore([&](auto* m) { change(m->mutable_leaves()->mutable_values()); });
  };
  EXPECT_THAT(with_values([](auto* v) { (*v->mutable_kinds())[0] = 6; }),
              IsDataLoss("column values.kinds: expected a kind from 1 to 5, found 6"));
  EXPECT_THAT(with_values([](auto* v) { v->mutable_kinds()->pop_back(); }),
              IsDataLoss("column values.kinds: expected more than 2 entries, found their end"));
  EXPECT_THAT(with_values([](auto* v) { v->mutable_kinds()->push_back(1); }),
              IsDataLoss("column values.kinds: expected 3 entries, found 4"));
  EXPECT_THAT(with_values([](auto* v) { v->clear_ints(); }), IsDataLoss("values.ints"));
  EXPECT_THAT(with_values([](auto* v) { v->add_ints(1); }), IsDataLoss("values.ints"));
  EXPECT_THAT(with_values([](auto* v) { v->add_floats(1); }), IsDataLoss("values.floats"));
  EXPECT_THAT(with_values([](auto* v) { v->set_bools("\1"); }), IsDataLoss("values.bools"));
  EXPECT_THAT(with_values([](auto* v) { v->clear_strings(); }), IsDataLoss("values.strings"));
  EXPECT_THAT(with_values([](auto* v) { (*v->mutable_strings()->mutable_bytes())[0] = '\xff'; }),
              IsDataLoss("a str in UTF-8"));
  EXPECT_THAT(with_values([](auto* v) {
                (*v->mutable_kinds())[1] = 1;
                v->clear_ints();
                v->set_bools("\2");
              }),
              IsDataLoss("0 or 1 for a bool, found 2"));
}

TEST(ParamStoreCodecTest, InvalidPaths_AreDataLoss) {
  const auto decode = [](std::initializer_list<std::string> paths) {
    proto::ParamStore message;
    for (const std::string& path : paths) {
      message.mutable_paths()->mutable_bytes()->append(path);
      message.mutable_paths()->add_sizes(static_cast<uint32_t>(path.size()));
      message.mutable_leaves()->mutable_dtypes()->push_back(0);
      message.mutable_leaves()->mutable_values()->mutable_kinds()->push_back(2);
      message.mutable_leaves()->mutable_values()->add_ints(1);
    }
    return DecodeParamStore(message.SerializeAsString());
  };
  EXPECT_THAT(decode({".a", ".b"}), IsOk());
  EXPECT_THAT(decode({".b", ".a"}), IsDataLoss("expected a path after '.b', found '.a'"));
  EXPECT_THAT(decode({".a", ".a"}), IsDataLoss("expected a path after '.a', found '.a'"));
  EXPECT_THAT(decode({"a"}), IsDataLoss("store, column paths: "));
  EXPECT_THAT(ChangedStore([](auto* m) { m->mutable_paths(); }),
              IsDataLoss("expected a treedef or paths, found both"));
}

TEST(ParamStoreCodecTest, ChangedBytes_NeverCrash) {
  std::mt19937_64 random(11);
  const std::string good = EncodeParamStore(EveryKindStore()).value();
  for (int round = 0; round < 30'000; ++round) {
    std::string bytes = good;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto store = DecodeParamStore(bytes);
    if (!store.ok()) {
      ASSERT_EQ(store.status().code(), StatusCode::kDataLoss) << store.status();
    }
  }
}

}  // namespace
}  // namespace leafstore
