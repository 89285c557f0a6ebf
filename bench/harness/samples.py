"""The samples of measures, and the results of rows computed from them."""

import statistics
from typing import Optional, Sequence

from measures import Measure, Quotient, Row


class Samples:
    """The samples of all measures by key, a list for each round, and the reasons of failures. A measure that fails in any
    round has no samples at all, because rounds of different measures are paired by index."""

    def __init__(self):
        self.rounds: dict[str, list[list[float]]] = {}
        self.failures: dict[str, str] = {}
        # Samples of peers with Python's garbage collector on.
        self.with_collector: dict[str, list[float]] = {}

    def add(self, key: str, samples: list[float], with_collector: Sequence[float] = ()) -> None:
        if key in self.failures:
            return
        if with_collector:
            self.with_collector.setdefault(key, []).extend(with_collector)
        self.rounds.setdefault(key, []).append([float(sample) for sample in samples])

    def fail(self, key: str, reason: str) -> None:
        self.failures.setdefault(key, reason)
        self.rounds.pop(key, None)
        self.with_collector.pop(key, None)

    def of(self, measure: Measure) -> list[list[float]]:
        """Returns the samples by round, or []. For a quotient, one value for each round in which both measures have samples."""
        if not isinstance(measure, Quotient):
            return self.rounds.get(measure.key, [])
        pairs = zip(self.of(measure.over), self.of(measure.under))
        return [[median(over) / median(under) * measure.scale] for over, under in pairs if median(under) > 0]

    def failure_of(self, measure: Measure) -> Optional[str]:
        parts = [measure.over, measure.under] if isinstance(measure, Quotient) else [measure]
        return next((self.failures[part.key] for part in parts if part.key in self.failures), None)


def flat(rounds: list[list[float]]) -> list[float]:
    return [sample for samples in rounds for sample in samples]


def median(samples: list[float]) -> float:
    return statistics.median(samples)


def quartiles(samples: list[float]) -> tuple[float, float]:
    """Returns the first and the third quartile; with fewer than four samples, the minimum and the maximum."""
    if len(samples) < 4:
        return min(samples), max(samples)
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def spread(samples: list[float]) -> float:
    """Returns half of the interquartile range, divided by the median."""
    middle = median(samples)
    low, high = quartiles(samples)
    return (high - low) / 2 / abs(middle) if middle else 0.0


def ratios_by_round(ours: list[list[float]], theirs: list[list[float]]) -> list[float]:
    """Returns the ratio of the medians of each round."""
    return [median(a) / median(b) for a, b in zip(ours, theirs) if median(b) > 0]


def is_met(value: float, target) -> bool:
    if isinstance(target, tuple):
        return target[0] <= value <= target[1]
    return value <= target


def summary(samples: list[float]) -> dict:
    low, high = quartiles(samples)
    return {"median": median(samples), "low": low, "high": high, "spread": spread(samples), "samples": samples}


def side(measure: Measure, taken: Samples) -> dict:
    """Returns the entry of a measure in the report: its name, the call, and its samples or why it has none."""
    out = {"label": measure.label, "key": measure.key, "call": measure.text or measure.key}
    rounds = taken.of(measure)
    if measure.key in taken.with_collector:
        out["with_collector"] = median(taken.with_collector[measure.key])
    if rounds:
        return {**out, **summary(flat(rounds))}
    return {**out, "failed": taken.failure_of(measure) or "not measured"}


def result_of(row: Row, taken: Samples) -> dict:
    """Returns the entry of a row in the report."""
    out = {"name": row.name, "work": row.work, "unit": row.unit, "note": row.note, "target": row.target, "most": row.most,
           "reason": row.reason}  # fmt: skip
    out["ours"] = side(row.ours, taken) if row.ours else None
    out["peers"] = [side(peer, taken) for peer in row.peers]
    out["limit"] = side(row.limit, taken) if row.limit else None
    out["ratio"] = out["ratio_low"] = out["ratio_high"] = out["share"] = out["met"] = out["most_met"] = None
    ours = out["ours"]
    measured = [(peer, mine) for peer, mine in zip(row.peers, out["peers"]) if "median" in mine]
    out["peer"] = min(measured, key=lambda each: each[1]["median"])[1]["label"] if measured else None
    if ours is None or "median" not in ours:
        return out
    if measured:
        fastest, mine = min(measured, key=lambda each: each[1]["median"])
        if mine["median"] > 0:
            out["ratio"] = ours["median"] / mine["median"]
            by_round = ratios_by_round(taken.of(row.ours), taken.of(fastest))
            out["ratio_low"], out["ratio_high"] = (min(by_round), max(by_round)) if by_round else (None, None)
            # A peer that failed might have been the fastest, so without it a target does not count as met.
            everyone = len(measured) == len(row.peers)
            if row.target is not None and (everyone or not is_met(out["ratio"], row.target)):
                out["met"] = is_met(out["ratio"], row.target)
    if row.most is not None:
        out["most_met"] = ours["median"] <= row.most
    if row.unit == "s" and out["limit"] and "median" in out["limit"] and ours["median"] > 0:
        out["share"] = out["limit"]["median"] * row.limit_scale / ours["median"]
    return out
