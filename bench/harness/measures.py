"""What rows are made of: measures, each a benchmark of leafstore's or a work of a peer's, and comparisons of them."""

from dataclasses import dataclass, field
from typing import Optional, Union

NS, US, MS = 1e-9, 1e-6, 1e-3


@dataclass(frozen=True)
class Ours:
    """A benchmark of leafstore_bench, by its name without what Google Benchmark appends; its time, or one of its counters."""

    benchmark: str
    text: str = ""
    counter: Optional[str] = None
    scale: float = 1.0  # from the counter's unit to seconds, or bytes

    @property
    def label(self) -> str:
        return "leafstore"

    @property
    def key(self) -> str:
        return self.benchmark + (f"#{self.counter}" if self.counter else "")


@dataclass(frozen=True)
class Peer:
    """A work of bench/peers/<worker>_peer.py, and in `text` what the call is, as its users write it."""

    label: str
    worker: str
    call: str
    args: tuple = ()
    text: str = ""

    @property
    def makes_objects(self) -> bool:
        """Whether Python's garbage collector has something to do with it."""
        return self.worker == "jax"

    @property
    def key(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.args)
        return f"{self.worker}.{self.call}({args})"


def peer(label, worker, call, text, **args):
    return Peer(label, worker, call, tuple(sorted(args.items())), text)


@dataclass(frozen=True)
class Quotient:
    """over / under * scale: how something grows, say. Taken round by round."""

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
    """Those that have to be taken for it."""
    if measure is None:
        return []
    if isinstance(measure, Quotient):
        return [measure.over, measure.under]
    return [measure]


@dataclass(frozen=True)
class Row:
    """One line of the table: ours against the fastest (smallest) of the peers."""

    name: str  # unique; what --rows is matched against
    work: str  # what is done, for a reader
    ours: Optional[Measure]
    peers: tuple = ()
    # ours / peer: at most that, or (from, to); None: shown without a target.
    target: Union[float, tuple, None] = None
    # ours itself, in seconds (or bytes): at most that.
    most: Optional[float] = None
    limit: Optional[Measure] = None  # what the machine does at best
    limit_scale: float = 1.0  # so often the limit's work is in ours
    unit: str = "s"  # or "bytes", "times"
    note: str = ""
    quick: bool = True  # whether --quick measures it too: not what takes its peer long to make ready
    reason: str = ""  # shown where it is missed: why

    def measures(self) -> list[Union[Ours, Peer]]:
        return [plain for each in (self.ours, *self.peers, self.limit) for plain in plain_measures(each)]


@dataclass(frozen=True)
class Scene:
    """Rows that are measured in turns with each other: in each round all their measures, in an order that alternates."""

    name: str
    title: str
    rows: tuple = field(default_factory=tuple)
    settle: bool = False  # the disk finishes its work before each measure
    most_rounds: int = 99
    # Seconds that a round takes on a machine of two cores at 2.5 GHz, for the estimate alone; and that of --quick.
    seconds: float = 5.0
    quick_seconds: float = 3.0

    def measures(self) -> list[Union[Ours, Peer]]:
        return list(dict.fromkeys(measure for row in self.rows for measure in row.measures()))
