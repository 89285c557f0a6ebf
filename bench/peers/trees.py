"""The models of bench/models.h, for the peers. Who changes one of them changes both: a test compares them.

A model is a list of leaves in leafstore's order, each a path of keys and what it is. From that the peers' own containers are
made: nested dicts here, their modules in the files of the peers.

usage: trees.py MODEL:LEAVES      prints what `leafstore_bench --print_model=MODEL:LEAVES` prints
"""

import sys
from typing import Any, Callable, NamedTuple


class Leaf(NamedTuple):
    keys: tuple  # str or int, from the root
    spec: str  # "f32[2, 4]" or "static str"
    value: Any = None  # of a static leaf

    @property
    def dotted(self) -> str:
        return ".".join(str(key) for key in self.keys)


LEAVES_PER_BLOCK = 10


def transformer(leaves: int) -> list[Leaf]:
    out = []
    for block in range(leaves // LEAVES_PER_BLOCK):
        at = ("layers", block)
        out += [Leaf((*at, "attn", name), "f32[2, 4]") for name in ("k", "o", "q", "v")]
        out += [Leaf((*at, "mlp", name), "bf16[2, 4]") for name in ("down", "up")]
        out += [Leaf((*at, "name"), "static str", "block")]
        out += [Leaf((*at, "norm", name), "f32[4]") for name in ("bias", "scale")]
        out += [Leaf((*at, "rate"), "static float", 0.1)]
    return out


def one_tensor(statics: int) -> list[Leaf]:
    out = [Leaf(("config", i), "static int", i) for i in range(statics)]
    return [*out, Leaf(("weight",), "f32[4]")]


def blocks(leaves: int) -> list[Leaf]:
    names = ("bias", "gamma", "scale", "shift", "wk", "wo", "wq", "wv", "x", "y")
    count = leaves // LEAVES_PER_BLOCK
    return [Leaf(("blocks", i, "attn", name), "f32[4]") for i in range(count) for name in names]


def names(leaves: int) -> list[Leaf]:
    return [Leaf((f"parameter_{i:07d}",), "f32[4]") for i in range(leaves)]


MODELS: dict[str, Callable[[int], list[Leaf]]] = {
    "transformer": transformer,
    "one_tensor": one_tensor,
    "blocks": blocks,
    "names": names,
}


def containers(leaves: list[Leaf], node: Callable[[tuple, dict], Any], leaf: Callable[[Leaf], Any]) -> Any:
    """The tree of `leaves`: lists where keys are numbers; elsewhere what `node` makes of (keys from the root, children)."""
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


def main() -> int:
    name, _, count = (sys.argv[1] if len(sys.argv) == 2 else "").partition(":")
    if name not in MODELS or not count.isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    for leaf in MODELS[name](int(count)):
        print(f"{leaf.dotted}\t{leaf.spec}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
