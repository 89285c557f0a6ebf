"""The processes that take samples: leafstore_bench, which runs once per scene and round, and one process for each peer."""

import glob
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from typing import Optional

from measures import Ours, Peer

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(os.path.dirname(HERE), "peers", "worker.py")

# What Google Benchmark appends to a name.
SUFFIXES = re.compile(r"(/iterations:\d+|/repeats:\d+|/manual_time|/real_time|/process_time|/min_time:[\d.]+)+$")
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class MeasureError(Exception):
    """The reason why a measure has no sample, as one line for the report."""


def filter_for(benchmarks: list[str]) -> str:
    """Returns a regular expression that matches only these benchmarks. std::regex rejects unnecessary backslashes."""
    quoted = sorted({re.sub(r"([.\[\]()*+?{}|^$\\])", r"\\\1", name) for name in benchmarks})
    return f"^({'|'.join(quoted)})(/(iterations:|repeats:|manual_time|real_time|process_time|min_time:).*)?$"


class Leafstore:
    """Runs leafstore_bench. Each call starts a new process, so that scenes do not share a heap."""

    def __init__(self, binary: str, log: str, environment: dict, min_time: float = 0.05, timeout: float = 300):
        self.binary, self.log, self.min_time, self.timeout = binary, log, min_time, timeout
        self.environment = {**os.environ, **environment}

    def take(self, measures: list[Ours]) -> dict[str, float]:
        """Returns one sample of each measure by key, without measures unknown to the program. Raises MeasureError."""
        command = [
            self.binary,
            f"--benchmark_filter={filter_for([measure.benchmark for measure in measures])}",
            "--benchmark_format=json",
            f"--benchmark_min_time={self.min_time}",
        ]
        with open(self.log, "a", encoding="utf-8") as log:
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, timeout=self.timeout, check=False,
                                      env=self.environment, text=True)  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise MeasureError(f"leafstore_bench took over {self.timeout:g} s") from error
        if done.returncode != 0:
            raise MeasureError(f"leafstore_bench ended with {done.returncode}; see {self.log}")
        return samples_of(done.stdout, measures)


def samples_of(output: str, measures: list[Ours]) -> dict[str, float]:
    """Returns the values of the measures from the JSON of Google Benchmark, in seconds or in the unit of the counter."""
    try:
        found = json.loads(output)["benchmarks"]
    except (ValueError, KeyError, TypeError) as error:
        raise MeasureError("leafstore_bench printed no JSON of Google Benchmark") from error
    by_name = {SUFFIXES.sub("", each["name"]): each for each in found if not each.get("error_occurred")}
    out = {}
    for measure in measures:
        each = by_name.get(measure.benchmark)
        if each is None:
            continue
        if measure.counter is None:
            out[measure.key] = each["real_time"] * UNITS[each["time_unit"]]
        elif measure.counter in each:
            out[measure.key] = each[measure.counter] * measure.scale
    return out


class PeerProcess:
    """Runs worker.py for one peer in a process that lives until close(). All failures of it raise MeasureError."""

    def __init__(self, name: str, log: str, environment: dict, timeout: float = 300):
        self.name, self.timeout = name, timeout
        with open(log, "w", encoding="utf-8") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, WORKER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                env={**os.environ, **environment}, bufsize=0)  # fmt: skip
        self.unread = b""
        try:
            self.versions = self._answer()["ready"]
        except MeasureError:
            self.close()
            raise

    def take(self, measure: Peer, seconds: float, most: int, collector: bool) -> tuple[list[float], list[float]]:
        """Returns samples, and if `collector`, also one sample with Python's garbage collector on."""
        request = {"call": measure.call, "args": dict(measure.args), "seconds": seconds, "most": most, "collector": collector}
        answer = self._ask(request)
        return answer["samples"], answer["with_collector"]

    def drop(self) -> None:
        """Releases the data prepared for earlier measures, and removes its files."""
        self._ask({"drop": True})

    def close(self) -> None:
        """Closes the input of the process, which then removes its files and exits. Kills it if it does not."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._remove_files()

    def _remove_files(self) -> None:
        """Removes files that the process left because it was killed (work.file_path defines their names)."""
        for path in glob.glob(os.path.join(os.environ.get("TMPDIR") or "/tmp", f"leafstore-bench-{self.process.pid}-*")):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.remove(path)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def _ask(self, request: dict) -> dict:
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise MeasureError(f"the process of {self.name} has ended") from error
        return self._answer()

    def _answer(self) -> dict:
        line = self._read_line(time.monotonic() + self.timeout)
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise MeasureError(f"{self.name} did not answer with JSON") from error
        if not answer.get("ok"):
            raise MeasureError(answer.get("error", "failed"))
        return answer

    def _read_line(self, end: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self.process.kill()
                    self.process.wait()
                    raise MeasureError(f"{self.name} took over {self.timeout:g} s")
                piece = os.read(self.process.stdout.fileno(), 1 << 16)
                if not piece:
                    self.process.wait()
                    raise MeasureError(f"the process of {self.name} ended without an answer")
                self.unread += piece
        line, _, self.unread = self.unread.partition(b"\n")
        return line


class Peers:
    """The processes of all peers. Each starts at its first measure; if it cannot start, all its measures fail."""

    def __init__(self, directory: str, environment: dict, timeout: float = 300):
        self.directory, self.environment, self.timeout = directory, environment, timeout
        self.processes: dict[str, PeerProcess] = {}
        self.failures: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def take(self, measure: Peer, seconds: float, most: int, collector: bool) -> tuple[list[float], list[float]]:
        return self._process(measure.worker).take(measure, seconds, most, collector)

    def _process(self, name: str) -> PeerProcess:
        if name in self.failures:
            raise MeasureError(self.failures[name])
        process: Optional[PeerProcess] = self.processes.get(name)
        if process is None or not process.alive:
            if process is not None:
                process.close()
            try:
                process = PeerProcess(name, os.path.join(self.directory, f"{name}.log"), self.environment, self.timeout)
            except (MeasureError, OSError) as error:
                self.failures[name] = f"{name} cannot be started: {error}"
                raise MeasureError(self.failures[name]) from error
            self.processes[name] = process
            self.versions.update(process.versions)
        return process

    def drop(self) -> None:
        for process in self.processes.values():
            if process.alive:
                try:
                    process.drop()
                except MeasureError:
                    process.close()

    def close(self) -> None:
        for process in self.processes.values():
            process.close()
