#include "tests/memory/allocation_calls.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/merge.h"

#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

// Plain reads, and no sync: a disk takes longer than all the rest.
IoOptions PlainIo() { return {.durable = false, .mode = ReadMode::kRead, .threads = 1}; }

// Returns a store of tensors whose paths a safetensors file can name.
ParamStore TensorsOnly(float value) {
  std::vector<std::pair<std::string, Leaf>> entries;
  for (int i = 0; i < 20; ++i) {
    entries.emplace_back(absl::StrCat("['layer", i, "']['weight']"), Floats({value, 2, 3}));
  }
  return StoreAt(std::move(entries));
}

CheckpointItem ItemOf(const ParamStore& params) {
  ItemOptions options;
  options.metadata = {{"key", "value"}};
  options.grouping = Grouping::Create(params.layout(),
                                      std::vector<uint32_t>(params.layout().size(), 1), {"a", "b"})
                         .value();
  return CheckpointItem("params", params, options);
}

absl::Status SaveItems(const std::string& path, const ParamStore& params) {
  std::vector<CheckpointItem> items;
  items.push_back(ItemOf(params));
  items.emplace_back("loose", TensorsOnly(1));
  SaveOptions options;
  options.io = PlainIo();
  options.metadata = {{"a", "b"}};
  return SaveCheckpoint(path, std::move(items), options);
}

bool Holds(const std::string& path, const ParamStore& params) {
  const auto reader = CheckpointReader::Open(path, {.io = PlainIo()});
  if (!reader.ok()) return false;
  const absl::StatusOr<ParamStore> loaded = reader->Load("params");
  return loaded.ok() && StoreState(*loaded).leaves == StoreState(params).leaves;
}

PreparedCall OpenAndLoad(const std::string& directory) {
  const std::string path = directory + "/a.leaf";
  SaveItems(path, SampleParams()).IgnoreError();
  return {.run = [path]() -> absl::Status {
    const auto reader = CheckpointReader::Open(path, {.io = PlainIo()});
    if (!reader.ok()) return reader.status();
    for (const std::string& item : reader->items()) {
      if (const auto loaded = reader->Load(item); !loaded.ok()) return loaded.status();
    }
    return reader->Verify();
  }};
}

// The old file is there until the new one is complete.
PreparedCall Save(const std::string& directory) {
  const std::string path = directory + "/a.leaf";
  const auto before = std::make_shared<ParamStore>(SampleParams());
  const auto after = std::make_shared<ParamStore>(before->Snapshot().value());
  after->Set(".head.bias", Floats({7, 8})).IgnoreError();
  SaveItems(path, *before).IgnoreError();
  return {.run = [=] { return SaveItems(path, *after); },
          .is_sound =
              [=](bool succeeded) {
                return Holds(path, *after) || (!succeeded && Holds(path, *before));
              }};
}

PreparedCall ManagerSave(const std::string& directory, bool incremental) {
  ManagerOptions options;
  options.io = PlainIo();
  options.incremental = incremental;
  options.retention.last = 2;
  const auto manager = std::make_shared<CheckpointManager>(
      CheckpointManager::Open(directory + "/run", options).value());
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const auto save = [=](int64_t step) {
    std::vector<CheckpointItem> items;
    items.push_back(ItemOf(*params));
    return manager->Save(step, std::move(items));
  };
  save(1).IgnoreError();
  return {.run = [=] { return save(2); },
          .is_sound =
              [=](bool succeeded) {
                const auto restored = manager->Restore();
                return restored.ok() && restored->step >= (succeeded ? 2 : 1) &&
                       Holds(restored->reader.path(), *params) && save(3).ok();
              }};
}

PreparedCall CompileGrouping(const std::string&) {
  const auto params = std::make_shared<ParamStore>(SampleParams());
  return {.run = [=]() -> absl::Status {
    const auto grouping = Grouping::Compile(
        *params, {{"bias", Glob("**.bias")}, {"first", Glob("layers.0")}, {"rest", Rest()}});
    if (!grouping.ok()) return grouping.status();
    if (const auto why = grouping->Explain(".head.bias"); !why.ok()) return why.status();
    const auto groups = grouping->Split(*params);
    if (!groups.ok()) return groups.status();
    return groups->Merge().status();
  }};
}

PreparedCall LoadWithRenames(const std::string&) {
  const auto from = std::make_shared<ParamStore>(TensorsOnly(1));
  const auto store = std::make_shared<ParamStore>(TensorsOnly(5));
  const auto before = std::make_shared<StoreState>(*store);
  RestoreOptions options;
  options.renames = {{"layer0.*", "other.*"}};
  options.allow_missing = true;
  options.allow_unexpected = true;
  return {.run = [=] { return LoadInto(*from, store.get(), options).status(); },
          .is_sound = [=](bool succeeded) { return succeeded || StoreState(*store) == *before; }};
}

PreparedCall FlattenModel(const std::string&) {
  const auto tree = std::make_shared<Tree>(SampleTree());
  return {.run = [=] { return Flatten(*tree).status(); }};
}

PreparedCall UnflattenModel(const std::string&) {
  const auto flat = std::make_shared<Flattened>(SampleModel());
  const auto tree = std::make_shared<Tree>();
  return {.run = [=] { return Unflatten(flat->def, flat->params, tree.get()); }};
}

PreparedCall MergeStores(const std::string&) {
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const auto groups = std::make_shared<std::vector<ParamStore>>();
  groups->push_back(GroupOf(*params, {0, 1, 2}));
  groups->push_back(GroupOf(*params, {3, 4, 5, 6, 7}));
  return {.run = [=] { return MergeGroups(params->layout(), PointersTo(*groups)).status(); }};
}

PreparedCall OptimizerStep(const std::string&) {
  const auto params = std::make_shared<ParamStore>(TensorsOnly(1));
  const auto grads = std::make_shared<ParamStore>(
      StoreLike(*params, std::vector<Leaf>(params->size(), Floats({1, 1, 1}))));
  const auto adam = std::make_shared<Optimizer>(Optimizer::Create(Adam{}, *params).value());
  const auto before = std::make_shared<StoreState>(params->Snapshot().value());
  return {.run = [=] { return adam->Step(params.get(), *grads, {.lr = 0.1}); },
          .is_sound =
              [=](bool succeeded) {
                return (StoreState(*params).leaves == before->leaves) != succeeded;
              }};
}

PreparedCall SafetensorsSave(const std::string& directory) {
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const std::string path = directory + "/a.safetensors";
  return {.run = [=] { return SaveSafetensors(path, *params, {.io = PlainIo()}); },
          .is_sound =
              [=](bool succeeded) {
                return succeeded == SafetensorsReader::Open(path, {.io = PlainIo()}).ok();
              }};
}

PreparedCall SafetensorsLoad(const std::string& directory) {
  const std::string path = directory + "/a.safetensors";
  SaveSafetensors(path, SampleParams(), {.io = PlainIo()}).IgnoreError();
  return {.run = [=]() -> absl::Status {
    const auto reader = SafetensorsReader::Open(path, {.io = PlainIo()});
    if (!reader.ok()) return reader.status();
    return reader->Load({}).status();
  }};
}

PreparedCall NpzSave(const std::string& directory) {
  const auto params = std::make_shared<ParamStore>(TensorsOnly(1));
  const std::string path = directory + "/a.npz";
  return {.run = [=] { return SaveNpz(path, *params, {.io = PlainIo()}); },
          .is_sound = [=](bool succeeded) { return succeeded == LoadNpz(path).ok(); }};
}

PreparedCall NpzLoad(const std::string& directory) {
  const std::string path = directory + "/a.npz";
  SaveNpz(path, TensorsOnly(1), {.io = PlainIo()}).IgnoreError();
  return {.run = [=] { return LoadNpz(path, {.io = PlainIo()}).status(); }};
}

}  // namespace

std::vector<AllocatingCall> AllocatingCalls() {
  return {{"Open", OpenAndLoad},
          {"SaveCheckpoint", Save},
          {"ManagerSave", [](const std::string& d) { return ManagerSave(d, false); }},
          {"ManagerSaveIncremental", [](const std::string& d) { return ManagerSave(d, true); }},
          {"Grouping", CompileGrouping},
          {"LoadInto", LoadWithRenames},
          {"Flatten", FlattenModel},
          {"Unflatten", UnflattenModel},
          {"Merge", MergeStores},
          {"Step", OptimizerStep},
          {"SafetensorsSave", SafetensorsSave},
          {"SafetensorsLoad", SafetensorsLoad},
          {"NpzSave", NpzSave},
          {"NpzLoad", NpzLoad}};
}

}  // namespace leafstore
