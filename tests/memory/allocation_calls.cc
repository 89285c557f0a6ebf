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
#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/optim/optimizer.h"
#include "leafstore/optim/optimizer_set.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/load_into.h"
#include "leafstore/select/rename_map.h"
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

// The newest of two, and all of its leaves.
PreparedCall ManagerRestore(const std::string& directory) {
  ManagerOptions options;
  options.io = PlainIo();
  const auto manager = std::make_shared<CheckpointManager>(
      CheckpointManager::Open(directory + "/run", options).value());
  const auto params = std::make_shared<ParamStore>(SampleParams());
  for (const int64_t step : {1, 2}) {
    std::vector<CheckpointItem> items;
    items.push_back(ItemOf(*params));
    manager->Save(step, std::move(items)).IgnoreError();
  }
  return {.run = [=]() -> absl::Status {
            const auto restored = manager->Restore();
            if (!restored.ok()) return restored.status();
            if (restored->step != 2) return absl::InternalError("it skipped the newest");
            return restored->reader.Load("params").status();
          },
          .is_sound =
              [=](bool) {
                const auto restored = manager->Restore();
                return restored.ok() && restored->step == 2;
              }};
}

// A save in the background, which the next call reports.
PreparedCall ManagerSaveAsync(const std::string& directory) {
  ManagerOptions options;
  options.io = PlainIo();
  const auto manager = std::make_shared<CheckpointManager>(
      CheckpointManager::Open(directory + "/run", options).value());
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const auto items = [=] {
    std::vector<CheckpointItem> made;
    made.push_back(ItemOf(*params));
    return made;
  };
  manager->Save(1, items()).IgnoreError();
  return {.run = [=]() -> absl::Status {
            const auto begun = manager->SaveAsync(2, items());
            return begun.ok() ? manager->Wait() : begun.status();
          },
          .is_sound =
              [=](bool succeeded) {
                manager->Wait().IgnoreError();
                const auto restored = manager->Restore();
                return restored.ok() && restored->step >= (succeeded ? 2 : 1) &&
                       Holds(restored->reader.path(), *params) && manager->Save(3, items()).ok();
              }};
}

// Tensors that are worth compressing, saved and loaded.
PreparedCall SaveAndLoadCompressed(const std::string& directory) {
  const std::string path = directory + "/a.leaf";
  const auto params = std::make_shared<ParamStore>(
      StoreAt({{".a", Tensor::Zeros(DType::kF32, {100'000}).value()}, {".b", Floats({1})}}));
  return {.run = [=]() -> absl::Status {
            SaveOptions options;
            options.io = PlainIo();
            options.zstd_level = 1;
            const absl::Status saved = SaveCheckpoint(path, {{"params", *params}}, options);
            if (!saved.ok()) return saved;
            const auto reader = CheckpointReader::Open(path, {.io = PlainIo()});
            return reader.ok() ? reader->Load("params").status() : reader.status();
          },
          .is_sound = [=](bool succeeded) { return !succeeded || Holds(path, *params); }};
}

PreparedCall LoadIntoFromAFile(const std::string& directory) {
  const std::string path = directory + "/a.leaf";
  SaveItems(path, SampleParams()).IgnoreError();
  const auto store = std::make_shared<ParamStore>(SampleParams());
  store->Set(".head.bias", Floats({7, 8})).IgnoreError();
  const auto before = std::make_shared<StoreState>(*store);
  return {.run = [=]() -> absl::Status {
            const auto reader = CheckpointReader::Open(path, {.io = PlainIo()});
            if (!reader.ok()) return reader.status();
            return reader->LoadInto("params", store.get(), {.by = AlignBy::kDotted}).status();
          },
          .is_sound = [=](bool succeeded) { return succeeded || StoreState(*store) == *before; }};
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

ParamStore GradsFor(const ParamStore& params) {
  return StoreLike(params, std::vector<Leaf>(params.size(), Floats({1, 1, 1})));
}

PreparedCall OptimizerStep(const std::string&) {
  const auto params = std::make_shared<ParamStore>(TensorsOnly(1));
  const auto grads = std::make_shared<ParamStore>(GradsFor(*params));
  const auto adam = std::make_shared<Optimizer>(Optimizer::Create(Adam{}, *params).value());
  const auto before = std::make_shared<StoreState>(params->Snapshot().value());
  return {.run = [=] { return adam->Step(params.get(), *grads, {.lr = 0.1}); },
          .is_sound =
              [=](bool succeeded) {
                return (StoreState(*params).leaves == before->leaves) != succeeded;
              }};
}

PreparedCall PackedStep(const std::string&) {
  const ParamStore params = TensorsOnly(1);
  const auto packed = std::make_shared<Packed>(Packed::Create(params, DType::kF32).value());
  const auto snapshot = std::make_shared<Packed>(packed->Snapshot().value());  // a write copies
  const auto grads = std::make_shared<ParamStore>(GradsFor(params));
  const auto adam = std::make_shared<Optimizer>(Optimizer::Create(Adam{}, *packed).value());
  return {.run = [=] { return adam->Step(packed.get(), *grads, {.lr = 0.1}); },
          .is_sound =
              [=](bool succeeded) {
                const bool same = StoreState(packed->store().value()).leaves ==
                                  StoreState(snapshot->store().value()).leaves;
                return same != succeeded && adam->Step(packed.get(), *grads, {.lr = 0.1}).ok();
              }};
}

// A pack with a rest, whose bytes a snapshot shares.
PreparedCall PackAssign(const std::string&) {
  const auto params = std::make_shared<ParamStore>(
      StoreAt({{".a", Floats({1, 2, 3})}, {".b", Tensor::Full<double>({2}, 1).value()}}));
  const auto other = std::make_shared<ParamStore>(params->Snapshot().value());
  for (const auto& [path, leaf] : std::vector<std::pair<const char*, Leaf>>{
           {".a", Floats({4, 5, 6})}, {".b", Tensor::Full<double>({2}, 2).value()}}) {
    other->Set(path, leaf).IgnoreError();
  }
  const auto packed = std::make_shared<Packed>(Packed::Create(*params, DType::kF32).value());
  const auto snapshot = std::make_shared<Packed>(packed->Snapshot().value());
  return {.run = [=] { return packed->Assign(*other); },
          .is_sound =
              [=](bool succeeded) {
                return StoreState(packed->store().value()).leaves ==
                       StoreState(succeeded ? *other : *params).leaves;
              }};
}

// Two groups with a rule each.
struct Trained {
  ParamStore model = TensorsOnly(1);
  Groups groups = GroupingBy("layer0.*").Split(model).value();
  OptimizerSet set = OptimizerSet::Create({{"first", Adam{}}, {"rest", AdamW{}}}, groups).value();

  Grouping GroupingBy(const char* first) const {
    return Grouping::Compile(model, {{"first", Glob(first)}, {"rest", Rest()}}).value();
  }
  absl::Status Step() { return set.Step(&groups, GradsFor(model), {.lr = 0.1}); }
  std::vector<std::vector<Leaf>> Leaves() const {
    return {StoreState(groups["first"]).leaves, StoreState(groups["rest"]).leaves};
  }
};

PreparedCall OptimizerSetStep(const std::string&) {
  const auto trained = std::make_shared<Trained>();
  trained->Step().IgnoreError();
  const auto before = std::make_shared<std::vector<std::vector<Leaf>>>(trained->Leaves());
  return {.run = [=] { return trained->Step(); },
          .is_sound =
              [=](bool succeeded) {
                const auto leaves = trained->Leaves();
                return (succeeded ? leaves[0] != (*before)[0] && leaves[1] != (*before)[1]
                                  : leaves == *before) &&
                       trained->Step().ok();
              }};
}

PreparedCall Regroup(const std::string&) {
  const auto trained = std::make_shared<Trained>();
  trained->Step().IgnoreError();
  const auto grouping = std::make_shared<Grouping>(trained->GroupingBy("layer1*.*"));
  const uint32_t before = trained->groups["first"].size();
  return {.run = [=] { return trained->set.Regroup(*grouping, &trained->groups).status(); },
          .is_sound =
              [=](bool succeeded) {
                return (trained->groups["first"].size() != before) == succeeded &&
                       trained->Step().ok();
              }};
}

PreparedCall LoadState(const std::string&) {
  const auto trained = std::make_shared<Trained>();
  trained->Step().IgnoreError();
  const auto state = std::make_shared<std::vector<NamedStore>>(trained->set.state());
  trained->Step().IgnoreError();
  return {.run = [=] { return trained->set.LoadState(*state); },
          .is_sound = [=](bool) { return trained->Step().ok(); }};
}

PreparedCall UpdateByDotted(const std::string&) {
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const auto before = std::make_shared<StoreState>(*params);
  const auto group = std::make_shared<ParamStore>(StoreAt({{"['head.bias']", Floats({7, 8})}}));
  return {
      .run = [=] { return Update(params.get(), *group, {.by = AlignBy::kDotted}); },
      .is_sound = [=](bool succeeded) { return (StoreState(*params) == *before) != succeeded; }};
}

PreparedCall Clip(const std::string&) {
  const auto params = std::make_shared<ParamStore>(TensorsOnly(100));
  const auto before = std::make_shared<ParamStore>(params->Snapshot().value());
  return {.run = [=] { return ClipByGlobalNorm(params.get(), 1).status(); },
          .is_sound =
              [=](bool succeeded) {
                return (StoreState(*params).leaves == StoreState(*before).leaves) != succeeded;
              }};
}

// Functions that compute something from a store.
PreparedCall Compute(const std::string&) {
  const auto params = std::make_shared<ParamStore>(SampleParams());
  const auto other = std::make_shared<ParamStore>(params->Snapshot().value());
  other->Set(".head.bias", Floats({7, 8})).IgnoreError();
  const auto before = std::make_shared<StoreState>(*params);
  return {.run = [=]() -> absl::Status {
            if (auto cast = Cast(*params, DType::kF16); !cast.ok()) return cast.status();
            if (auto norm = GlobalNorm(*params); !norm.ok()) return norm.status();
            if (auto stats = StatsOfLeaves(*params); !stats.ok()) return stats.status();
            if (auto packed = Packed::Create(*params, DType::kF32); !packed.ok()) {
              return packed.status();
            }
            const auto renames = RenameMap::Create({{"layers.**", "blocks.**"}});
            if (!renames.ok()) return renames.status();
            if (auto renamed = renames->Apply(*params); !renamed.ok()) return renamed.status();
            return DiffStores(*params, *other).status();
          },
          .is_sound = [=](bool) { return StoreState(*params) == *before; }};
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

PreparedCall NpzSave(const std::string& directory, bool deflate) {
  const auto params = std::make_shared<ParamStore>(TensorsOnly(1));
  const std::string path = directory + "/a.npz";
  return {.run = [=] { return SaveNpz(path, *params, {.io = PlainIo(), .deflate = deflate}); },
          .is_sound = [=](bool succeeded) { return succeeded == LoadNpz(path).ok(); }};
}

PreparedCall NpzLoad(const std::string& directory, bool deflate) {
  const std::string path = directory + "/a.npz";
  SaveNpz(path, TensorsOnly(1), {.io = PlainIo(), .deflate = deflate}).IgnoreError();
  return {.run = [=] { return LoadNpz(path, {.io = PlainIo()}).status(); }};
}

}  // namespace

std::vector<AllocatingCall> AllocatingCalls() {
  return {{"Open", OpenAndLoad},
          {"SaveCheckpoint", Save},
          {"ManagerSave", [](const std::string& d) { return ManagerSave(d, false); }},
          {"ManagerSaveIncremental", [](const std::string& d) { return ManagerSave(d, true); }},
          {"ManagerRestore", ManagerRestore},
          {"ManagerSaveAsync", ManagerSaveAsync},
          {"Compressed", SaveAndLoadCompressed},
          {"LoadIntoFromAFile", LoadIntoFromAFile},
          {"Grouping", CompileGrouping},
          {"LoadInto", LoadWithRenames},
          {"Flatten", FlattenModel},
          {"Unflatten", UnflattenModel},
          {"Merge", MergeStores},
          {"Step", OptimizerStep},
          {"PackAssign", PackAssign},
          {"PackedStep", PackedStep},
          {"OptimizerSetStep", OptimizerSetStep},
          {"Regroup", Regroup},
          {"LoadState", LoadState},
          {"Update", UpdateByDotted},
          {"Clip", Clip},
          {"Compute", Compute},
          {"SafetensorsSave", SafetensorsSave},
          {"SafetensorsLoad", SafetensorsLoad},
          {"NpzSave", [](const std::string& d) { return NpzSave(d, false); }},
          {"NpzSaveDeflated", [](const std::string& d) { return NpzSave(d, true); }},
          {"NpzLoad", [](const std::string& d) { return NpzLoad(d, false); }},
          {"NpzLoadDeflated", [](const std::string& d) { return NpzLoad(d, true); }}};
}

}  // namespace leafstore
