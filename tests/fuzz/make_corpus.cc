// Writes the initial inputs of fuzz targets that read binary formats; text inputs are written by
// hand. Run it again after a change of a format:
//
//   build/release/bin/make_fuzz_corpus tests/fuzz/corpus
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/proto/param_store_codec.h"
#include "leafstore/proto/treedef_codec.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"
#include "tests/fuzz/checkpoint_inputs.h"
#include "tests/interop/memory_disk.h"
#include "tests/interop/npy_files.h"
#include "tests/interop/safetensors_attacks.h"

namespace leafstore {
namespace {

void Write(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) {
    std::cerr << "cannot write " << file << "\n";
    std::exit(1);
  }
}

ParamStore Loose() {
  return ParamStore::FromEntries(
             {{Path().Attribute("a"), Tensor::From<bool>({3}, {true, false, true}).value()},
              {Path().Item("b c").Index(7), Value(2.5)}})
      .value();
}

ParamStore Part() {
  const ParamStore whole = EveryKindStore();
  return ParamStore::Create(whole.layout(), SlotSet::Create(6, {2, 5}).value(),
                            {whole.leaf(2), whole.leaf(5)})
      .value();
}

TreeDef Deep() {
  TreeDefBuilder builder;
  for (int i = 0; i < 20; ++i) builder.Open(i % 2 == 0 ? NodeKind::kList : NodeKind::kTuple);
  builder.Leaf();
  for (int i = 0; i < 20; ++i) builder.Close();
  return std::move(builder).Build().value();
}

std::string Checkpoint() {
  const ParamStore whole = EveryKindStore();
  ItemOptions options;
  options.metadata = {{"key", "value"}};
  options.grouping =
      Grouping::Create(whole.layout(), std::vector<uint32_t>{0, 0, 1, 1, kNoGroup, 1}, {"x", "y"})
          .value();
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "make_fuzz_corpus.leaf";
  const absl::Status saved =
      SaveCheckpoint(path, {{"whole", whole, options}, {"part", Part()}, {"loose", Loose()}},
                     {.io = {.durable = false}, .metadata = {{"run", "7"}}});
  if (!saved.ok()) {
    std::cerr << saved << "\n";
    std::exit(1);
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::filesystem::remove(path);
  return bytes;
}

// Returns the bytes that `save` writes to the FileSystem it is given.
template <typename Save>
std::string Saved(const Save& save) {
  MemoryDisk disk;
  if (const absl::Status saved = save(&disk); !saved.ok()) {
    std::cerr << saved << "\n";
    std::exit(1);
  }
  return disk.bytes();
}

void WriteSafetensors(const std::filesystem::path& folder) {
  for (const SafetensorsAttack& attack : SafetensorsAttacks()) {
    // Skip large ones.
    if (attack.spaces > 0 || attack.begin.size() >= 4096) continue;
    Write(folder / ("attack_" + attack.name), attack.begin);
  }
  const ParamStore store = EveryKindStore();
  for (const bool structure : {false, true}) {
    Write(folder / (structure ? "structure" : "plain"), Saved([&](FileSystem* disk) {
            SafetensorsSaveOptions options;
            options.metadata = Metadata{{"format", "pt"}, {"\n", "\""}};
            options.structure = structure ? StructureSave::kAlways : StructureSave::kNever;
            options.drop_static = true;
            options.io.file_system = disk;
            return SaveSafetensors("x", store, options);
          }));
  }
  Write(folder / "index",
        R"({"metadata":{"total_size":8},"weight_map":{"a":"x-00001-of-00002.safetensors",)"
        R"("b.c":"x-00002-of-00002.safetensors"}})");
}

void WriteNumPy(const std::filesystem::path& folder) {
  for (const NpyAttack& attack : NpyAttacks()) {
    if (attack.file.size() < 4096) Write(folder / ("attack_" + attack.name), attack.file);
  }
  const Tensor tensor = Tensor::From<float>({2, 3}, {1, 2, 3, 4, 5, 6}).value();
  Write(folder / "npy", Saved([&](FileSystem* disk) {
          return SaveNpy("x", tensor, {.io = {.file_system = disk}});
        }));
  for (const bool deflate : {false, true}) {
    Write(folder / (deflate ? "npz_deflated" : "npz_stored"), Saved([&](FileSystem* disk) {
            return SaveNpz("x", {{"a", tensor}, {"b.c", Tensor::Scalar<int64_t>(7)}},
                           {.io = {.file_system = disk}, .deflate = deflate});
          }));
  }
  // A name that SaveNpz rejects must not be readable either.
  std::string control = Saved([&](FileSystem* disk) {
    return SaveNpz("x", {{"?", tensor}}, {.io = {.file_system = disk}});
  });
  std::replace(control.begin(), control.end(), '?', '\1');
  Write(folder / "attack_ControlCharacter", control);
}

// Writes a file in which a tensor has blocks, the last one partial, without the zeros from the
// preamble to the end of this tensor; and its manifest.
void WriteBlocks(const std::filesystem::path& corpus) {
  const Tensor zeros = Tensor::Zeros(DType::kU8, {1200, 1000}).value();
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("large"), zeros},
                               {Path().Item("small"), Tensor::From<float>({2}, {1, 2}).value()}})
          .value();
  MemoryDisk disk;
  CheckpointWriter writer =
      CheckpointWriter::Create("x", {.io = {.durable = false, .file_system = &disk}}).value();
  if (!writer.AddItem({"params", store}).ok() || !writer.Finish().ok()) std::exit(1);
  const std::string file = disk.bytes();
  const auto entry = OpenBytes(file, ReadMode::kMap)->GetItem("params")->entry(0);
  const auto begin = static_cast<uint32_t>(internal::kPreambleSize);
  const auto count = static_cast<uint32_t>(entry.offset + entry.stored_size) - begin;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    Write(corpus / "checkpoint_fuzz" / name, WithoutZeros(bytes, begin, count));
    Write(corpus / "manifest_fuzz" / name, ManifestBytesOf(bytes));
  };
  write("blocks", file);
  Manifest manifest = ManifestOf(file);
  manifest.items[0].segments.block_checksums[1] ^= 1;
  write("blocks_last_wrong", WithManifest(file, manifest));
}

void WriteAll(const std::filesystem::path& corpus) {
  WriteSafetensors(corpus / "safetensors_fuzz");
  WriteNumPy(corpus / "numpy_fuzz");
  Write(corpus / "treedef_fuzz" / "every_kind", EncodeTreeDef(EveryKind()).value());
  Write(corpus / "treedef_fuzz" / "deep", EncodeTreeDef(Deep()).value());
  Write(corpus / "treedef_fuzz" / "none", EncodeTreeDef(TreeDef()).value());
  Write(corpus / "param_store_fuzz" / "every_kind", EncodeParamStore(EveryKindStore()).value());
  Write(corpus / "param_store_fuzz" / "part", EncodeParamStore(Part()).value());
  Write(corpus / "param_store_fuzz" / "loose", EncodeParamStore(Loose()).value());
  const std::string checkpoint = Checkpoint();
  Write(corpus / "manifest_fuzz" / "three_items", ManifestBytesOf(checkpoint));
  Write(corpus / "checkpoint_fuzz" / "three_items", checkpoint);
  Write(corpus / "container_fuzz" / "three_items", checkpoint);
  Manifest manifest = ManifestOf(checkpoint);
  manifest.items[0].segments.codecs = {0, 7, 0};
  manifest.items[0].segments.bases = {0, 0, 5};
  Write(corpus / "manifest_fuzz" / "codecs_and_bases", EncodeManifest(manifest).value());
  Write(corpus / "checkpoint_fuzz" / "codecs_and_bases", WithManifest(checkpoint, manifest));
  Write(corpus / "container_fuzz" / "codecs_and_bases", WithManifest(checkpoint, manifest));
  WriteBlocks(corpus);
  std::string operations;
  for (int i = 0; i < 64; ++i) {
    operations += static_cast<char>(i * 7);
    operations += static_cast<char>(i * 11);
  }
  Write(corpus / "store_fuzz" / "all_operations", operations);
}

}  // namespace
}  // namespace leafstore

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_fuzz_corpus FOLDER\n";
    return 2;
  }
  leafstore::WriteAll(argv[1]);
  return 0;
}
