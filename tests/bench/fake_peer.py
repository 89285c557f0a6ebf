"""A peer for the tests, with works that succeed, print to standard output, fail, hang, or exit."""

import os
import sys
import time

from work import Work, work

PACKAGES = ("no-such-package",)


@work
def sleep(seconds):
    return Work(lambda: time.sleep(seconds))


@work
def prints():
    print("this is not an answer")
    sys.stdout.flush()
    return Work(lambda: os.write(1, b'{"ok": true}\n'))


@work
def weighs(bytes_of_it):
    return Work(None, value=bytes_of_it)


@work
def fails():
    raise ValueError("a reason\nof two lines")


@work
def hangs():
    return Work(lambda: time.sleep(3600))


@work
def dies():
    return Work(lambda: os._exit(3))


@work
def leaves_a_file(path):
    with open(path, "w", encoding="ascii"):
        pass
    return Work(lambda: None, before=lambda: None, close=lambda: os.remove(path))
