"""What a peer is asked to do, and how it is timed.

A file of a peer has functions marked with @work. Called with a row's arguments, one makes ready whatever the work needs and
returns a Work; its `run` alone is timed.

    @work
    def flatten(leaves):
        tree = make_tree(leaves)
        return Work(lambda: jax.tree_util.tree_flatten(tree))

Timing is that of Python's timeit: the wall clock, with the garbage collector off, and so many calls in a loop that the clock
does not matter. Their users run with the collector on, which costs peers that make many objects as much again: that is
taken too, and shown beside, but it is the kinder figure that leafstore is compared with.
"""

import functools
import gc
import itertools
import os
import shutil
import time
from typing import Any, Callable, NamedTuple, Optional

WORKS: dict[str, Callable[..., "Work"]] = {}


def work(function):
    WORKS[function.__name__] = function
    return function


class Work(NamedTuple):
    run: Optional[Callable[[], Any]]
    before: Optional[Callable[[], Any]] = None  # of each sample, not timed; then a sample is one call
    after: Optional[Callable[[], Any]] = None  # the same
    close: Optional[Callable[[], Any]] = None  # at the end: removes files
    value: Optional[float] = None  # instead of a time: bytes, say


SHORTEST = 0.02  # seconds that a sample of a loop takes at least


def _timed(run: Callable[[], Any], loops: int) -> float:
    begin = time.perf_counter()
    for _ in range(loops):
        run()
    return time.perf_counter() - begin


def _one_sample(task: Work, loops: int) -> float:
    if task.before is not None:
        task.before()
    seconds = _timed(task.run, loops) / loops
    if task.after is not None:
        task.after()
    return seconds


def _loops_for(task: Work) -> int:
    """So many that a sample takes SHORTEST. Runs the task: what is made at a first call is there afterwards."""
    loops = 1
    while (seconds := _timed(task.run, loops)) < SHORTEST and loops < 1 << 24:
        loops = max(loops * 2, int(loops * SHORTEST / max(seconds, 1e-9)))
    return loops


class Timer:
    """Takes samples of one Work. The first call of all is not among them, where more than one is asked for."""

    LONG = 0.1

    def __init__(self, task: Work):
        self.task = task
        self.loops = 0

    def samples(self, seconds: float, most: int) -> list[float]:
        """At least one, then more until there are `most` or `seconds` are over."""
        if self.task.value is not None:
            return [self.task.value]
        gc.collect()
        gc.disable()
        try:
            out = []
            if self.loops == 0:
                alone = self.task.before is not None or self.task.after is not None
                self.loops = 1 if alone else _loops_for(self.task)
                first = _one_sample(self.task, self.loops)
                if first > self.LONG and most == 1:
                    return [first]  # who wants one sample alone has no time for a second that is as long
            end = time.perf_counter() + seconds
            while not out or (len(out) < most and time.perf_counter() < end):
                out.append(_one_sample(self.task, self.loops))
            return out
        finally:
            gc.enable()

    def sample_with_collector(self) -> list[float]:
        """One more, as its users run it."""
        if self.task.value is not None:
            return []
        gc.collect()
        return [_one_sample(self.task, self.loops)]


def directory() -> str:
    """Where files go: the file system that leafstore_bench measures too."""
    return os.environ.get("TMPDIR") or "/tmp"


_numbers = itertools.count()


def file_path(name: str) -> str:
    """A path of its own at each call."""
    return os.path.join(directory(), f"leafstore-bench-{os.getpid()}-{next(_numbers)}-{name}")


def remove(path: str) -> None:
    """A file or a directory, if it is there."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


# What several works share until the scene ends: models, and files to load. Each would otherwise have its own, and files that
# should be warm would drive each other out of the page cache.

_caches: list = []
_saved: dict = {}


def cached(function):
    """functools.cache, emptied by forget()."""
    made = functools.cache(function)
    _caches.append(made)
    return made


def saved(name: str, key: tuple, write: Callable[[str], Any]) -> str:
    """The path of a file or directory that `write(path)` made at the first call with this key; it is on the disk."""
    if key not in _saved:
        path = file_path(name)
        _saved[key] = path  # before it is written: what a failure leaves is removed too
        write(path)
        os.sync()
    return _saved[key]


def forget() -> None:
    for made in _caches:
        made.cache_clear()
    paths = list(_saved.values())
    _saved.clear()
    for path in paths:
        remove(path)


def files_of(path: str) -> list[str]:
    """A file itself, or all files below a directory."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]


def sync_all(path: str) -> None:
    """What the peers do not do: each file and each directory reaches the disk."""
    places = files_of(path) + [os.path.dirname(path)] + ([at for at, _, _ in os.walk(path)] if os.path.isdir(path) else [])
    for place in places:
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def warm(path: str) -> None:
    """Brings all pages of a file, or of all files of a directory, into the page cache."""
    for place in files_of(path):
        with open(place, "rb", buffering=0) as file:
            piece = bytearray(8 << 20)
            while file.readinto(piece):
                pass


def evict(path: str) -> None:
    """Takes the pages of a file, or of all files of a directory, out of the page cache."""
    for place in files_of(path):
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
