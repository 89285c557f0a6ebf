"""Measures leafstore and its peers in turns, and writes the report. scripts/bench installs, builds and calls this.

Rounds. In each round of a scene every measure of it is taken once, all of leafstore's by one run of leafstore_bench; the
order is turned round from one round to the next, so that what else the machine does meets all of them.
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
    parser.add_argument("--binary", required=True, help="leafstore_bench")
    parser.add_argument("--out", required=True, help="the directory of the report")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help="only rows (or scenes) whose name this regular expression finds")
    parser.add_argument("--big-mib", type=int, default=1024, help="MiB of the models of many bytes")
    parser.add_argument("--peer-seconds", type=float, default=0.25, help="for the samples of a peer's measure in a round")
    parser.add_argument("--peer-samples", type=int, default=5, help="at most so many in a round")
    parser.add_argument("--min-time", type=float, default=0.05, help="of a sample of leafstore_bench")
    parser.add_argument("--minutes", type=float, default=25, help="fewer rounds, but three, where it would take longer")
    parser.add_argument("--timeout", type=float, default=300, help="seconds after which a measure has failed")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--quick", action="store_true", help="said in the report; for the estimate")
    return parser.parse_args(argv)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def chosen(all_scenes: list[Scene], pattern: str, quick: bool) -> list[Scene]:
    """The scenes with the rows that are wanted."""
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
    """Seconds, on the machine on which they were noted; peers' preparations are in the first round."""
    if options.quick:
        return sum(scene.quick_seconds * options.rounds for scene in all_scenes)
    return sum(scene.seconds * (rounds_of(scene, options) + 1) for scene in all_scenes)


FEWEST_ROUNDS = 3


def deadlines(all_scenes: list[Scene], options: argparse.Namespace) -> list[float]:
    """For each scene the seconds from the beginning after which it gets no more than FEWEST_ROUNDS."""
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
        """How many rounds it got until `end`, a time of time.monotonic()."""
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
                self.taken.fail(measure.key, "not asked (--no-peers)")
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
            return  # once is enough
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
        say(f"The load average is {about['load_before']}: something else runs on this machine, and figures will be off.")
    say(f"About {in_words(estimate(all_scenes, options))} to go.")
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
        say(f"--rows: '{options.rows}' is no regular expression: {error}")
        return 2
    if not wanted:
        say(f"--rows: no row's name has '{options.rows}' in it")
        return 2
    whole = measure_all(wanted, options)
    report.write(whole, options.out)
    drawn = plots.draw(whole, options.out)
    say(f"\n{report.verdict(whole)}")
    say(f"Written: {os.path.join(options.out, 'report.json')}, report.md{', ' + str(drawn) + ' plots' if drawn else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
