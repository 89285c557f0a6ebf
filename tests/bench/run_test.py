"""Tests of the complete harness with leafstore_bench, on a few small rows."""

import json
import os
import tempfile
import unittest

import run

BINARY = os.environ["LEAFSTORE_BENCH_BINARY"]


class RunTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def run_with(self, *arguments):
        return run.main(["--binary", BINARY, "--out", self.directory.name, "--min-time", "0.001", "--no-peers", *arguments])

    def report(self):
        with open(os.path.join(self.directory.name, "report.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_rows_are_measured_and_written(self):
        self.assertEqual(self.run_with("--rows", "^call-itself|^find-100-|^call-inox$", "--rounds", "3"), 0)
        rows = {row["name"]: row for scene in self.report()["scenes"] for row in scene["rows"]}
        self.assertEqual(set(rows), {"call-itself", "find-100-untouched", "find-100-touched", "call-inox"})
        found = rows["find-100-touched"]
        self.assertEqual(len(found["ours"]["samples"]), 3)
        self.assertTrue(1e-9 < found["ours"]["median"] < 1e-3)
        self.assertAlmostEqual(found["ratio"], found["ours"]["median"] / found["peers"][0]["median"])
        self.assertIn(found["met"], (True, False))
        self.assertIsNone(rows["call-inox"]["met"])
        self.assertEqual(rows["call-inox"]["peers"][0]["failed"], "not measured (--no-peers)")
        with open(os.path.join(self.directory.name, "report.md"), encoding="utf-8") as file:
            self.assertIn("pass a group of one tensor to a function; static leaves outside the group: 1", file.read())

    def test_files_are_saved_loaded_and_removed(self):
        files = os.path.join(self.directory.name, "files")
        os.mkdir(files)
        os.environ["TMPDIR"] = files
        self.addCleanup(os.environ.pop, "TMPDIR")
        rows = "^save-small$|^load-small|^load-mapped-read$|^open-mapped$"
        self.assertEqual(self.run_with("--rows", rows, "--rounds", "1", "--big-mib", "64"), 0)
        for scene in self.report()["scenes"]:
            for row in scene["rows"]:
                self.assertIn("median", row["ours"], row["name"])
        self.assertEqual(os.listdir(files), [])

    def test_a_program_that_fails_marks_its_rows(self):
        self.assertEqual(run.main(["--binary", "/bin/false", "--out", self.directory.name, "--no-peers", "--rows", "^find-100-"]), 0)
        for scene in self.report()["scenes"]:
            for row in scene["rows"]:
                self.assertIn("ended with 1", row["ours"]["failed"])

    def test_every_scene_gets_its_share_of_the_time(self):
        options = run.arguments(["--binary", BINARY, "--out", self.directory.name, "--minutes", "10"])
        ends = run.deadlines(run.scenes(), options)
        self.assertEqual(ends, sorted(ends))
        self.assertAlmostEqual(ends[-1], 600)

    def test_a_run_that_takes_too_long_has_only_three_rounds(self):
        self.assertEqual(self.run_with("--rows", "^find-100-untouched$", "--rounds", "9", "--minutes", "0"), 0)
        [scene] = self.report()["scenes"]
        self.assertEqual(scene["rounds"], 3)
        self.assertEqual(len(scene["rows"][0]["ours"]["samples"]), 3)

    def test_a_run_without_rows_is_an_error(self):
        self.assertEqual(self.run_with("--rows", "no such row"), 2)
        self.assertEqual(self.run_with("--rows", "("), 2)


if __name__ == "__main__":
    unittest.main()
