"""Measures leafstore and its peers alternately, and writes the report. scripts/bench installs, builds and calls this.

A round of a scene samples each of its measures once. One run of leafstore_bench samples all measures of leafstore. The
order is reversed in every second round, so that other load on the machine affects all measures.
"""

import argparse
import dataclasses
import os
import re
import sys
import time

import machine
import plots
import report
from engine import Leafstore, MeasureError, Peers
from measures import Ours, Scene
from rows import scenes
from samples import Samples, result_of

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of leafstore_bench")
    parser.add_argument("--out", required=True, help="directory for the report")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per scene")
    parser.add_argument("--rows", default="", help="regular expression: run only rows (or scenes) whose name matches")
    parser.add_argument("--big-mib", type=int, default=1024, help="size of the large models in MiB")
    parser.add_argument("--peer-seconds", type=float, default=0.25, help="time for the samples of one measure of a peer in a round")
    parser.add_argument("--peer-samples", type=int, default=5, help="maximum number of samples of one measure of a peer in a round")
    parser.add_argument("--min-time", type=float, default=0.05, help="minimum time in seconds for a sample of leafstore_bench")
    parser.add_argument("--minutes", type=float, default=25, help="maximum time of the run: run fewer rounds (at least three) to stay below it")
    parser.add_argument("--timeout", type=float, default=300, help="seconds after which a measure fails")
    parser.add_argument("--no-peers", action="store_true", help="do not measure the peers")
    parser.add_argument("--quick", action="store_true", help="leave out slow rows, and note this in the report")
    return parser.parse_args(argv)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def chosen(all_scenes: list[Scene], pattern: str, quick: bool) -> list[Scene]:
    """Returns the scenes, with only the selected rows."""
    wanted = re.compile(pattern)
    out = []
    for scene in all_scenes:
        rows = tuple(row for row in scene.rows
                     if (row.quick or not quick) and (wanted.search(row.name) or wanted.search(scene.name)))  # fmt: skip
        if rows:
            share = len(rows) / len(scene.rows)
            out.append(dataclasses.replace(scene, rows=rows, seconds=scene.seconds * share,
                                           quick_seconds=scene.quick_seconds * share))  # fmt: skip
    return out


def rounds_of(scene: Scene, options: argparse.Namespace) -> int:
    return min(options.rounds, scene.most_rounds)


def estimate(all_scenes: list[Scene], options: argparse.Namespace) -> float:
    """Returns the estimated seconds of a run. Adds a round, because the peers prepare their data in the first one."""
    if options.quick:
        return sum(scene.quick_seconds * options.rounds for scene in all_scenes)
    return sum(scene.seconds * (rounds_of(scene, options) + 1) for scene in all_scenes)


FEWEST_ROUNDS = 3


def deadlines(all_scenes: list[Scene], options: argparse.Namespace) -> list[float]:
    """Returns for each scene the time since the start of the run, in seconds, after which it runs only FEWEST_ROUNDS."""
    whole = estimate(all_scenes, options)
    out, gone = [], 0.0
    for scene in all_scenes:
        gone += estimate([scene], options)
        out.append(60 * options.minutes * gone / whole)
    return out


def in_words(seconds: float) -> str:
    return f"{int(seconds // 60)}m{int(seconds % 60):02d}s" if seconds >= 60 else f"{seconds:.0f}s"


class Session:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.taken = Samples()
        environment = {"LEAFSTORE_BENCH_MIB": str(options.big_mib)}
        self.leafstore = Leafstore(options.binary, os.path.join(options.out, "leafstore_bench.log"), environment,
                                   options.min_time, options.timeout)  # fmt: skip
        self.peers = Peers(options.out, environment, options.timeout)

    def run(self, scene: Scene, end: float) -> int:
        """Runs the rounds of a scene until `end`, a value of time.monotonic(). Returns their number."""
        number = 0
        while number < rounds_of(scene, self.options) and (number < FEWEST_ROUNDS or time.monotonic() < end):
            self.round(scene, number)
            number += 1
        self.peers.drop()
        return number

    def round(self, scene: Scene, number: int) -> None:
        measures = scene.measures()
        ours = [measure for measure in measures if isinstance(measure, Ours)]
        parties = [[measure] for measure in measures if not isinstance(measure, Ours)]
        if self.options.no_peers:
            for [measure] in parties:
                self.taken.fail(measure.key, "not measured (--no-peers)")
            parties = []
        parties.insert(0, ours)
        for party in parties if number % 2 == 0 else reversed(parties):
            if not party:
                continue
            if scene.settle:
                os.sync()
            if party is ours:
                self.take_ours(ours)
            else:
                self.take_peer(party[0])

    def take_ours(self, measures: list[Ours]) -> None:
        try:
            found = self.leafstore.take(measures)
        except MeasureError as error:
            for measure in measures:
                self.taken.fail(measure.key, str(error))
            say(f"   leafstore: {error}")
            return
        for measure in measures:
            if measure.key in found:
                self.taken.add(measure.key, [found[measure.key]])
            else:
                self.taken.fail(measure.key, f"leafstore_bench has no {measure.key}")

    def take_peer(self, measure) -> None:
        if measure.key in self.taken.failures:
            return  # do not retry
        try:
            collector = measure.makes_objects and not self.options.quick
            samples = self.peers.take(measure, self.options.peer_seconds, self.options.peer_samples, collector)
            self.taken.add(measure.key, *samples)
        except MeasureError as error:
            self.taken.fail(measure.key, str(error))
            say(f"   {measure.key}: {error}")


def measure_all(all_scenes: list[Scene], options: argparse.Namespace) -> dict:
    begin = time.monotonic()
    about = {"format": 1, "began": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), "quick": options.quick,
             "rounds": options.rounds, "big_mib": options.big_mib, "peers_asked": not options.no_peers,
             "machine": machine.describe(TOP), "load_before": machine.load_average()}  # fmt: skip
    if about["load_before"] > 0.5 * about["machine"]["cores"]:
        say(f"Warning: the load average is {about['load_before']}; other programs on this machine will distort the figures.")
    say(f"Estimated time: {in_words(estimate(all_scenes, options))}.")
    session = Session(options)
    scene_results = []
    try:
        for scene, deadline in zip(all_scenes, deadlines(all_scenes, options)):
            started = time.monotonic()
            rounds = session.run(scene, begin + deadline)
            results = [result_of(row, session.taken) for row in scene.rows]
            scene_results.append({"name": scene.name, "title": scene.title, "rounds": rounds, "rows": results})
            seconds = time.monotonic() - started
            in_rounds = f"{rounds} round{'s' if rounds > 1 else ''} in {in_words(seconds)}"
            say(f"-- {scene.title}: {in_rounds}  [{in_words(time.monotonic() - begin)}]")
            for result in results:
                say("   " + report.one_line(result))
    finally:
        session.peers.close()
    return {**about, "versions": session.peers.versions, "load_after": machine.load_average(),
            "seconds": round(time.monotonic() - begin, 1), "scenes": scene_results}  # fmt: skip


def main(argv=None) -> int:
    options = arguments(argv)
    os.makedirs(options.out, exist_ok=True)
    open(os.path.join(options.out, "leafstore_bench.log"), "w", encoding="utf-8").close()
    try:
        wanted = chosen(scenes(options.big_mib), options.rows, options.quick)
    except re.error as error:
        say(f"--rows: '{options.rows}' is not a regular expression: {error}")
        return 2
    if not wanted:
        say(f"--rows: no name of a row or scene matches '{options.rows}'")
        return 2
    whole = measure_all(wanted, options)
    report.write(whole, options.out)
    drawn = plots.draw(whole, options.out)
    say(f"\n{report.verdict(whole)}")
    say(f"Wrote {os.path.join(options.out, 'report.json')}, report.md{', ' + str(drawn) + ' plots' if drawn else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
