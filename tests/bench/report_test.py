"""Tests of the report: numbers, tables, and the blocks of docs/performance.md."""

import os
import re
import unittest

import docs
import report
from measures import Ours, Peer, Row
from rows import scenes
from samples import Samples, result_of

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def a_result(ours=(1e-3,), theirs=(2e-3,), **more):
    row = Row("name", "a | work", Ours("Ours", "ours()"), (Peer("peer", "fake", "call", (), "theirs()"),), **more)
    samples = Samples()
    if ours:
        samples.add(row.ours.key, list(ours))
    if theirs:
        samples.add(row.peers[0].key, list(theirs))
    else:
        samples.fail(row.peers[0].key, "could not be installed")
    return result_of(row, samples)


class ReportTest(unittest.TestCase):
    def test_quantities_have_three_digits_and_a_suitable_unit(self):
        for value, text in ((0.0000024, "2.40 us"), (1.5, "1.50 s"), (0.0312, "31.2 ms"), (3.05e-10, "0.3 ns"), (12e-9, "12.0 ns")):
            self.assertEqual(report.quantity(value, "s"), text)
        self.assertEqual(report.quantity(1234.0, "bytes"), "1,234 bytes")
        self.assertEqual(report.three(0.00001), "0.00001")
        self.assertEqual(report.three(0.998), "1")
        self.assertEqual(report.three(4.5e-07), "4.5e-07")

    def test_a_line_contains_both_sides_the_ratio_and_the_target(self):
        line = report.one_line(a_result(target=0.4))
        self.assertEqual(line, "name: 1.00 ms; peer: 2.00 ms; ratio 0.5; wanted 0.4: missed")

    def test_a_row_that_is_not_known_is_neither_met_nor_missed(self):
        result = a_result(theirs=(), target=0.4)
        self.assertIn("could not be installed", report.one_line(result))
        self.assertEqual(report.met_text(result), "not known")
        whole = {"scenes": [{"rows": [result, a_result(target=0.6), a_result(target=0.1), a_result()]}]}
        self.assertIn("3 rows have a target: 1 met, 1 missed, 1 not known.", report.verdict(whole))

    def test_a_row_that_meets_only_one_of_two_targets_is_missed(self):
        self.assertEqual(report.met_text(a_result(target=0.6, most=1e-6)), "**missed**")
        self.assertEqual(report.met_text(a_result(target=0.6, most=1.0)), "yes")

    def test_a_table_keeps_its_columns(self):
        lines = report.table({"rows": [a_result(target=0.4)]}).splitlines()
        self.assertEqual(len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}), 1)


class DocsTest(unittest.TestCase):
    def test_only_blocks_are_replaced(self):
        text = "before 1\n<!-- bench:a -->\nold\n<!-- bench:end -->\nbetween\n<!-- bench:b:c -->\n<!-- bench:end -->\n"
        filled, left = docs.fill(text, lambda name: f"new {name}" if name == "a" else None)
        self.assertEqual(left, ["b:c"])
        self.assertEqual(filled, text.replace("old", "new a"))
        self.assertEqual(docs.fill(filled, lambda name: "x")[0].count("bench:end"), 2)

    def test_the_page_has_a_table_for_each_scene_and_no_unknown_blocks(self):
        with open(os.path.join(TOP, "docs", "performance.md"), encoding="utf-8") as file:
            names = [match.group(2) for match in docs.BLOCK.finditer(file.read())]
        for scene in scenes():
            self.assertIn(f"scene:{scene.name}", names)
            self.assertIn(f"notes:{scene.name}", names)
        self.assertEqual(len(names), len(set(names)))
        known = {f"{kind}:{scene.name}" for kind in ("scene", "notes") for scene in scenes()}
        known |= {f"plot:{name}" for name in docs.ALTERNATIVES} | {"machine", "verdict", "missed", "limits", "guide:costs"}
        self.assertEqual(set(names) - known, set())

    def test_rows_of_the_costs_table_exist(self):
        names = {row.name for scene in scenes() for row in scene.rows}
        self.assertEqual({name for _, name, _ in docs.COSTS} - names, set())


if __name__ == "__main__":
    unittest.main()
