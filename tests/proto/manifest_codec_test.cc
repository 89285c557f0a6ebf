#include "leafstore/proto/manifest_codec.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/proto/internal/manifest_head.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/memory_use.h"
#include "tests/proto/data_loss.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

ManifestItem EveryKindItem(const std::string& name) {
  const ParamStore store = EveryKindStore();
  ManifestItem item;
  item.name = name;
  item.layout = store.layout();
  item.slots = store.slots();
  item.leaves = LeafColumns::Of(store.leaves());
  item.segments.offsets = {64, 128, 0};
  item.segments.checksums = {1, 2, 3};
  item.metadata = {{"a", "1"}, {"b", "2"}};
  item.grouping =
      Grouping::Create(store.layout(), std::vector<uint32_t>{0, 0, 1, 1, kNoGroup, 1}, {"x", "y"})
          .value();
  return item;
}

Manifest TwoItems() {
  Manifest manifest;
  manifest.items.push_back(EveryKindItem("one"));
  manifest.items.push_back(EveryKindItem("two"));
  manifest.metadata = {{"run", "7"}};
  return manifest;
}

template <typename Change>
absl::StatusOr<Manifest> ChangedManifest(Change change) {
  proto::Manifest message;
  EXPECT_TRUE(message.ParseFromString(EncodeManifest(TwoItems()).value()));
  change(&message);
  return DecodeManifest(message.SerializeAsString());
}

TEST(ManifestCodecTest, RoundTrip_KeepsEverything) {
  const std::string bytes = EncodeManifest(TwoItems()).value();
  const Manifest manifest = DecodeManifest(bytes).value();
  ASSERT_EQ(manifest.items.size(), 2u);
  EXPECT_EQ(manifest.metadata, TwoItems().metadata);
  const ManifestItem& item = manifest.items[1];
  EXPECT_EQ(item.name, "two");
  EXPECT_TRUE(item.layout == EveryKindStore().layout());
  EXPECT_THAT(item.segments.offsets, ElementsAre(64, 128, 0));
  EXPECT_THAT(item.segments.checksums, ElementsAre(1, 2, 3));
  EXPECT_EQ(item.stored_size(0), 24);
  EXPECT_EQ(item.metadata, TwoItems().items[1].metadata);
  EXPECT_TRUE(item.grouping == TwoItems().items[1].grouping);
  EXPECT_EQ(EncodeManifest(manifest).value(), bytes);
}

TEST(ManifestCodecTest, EmptyManifest_RoundTrips) {
  EXPECT_EQ(EncodeManifest({}).value(), "");
  EXPECT_TRUE(DecodeManifest("").value().items.empty());
}

TEST(ManifestCodecTest, SharedStructure_IsStoredOnce) {
  proto::Manifest message;
  ASSERT_TRUE(message.ParseFromString(EncodeManifest(TwoItems()).value()));
  EXPECT_EQ(message.treedefs_size(), 1);
  EXPECT_EQ(message.items(0).treedef(), 1u);
  EXPECT_EQ(message.items(1).treedef(), 1u);
}

TEST(ManifestCodecTest, DefaultColumns_AreOmitted) {
  proto::Manifest message;
  ASSERT_TRUE(message.ParseFromString(EncodeManifest(TwoItems()).value()));
  const proto::Item& item = message.items(0);
  EXPECT_TRUE(item.leaves().presence().empty());
  EXPECT_TRUE(item.segments().codecs().empty());
  EXPECT_EQ(item.segments().stored_sizes_size(), 0);
  EXPECT_EQ(item.segments().bases_size(), 0);
}

TEST(ManifestCodecTest, NonDefaultCodecsSizesAndBases_RoundTrip) {
  Manifest manifest = TwoItems();
  manifest.items[0].segments.codecs = {0, 7, 0};
  manifest.items[0].segments.stored_sizes = {24, 3, 0};
  manifest.items[0].segments.bases = {0, 1, 0};
  manifest.bases = {{"step-1.leaf", 4096, 0x1234}};
  const Manifest found = DecodeManifest(EncodeManifest(manifest).value()).value();
  EXPECT_EQ(found.items[0].segments.codec(1), 7);
  EXPECT_EQ(found.items[0].stored_size(1), 3);
  EXPECT_EQ(found.items[0].segments.base(1), 1u);
  EXPECT_EQ(found.bases, manifest.bases);
}

TEST(ManifestCodecTest, Metrics_RoundTrip) {
  Manifest manifest = TwoItems();
  manifest.metrics = {{"accuracy", 0.989}, {"loss", -1e300}};
  EXPECT_EQ(DecodeManifest(EncodeManifest(manifest).value()).value().metrics, manifest.metrics);
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_metrics()->add_values(1); }),
              IsDataLoss("manifest, metrics: expected 0 values, as keys, found 1"));
}

TEST(ManifestCodecTest, Run_RoundTrips) {
  Manifest manifest = TwoItems();
  EXPECT_EQ(DecodeManifest(EncodeManifest(manifest).value()).value().run, std::nullopt);
  manifest.run = RunInfo{.id = std::string(16, '\xff'), .parent = {}};
  EXPECT_EQ(DecodeManifest(EncodeManifest(manifest).value()).value().run, manifest.run);
  manifest.run->parent = FileIdentity{"step-1.leaf", 4096, 0xfeed};
  EXPECT_EQ(DecodeManifest(EncodeManifest(manifest).value()).value().run, manifest.run);
}

TEST(ManifestCodecTest, Head_IsDecodedWithoutTheItems) {
  Manifest manifest = TwoItems();
  manifest.items[0].segments.bases = {0, 0, 1};
  manifest.bases = {{"step-1.leaf", 4096, 0x1234}};
  manifest.metrics = {{"loss", 0.5}};
  manifest.run = RunInfo{.id = std::string(16, '\xff'), .parent = manifest.bases[0]};
  const auto head = internal::DecodeManifestHead(EncodeManifest(manifest).value()).value();
  EXPECT_EQ(head.bases, manifest.bases);
  EXPECT_EQ(head.metrics, manifest.metrics);
  EXPECT_EQ(head.run, manifest.run);
  EXPECT_THAT(internal::DecodeManifestHead("\xff"), IsDataLoss("manifest"));
}

TEST(ManifestCodecTest, InvalidRuns_AreDataLoss) {
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_run()->set_id("short"); }),
              IsDataLoss("manifest, run: expected an id of 16 bytes, found 5"));
  for (const char* name : {"", "..", "a/b"}) {
    EXPECT_THAT(ChangedManifest([&](auto* m) {
                  m->mutable_run()->set_id(std::string(16, 'x'));
                  m->mutable_run()->mutable_parent()->set_name(name);
                }),
                IsDataLoss("manifest, run, parent: expected the name of a file, without"));
  }
}

TEST(ManifestCodecTest, InvalidBases_AreDataLoss) {
  const auto with = [](const std::string& name, uint32_t base) {
    return ChangedManifest([&](auto* m) {
      m->add_bases()->set_name(name);
      auto* bases = m->mutable_items(1)->mutable_segments()->mutable_bases();
      bases->Resize(3, base);
    });
  };
  for (const char* name : {"", ".", "..", "../x.leaf", "/etc/passwd", "a/b", "\xff"}) {
    EXPECT_THAT(with(name, 1), IsDataLoss("manifest, bases: expected the name of a file, without"));
  }
  EXPECT_THAT(
      with("a.leaf", 2),
      IsDataLoss("item 'two', column bases: expected at most 1, the number of bases, found"));
  EXPECT_THAT(
      with("a.leaf", 0),
      IsDataLoss("manifest, bases: expected each in use, found 'a.leaf', which has no tensor"));
  EXPECT_THAT(ChangedManifest([](auto* m) {
                m->add_bases()->set_name("a");
                m->add_bases()->set_name("a");
              }),
              IsDataLoss("files with different names, found two called 'a'"));
  EXPECT_THAT(ChangedManifest([](auto* m) { m->add_bases()->set_file_size(uint64_t{1} << 63); }),
              IsDataLoss("manifest, bases"));
}

TEST(ManifestCodecTest, InvalidItemNames_AreDataLoss) {
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_items(1)->set_name("one"); }),
              IsDataLoss("items with different names, found two called 'one'"));
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_items(1)->set_name(""); }),
              IsDataLoss("an item's name"));
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_items(1)->set_name("\xff"); }),
              IsDataLoss("an item's name in UTF-8"));
}

TEST(ManifestCodecTest, InvalidItemStructures_AreDataLoss) {
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_items(0)->set_treedef(2); }),
              IsDataLoss("item 'one', treedef: expected at most 1, found 2"));
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_items(0)->mutable_paths(); }),
              IsDataLoss("item 'one': expected a treedef or paths, found both"));
  EXPECT_THAT(ChangedManifest([](auto* m) { *m->add_treedefs() = m->treedefs(0); }),
              IsDataLoss("each structure once, found one twice"));
  EXPECT_THAT(ChangedManifest([](auto* m) {
                auto* unused = m->add_treedefs();
                unused->set_kinds("\2");
              }),
              IsDataLoss("1 structures, all in use, found 2"));
  EXPECT_THAT(ChangedManifest([](auto* m) { m->mutable_treedefs(0)->set_kinds("\1"); }),
              IsDataLoss("treedef"));
}

TEST(ManifestCodecTest, InvalidSegmentColumns_AreDataLoss) {
  const auto with = [](auto change) {
    return ChangedManifest([&](auto* m) { change(m->mutable_items(1)->mutable_segments()); });
  };
  EXPECT_THAT(
      with([](auto* s) { s->mutable_offsets()->RemoveLast(); }),
      IsDataLoss("item 'two', column offsets: expected 3 entries, one per tensor, found 2"));
  EXPECT_THAT(with([](auto* s) { s->clear_offsets(); }), IsDataLoss("column offsets"));
  EXPECT_THAT(with([](auto* s) { s->add_checksums(1); }), IsDataLoss("column checksums"));
  EXPECT_THAT(with([](auto* s) { s->set_codecs("\1"); }), IsDataLoss("column codecs"));
  EXPECT_THAT(with([](auto* s) { s->add_stored_sizes(1); }), IsDataLoss("column stored_sizes"));
  EXPECT_THAT(with([](auto* s) { s->add_bases(1); }), IsDataLoss("column bases"));
  EXPECT_THAT(with([](auto* s) { s->set_offsets(0, uint64_t{1} << 58); }),
              IsDataLoss("positions below 2^63, found 288230376151711744 times 64"));
  EXPECT_THAT(with([](auto* s) {
                for (int i = 0; i < 3; ++i) s->add_stored_sizes(~uint64_t{0});
              }),
              IsDataLoss("sizes below 2^63"));
}

TEST(ManifestCodecTest, InvalidMetadata_IsDataLoss) {
  const auto with = [](auto change) {
    return ChangedManifest([&](auto* m) { change(m->mutable_items(0)->mutable_metadata()); });
  };
  EXPECT_THAT(with([](auto* m) { *m->mutable_keys()->mutable_bytes() = "ba"; }),
              IsDataLoss("item 'one', metadata: expected a key after 'b', found 'a'"));
  EXPECT_THAT(with([](auto* m) { *m->mutable_keys()->mutable_bytes() = "aa"; }),
              IsDataLoss("a key after 'a'"));
  EXPECT_THAT(with([](auto* m) { m->clear_values(); }), IsDataLoss("expected 2 values, as keys"));
  EXPECT_THAT(with([](auto* m) { *m->mutable_values()->mutable_bytes() = "\xff\xff"; }),
              IsDataLoss("metadata in UTF-8"));
}

TEST(ManifestCodecTest, InvalidLabels_AreDataLoss) {
  const auto with = [](auto change) {
    return ChangedManifest([&](auto* m) { change(m->mutable_items(0)->mutable_labels()); });
  };
  EXPECT_THAT(with([](auto* l) { l->set_groups(0, 9); }), IsDataLoss("item 'one', labels: "));
  EXPECT_THAT(with([](auto* l) { l->mutable_groups()->RemoveLast(); }), IsDataLoss("labels: "));
  EXPECT_THAT(with([](auto* l) { *l->mutable_names()->mutable_bytes() = "xx"; }),
              IsDataLoss("labels: "));
}

// A group needs more than a bit per slot, so many groups of many items could need much memory.
TEST(ManifestCodecTest, Groups_AllocateAtMostAConstantTimesTheManifest) {
  constexpr uint32_t kSlots = 65'536;
  constexpr uint32_t kGroups = 4'096;
  TreeDefBuilder builder;
  builder.Open(NodeKind::kList);
  for (uint32_t i = 0; i < kSlots; ++i) builder.Leaf();
  builder.Close();
  const Layout layout(std::move(builder).Build().value());
  std::vector<std::string> names;
  for (uint32_t i = 0; i < kGroups; ++i) names.push_back(absl::StrCat(i));
  std::vector<uint32_t> groups;
  for (uint32_t i = 0; i < kSlots; ++i) groups.push_back(i % kGroups);
  Manifest manifest;
  for (int i = 0; i < 8; ++i) {
    ManifestItem item;
    item.name = absl::StrCat("item ", i);
    item.layout = layout;
    item.slots = SlotSet::Create(kSlots, {}).value();
    item.grouping = Grouping::Create(layout, groups, names).value();
    manifest.items.push_back(std::move(item));
  }
  const std::string bytes = EncodeManifest(manifest).value();
  const MemoryUse use;
  const absl::StatusOr<Manifest> decoded = DecodeManifest(bytes);
  EXPECT_LT(use.peak(), 50 * static_cast<int64_t>(bytes.size()));
  ASSERT_THAT(decoded, IsOk());
  EXPECT_TRUE(decoded->items[7].grouping == manifest.items[7].grouping);
}

// Protobuf itself would allocate them.
TEST(ManifestCodecTest, LengthWithoutBytes_AllocatesNothing) {
  const std::string ten_millions = "\x80\xad\xe2\x04";
  const std::string item = "\x12" + ten_millions;
  const std::string name = "\x0a" + ten_millions;
  for (const std::string& bytes : {item + name + "abc", item + "\x1a" + ten_millions + name + "abc",
                                   item + "\xfa\x7f" + ten_millions + "abc"}) {
    const MemoryUse use;
    EXPECT_THAT(DecodeManifest(bytes), IsDataLoss("not a protobuf message"));
    EXPECT_LT(use.peak(), 1 << 20);
  }
}

TEST(ManifestCodecTest, EncodeOfInvalidInput_IsAnError) {
  EXPECT_THAT(CheckItemName("params"), IsOk());
  EXPECT_THAT(CheckItemName(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("found ''")));
}

}  // namespace
}  // namespace leafstore
