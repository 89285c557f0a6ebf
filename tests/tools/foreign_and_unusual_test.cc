// Files that people really have: sound, unusual, damaged, of another kind; and files of which a part
// is not readable.
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/reader.h"

#include "tests/interop/foreign_files.h"
#include "tests/interop/npy_files.h"
#include "tests/interop/safetensors_files.h"
#include "tests/tools/tool_test.h"
#include "tests/tools/zip_files.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Args = std::vector<std::string>;

constexpr char kIndexName[] = "model.safetensors.index.json";

class UnusualTest : public ToolTest {
 protected:
  void Write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(File(name)).parent_path());
    WriteFile(File(name), bytes);
  }
  // The subcommands that read a file, on this one.
  Args With(const std::string& command, const std::string& path) const {
    if (command == "convert") return {command, path, File("out.leaf"), "--force"};
    if (command == "explain") return {command, path, "--group", "all=**"};
    if (command == "diff") return {command, path, path};
    return {command, path};
  }

  // Each subcommand reads the path, with this note on standard error and in JSON; --strict rejects
  // it, and does not call it damaged.
  void ExpectNoted(const std::string& path, const std::string& note) {
    for (const char* command :
         {"inspect", "tree", "cat", "stats", "explain", "convert", "verify", "diff"}) {
      const Ran ran = RunLeafstore(With(command, path));
      EXPECT_EQ(ran.exit_code, 0) << command << ": " << ran.err;
      EXPECT_THAT(ran.err, StartsWith("leafstore: " + path + ": note: ")) << command;
      EXPECT_THAT(ran.err, HasSubstr(note)) << command;
      Args args = With(command, path);
      args.push_back("--strict");
      const Ran strict = RunLeafstore(args);
      EXPECT_EQ(strict.exit_code, command == std::string("diff") ? 2 : 1) << command;
      EXPECT_THAT(strict.out + strict.err,
                  AllOf(HasSubstr(note), HasSubstr("without --strict it is read"),
                        Not(HasSubstr("use another copy")), Not(HasSubstr("DAMAGED"))))
          << command;
    }
    for (const char* command : {"inspect", "convert", "verify"}) {
      Args args = With(command, path);
      args.push_back("--json");
      const nlohmann::json json = nlohmann::json::parse(RunLeafstore(args).out);
      const nlohmann::json& notes =
          command == std::string("verify") ? json["files"][0]["notes"] : json["notes"];
      ASSERT_EQ(notes.size(), 1u) << json;
      EXPECT_THAT(notes[0].get<std::string>(), HasSubstr(note));
    }
  }

  // Each subcommand rejects the path with a message that has these words.
  void ExpectRejected(const std::string& path, const testing::Matcher<std::string>& words,
                      const Args& options = {}) {
    for (const char* command :
         {"inspect", "tree", "cat", "stats", "explain", "convert", "verify", "diff"}) {
      Args args = With(command, path);
      args.insert(args.end(), options.begin(), options.end());
      const Ran ran = RunLeafstore(args);
      EXPECT_EQ(ran.exit_code, command == std::string("diff") ? 2 : 1) << command;
      EXPECT_THAT(ran.out + ran.err, AllOf(HasSubstr(path + ": "), words)) << command;
    }
    EXPECT_FALSE(std::filesystem::exists(File("out.leaf")));
  }
};

TEST_F(UnusualTest, UnusualHeaders_AreReadWithANote) {
  const std::string a = BytesEntry("a", 0, 4);
  const std::pair<std::string, std::string> cases[] = {
      {"{" + a + "}\n", "'}' and spaces at its end"},
      {"{" + a + "}\t", "'}' and spaces at its end"},
      {" {" + a + "}", "'{' as its first byte"},
      {"{\"__metadata__\":null," + a + "}", "__metadata__: expected an object of strings"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"note":"x"}})", "another, 'note'"},
  };
  for (const auto& [header, note] : cases) {
    Write("m.safetensors", SafetensorsFileOf(header, 4));
    ExpectNoted(File("m.safetensors"), note);
  }
}

TEST_F(UnusualTest, UnusualSets_AreReadWithANote) {
  WriteTwoShards(File("set"));
  ExpectNoted(File("set"), "`leafstore merge` writes one file");
  for (const auto& [fields, note] : std::vector<std::pair<std::string, std::string>>{
           {"\"metadata\":{\"total_size\":48},", "total_size of 6"},
           {"\"metadata\":{\"total_size\":6.0},", "found 6.0"},
           {"\"metadata\":null,", "found null"},
           {"\"metadata\":{\"total_size\":6},\"format\":\"pt\",", "another, 'format'"}}) {
    Write(std::string("set/") + kIndexName, IndexOfTwo(fields));
    ExpectNoted(File("set"), note);
  }
  Write("set/" + ShardNameOf(1, 2), SmallFile({{"a", 4}, {"old", 3}}));
  Write(std::string("set/") + kIndexName, IndexOfTwo());
  ExpectNoted(File("set"), "no entry for 'old'");
  EXPECT_THAT(RunLeafstore({"inspect", File("set")}).out, HasSubstr("2 leaves"));
}

TEST_F(UnusualTest, OneShardOfThree_IsRejectedUnlessAskedFor) {
  Write("d/" + ShardNameOf(1, 3), SmallFile({{"a", 4}}));
  const auto words =
      AllOf(HasSubstr("found 1: model-00001-of-00003.safetensors"),
            HasSubstr("missing: model-00002-of-00003.safetensors"), HasSubstr("copy all of them"),
            Not(HasSubstr("damage")), Not(HasSubstr("DAMAGE")));
  ExpectRejected(File("d"), words);
  ExpectRejected(File("d/" + ShardNameOf(1, 3)), words);
  EXPECT_THAT(Out({"inspect", File("d/" + ShardNameOf(1, 3)), "--one-shard"}), HasSubstr("1 leaf"));
}

TEST_F(UnusualTest, ShardsGivenToMerge_AreParts) {
  WriteTwoShards(File("d"));
  Out({"merge", File("d/" + ShardNameOf(1, 2)), File("d/" + ShardNameOf(2, 2)), "--out",
       File("whole.safetensors")});
  EXPECT_EQ(SafetensorsReader::Open(File("whole.safetensors"))->size(), 2u);
}

TEST_F(UnusualTest, SetsThatLackShardsOrContradictThemselves_AreNotDamaged) {
  Write(std::string("d/") + kIndexName, IndexOf({{"a", "1.safetensors"}, {"b", "2.safetensors"}}));
  ExpectRejected(File("d"), AllOf(HasSubstr("1.safetensors, 2.safetensors"),
                                  HasSubstr("copy all of them"), Not(HasSubstr("amage"))));
  WriteTwoShards(File("e"));
  Write("e/" + ShardNameOf(2, 2), SmallFile({{"a", 4}, {"b", 2}}));
  ExpectRejected(File("e"), AllOf(HasSubstr(ShardNameOf(1, 2)), HasSubstr(ShardNameOf(2, 2)),
                                  HasSubstr("contradicts itself"), Not(HasSubstr("DAMAGED")),
                                  Not(HasSubstr("use another copy"))));
}

TEST_F(UnusualTest, DamagedFiles_AreStillDamaged) {
  const std::string file = SmallFile({{"a", 4}});
  Write("m.safetensors", file.substr(0, file.size() - 1));
  ExpectRejected(File("m.safetensors"), HasSubstr("use another copy"));
  EXPECT_THAT(RunLeafstore({"verify", File("m.safetensors")}).out, HasSubstr("DAMAGED"));
  Write("t.safetensors", file.substr(0, 30));
  ExpectRejected(File("t.safetensors"), HasSubstr("use another copy"));
}

TEST_F(UnusualTest, ForeignFiles_AreNamed) {
  for (const ForeignFile& file : ForeignFiles()) {
    Write(file.name, file.bytes);
    const Ran ran = RunLeafstore({"inspect", File(file.name)});
    EXPECT_EQ(ran.exit_code, 1) << file.name;
    EXPECT_THAT(ran.err, AllOf(HasSubstr(File(file.name) + ": "), HasSubstr(file.found)))
        << file.name;
    EXPECT_THAT(ran.err, AllOf(Not(HasSubstr("damage")), Not(HasSubstr("another copy"))))
        << file.name;
    EXPECT_THAT(RunLeafstore({"verify", File(file.name)}).out, Not(HasSubstr("DAMAGED")));
  }
}

TEST_F(UnusualTest, UnknownDType_DoesNotAffectTheOthers) {
  Write("m.safetensors",
        SafetensorsFileOf("{" + BytesEntry("w", 0, 4) +
                              R"(,"q":{"dtype":"NF4","shape":[4],"data_offsets":[4,6]}})",
                          6));
  const std::string file = File("m.safetensors");
  const Ran shown = RunLeafstore({"inspect", file});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_THAT(shown.err, HasSubstr("note: 'q' is not readable: dtype 'NF4', shape [4]"));
  EXPECT_THAT(shown.out, HasSubstr("not readable: q: dtype 'NF4', shape [4], 2 B"));
  EXPECT_EQ(RunLeafstore({"cat", file, "w"}).out, "[0 1 0 1]\n");
  const Ran asked = RunLeafstore({"cat", file, "q"});
  EXPECT_EQ(asked.exit_code, 1);
  EXPECT_THAT(asked.err, HasSubstr("'q' is not readable: dtype 'NF4'"));
  const Ran refused = RunLeafstore({"convert", file, File("o.leaf")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("1 leaf is not readable, such as 'q'"),
                                 HasSubstr("--skip-unreadable")));
  EXPECT_FALSE(std::filesystem::exists(File("o.leaf")));
  const Ran written =
      RunLeafstore({"convert", file, File("o.leaf"), "--skip-unreadable", "--json"});
  EXPECT_EQ(written.exit_code, 0);
  EXPECT_THAT(written.err, HasSubstr("1 leaf is left out (--skip-unreadable)"));
  EXPECT_EQ(nlohmann::json::parse(written.out)["left_out"][0]["name"], "q");
  // Leaves that are not requested need no word.
  EXPECT_EQ(RunLeafstore({"convert", file, File("p.leaf"), "--match", "w"}).exit_code, 0);
  const nlohmann::json json = nlohmann::json::parse(RunLeafstore({"inspect", file, "--json"}).out);
  EXPECT_EQ(json["items"][0]["unreadable"][0]["what"], "dtype 'NF4', shape [4]");
  EXPECT_EQ(json["items"][0]["unreadable"][0]["bytes"], 2);
  EXPECT_THAT(RunLeafstore({"verify", file}).out, HasSubstr("ok, "));
  ExpectRejected(file, HasSubstr("NF4"), {"--strict"});
}

TEST_F(UnusualTest, OtherMembersOfAnArchive_DoNotAffectTheArrays) {
  const auto array = [](const std::string& descr, const std::string& bytes) {
    return NpyFileOf("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", bytes);
  };
  Write("p.npz", ZipOf({{"w.npy", array("'|u1'", "\7")},
                        {"vocab.npy", array("'<U1'", "abcd")},
                        {"half.npy", array("'|V2'", "\x80?")},
                        {"config.json", "{\"hidden\": 2}"}}));
  const std::string file = File("p.npz");
  const Ran cat = RunLeafstore({"cat", file, "w"});
  EXPECT_EQ(cat.out, "[7]\n");
  EXPECT_THAT(cat.err, AllOf(HasSubstr("'vocab' is not readable: its dtype '<U1' (text)"),
                             HasSubstr("'config.json' is not readable: it is not an array"),
                             HasSubstr("'half' is not readable: its dtype '|V2'")));
  EXPECT_EQ(RunLeafstore({"convert", file, File("o.safetensors")}).exit_code, 2);
  EXPECT_EQ(RunLeafstore({"convert", file, File("o.safetensors"), "--skip-unreadable"}).exit_code,
            0);
  for (const char* type : {"<V2=bf16", "V2=bf16", "|V2=bf16"}) {
    EXPECT_EQ(RunLeafstore({"cat", file, "half", "--dtype-of", type}).out, "[1.]\n") << type;
  }
  for (const char* type : {"<V2", "<f4=bf16", "<V2=bf17", "<V2=f32", "V=u8"}) {
    EXPECT_THAT(Error({"cat", file, "--dtype-of", type}, 2), HasSubstr("--dtype-of")) << type;
  }
  ExpectRejected(file, HasSubstr("member 'vocab'"), {"--strict"});
}

TEST_F(UnusualTest, Diff_IsTroubleWhereLeavesAreNotCompared) {
  const auto with = [](const std::string& bytes) {
    std::string file = SafetensorsFileOf(
        "{" + BytesEntry("w", 0, 4) + R"(,"q":{"dtype":"NF4","shape":[4],"data_offsets":[4,6]}})",
        6);
    return file.substr(0, file.size() - 2) + bytes;
  };
  Write("a.safetensors", with("aa"));
  Write("b.safetensors", with("bb"));
  Write("c.safetensors", SmallFile({{"w", 4}}));
  for (const char* other : {"b.safetensors", "c.safetensors", "a.safetensors"}) {
    const Ran ran = RunLeafstore({"diff", File("a.safetensors"), File(other)});
    EXPECT_EQ(ran.exit_code, 2) << other;
    EXPECT_THAT(ran.err, HasSubstr(File("a.safetensors") +
                                   ": 'q' is not readable (dtype 'NF4', shape [4]), so it is not "
                                   "compared; --ignore 'q' compares the others"));
  }
  EXPECT_EQ(RunLeafstore({"diff", File("c.safetensors"), File("a.safetensors")}).exit_code, 2);
  for (const Args& options : std::vector<Args>{{"--ignore", "q"}, {"--match", "w"}}) {
    Args args = {"diff", File("a.safetensors"), File("b.safetensors")};
    args.insert(args.end(), options.begin(), options.end());
    EXPECT_EQ(RunLeafstore(args).exit_code, 0) << options[0];
  }
  const Ran ran = RunLeafstore({"diff", File("a.safetensors"), File("c.safetensors"), "--json"});
  EXPECT_EQ(ran.exit_code, 2);
  const nlohmann::json json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["same"], false);
  EXPECT_EQ(json["unreadable_of_a"][0]["name"], "q");
  EXPECT_EQ(json["unreadable_of_b"].size(), 0u);
}

TEST_F(UnusualTest, Verify_FindsDamageThatLooksLikeAnotherKind) {
  std::string bytes = ZipOf({{"a.npy", NpyFileOf("{'descr': '<f4', 'fortran_order': False, "
                                                 "'shape': (1,), }",
                                                 "abcd")},
                             {"b.npy", NpyFileOf("{'descr': '<f4', 'fortran_order': False, "
                                                 "'shape': (1,), }",
                                                 "abcd")}});
  bytes[bytes.find("<f4") + 1] = 'g';
  Write("flip.npz", bytes);
  const Ran ran = RunLeafstore({"verify", File("flip.npz")});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out + ran.err, AllOf(HasSubstr("member 'a'"), HasSubstr("CRC-32")));
}

TEST_F(UnusualTest, DamagedMember_DoesNotAffectTheOthers) {
  const std::string array =
      NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\1\1");
  std::string bytes = ZipOf({{"a.npy", array}, {"b.npy", array}});
  bytes[bytes.find("\1\1", bytes.find("shape"))] = '\7';
  Write("m.npz", bytes);
  EXPECT_THAT(Out({"inspect", File("m.npz")}), HasSubstr("2 leaves"));
  EXPECT_EQ(Out({"cat", File("m.npz"), "b"}), "[1 1]\n");
  EXPECT_THAT(Error({"cat", File("m.npz"), "a"}, 1),
              AllOf(HasSubstr("member 'a'"), HasSubstr("CRC-32"), HasSubstr("damaged")));
  const Ran verify = RunLeafstore({"verify", File("m.npz")});
  EXPECT_EQ(verify.exit_code, 1);
  EXPECT_THAT(verify.out, HasSubstr("DAMAGED"));
}

TEST_F(UnusualTest, UnlistedTensors_AreReportedAsLeftOut) {
  WriteTwoShards(File("d"));
  Write("d/" + ShardNameOf(2, 2), SmallFile({{"b", 2}, {"c", 3}}));
  Write(std::string("d/") + kIndexName, IndexOfTwo());
  const Ran ran = RunLeafstore({"convert", File("d"), File("o.safetensors"), "--json"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("1 tensor is left out, such as 'c': the index does not list it"));
  EXPECT_EQ(nlohmann::json::parse(ran.out)["left_out"][0]["name"], "c");
}

TEST_F(UnusualTest, DTypeOf_RejectsTwoDTypesOfOneSize) {
  Write("p.npz", ZipOf({{"w.npy", NpyFileOf("{'descr': '<V2', 'fortran_order': False, 'shape': "
                                            "(1,), }",
                                            "\x80?")}}));
  EXPECT_THAT(Error({"cat", File("p.npz"), "--dtype-of", "<V2=bf16", "--dtype-of", ">V2=f16"}, 2),
              HasSubstr("expected one dtype for V2, found bf16 too"));
  EXPECT_EQ(Out({"cat", File("p.npz"), "w", "--dtype-of", "<V2=bf16", "--dtype-of", "|V2=bf16"}),
            "[1.]\n");
}

TEST_F(UnusualTest, StructureThatDoesNotFit_CanBeIgnored) {
  const std::string file = File("s.safetensors");
  Out({"convert", Sample(), file, "--item", "params", "--structure", "always"});
  std::string bytes = ReadFile(file);
  const size_t at = bytes.find("\"leafstore");
  ASSERT_NE(at, std::string::npos);
  bytes[bytes.find("1:dotted:", at) + 12] ^= 1;
  WriteFile(file, bytes);
  EXPECT_THAT(Error({"inspect", file}, 1), HasSubstr("--ignore-structure"));
  EXPECT_THAT(Out({"inspect", file, "--ignore-structure"}), HasSubstr("safetensors"));
}

TEST_F(UnusualTest, DanglingLinks_NameTheirTarget) {
  std::filesystem::create_symlink("gone.safetensors", File("link.safetensors"));
  EXPECT_THAT(Error({"inspect", File("link.safetensors")}, 1),
              AllOf(HasSubstr("a symbolic link to gone.safetensors, which does not exist"),
                    Not(HasSubstr("check the name"))));
}

TEST_F(UnusualTest, TruncatedHeaders_AreNamedWithoutASuffix) {
  Write("m.incomplete", SmallFile({{"weight", 4000}}).substr(0, 40));
  EXPECT_THAT(Error({"inspect", File("m.incomplete")}, 1),
              AllOf(HasSubstr("the safetensors are truncated"), HasSubstr("use another copy")));
}

TEST_F(UnusualTest, IndexesAndFilesWithoutSuffix_AreToldByContent) {
  WriteTwoShards(File("d"));
  Write("d/5f3a", IndexOfTwo());
  EXPECT_THAT(Out({"inspect", File("d/5f3a")}), HasSubstr("safetensors, 2 shards"));
  Write("d/77aa", SmallFile({{"c", 1}}));
  EXPECT_THAT(Out({"inspect", File("d/77aa")}), HasSubstr("safetensors, 1 item"));
  WriteTwoShards(File("v"), "model.fp16");
  Write("v/model.safetensors.index.fp16.json", IndexOfTwo("", "model.fp16"));
  EXPECT_THAT(
      Out({"inspect", File("v")}),
      AllOf(StartsWith(File("v/model.safetensors.index.fp16.json")), HasSubstr("2 shards")));
}

TEST_F(UnusualTest, NamesOutsideTheDirectory_AreRejected) {
  for (const char* name : {"../x.safetensors", "/etc/passwd"}) {
    Write(std::string("d/") + kIndexName, IndexOf({{"a", name}}));
    ExpectRejected(File("d"), AllOf(HasSubstr("outside of it and is not opened"),
                                    Not(HasSubstr("amage")), Not(HasSubstr("DAMAGED"))));
  }
}

}  // namespace
}  // namespace leafstore
