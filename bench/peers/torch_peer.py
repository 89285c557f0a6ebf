"""PyTorch: optimizers, torch.save and torch.load, distributed checkpoints (DCP), and safetensors for torch."""

import os

import torch
import trees
from work import Work, cached, evict, file_path, remove, saved, sync_all, sync_directories, warm, work

PACKAGES = ("torch", "safetensors", "numpy")


# One step of AdamW on one thread, for many tensors, or for the same elements in one tensor.


def adamw(params, how):
    for param in params:
        param.grad = torch.full_like(param, 0.5)
    options = {"fused": {"fused": True}, "foreach": {"foreach": True}}[how]
    return torch.optim.AdamW(params, lr=1e-3, **options)


@work
def adamw_list(tensors, elements, how):
    torch.set_num_threads(1)
    optimizer = adamw([torch.ones(elements, requires_grad=True) for _ in range(tensors)], how)
    return Work(optimizer.step)


@work
def adamw_flat(tensors, elements, how):
    torch.set_num_threads(1)
    optimizer = adamw([torch.ones(tensors * elements, requires_grad=True)], how)
    return Work(optimizer.step)


# Checkpoints.


def threads_of_machine():
    torch.set_num_threads(os.cpu_count() or 1)


@cached
def tensors_of(tensors, elements):
    return {path: torch.from_numpy(array) for path, array in trees.filled(trees.names(tensors), elements).items()}


def saver(format, state, synced=False):
    """Returns a function that saves `state` to a path, which must not exist. It is durable if `synced`."""
    if format == "dcp":
        import torch.distributed.checkpoint as dcp

        def save_distributed(path):
            dcp.save(state, storage_writer=dcp.FileSystemWriter(path, sync_files=synced), no_dist=True)
            if synced:
                sync_directories(path)  # DCP syncs the files only

        return save_distributed
    if format == "torch":
        write = torch.save
    else:
        from safetensors.torch import save_file as write

    def save_one_file(path):
        write(state, path)
        if synced:
            sync_all(path)

    return save_one_file


def loader(format, path, like):
    """Returns a function that loads all tensors as the format's documentation recommends, into new memory unless mapped."""
    if format == "torch":
        return lambda: torch.load(path, weights_only=True)
    if format == "torch_mapped":
        return lambda: torch.load(path, weights_only=True, mmap=True)
    if format in ("safetensors_mapped", "safetensors_pread"):
        from safetensors.torch import load_file

        backend = "mmap" if format == "safetensors_mapped" else "pread"
        return lambda: load_file(path, backend=backend)
    import torch.distributed.checkpoint as dcp

    def load():
        dcp.load(like, checkpoint_id=path, no_dist=True)
        return like

    return load


@work
def save(format, tensors, elements, synced):
    threads_of_machine()
    path = file_path(f"{format}-save")
    write = saver(format, tensors_of(tensors, elements), synced)
    return Work(lambda: write(path), before=os.sync, after=lambda: remove(path), close=lambda: remove(path))


def read_all(state):
    for tensor in state.values():
        tensor.view(torch.int64).sum()


@work
def load(format, tensors, elements, cold=False, then_read=False):
    threads_of_machine()
    kind = format.partition("_")[0]
    write = lambda path: saver(kind, tensors_of(tensors, elements))(path)  # noqa: E731
    path = saved(kind, (kind, tensors, elements), write)
    read = loader(format, path, tensors_of(tensors, elements) if kind == "dcp" else None)

    def run():
        loaded = read()
        if then_read:
            read_all(loaded)

    return Work(run, before=lambda: evict(path) if cold else warm(path))
