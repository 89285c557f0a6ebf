// Writes the first inputs of those fuzz targets that read bytes; those of text are written by hand.
// Again, after a change of a format:
//
//   build/release/bin/make_fuzz_corpus tests/fuzz/corpus
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/checkpoint/writer.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/proto/param_store_codec.h"
#include "leafstore/proto/treedef_codec.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/forge.h"
#include "tests/checkpoint/models.h"

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
             {{Path().Attribute("a"), Tensor::FromValues<bool>({3}, {true, false, true}).value()},
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
  options.labels =
      Labels::Create(whole.layout(), std::vector<uint32_t>{0, 0, 1, 1, kNoGroup, 1}, {"x", "y"})
          .value();
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "make_fuzz_corpus.leaf";
  const absl::Status saved =
      SaveCheckpoint(path, {{"whole", whole, options}, {"part", Part()}, {"loose", Loose()}},
                     {.durable = false, .metadata = {{"run", "7"}}});
  if (!saved.ok()) {
    std::cerr << saved << "\n";
    std::exit(1);
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::filesystem::remove(path);
  return bytes;
}

void WriteAll(const std::filesystem::path& corpus) {
  Write(corpus / "treedef_fuzz" / "every_kind", EncodeTreeDef(EveryKind()).value());
  Write(corpus / "treedef_fuzz" / "deep", EncodeTreeDef(Deep()).value());
  Write(corpus / "treedef_fuzz" / "none", EncodeTreeDef(TreeDef()).value());
  Write(corpus / "param_store_fuzz" / "every_kind", EncodeParamStore(EveryKindStore()).value());
  Write(corpus / "param_store_fuzz" / "part", EncodeParamStore(Part()).value());
  Write(corpus / "param_store_fuzz" / "loose", EncodeParamStore(Loose()).value());
  const std::string checkpoint = Checkpoint();
  Write(corpus / "manifest_fuzz" / "three_items", ManifestBytesOf(checkpoint));
  Write(corpus / "checkpoint_fuzz" / "three_items", checkpoint);
  Manifest manifest = ManifestOf(checkpoint);
  manifest.items[0].segments.codecs = {0, 7, 0};
  manifest.items[0].segments.bases = {0, 0, 5};
  Write(corpus / "manifest_fuzz" / "codecs_and_bases", EncodeManifest(manifest).value());
  Write(corpus / "checkpoint_fuzz" / "codecs_and_bases", WithManifest(checkpoint, manifest));
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
