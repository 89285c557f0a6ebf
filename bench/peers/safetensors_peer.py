"""safetensors for numpy: saving, loading, and opening a file of many tensors."""

import os

import trees
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from work import Work, cached, evict, file_path, remove, saved, sync_all, warm, work

PACKAGES = ("safetensors", "numpy")


@cached
def tensors_of(model, tensors, elements):
    return trees.filled(trees.MODELS[model](tensors), elements)


@work
def save(tensors, elements, synced):
    path = file_path("safetensors-save")
    state = tensors_of("names", tensors, elements)

    def run():
        save_file(state, path)
        if synced:
            sync_all(path)

    return Work(run, before=os.sync, after=lambda: remove(path), close=lambda: remove(path))


def file_of(model, tensors, elements):
    write = lambda path: save_file(tensors_of(model, tensors, elements), path)  # noqa: E731
    return saved(model, (model, tensors, elements), write)


def file_work(path, run, cold):
    return Work(run, before=lambda: evict(path) if cold else warm(path))


@work
def load(tensors, elements, backend, cold=False):
    path = file_of("names", tensors, elements)
    return file_work(path, lambda: load_file(path, backend=backend), cold)


@work
def open_and_list(model, tensors, elements, cold=False):
    path = file_of(model, tensors, elements)

    def run():
        with safe_open(path, framework="np") as file:
            return list(file.keys())

    return file_work(path, run, cold)


@work
def open_and_one(model, tensors, elements, cold=False):
    path = file_of(model, tensors, elements)
    name = trees.MODELS[model](tensors)[-4].dotted

    def run():
        with safe_open(path, framework="np") as file:
            return file.get_tensor(name)

    return file_work(path, run, cold)
