"""Plots of a report as SVG. The bytes depend only on the report, so files change in git only if figures change."""

import os
import sys
from typing import Callable, Optional

from report import fastest, name_of_peer, rows_of, three

OURS, THEIRS, WANTED, MISSED = "#1f6f8b", "#b8b8b8", "#222222", "#c0392b"


def _by_name(whole: dict) -> dict:
    return {result["name"]: result for result in rows_of(whole)}


def _median(side: Optional[dict]) -> Optional[float]:
    return side.get("median") if side else None


def ratios(whole: dict, plt):
    """Plots leafstore's time divided by the peer's, and the target, for each row with a target."""
    rows = [r for r in rows_of(whole) if r["ratio"] and isinstance(r["target"], (int, float)) and r["unit"] != "times"]
    if not rows:
        return None
    rows = rows[::-1]
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.27 * len(rows)))
    for at, row in enumerate(rows):
        met = row["ratio"] <= row["target"]
        axes.barh(at, row["ratio"], color=OURS if met else MISSED, height=0.6)
        axes.plot([row["target"]] * 2, [at - 0.42, at + 0.42], color=WANTED, linewidth=2)
    axes.set_xscale("log")
    axes.axvline(1, color=THEIRS, linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{row['name']} / {row['peer'] if row['peer'] != 'leafstore' else 'bare'}" for row in rows],
                    fontsize=7)  # fmt: skip
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel("time (or memory) of leafstore / of the peer; the mark is the target")
    return figure


def calls(whole: dict, plt):
    """Plots the time to pass a group to a function, by the number of static leaves outside the group."""
    rows = _by_name(whole)
    sizes = (1, 1000, 100000)
    lines = {"leafstore": [], "Inox (dictionary)": [], "Equinox (tree with holes)": []}
    for size in sizes:
        end = "" if size == 100000 else f"-{size}"
        inox, equinox = rows.get(f"call-inox{end}"), rows.get(f"call-equinox{end}")
        values = (_median(inox and inox["ours"]), _median(inox and fastest(inox)), _median(equinox and fastest(equinox)))
        for line, value in zip(lines.values(), values):
            line.append(value)
    lines = {name: line for name, line in lines.items() if None not in line}
    if not lines:
        return None
    figure, axes = plt.subplots(figsize=(6, 3.6))
    for (name, line), color in zip(lines.items(), (OURS, "#7a9e3f", "#d08c2b")):
        axes.plot(sizes, [1e6 * value for value in line], marker="o", label=name, color=color)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("static leaves outside the group of one tensor")
    axes.set_ylabel("microseconds per call")
    axes.legend(frameon=False)
    return figure


def growth(whole: dict, plt):
    """Plots the time per leaf at 1,000,000 leaves divided by that at 10,000."""
    rows = [r for r in rows_of(whole) if r["name"].startswith("growth-") and r["ratio"] is not None]
    if not rows:
        return None
    rows = rows[::-1]
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.32 * len(rows)))
    for at, row in enumerate(rows):
        axes.barh(at + 0.18, row["ours"]["median"], height=0.34, color=OURS if row["met"] else MISSED)
        axes.barh(at - 0.18, fastest(row)["median"], height=0.34, color=THEIRS)
    axes.set_yticks(range(len(rows)), [row["name"].removeprefix("growth-").replace("-", ", ") for row in rows], fontsize=8)
    axes.set_xlabel("time per leaf at 1,000,000 leaves / at 10,000; grey: copying bare handles, or the bare lookup")
    return figure


def _bars(axes, title: str, bars: list[tuple[str, float, bool]]) -> None:
    bars = bars[::-1]
    axes.barh(range(len(bars)), [value for _, value, _ in bars], color=[OURS if ours else THEIRS for _, _, ours in bars])
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars], fontsize=8)
    for at, (_, value, _) in enumerate(bars):
        axes.text(value, at, f" {three(value)}", va="center", fontsize=8)
    axes.margins(x=0.15)
    axes.set_title(title, fontsize=9)


def _sides(rows: dict, names: tuple, ours: str) -> list[tuple[str, float, bool]]:
    """Returns leafstore and then every peer of these rows, each once, in seconds."""
    out, seen = [], set()
    for name in names:
        row = rows.get(name)
        if row is None:
            continue
        sides = [(ours, row["ours"], True)] + [(name_of_peer(peer), peer, False) for peer in row["peers"]]
        for label, side, is_ours in sides:
            if label not in seen and _median(side) is not None:
                seen.add(label)
                out.append((label, side["median"], is_ours))
    return out


def files(whole: dict, plt):
    """Plots saving, loading and opening for all formats."""
    rows = _by_name(whole)
    size = "1 GiB" if whole["big_mib"] == 1024 else f"{whole['big_mib']} MiB"
    panels = (
        (f"save {size}, seconds; all durable, only leafstore computes checksums",
         _sides(rows, ("save-safetensors", "save-torch", "save-dcp", "save-orbax"), "leafstore")),
        (f"load {size}, seconds; leafstore maps and verifies every byte, the others copy",
         _sides(rows, ("load-verified",), "leafstore")),
        ("open a file of 100,000 leaves and list them, seconds", _sides(rows, ("open-list-blocks",), "leafstore")),
    )  # fmt: skip
    panels = [panel for panel in panels if len(panel[1]) > 1]
    if not panels:
        return None
    size = (7, 0.9 * len(panels) + 0.3 * sum(len(bars) for _, bars in panels) + 0.5)
    heights = [len(bars) + 1 for _, bars in panels]
    figure, all_axes = plt.subplots(len(panels), 1, figsize=size, squeeze=False, height_ratios=heights, layout="constrained")
    for (title, bars), axes in zip(panels, all_axes[:, 0]):
        _bars(axes, title, bars)
    return figure


def optimizers(whole: dict, plt):
    """Plots an AdamW step for many small tensors."""
    rows = _by_name(whole)
    bars = []
    for name, label in (("adamw-packed-list", "leafstore, packed"), ("adamw-loose-list", "leafstore, 9,000 tensors")):
        row = rows.get(name)
        if row and _median(row["ours"]):
            bars.append((label, row["ours"]["median"] * 1e3, True))
    for name, label in (("adamw-packed-flat", "torch fused, one tensor"), ("adamw-packed-list", "torch fused, 9,000 tensors"),
                        ("adamw-loose-foreach", "torch foreach, 9,000 tensors")):  # fmt: skip
        row = rows.get(name)
        if row and _median(fastest(row)):
            bars.append((label, fastest(row)["median"] * 1e3, False))
    if len(bars) < 2:
        return None
    figure, axes = plt.subplots(figsize=(7, 2.4))
    _bars(axes, "AdamW step for 9,000 tensors of 256 f32 on one thread, milliseconds", bars)
    return figure


PLOTS: dict[str, Callable] = {"ratios": ratios, "calls": calls, "growth": growth, "files": files, "optimizers": optimizers}


def draw(whole: dict, directory: str) -> int:
    """Writes <name>.svg for each plot whose figures are in the report. Returns their count, which is 0 without matplotlib."""
    try:
        import matplotlib

        matplotlib.use("svg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        print(f"No plots: {error}", file=sys.stderr)
        return 0
    plt.rcParams.update({"svg.hashsalt": "leafstore", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                         "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True, "grid.alpha": 0.25})  # fmt: skip
    drawn = 0
    for name, plot in PLOTS.items():
        path = os.path.join(directory, f"{name}.svg")
        figure = plot(whole, plt)
        if figure is None:
            if os.path.exists(path):
                os.remove(path)  # from an earlier run
            continue
        figure.savefig(path, bbox_inches="tight", facecolor="white", metadata={"Date": None, "Creator": None})
        plt.close(figure)
        drawn += 1
    return drawn
