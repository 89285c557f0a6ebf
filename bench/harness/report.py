"""Writes the report: report.json with every sample, and report.md with tables."""

import json
import os
from typing import Optional

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def three(value: float) -> str:
    """Formats a value with three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    if abs(value) >= 1:
        return f"{value:.2f}"
    digits = f"{value:.2g}"
    return f"{float(digits):.7f}".rstrip("0").rstrip(".") if abs(value) >= 1e-6 else digits


def quantity(value: float, unit: str) -> str:
    if unit == "times":
        return f"{three(value)} times"
    if unit == "bytes":
        return f"{three(value)} bytes"
    size, name = next(((size, name) for size, name in UNITS if abs(value) >= size), UNITS[-1])
    return f"{three(value / size)} {name}"


def of_side(side: Optional[dict], unit: str) -> str:
    if side is None:
        return ""
    if "median" not in side:
        return "failed"
    if len(side["samples"]) == 1:
        return quantity(side["median"], unit)
    return f"{quantity(side['median'], unit)} ±{100 * side['spread']:.0f} %"


def name_of_peer(side: dict) -> str:
    return side["call"] if side["label"] == "leafstore" else side["label"]


def fastest(result: dict) -> Optional[dict]:
    measured = [peer for peer in result["peers"] if "median" in peer]
    return min(measured, key=lambda peer: peer["median"]) if measured else None


def peer_text(result: dict) -> str:
    side = fastest(result)
    if side is not None:
        return f"{name_of_peer(side)}: {of_side(side, result['unit'])}"
    if result["peers"]:
        return f"{name_of_peer(result['peers'][0])}: {result['peers'][0]['failed']}"
    return ""


def target_text(result: dict) -> str:
    target = result["target"]
    parts = []
    if isinstance(target, (list, tuple)):
        parts.append(f"{target[0]:g} to {target[1]:g}")
    elif target is not None:
        parts.append(three(target))
    if result["most"] is not None:
        parts.append(quantity(result["most"], result["unit"]))
    return "; ".join(parts)


def verdicts(result: dict) -> list[bool]:
    return [met for met in (result["met"], result["most_met"]) if met is not None]


def open_question(result: dict) -> bool:
    """Returns whether the row has a target that cannot be evaluated, because a measure failed."""
    return (result["target"] is not None and result["met"] is None) or (result["most"] is not None and result["most_met"] is None)


def met_text(result: dict) -> str:
    if any(met is False for met in verdicts(result)):
        return "**missed**"
    if open_question(result):
        return "not known"
    return "yes" if verdicts(result) else ""


def ratio_text(result: dict) -> str:
    if result["ratio"] is None:
        return ""
    text = three(result["ratio"])
    low, high = result["ratio_low"], result["ratio_high"]
    return text if low is None or three(low) == three(high) else f"{text} ({three(low)} to {three(high)})"


def one_line(result: dict) -> str:
    ours = of_side(result["ours"], result["unit"]) or "-"
    parts = [f"{result['name']}: {ours}"]
    if result["peers"]:
        parts.append(peer_text(result))
    if result["ratio"] is not None:
        parts.append(f"ratio {three(result['ratio'])}")
    if target_text(result):
        parts.append(f"wanted {target_text(result)}: {met_text(result).strip('*')}")
    return "; ".join(parts)


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def table(scene: dict) -> str:
    lines = [
        "| work | leafstore | fastest peer | ratio (rounds) | wanted | met | of the limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in scene["rows"]:
        share = f"{100 * result['share']:.0f} %" if result["share"] is not None else ""
        cells = (result["work"], of_side(result["ours"], result["unit"]), peer_text(result), ratio_text(result),
                 target_text(result), met_text(result), share)  # fmt: skip
        lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
    return "\n".join(lines)


def notes(scene: dict) -> list[str]:
    """Returns a line for each row with the calls that were measured, all peers, and the limit."""
    out = []
    for result in scene["rows"]:
        parts = []
        if result["ours"]:
            parts.append(f"`{result['ours']['call']}`")
        peers = [peer_note(peer, result["unit"]) for peer in result["peers"]]
        if peers:
            parts.append("compared with " + "; ".join(peers))
        if result["limit"]:
            parts.append(f"limit: {result['limit']['call']}, {of_side(result['limit'], 's' if result['unit'] == 's' else result['unit'])}")
        if result["note"]:
            parts.append(result["note"])
        out.append(f"- *{result['work']}*: " + "; ".join(parts) + ".")
    return out


def peer_note(peer: dict, unit: str) -> str:
    measured = of_side(peer, unit) if "median" in peer else peer["failed"]
    if peer["label"] == "leafstore":
        return f"{peer['call']}, {measured}"
    collector = f" ({quantity(peer['with_collector'], unit)} with Python's garbage collector on)" if "with_collector" in peer else ""
    return f"{peer['label']} `{peer['call']}`, {measured}{collector}"


def rows_of(whole: dict) -> list[dict]:
    return [result for scene in whole["scenes"] for result in scene["rows"]]


def verdict(whole: dict) -> str:
    wanted = [result for result in rows_of(whole) if result["target"] is not None or result["most"] is not None]
    missed = [result for result in wanted if any(met is False for met in verdicts(result))]
    unknown = [result for result in wanted if result not in missed and open_question(result)]
    lines = [f"{len(wanted)} rows have a target: {len(wanted) - len(missed) - len(unknown)} met, {len(missed)} missed, "
             f"{len(unknown)} not known."]  # fmt: skip
    lines += [f"  missed: {one_line(result)}" for result in missed]
    lines += [f"  not known: {result['name']}: {why_unknown(result)}" for result in unknown]
    return "\n".join(lines)


def why_unknown(result: dict) -> str:
    sides = [side for side in (result["ours"], *result["peers"]) if side is not None and "median" not in side]
    return f"{sides[0]['label']}: {sides[0]['failed']}" if sides else "no sample"


def machine_text(whole: dict) -> str:
    about = whole["machine"]
    virtual = ", a virtual machine" if about["virtual"] else ""
    cores = "1 core" if about["cores"] == 1 else f"{about['cores']} cores"
    changed = " with changes" if about["changed"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(whole["versions"].items()))
    text = (f"{cores} of {about['processor']}, {about['memory_gib']} GiB{virtual}; {about['system']}, kernel {about['kernel']}, "
            f"{about['file_system'] or 'unknown'} file system; {about['compiler']}, -O3; Python {about['python']}. "
            f"Load average before: {whole['load_before']}, after: {whole['load_after']}. Commit {about['commit'][:12] or 'unknown'}"
            f"{changed}; {whole['began']}; {whole['rounds']} rounds (fewer of what takes long) in {whole['seconds'] / 60:.0f} minutes")  # fmt: skip
    if whole["quick"]:
        text += f"; **quick: few rounds, {whole['big_mib']} MiB for the large models; an indication, not a result**"
    return text + (f". Peers: {versions}." if versions else ".")


def markdown(whole: dict) -> str:
    parts = ["# leafstore beside its peers", "", machine_text(whole), "", "```", verdict(whole), "```"]
    for scene in whole["scenes"]:
        parts += ["", f"## {scene['title']}", "", table(scene), "", *notes(scene)]
    return "\n".join(parts) + "\n"


def write(whole: dict, directory: str) -> None:
    for name, text in (("report.json", json.dumps(whole, indent=1) + "\n"), ("report.md", markdown(whole))):
        path = os.path.join(directory, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
