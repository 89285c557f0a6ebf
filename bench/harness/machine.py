"""Describes the machine, the compiler and the commit that are measured."""

import os
import platform
import shutil
import subprocess


def _first(path: str, beginning: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(beginning):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def describe(top: str) -> dict:
    git = ("git", "-c", "safe.directory=*", "-C", top)
    memory = _first("/proc/meminfo", "MemTotal").split()
    compiler = _output(os.environ.get("CXX", "c++"), "--version").splitlines()
    return {
        "processor": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[0]) / (1 << 20), 1) if memory else None,
        "virtual": "hypervisor" in _first("/proc/cpuinfo", "flags").split(),
        "system": _system(),
        "kernel": platform.release(),
        "file_system": _output("findmnt", "-n", "-o", "FSTYPE", "-T", os.environ.get("TMPDIR") or "/tmp"),
        "compiler": compiler[0] if compiler else "",
        "python": platform.python_version(),
        "commit": _output(*git, "rev-parse", "HEAD"),
        "changed": bool(_output(*git, "status", "--porcelain", "--untracked-files=no")),
    }


def load_average() -> float:
    return round(os.getloadavg()[0], 2)
