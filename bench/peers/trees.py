"""The models of bench/models.h, for the peers. Keep both files in sync; a test compares them.

A model is a list of leaves in leafstore's order, each with a path of keys and a description. The peers create their
containers from it: nested dicts in this file, modules in the files of the peers.

usage: trees.py MODEL:LEAVES      prints the same as `leafstore_bench --print_model=MODEL:LEAVES`
"""

import sys
from typing import Any, Callable, NamedTuple


class Leaf(NamedTuple):
    keys: tuple  # str or int, from the root
    spec: str  # "f32[2, 4]" or "static str"
    value: Any = None  # the value of a static leaf
    last: Any = None  # the last element of an f32 tensor

    @property
    def dotted(self) -> str:
        return ".".join(str(key) for key in self.keys)


LEAVES_PER_BLOCK = 10


def element(place):
    """Returns the element at this position in a model, in [-1, 1). Also accepts a numpy array of uint32 positions."""
    bits = (place * 0x9E3779B1) & 0xFFFFFFFF
    bits = bits ^ (bits >> 15)
    bits = (bits * 0x85EBCA6B) & 0xFFFFFFFF
    bits = bits ^ (bits >> 13)
    return (bits >> 8) / (1 << 23) - 1


def filled(leaves: list[Leaf], elements: int) -> dict:
    """Returns a numpy array of `elements` f32 for each dotted path. The positions of elements continue from leaf to leaf."""
    import numpy as np

    def array(leaf: int):
        return element(np.arange(leaf * elements, (leaf + 1) * elements, dtype=np.uint32)).astype(np.float32)

    return {leaf.dotted: array(place) for place, leaf in enumerate(leaves)}


def transformer(leaves: int) -> list[Leaf]:
    out = []
    for block in range(leaves // LEAVES_PER_BLOCK):
        at = ("layers", block)
        out += [Leaf((*at, "attn", name), "f32[2, 4]", last=0.0) for name in ("k", "o", "q", "v")]
        out += [Leaf((*at, "mlp", name), "bf16[2, 4]") for name in ("down", "up")]
        out += [Leaf((*at, "name"), "static str", "block")]
        out += [Leaf((*at, "norm", name), "f32[4]", last=0.0) for name in ("bias", "scale")]
        out += [Leaf((*at, "rate"), "static float", 0.1)]
    return out


def one_tensor(statics: int) -> list[Leaf]:
    out = [Leaf(("config", i), "static int", i) for i in range(statics)]
    return [*out, Leaf(("weight",), "f32[4]", last=0.0)]


def blocks(leaves: int) -> list[Leaf]:
    names = ("bias", "gamma", "scale", "shift", "wk", "wo", "wq", "wv", "x", "y")
    count = leaves // LEAVES_PER_BLOCK
    paths = [("blocks", i, "attn", name) for i in range(count) for name in names]
    return [Leaf(path, "f32[4]", last=element(place * 4 + 3)) for place, path in enumerate(paths)]


def names(leaves: int) -> list[Leaf]:
    return [Leaf((f"parameter_{i:07d}",), "f32[4]", last=element(i * 4 + 3)) for i in range(leaves)]


MODELS: dict[str, Callable[[int], list[Leaf]]] = {
    "transformer": transformer,
    "one_tensor": one_tensor,
    "blocks": blocks,
    "names": names,
}


def containers(leaves: list[Leaf], node: Callable[[tuple, dict], Any], leaf: Callable[[Leaf], Any]) -> Any:
    """Returns the tree of `leaves`: lists for integer keys, otherwise the results of `node(keys from the root, children)`."""
    root: dict = {}
    for item in leaves:
        at = root
        for key in item.keys[:-1]:
            at = at.setdefault(key, {})
        at[item.keys[-1]] = leaf(item)

    def build(keys: tuple, children: dict) -> Any:
        made = {k: build((*keys, k), v) if isinstance(v, dict) else v for k, v in children.items()}
        return list(made.values()) if isinstance(next(iter(made), ""), int) else node(keys, made)

    return build((), root)


def nested_dicts(leaves: list[Leaf], leaf: Callable[[Leaf], Any]) -> Any:
    return containers(leaves, lambda _, children: children, leaf)


def lines(name: str, leaves: int) -> list[str]:
    """Returns the lines that `leafstore_bench --print_model` prints."""
    made = MODELS[name](leaves)
    return [f"{leaf.dotted}\t{leaf.spec}" + ("" if leaf.last is None else f"\t{leaf.last:.9g}") for leaf in made]


def main() -> int:
    name, _, count = (sys.argv[1] if len(sys.argv) == 2 else "").partition(":")
    if name not in MODELS or not count.isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    print("\n".join(lines(name, int(count))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
