"""Puts the figures of a report into docs/performance.md, between markers; no figure there is typed by hand.

usage: docs.py REPORT_DIRECTORY DOCS_DIRECTORY

A block begins with `<!-- bench:NAME -->` and ends with `<!-- bench:end -->`; what is between them is replaced. Names:

  machine       what the figures were taken on        scene:SCENE   the table of a scene of rows.py
  verdict       targets met and missed                notes:SCENE   what its rows are, exactly
  missed        a table of what missed                guide:costs   what each way costs a step
  plot:NAME     a plot, copied to docs/performance/   limits        what the machine does at best

The page is of one run of everything: a report that is quick, lacks rows, or was made without the peers is refused.
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
    reasons = [f"- *{row['work']}*: {row['reason'] or 'not explained yet'}" for row in rows]
    return "\n".join([report.table({"rows": rows}), "", *reasons])


def limits(whole: dict) -> str:
    found = {}
    for row in report.rows_of(whole):
        limit = row["limit"]
        if limit and "median" in limit and row["unit"] == "s":
            found.setdefault(limit["call"], report.of_side(limit, "s"))
    return "\n".join(["| what the machine does | measured |", "|---|---|", *(f"| {what} | {time} |" for what, time in found.items())])


# The rows of "what a step costs": text, the row of the report, whether its peer is meant.
COSTS = (
    ("flat group (`group.leaves()`), one tensor of a model of 100,001 leaves", "call-inox", False),
    ("a dictionary of the group alone (Inox), flattened at the call", "call-inox", True),
    ("a tree with holes for what is static (Equinox), flattened at the call", "call-equinox", True),
    ("flat group of 9,000 tensors", "step-dictionary", False),
    ("the same packed into one buffer", "step-packed", False),
    ("9,000 arrays in a dictionary into a compiled jax function", "step-dictionary", True),
    ("9,000 arrays in a tuple into a compiled jax function", "step-tuple", True),
    ("one packed array into a compiled jax function", "step-packed", True),
    ("split of 9,000 variables into two groups, by a plan", "nnx-split", False),
    ("the same by `nnx.split`", "nnx-split", True),
    ("merge into the module", "nnx-merge", False),
    ("the same by `nnx.merge`", "nnx-merge", True),
    ("for scale: a device step of 2 GFLOP", "step-device-2", True),
    ("for scale: a device step of 20 GFLOP", "step-device-20", True),
)


def costs(whole: dict) -> Optional[str]:
    rows = {row["name"]: row for row in report.rows_of(whole)}
    lines = ["| at each step | the host pays |", "|---|---|"]
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
    "ratios": "Each row with a target: leafstore's time over the peer's, and the target.",
    "calls": "What a call pays by the number of static leaves left behind: leafstore, Inox, Equinox.",
    "growth": "Time a leaf at 1,000,000 leaves over that at 10,000, for each operation, beside bare handles.",
    "files": "Saving, loading and opening: leafstore beside safetensors, PyTorch and Orbax.",
    "optimizers": "A step of AdamW over 9,000 small tensors: leafstore packed and not, PyTorch fused and foreach.",
}


def fill(text: str, content: Callable[[str], Optional[str]]) -> tuple[str, list[str]]:
    """The text with its blocks filled, and the names of those for which there is nothing."""
    left = []

    def replace(match: re.Match) -> str:
        new = content(match.group(2))
        if new is None:
            left.append(match.group(2))
            return match.group(0)
        return f"{match.group(1)}{new}\n{match.group(4)}"

    return BLOCK.sub(replace, text), left


def why_not_whole(whole: dict) -> Optional[str]:
    """Why a report is not one of everything."""
    if whole["quick"]:
        return "it is quick"
    if not whole["peers_asked"]:
        return "the peers were not asked"
    missing = {row.name for scene in scenes() for row in scene.rows} - {row["name"] for row in report.rows_of(whole)}
    return f"it lacks rows: {', '.join(sorted(missing))}" if missing else None


def update(source: str, docs: str) -> list[str]:
    """Names of the blocks that were left as they are."""
    with open(os.path.join(source, "report.json"), encoding="utf-8") as file:
        whole = json.load(file)
    if (why := why_not_whole(whole)) is not None:
        raise SystemExit(f"docs/performance.md is of one run of everything, and this report is not: {why}")
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
        raise SystemExit(f"docs/performance.md: no block is called 'bench:{name}'")

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
    print("docs/performance.md: filled" + (f"; left as they were, not measured: {', '.join(left)}" if left else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
