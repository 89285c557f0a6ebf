"""Writes the figures of a report into docs/performance.md, between markers.

usage: docs.py REPORT_DIRECTORY DOCS_DIRECTORY

A block begins with `<!-- bench:NAME -->` and ends with `<!-- bench:end -->`. The text between them is replaced. Names:

  machine       a description of the machine          scene:SCENE   the table of a scene of rows.py
  verdict       the counts of targets met and missed  notes:SCENE   the notes on the rows of a scene
  missed        a table of the missed targets         guide:costs   the cost per step of each representation
  plot:NAME     a plot, copied to docs/performance/   limits        the limits of the machine

The page shows one complete run: a report with --quick or --no-peers, or without some rows, is an error.
"""

import json
import os
import re
import shutil
import sys
from typing import Callable, Optional

import report
from rows import scenes

BLOCK = re.compile(r"(<!-- bench:([a-z:0-9-]+) -->\n)(.*?)(<!-- bench:end -->)", re.DOTALL)


def scene_of(whole: dict, name: str) -> Optional[dict]:
    return next((scene for scene in whole["scenes"] if scene["name"] == name), None)


def scene_table(whole: dict, name: str) -> Optional[str]:
    scene = scene_of(whole, name)
    return report.table(scene) if scene else None


def scene_notes(whole: dict, name: str) -> Optional[str]:
    scene = scene_of(whole, name)
    return "\n".join(report.notes(scene)) if scene else None


def verdict(whole: dict) -> str:
    return report.verdict(whole).splitlines()[0]


def missed(whole: dict) -> str:
    rows = [row for row in report.rows_of(whole) if any(met is False for met in report.verdicts(row))]
    if not rows:
        return "None."
    reasons = [f"- *{row['work']}*: {row['reason'] or 'no explanation yet'}" for row in rows]
    return "\n".join([report.table({"rows": rows}), "", *reasons])


def limits(whole: dict) -> str:
    found = {}
    for row in report.rows_of(whole):
        limit = row["limit"]
        if limit and "median" in limit and row["unit"] == "s":
            found.setdefault(limit["call"], report.of_side(limit, "s"))
    return "\n".join(["| limit | time |", "|---|---|", *(f"| {what} | {time} |" for what, time in found.items())])


# The rows of the block guide:costs: the text, the row of the report, and whether to show its peer instead of leafstore.
COSTS = (
    ("a flat group (`group.leaves()`) with one tensor of a model of 100,001 leaves", "call-inox", False),
    ("a dictionary of the same group (Inox), flattened at the call", "call-inox", True),
    ("a tree with holes for static leaves (Equinox), flattened at the call", "call-equinox", True),
    ("a flat group of 9,000 tensors", "step-dictionary", False),
    ("the same group packed into one buffer", "step-packed", False),
    ("9,000 arrays in a dictionary, passed to a compiled jax function", "step-dictionary", True),
    ("9,000 arrays in a tuple, passed to a compiled jax function", "step-tuple", True),
    ("one packed array, passed to a compiled jax function", "step-packed", True),
    ("splitting 9,000 variables into two groups with a compiled grouping", "nnx-split", False),
    ("the same with `nnx.split`", "nnx-split", True),
    ("merging the groups into the module", "nnx-merge", False),
    ("the same with `nnx.merge`", "nnx-merge", True),
    ("for comparison: a device step of 2 GFLOP", "step-device-2", True),
    ("for comparison: a device step of 20 GFLOP", "step-device-20", True),
)


def costs(whole: dict) -> Optional[str]:
    rows = {row["name"]: row for row in report.rows_of(whole)}
    lines = ["| work in each step | time on the host |", "|---|---|"]
    for text, name, of_peer in COSTS:
        row = rows.get(name)
        side = row and (report.fastest(row) if of_peer else row["ours"])
        if side and "median" in side:
            lines.append(f"| {text} | {report.quantity(side['median'], 's')} |")
    return "\n".join(lines) if len(lines) > 2 else None


def plot(name: str, text_before: str, source: str, docs: str) -> Optional[str]:
    drawn = os.path.join(source, f"{name}.svg")
    if not os.path.exists(drawn):
        return None
    os.makedirs(os.path.join(docs, "performance"), exist_ok=True)
    shutil.copyfile(drawn, os.path.join(docs, "performance", f"{name}.svg"))
    return f"![{text_before}](performance/{name}.svg)"


ALTERNATIVES = {
    "ratios": "The ratio of leafstore's time to the peer's, and the target, for each row with a target.",
    "calls": "The time to pass a group to a function, by the number of static leaves outside the group: leafstore, Inox, Equinox.",
    "growth": "The time per leaf at 1,000,000 leaves divided by that at 10,000, for each operation and for bare handles.",
    "files": "The times of saving, loading and opening: leafstore, safetensors, PyTorch and Orbax.",
    "optimizers": "The time of an AdamW step for 9,000 small tensors: leafstore packed and not packed, PyTorch fused and foreach.",
}


def fill(text: str, content: Callable[[str], Optional[str]]) -> tuple[str, list[str]]:
    """Returns the text with its blocks filled, and the names of blocks without content."""
    left = []

    def replace(match: re.Match) -> str:
        new = content(match.group(2))
        if new is None:
            left.append(match.group(2))
            return match.group(0)
        return f"{match.group(1)}{new}\n{match.group(4)}"

    return BLOCK.sub(replace, text), left


def why_not_whole(whole: dict) -> Optional[str]:
    """Returns why a report is incomplete, or None if it is complete."""
    if whole["quick"]:
        return "it was made with --quick"
    if not whole["peers_asked"]:
        return "it was made with --no-peers"
    missing = {row.name for scene in scenes() for row in scene.rows} - {row["name"] for row in report.rows_of(whole)}
    return f"it lacks rows: {', '.join(sorted(missing))}" if missing else None


def update(source: str, docs: str) -> list[str]:
    """Updates the page. Returns the names of the blocks that are unchanged because they have no content."""
    with open(os.path.join(source, "report.json"), encoding="utf-8") as file:
        whole = json.load(file)
    if (why := why_not_whole(whole)) is not None:
        raise SystemExit(f"docs/performance.md needs a report of a complete run, but this report is incomplete: {why}")
    plain = {"machine": report.machine_text, "verdict": verdict, "missed": missed, "limits": limits, "guide:costs": costs}

    def content(name: str) -> Optional[str]:
        kind, _, rest = name.partition(":")
        if name in plain:
            return plain[name](whole)
        if kind == "scene":
            return scene_table(whole, rest)
        if kind == "notes":
            return scene_notes(whole, rest)
        if kind == "plot" and rest in ALTERNATIVES:
            return plot(rest, ALTERNATIVES[rest], source, docs)
        raise SystemExit(f"docs/performance.md: unknown block 'bench:{name}'")

    path = os.path.join(docs, "performance.md")
    with open(path, encoding="utf-8") as file:
        text, left = fill(file.read(), content)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return left


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    left = update(sys.argv[1], sys.argv[2])
    print("docs/performance.md: updated" + (f"; unchanged, because not measured: {', '.join(left)}" if left else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
