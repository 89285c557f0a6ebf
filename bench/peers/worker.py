"""Runs one peer in a process that imports it once and answers requests until its input ends.

usage: worker.py PEER        the peer is in the file PEER_peer.py next to this one

Reads one JSON object per line:

  {"call": NAME, "args": {...}, "seconds": S, "most": N, "collector": BOOL}   takes samples of a work
  {"drop": true}                                                              releases prepared data and removes its files

Writes one JSON object per line: first {"ok": true, "ready": {package: version}}, then for each request {"ok": true,
"samples": [...], "with_collector": [...]} or {"ok": false, "error": "..."}.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import work  # noqa: E402


class Peer:
    def __init__(self):
        self.timers: dict[str, work.Timer] = {}

    def ask(self, request: dict) -> dict:
        if request.get("drop"):
            self.drop()
            return {"ok": True}
        key = json.dumps([request["call"], request["args"]], sort_keys=True)
        if key not in self.timers:
            make = work.WORKS.get(request["call"])
            if make is None:
                raise ValueError(f"unknown work: {request['call']!r}")
            self.timers[key] = work.Timer(make(**request["args"]))
        timer = self.timers[key]
        answer = {"ok": True, "samples": timer.samples(request["seconds"], request["most"])}
        answer["with_collector"] = timer.sample_with_collector() if request["collector"] else []
        return answer

    def drop(self) -> None:
        timers, self.timers = self.timers, {}
        for timer in timers.values():
            if timer.task.close is not None:
                timer.task.close()
        timers.clear()
        work.forget()


def error_text(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1][:500]


def versions(packages: tuple) -> dict:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def main() -> int:
    # Redirect standard output to the log, so that output of libraries cannot mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(line: dict) -> None:
        print(json.dumps(line), file=answers, flush=True)

    try:
        module = importlib.import_module(sys.argv[1] + "_peer")
    except BaseException as error:  # noqa: BLE001: imported code may raise anything
        traceback.print_exc()
        answer({"ok": False, "error": error_text(error)})
        return 1
    answer({"ok": True, "ready": versions(module.PACKAGES)})
    peer = Peer()
    for line in sys.stdin:
        try:
            answer(peer.ask(json.loads(line)))
        except Exception as error:  # noqa: BLE001: mark this row as failed, and go on
            traceback.print_exc()
            answer({"ok": False, "error": error_text(error)})
    peer.drop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
