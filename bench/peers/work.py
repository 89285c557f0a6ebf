"""Works of peers, and how they are timed.

The file of a peer has functions marked with @work. Such a function takes the arguments of a row, prepares the data and
returns a Work. Only its `run` is timed.

    @work
    def flatten(leaves):
        tree = make_tree(leaves)
        return Work(lambda: jax.tree_util.tree_flatten(tree))

Works are timed like Python's timeit does: by wall-clock time, with the garbage collector off, and with enough calls in a
loop for the resolution of the clock. The collector can double the time of peers that create many objects, and their users
run with it on. The report shows this time too, but compares leafstore with the lower time.
"""

import functools
import gc
import itertools
import os
import shutil
import time
from typing import Any, Callable, Iterable, NamedTuple, Optional

WORKS: dict[str, Callable[..., "Work"]] = {}


def work(function):
    WORKS[function.__name__] = function
    return function


class Work(NamedTuple):
    run: Optional[Callable[[], Any]]
    before: Optional[Callable[[], Any]] = None  # called before each sample, not timed; makes each sample one call
    after: Optional[Callable[[], Any]] = None  # like `before`, but called after each sample
    close: Optional[Callable[[], Any]] = None  # called at the end, to remove files
    value: Optional[float] = None  # the result, if it is not a time but, for example, bytes


SHORTEST = 0.02  # minimum seconds for a sample of several calls


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
    """Returns the number of calls for a sample of SHORTEST seconds. Runs the task, and so also its one-time work."""
    loops = 1
    while (seconds := _timed(task.run, loops)) < SHORTEST and loops < 1 << 24:
        loops = max(loops * 2, int(loops * SHORTEST / max(seconds, 1e-9)))
    return loops


class Timer:
    """Takes samples of one Work. Does not return the first one if more than one is requested."""

    LONG = 0.1

    def __init__(self, task: Work):
        self.task = task
        self.loops = 0

    def samples(self, seconds: float, most: int) -> list[float]:
        """Returns at least one sample, at most `most`, and takes no more after `seconds`."""
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
                    return [first]  # only one sample is requested, and a second one would take as long
            end = time.perf_counter() + seconds
            while not out or (len(out) < most and time.perf_counter() < end):
                out.append(_one_sample(self.task, self.loops))
            return out
        finally:
            gc.enable()

    def sample_with_collector(self) -> list[float]:
        """Returns one more sample, with the garbage collector on."""
        if self.task.value is not None:
            return []
        gc.collect()
        return [_one_sample(self.task, self.loops)]


def directory() -> str:
    """Returns the directory for files, the same as in leafstore_bench."""
    return os.environ.get("TMPDIR") or "/tmp"


_numbers = itertools.count()


def file_path(name: str) -> str:
    """Returns a new path at each call."""
    return os.path.join(directory(), f"leafstore-bench-{os.getpid()}-{next(_numbers)}-{name}")


def remove(path: str) -> None:
    """Removes a file or a directory, if it exists."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


# Models and files that works share until the scene ends. Otherwise each work would have its own, and their files would evict
# each other from the page cache.

_caches: list = []
_saved: dict = {}


def cached(function):
    """Like functools.cache, but forget() clears the cache."""
    made = functools.cache(function)
    _caches.append(made)
    return made


def saved(name: str, key: tuple, write: Callable[[str], Any]) -> str:
    """Returns the path of a file or directory on the disk. The first call with a key creates it with `write(path)`."""
    if key not in _saved:
        path = file_path(name)
        _saved[key] = path  # set before writing, so that forget() also removes what a failed write leaves
        write(path)
        os.sync()
    return _saved[key]


def forget() -> None:
    """Clears the caches and removes the saved files."""
    for made in _caches:
        made.cache_clear()
    paths = list(_saved.values())
    _saved.clear()
    for path in paths:
        remove(path)


def files_of(path: str) -> list[str]:
    """Returns the path itself if it is a file, or else all files below the directory."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]


def _sync(places: Iterable[str]) -> None:
    for place in places:
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_directories(path: str) -> None:
    """Syncs the directory that contains `path`, and each directory at or below it."""
    _sync([os.path.dirname(path)] + [at for at, _, _ in os.walk(path)])


def sync_all(path: str) -> None:
    """Syncs each file and each directory to the disk."""
    _sync(files_of(path))
    sync_directories(path)


def warm(path: str) -> None:
    """Brings all pages of a file, or of all files of a directory, into the page cache."""
    for place in files_of(path):
        with open(place, "rb", buffering=0) as file:
            piece = bytearray(8 << 20)
            while file.readinto(piece):
                pass


def evict(path: str) -> None:
    """Evicts the pages of a file, or of all files of a directory, from the page cache."""
    for place in files_of(path):
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
