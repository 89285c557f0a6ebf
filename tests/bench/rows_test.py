"""Tests of the rows: the benchmarks and works that they name exist, and both sides have the same models."""

import ast
import os
import subprocess
import unittest

import trees
from engine import SUFFIXES
from measures import Ours, Peer
from rows import REASONS, scenes

BINARY = os.environ["LEAFSTORE_BENCH_BINARY"]
PEERS = os.path.join(os.path.dirname(os.path.abspath(trees.__file__)))


def output(*arguments):
    return subprocess.run([BINARY, *arguments], check=True, capture_output=True, text=True).stdout


def works_of(worker):
    """Returns the parameters of the functions marked with @work, by name. Parses the file: importing it needs the peer."""
    with open(os.path.join(PEERS, f"{worker}_peer.py"), encoding="utf-8") as file:
        module = ast.parse(file.read())
    return {
        each.name: ([argument.arg for argument in each.args.args], len(each.args.defaults))
        for each in module.body
        if isinstance(each, ast.FunctionDef) and any(getattr(d, "id", "") == "work" for d in each.decorator_list)
    }


class RowsTest(unittest.TestCase):
    def test_names_are_unique(self):
        names = [row.name for scene in scenes() for row in scene.rows] + [scene.name for scene in scenes()]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_reasons_belong_to_rows_with_a_target(self):
        wanted = {row.name for scene in scenes() for row in scene.rows if row.target is not None or row.most is not None}
        self.assertEqual(set(REASONS) - wanted, set())

    def test_every_benchmark_exists_in_leafstore_bench(self):
        there = {SUFFIXES.sub("", name) for name in output("--benchmark_list_tests").splitlines()}
        named = {m.benchmark for scene in scenes() for m in scene.measures() if isinstance(m, Ours)}
        self.assertGreater(len(named), 80)
        self.assertEqual(named - there, set())

    def test_every_work_exists_and_accepts_its_arguments(self):
        peers = {m for scene in scenes() for m in scene.measures() if isinstance(m, Peer)}
        self.assertGreater(len(peers), 60)
        for peer in peers:
            with self.subTest(peer.key):
                works = works_of(peer.worker)
                self.assertIn(peer.call, works)
                parameters, defaults = works[peer.call]
                given = [name for name, _ in peer.args]
                self.assertLessEqual(set(given), set(parameters))
                self.assertLessEqual(set(parameters[: len(parameters) - defaults]), set(given))
                self.assertTrue(peer.text)

    def test_every_row_with_a_target_ratio_has_a_peer(self):
        for scene in scenes():
            for row in scene.rows:
                with self.subTest(row.name):
                    self.assertTrue(row.ours or row.peers)
                    self.assertTrue(row.peers or row.target is None)

    def test_fewer_bytes_keep_all_rows(self):
        names = [row.name for scene in scenes() for row in scene.rows]
        self.assertEqual(names, [row.name for scene in scenes(256) for row in scene.rows])

    def test_models_are_the_same_on_both_sides(self):
        for name, leaves in (("transformer", 30), ("one_tensor", 3), ("one_tensor", 0), ("blocks", 20), ("names", 11)):
            with self.subTest(name):
                self.assertEqual(output(f"--print_model={name}:{leaves}").splitlines(), trees.lines(name, leaves))

    def test_a_tree_contains_its_leaves(self):
        tree = trees.nested_dicts(trees.transformer(20), lambda leaf: leaf.spec)
        self.assertEqual(tree["layers"][1]["attn"]["q"], "f32[2, 4]")
        self.assertEqual(tree["layers"][0]["rate"], "static float")
        self.assertEqual(len(tree["layers"]), 2)


if __name__ == "__main__":
    unittest.main()
