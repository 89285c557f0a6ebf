"""Tests of the statistics of the harness: the results that rows compute from samples."""

import unittest

from measures import Ours, Peer, Quotient, Row
from samples import Samples, is_met, quartiles, result_of, spread

OURS = Ours("Ours/1")
FAST, SLOW = Peer("fast", "fake", "fast"), Peer("slow", "fake", "slow")


def taken(**rounds):
    """Returns samples for 'ours', 'fast' and 'slow', given a list of rounds for each."""
    samples = Samples()
    for name, of_rounds in rounds.items():
        key = {"ours": OURS.key, "fast": FAST.key, "slow": SLOW.key}[name]
        for each in of_rounds:
            samples.add(key, each)
    return samples


class SamplesTest(unittest.TestCase):
    def test_ratio_is_of_medians_over_all_rounds(self):
        row = Row("r", "work", OURS, (FAST,), target=0.5)
        result = result_of(row, taken(ours=[[1.0], [2.0], [9.0]], fast=[[10.0, 10.0], [4.0], [10.0]]))
        self.assertEqual(result["ratio"], 2.0 / 10.0)
        self.assertEqual(result["ours"]["samples"], [1.0, 2.0, 9.0])
        self.assertTrue(result["met"])

    def test_ratios_of_rounds_compare_samples_of_the_same_round(self):
        row = Row("r", "work", OURS, (FAST,))
        result = result_of(row, taken(ours=[[1.0], [2.0], [9.0]], fast=[[10.0], [4.0], [10.0]]))
        self.assertEqual((result["ratio_low"], result["ratio_high"]), (0.1, 0.9))

    def test_the_fastest_peer_counts_and_all_are_kept(self):
        row = Row("r", "work", OURS, (SLOW, FAST), target=0.5)
        result = result_of(row, taken(ours=[[4.0]], fast=[[5.0]], slow=[[50.0]]))
        self.assertEqual(result["peer"], "fast")
        self.assertEqual(result["ratio"], 0.8)
        self.assertIs(result["met"], False)
        self.assertEqual([peer["median"] for peer in result["peers"]], [50.0, 5.0])

    def test_a_target_is_not_met_if_a_peer_is_missing(self):
        row = Row("r", "work", OURS, (SLOW, FAST), target=0.5)
        samples = taken(ours=[[4.0]], slow=[[50.0]])
        samples.fail(FAST.key, "cannot be installed")
        result = result_of(row, samples)
        self.assertIsNone(result["met"])
        self.assertEqual(result["ratio"], 0.08)
        self.assertEqual(result["peers"][1]["failed"], "cannot be installed")

    def test_a_measure_that_fails_once_has_no_samples(self):
        samples = taken(ours=[[4.0], [5.0]], fast=[[5.0]])
        samples.fail(FAST.key, "it died in round 2")
        samples.add(FAST.key, [1.0])
        result = result_of(Row("r", "work", OURS, (FAST,), target=1.0), samples)
        self.assertIsNone(result["met"])
        self.assertIsNone(result["ratio"])
        self.assertEqual(result["peers"][0]["failed"], "it died in round 2")

    def test_a_missed_target_is_missed_even_if_a_peer_is_missing(self):
        row = Row("r", "work", OURS, (SLOW, FAST), target=0.05)
        self.assertIs(result_of(row, taken(ours=[[4.0]], slow=[[50.0]]))["met"], False)

    def test_a_row_whose_own_measure_failed_has_no_ratio_but_a_reason(self):
        samples = taken(fast=[[5.0]])
        samples.fail(OURS.key, "it ended with 1")
        result = result_of(Row("r", "work", OURS, (FAST,), target=1.0, most=1.0), samples)
        self.assertIsNone(result["ratio"])
        self.assertIsNone(result["met"])
        self.assertIsNone(result["most_met"])
        self.assertEqual(result["ours"]["failed"], "it ended with 1")

    def test_a_target_may_be_a_range(self):
        self.assertTrue(is_met(1.0, (0.9, 1.1)))
        self.assertFalse(is_met(0.8, (0.9, 1.1)))
        self.assertFalse(is_met(1.2, (0.9, 1.1)))
        self.assertTrue(is_met(0.5, 0.5))

    def test_a_target_for_the_own_time_needs_no_peer(self):
        result = result_of(Row("r", "work", OURS, (), most=2.0), taken(ours=[[1.0]]))
        self.assertIs(result["most_met"], True)
        self.assertIsNone(result["met"])

    def test_share_of_the_limit(self):
        row = Row("r", "work", OURS, (), limit=FAST, limit_scale=0.5)
        self.assertEqual(result_of(row, taken(ours=[[4.0]], fast=[[2.0]]))["share"], 0.25)

    def test_a_quotient_is_computed_for_each_round(self):
        growth = Quotient(OURS, FAST, scale=0.01)
        samples = taken(ours=[[100.0], [400.0]], fast=[[1.0], [2.0]])
        self.assertEqual(samples.of(growth), [[1.0], [2.0]])
        self.assertEqual(result_of(Row("r", "work", growth, ()), samples)["ours"]["median"], 1.5)

    def test_a_quotient_of_a_failed_measure_has_its_reason(self):
        samples = taken(ours=[[1.0]])
        samples.fail(FAST.key, "it hung")
        self.assertEqual(result_of(Row("r", "work", Quotient(OURS, FAST), ()), samples)["ours"]["failed"], "it hung")

    def test_the_spread_is_half_of_the_interquartile_range(self):
        self.assertEqual(quartiles([1.0, 2.0, 3.0, 4.0, 100.0]), (2.0, 4.0))
        self.assertAlmostEqual(spread([1.0, 2.0, 3.0, 4.0, 100.0]), 1.0 / 3.0)
        self.assertEqual(quartiles([3.0, 1.0]), (1.0, 3.0))

    def test_the_time_with_the_collector_is_reported_but_not_compared(self):
        samples = Samples()
        samples.add(OURS.key, [1.0])
        samples.add(FAST.key, [2.0], [20.0])
        result = result_of(Row("r", "work", OURS, (FAST,), target=0.4), samples)
        self.assertEqual(result["ratio"], 0.5)
        self.assertEqual(result["peers"][0]["with_collector"], 20.0)


if __name__ == "__main__":
    unittest.main()
