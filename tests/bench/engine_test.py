"""Tests of the processes that take samples. A failing peer marks its rows, but never ends the run."""

import json
import os
import tempfile
import unittest

from engine import MeasureError, Peers, filter_for, samples_of
from measures import Ours, Peer

HERE = os.path.dirname(os.path.abspath(__file__))


def fake(call, worker="fake", **args):
    return Peer("fake", worker, call, tuple(args.items()), "text")


class PeersTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        environment = {"PYTHONPATH": HERE}
        self.peers = Peers(self.directory.name, environment, timeout=20)
        self.addCleanup(self.peers.close)

    def take(self, measure, collector=False):
        return self.peers.take(measure, 0.05, 3, collector)

    def test_samples_are_seconds_of_one_call(self):
        samples, with_collector = self.take(fake("sleep", seconds=0.01))
        self.assertTrue(1 <= len(samples) <= 3)
        for sample in samples:
            self.assertGreaterEqual(sample, 0.01)
        self.assertEqual(with_collector, [])

    def test_collector_adds_one_sample(self):
        self.assertEqual(len(self.take(fake("sleep", seconds=0.001), collector=True)[1]), 1)

    def test_a_value_is_returned_unchanged(self):
        self.assertEqual(self.take(fake("weighs", bytes_of_it=123.5))[0], [123.5])

    def test_output_of_a_peer_is_not_an_answer(self):
        self.assertGreater(min(self.take(fake("prints"))[0]), 0)
        self.assertEqual(self.take(fake("weighs", bytes_of_it=1.0))[0], [1.0])

    def test_an_error_is_one_line_and_the_process_continues(self):
        with self.assertRaisesRegex(MeasureError, "of two lines$"):
            self.take(fake("fails"))
        with self.assertRaisesRegex(MeasureError, "unknown work: 'nothing'"):
            self.take(fake("nothing"))
        self.assertEqual(self.take(fake("weighs", bytes_of_it=1.0))[0], [1.0])

    def test_a_peer_that_dies_is_restarted_for_the_next_measure(self):
        with self.assertRaisesRegex(MeasureError, "ended without an answer"):
            self.take(fake("dies"))
        self.assertEqual(self.take(fake("weighs", bytes_of_it=1.0))[0], [1.0])

    def test_a_peer_that_hangs_is_killed(self):
        self.peers.timeout = 2
        with self.assertRaisesRegex(MeasureError, "took over 2 s"):
            self.take(fake("hangs"))
        self.assertFalse(self.peers.processes["fake"].alive)

    def test_a_peer_that_cannot_be_imported_fails_each_of_its_measures(self):
        for _ in range(2):
            with self.assertRaisesRegex(MeasureError, "absent cannot be started: .*absent_peer"):
                self.take(fake("sleep", worker="absent"))

    def test_drop_removes_files(self):
        path = os.path.join(self.directory.name, "file")
        self.take(fake("leaves_a_file", path=path))
        self.assertTrue(os.path.exists(path))
        self.peers.drop()
        self.assertFalse(os.path.exists(path))

    def test_close_removes_files_too(self):
        path = os.path.join(self.directory.name, "file")
        self.take(fake("leaves_a_file", path=path))
        self.peers.close()
        self.assertFalse(os.path.exists(path))


class GoogleBenchmarkTest(unittest.TestCase):
    def test_times_and_counters_are_found_by_the_name_without_suffixes(self):
        output = json.dumps({"benchmarks": [
            {"name": "A/1/manual_time", "real_time": 2.5, "time_unit": "us", "ours_ns": 30.0},
            {"name": "B<C>/iterations:1/manual_time", "real_time": 7.0, "time_unit": "ms"},
        ]})  # fmt: skip
        counter = Ours("A/1", "", "ours_ns", 1e-9)
        found = samples_of(output, [Ours("A/1"), counter, Ours("B<C>")])
        self.assertEqual(list(found), ["A/1", counter.key, "B<C>"])
        for value, expected in zip(found.values(), (2.5e-6, 30e-9, 7e-3)):
            self.assertAlmostEqual(value, expected, delta=1e-12)

    def test_failed_and_missing_benchmarks_are_left_out(self):
        output = json.dumps({"benchmarks": [{"name": "A", "error_occurred": True, "real_time": 0, "time_unit": "ns"}]})
        self.assertEqual(samples_of(output, [Ours("A"), Ours("B"), Ours("A", "", "none")]), {})

    def test_output_without_json_is_an_error(self):
        with self.assertRaisesRegex(MeasureError, "no JSON"):
            samples_of("Segmentation fault", [Ours("A")])

    def test_a_filter_escapes_regular_expression_characters(self):
        self.assertIn("A<b::c>/1", filter_for(["A<b::c>/1"]))
        self.assertIn(r"x\.y\(z\)", filter_for(["x.y(z)"]))


if __name__ == "__main__":
    unittest.main()
