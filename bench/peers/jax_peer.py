"""jax's pytrees, the libraries based on them (Equinox, Inox, Flax NNX), and optree.

All leaves of one dtype and shape are the same array. For Python this costs the same, and it favours the peers, because more
data fits into the caches. Packages are imported where they are used, so that a missing package affects only its own rows.
"""

import os
import subprocess
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import trees  # noqa: E402
from work import Work, cached, work  # noqa: E402

PACKAGES = ("jax", "equinox", "inox", "flax", "optree", "numpy")

DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16}


class Arrays:
    """Converts leaves of trees.py to values; tensors become jax arrays."""

    def __init__(self):
        self.known = {}

    def __call__(self, leaf):
        if leaf.spec.startswith("static "):
            return leaf.value
        if leaf.spec not in self.known:
            dtype, _, shape = leaf.spec.partition("[")
            dims = tuple(int(n) for n in shape.rstrip("]").split(","))
            self.known[leaf.spec] = jnp.zeros(dims, DTYPES[dtype])
        return self.known[leaf.spec]


def class_name(keys, children):
    """Returns the name of the class of a node, derived from the key of the node."""
    last = keys[-1] if keys else "model"
    return "Block" if isinstance(last, int) else last.capitalize()


# Equinox and Inox. Each node is a module whose class is named after its key, so that filters can select it by class. No work
# changes a tree, so each is created once.


@cached
def inox_tree(model, count):
    import inox

    classes = {}

    def node(keys, children):
        name = class_name(keys, children)
        cls = classes.setdefault(name, type(name, (inox.tree.Namespace,), {}))
        return cls(**children)

    return trees.containers(trees.MODELS[model](count), node, Arrays()), classes


@cached
def equinox_tree(model, count):
    import equinox as eqx

    classes = {}

    def node(keys, children):
        name = class_name(keys, children)
        if name not in classes:
            fields = {"__annotations__": {key: object for key in children}}
            classes[name] = type(name, (eqx.Module,), fields)
        return classes[name](**children)

    return trees.containers(trees.MODELS[model](count), node, Arrays())


# Passing a group to a function: the function must flatten its argument.


@work
def equinox_half_at_call(statics):
    import equinox as eqx

    half, _ = eqx.partition(equinox_tree("one_tensor", statics), eqx.is_array)
    return Work(lambda: jax.tree_util.tree_flatten(half))


@work
def inox_group_at_call(statics):
    import inox

    tree, _ = inox_tree("one_tensor", statics)
    _, arrays, _ = inox.tree.partition(tree, jax.Array)
    return Work(lambda: jax.tree_util.tree_flatten(arrays))


@work
def jit_call(tensors, form):
    """Calls a compiled function that takes arrays of 256 f32 and returns a scalar, which measures the host's work per call."""
    arrays = [] if form == "packed" else [jnp.full((256,), float(i)) for i in range(tensors)]
    if form == "packed":
        given = jnp.zeros((tensors * 256,))
        first = lambda x: x[0] + 1  # noqa: E731
    elif form == "tuple":
        given = tuple(arrays)
        first = lambda x: x[0][0] + 1  # noqa: E731
    else:
        given = {f".layers[{i // 10}].w{i % 10}": array for i, array in enumerate(arrays)}
        first = lambda x: x[".layers[0].w0"][0] + 1  # noqa: E731
    call = jax.jit(first, keep_unused=True)
    return Work(lambda: call(given).block_until_ready())


@work
def jit_step(megaflops):
    """Runs a device step of this much arithmetic and waits for it; the host can prepare the next step meanwhile."""
    n = 1024
    a = jnp.ones((n, n), jnp.float32)
    count = max(1, int(megaflops * 1e6 / (2 * n**3)))
    call = jax.jit(lambda x: jax.lax.fori_loop(0, count, lambda _, y: jnp.tanh(y @ x), x))
    return Work(lambda: call(a).block_until_ready())


# Partition and combine.


def inox_filters(kind, classes):
    if kind == "types":
        return [
            lambda x: isinstance(x, (str, float)),
            lambda x: isinstance(x, jax.Array) and x.dtype == jnp.bfloat16,
            lambda x: isinstance(x, jax.Array) and x.ndim == 1,
        ]
    # Inox's filters do not see paths, so they select the classes of the nodes that the globs match.
    return [classes["Attn"], classes["Mlp"], classes["Norm"]]


@work
def inox_partition(leaves, kind):
    import inox

    tree, classes = inox_tree("transformer", leaves)
    filters = inox_filters(kind, classes)
    return Work(lambda: inox.tree.partition(tree, *filters))


@work
def inox_combine(leaves, kind):
    import inox

    tree, classes = inox_tree("transformer", leaves)
    treedef, *groups = inox.tree.partition(tree, *inox_filters(kind, classes))
    return Work(lambda: inox.tree.combine(treedef, *groups))


def equinox_groups(tree):
    import equinox as eqx

    half, rest = eqx.partition(tree, lambda x: eqx.is_array(x) and x.dtype == jnp.bfloat16)
    return half, *eqx.partition(rest, lambda x: eqx.is_array(x) and x.ndim == 1)


@work
def equinox_partition_twice(leaves):
    tree = equinox_tree("transformer", leaves)
    return Work(lambda: equinox_groups(tree))


@work
def equinox_combine(leaves):
    import equinox as eqx

    groups = equinox_groups(equinox_tree("transformer", leaves))
    return Work(lambda: eqx.combine(*groups))


# Flax NNX: 9,000 variables in 1,000 blocks, as in bench/split_merge_bench.cc.

NNX_NAMES = (
    "attn_k", "attn_norm", "attn_o", "attn_q", "attn_v", "ffn_down", "ffn_gate", "ffn_norm", "ffn_up",
)  # fmt: skip


@cached
def nnx_model(variables):
    from flax import nnx

    class Norm(nnx.Param):
        pass

    class Block(nnx.Module):
        def __init__(self):
            for name in NNX_NAMES:
                setattr(self, name, (Norm if name.endswith("_norm") else nnx.Param)(jnp.zeros((16,))))

    class Model(nnx.Module):
        def __init__(self):
            self.blocks = nnx.List([Block() for _ in range(variables // len(NNX_NAMES))])

    return nnx, Model(), Norm


def nnx_options(nnx, graph):
    """Returns the options for `graph`. False, an option of newer versions, means a tree without shared nodes."""
    return {} if graph else {"graph": False}


@work
def nnx_split(variables, graph):
    nnx, model, norm = nnx_model(variables)
    options = nnx_options(nnx, graph)
    return Work(lambda: nnx.split(model, norm, ..., **options))


@work
def nnx_merge(variables, graph):
    nnx, model, norm = nnx_model(variables)
    definition, *states = nnx.split(model, norm, ..., **nnx_options(nnx, graph))
    return Work(lambda: nnx.merge(definition, *states))


@work
def nnx_update(variables, graph):
    nnx, model, norm = nnx_model(variables)
    _, *states = nnx.split(model, norm, ..., **nnx_options(nnx, graph))
    return Work(lambda: nnx.update(model, *states))


# Flatten and unflatten: nested dicts of blocks of nine arrays, as in bench/flatten_bench.cc.


def dict_of_blocks(leaves):
    array = jnp.zeros((16,))
    return {f"block_{i:06d}": {name: array for name in NNX_NAMES} for i in range(leaves // len(NNX_NAMES))}


@work
def jax_flatten(leaves):
    tree = dict_of_blocks(leaves)
    return Work(lambda: jax.tree_util.tree_flatten(tree))


@work
def jax_unflatten(leaves):
    values, treedef = jax.tree_util.tree_flatten(dict_of_blocks(leaves))
    return Work(lambda: jax.tree_util.tree_unflatten(treedef, values))


@work
def optree_flatten(leaves):
    import optree

    tree = dict_of_blocks(leaves)
    return Work(lambda: optree.tree_flatten(tree))


@work
def optree_unflatten(leaves):
    import optree

    values, treedef = optree.tree_flatten(dict_of_blocks(leaves))
    return Work(lambda: optree.tree_unflatten(treedef, values))


def _structures(leaves, package):
    if package == "jax":
        structure = jax.tree_util.tree_structure
    else:
        import optree

        structure = optree.tree_structure
    # Build two separate structures, as from two checkpoints.
    return [structure(trees.nested_dicts(trees.transformer(leaves), Arrays())) for _ in range(2)]


@work
def treedef_equal(leaves, package):
    a, b = _structures(leaves, package)
    return Work(lambda: a == b)


@work
def treedef_hash(leaves, package):
    a, _ = _structures(leaves, package)
    return Work(lambda: hash(a))


@work
def nested_dict_bytes(leaves, arrays):
    """Runs tree_bytes.py in a new process, because this one would reuse freed memory, which does not show as growth."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tree_bytes.py")
    out = subprocess.run([sys.executable, script, arrays, str(leaves)], check=True, capture_output=True, text=True)
    return Work(None, value=float(out.stdout))
