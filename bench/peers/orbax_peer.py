"""Orbax: StandardCheckpointer, its checkpointer for trees of arrays."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import orbax.checkpoint as ocp  # noqa: E402
import trees  # noqa: E402
from work import Work, cached, evict, file_path, remove, saved, sync_directories, warm, work  # noqa: E402

PACKAGES = ("orbax-checkpoint", "tensorstore", "jax", "numpy")


@cached
def tensors_of(tensors, elements):
    return {path: jnp.asarray(array) for path, array in trees.filled(trees.names(tensors), elements).items()}


@work
def save(tensors, elements, synced):
    assert synced, "Orbax syncs each file; it has no option not to"
    path = file_path("orbax-save")
    state = tensors_of(tensors, elements)
    checkpointer = ocp.StandardCheckpointer()

    def run():
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        sync_directories(path)

    return Work(run, before=os.sync, after=lambda: remove(path), close=lambda: remove(path))


@work
def load(tensors, elements, cold=False):
    state = tensors_of(tensors, elements)
    checkpointer = ocp.StandardCheckpointer()

    def write(path):
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()

    path = saved("orbax", ("orbax", tensors, elements), write)
    like = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    return Work(lambda: jax.block_until_ready(checkpointer.restore(path, like)),
                before=lambda: evict(path) if cold else warm(path))  # fmt: skip
