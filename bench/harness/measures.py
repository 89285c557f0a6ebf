"""Measures (a benchmark of leafstore, or a work of a peer), and the rows and scenes that compare them."""

from dataclasses import dataclass, field
from typing import Optional, Union

NS, US, MS = 1e-9, 1e-6, 1e-3


@dataclass(frozen=True)
class Ours:
    """A benchmark of leafstore_bench, named without the suffixes of Google Benchmark: its time, or one of its counters."""

    benchmark: str
    text: str = ""
    counter: Optional[str] = None
    scale: float = 1.0  # converts the counter to seconds or bytes

    @property
    def label(self) -> str:
        return "leafstore"

    @property
    def key(self) -> str:
        return self.benchmark + (f"#{self.counter}" if self.counter else "")


@dataclass(frozen=True)
class Peer:
    """A work of bench/peers/<worker>_peer.py. `text` is the call as a user of the peer writes it."""

    label: str
    worker: str
    call: str
    args: tuple = ()
    text: str = ""

    @property
    def makes_objects(self) -> bool:
        """Returns whether the work creates many Python objects, so that the garbage collector affects it."""
        return self.worker == "jax"

    @property
    def key(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.args)
        return f"{self.worker}.{self.call}({args})"


def peer(label, worker, call, text, **args):
    return Peer(label, worker, call, tuple(sorted(args.items())), text)


@dataclass(frozen=True)
class Quotient:
    """over / under * scale in each round; for example, the growth of a time with the model."""

    over: Union[Ours, Peer]
    under: Union[Ours, Peer]
    scale: float = 1.0
    label: str = ""
    text: str = ""

    @property
    def key(self) -> str:
        return f"{self.over.key} / {self.under.key}"


Measure = Union[Ours, Peer, Quotient]


def plain_measures(measure: Optional[Measure]) -> list[Union[Ours, Peer]]:
    """Returns the measures that must be sampled for `measure`."""
    if measure is None:
        return []
    if isinstance(measure, Quotient):
        return [measure.over, measure.under]
    return [measure]


@dataclass(frozen=True)
class Row:
    """One line of the table: compares `ours` with the fastest peer (the one with the smallest value)."""

    name: str  # unique; --rows matches it
    work: str  # a description for readers
    ours: Optional[Measure]
    peers: tuple = ()
    # The largest accepted ours / peer, or a range (from, to), or None for no target.
    target: Union[float, tuple, None] = None
    # The largest accepted value of `ours`, in seconds or bytes.
    most: Optional[float] = None
    limit: Optional[Measure] = None  # the same or less work at the speed of the machine
    limit_scale: float = 1.0  # the work of `ours` divided by that of `limit`
    unit: str = "s"  # or "bytes", "times"
    note: str = ""
    quick: bool = True  # whether --quick includes it; False if the peer takes long to prepare
    reason: str = ""  # why the target is missed; shown if it is

    def measures(self) -> list[Union[Ours, Peer]]:
        return [plain for each in (self.ours, *self.peers, self.limit) for plain in plain_measures(each)]


@dataclass(frozen=True)
class Scene:
    """Rows that are measured together: each round samples all their measures once, in alternating order."""

    name: str
    title: str
    rows: tuple = field(default_factory=tuple)
    settle: bool = False  # whether to call sync() before each measure
    most_rounds: int = 99
    # Seconds per round on a machine with two cores of 2.5 GHz, without and with --quick. Used only for the estimate.
    seconds: float = 5.0
    quick_seconds: float = 3.0

    def measures(self) -> list[Union[Ours, Peer]]:
        return list(dict.fromkeys(measure for row in self.rows for measure in row.measures()))
