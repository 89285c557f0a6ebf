"""Prints the memory growth of this process per leaf of nested dicts, not counting path text, handle and data.

usage: tree_bytes.py numpy|jax|torch LEAVES
"""

import gc
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import trees  # noqa: E402


def maker(arrays):
    """Returns a function that converts a leaf of trees.py to a value."""
    if arrays == "numpy":
        import ml_dtypes
        import numpy

        types = {"f32": numpy.float32, "bf16": ml_dtypes.bfloat16}
        make = lambda shape, dtype: numpy.zeros(shape, types[dtype])  # noqa: E731
    elif arrays == "jax":
        import jax.numpy

        types = {"f32": jax.numpy.float32, "bf16": jax.numpy.bfloat16}
        make = lambda shape, dtype: jax.numpy.zeros(shape, types[dtype])  # noqa: E731
    else:
        import torch

        types = {"f32": torch.float32, "bf16": torch.bfloat16}
        make = lambda shape, dtype: torch.zeros(shape, dtype=types[dtype])  # noqa: E731

    def leaf(item):
        if item.value is not None:
            return item.value
        dtype, _, shape = item.spec.partition("[")
        return make(tuple(int(n) for n in shape.rstrip("]").split(",")), dtype)

    return leaf


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def data_bytes(spec: str) -> int:
    dtype, _, shape = spec.partition("[")
    size = {"f32": 4, "bf16": 2}.get(dtype, 0)
    for n in shape.rstrip("]").split(",") if size else ():
        size *= int(n)
    return size


def main() -> int:
    arrays, leaves = sys.argv[1], int(sys.argv[2])
    leaf = maker(arrays)
    warm_up = trees.nested_dicts(trees.transformer(100), leaf)
    # Create one block at a time, so that creating the tree needs no temporary memory that would count as growth.
    one = trees.transformer(trees.LEAVES_PER_BLOCK)
    before = resident()
    made = [trees.nested_dicts([item._replace(keys=item.keys[2:]) for item in one], leaf)
            for _ in range(leaves // trees.LEAVES_PER_BLOCK)]  # fmt: skip
    used = resident() - before
    plain = sum(len("." + item.dotted) + 8 + data_bytes(item.spec) for item in trees.transformer(leaves))
    del warm_up
    print((used - plain) / leaves if made else 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
