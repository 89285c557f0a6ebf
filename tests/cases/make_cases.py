#!/usr/bin/env python3
"""Small files that people really have, and what leafstore should make of them.

usage: make_cases.py OUT_DIR     (needs numpy)

Each folder below OUT_DIR is one case; its file EXPECT says what is right. The folders beside this program were written by it
(with numpy 2), so that tests/tools/cases_test.cc needs no Python.
"""
import json, os, struct, sys, zipfile
import numpy as np


def raw(path, header, data=b"", pad=b" ", lead=b"", align=8):
    text = lead + (header if isinstance(header, bytes) else json.dumps(header).encode())
    if align:
        text += pad * ((-len(text)) % align)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def st(path, tensors, meta=None, **kw):
    """tensors: name -> float32 array, or (dtype, shape, bytes)."""
    header, data = {}, b""
    if meta is not None:
        header["__metadata__"] = meta
    for name, t in tensors.items():
        dtype, shape, body = t if isinstance(t, tuple) else ("F32", list(t.shape), t.tobytes())
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    raw(path, header, data, **kw)


def index(path, weight_map, **extra):
    with open(path, "w") as f:
        json.dump({**extra, "weight_map": weight_map}, f)


def f32(*shape, start=0):
    return (np.arange(int(np.prod(shape)), dtype=np.float32) + start).reshape(shape)


def case(name, expect):
    os.makedirs(name, exist_ok=True)
    with open(os.path.join(name, "EXPECT"), "w") as f:
        f.write(expect + "\n")
    return name + "/"


def two_shards(d, **extra):
    st(d + "model-00001-of-00002.safetensors", {"a.weight": f32(2, 2)})
    st(d + "model-00002-of-00002.safetensors", {"b.weight": f32(2, 2)})
    index(d + "model.safetensors.index.json", {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}, **extra)


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    os.chdir(sys.argv[1])

    d = case("one-shard-of-three", "a folder (or file) that by its name is 1 of 3: an error that lists what is there and what is not; never taken for the model")
    st(d + "model-00001-of-00003.safetensors", {"a.weight": f32(2, 2)})

    d = case("shards-without-index", "all shards are there: read as a set, with a note; merge is mentioned")
    st(d + "model-00001-of-00002.safetensors", {"a.weight": f32(2, 2)})
    st(d + "model-00002-of-00002.safetensors", {"b.weight": f32(2, 2)})

    d = case("index-uses-part-of-a-shard", "the index is the authority: two tensors, a note about the one it does not list")
    st(d + "model-00001-of-00002.safetensors", {"a.weight": f32(2, 2), "old.weight": f32(3)})
    st(d + "model-00002-of-00002.safetensors", {"b.weight": f32(2, 2)})
    index(d + "model.safetensors.index.json", {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}, metadata={"total_size": 32})

    for name, extra in {"total-size-wrong": {"metadata": {"total_size": 48}}, "total-size-float": {"metadata": {"total_size": 32.0}},
                        "metadata-null": {"metadata": None}, "third-field": {"metadata": {"total_size": 32}, "format": "pt"}}.items():
        two_shards(case("index-" + name, "readable: two tensors, with a note where it is not as usual; not 'damaged'"), **extra)

    d = case("header-metadata-null", "readable (the reference reads it)")
    raw(d + "m.safetensors", {"__metadata__": None, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, f32(1).tobytes())
    for name, kw in {"newline": {"pad": b"\n"}, "tab": {"pad": b"\t"}, "leading-space": {"lead": b" "}}.items():
        st(case("header-" + name, "readable (the reference reads it)") + "m.safetensors", {"ab": f32(1)}, **kw)
    d = case("header-fourth-field", "readable (the reference reads it)")
    raw(d + "m.safetensors", {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "note": "x"}}, f32(1).tobytes())

    d = case("foreign", "each named for what it is, with what to do; never 'damaged'")
    with open(d + "pointer.safetensors", "w") as f:
        f.write("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n")
    with open(d + "page.safetensors", "w") as f:
        f.write("<!DOCTYPE html><html><body>Access denied</body></html>")
    with open(d + "config.json", "w") as f:
        json.dump({"model_type": "bert", "hidden_size": 4}, f)
    with open(d + "model.gguf", "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with open(d + "weights.h5", "wb") as f:
        f.write(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    with open(d + "old.pth", "wb") as f:
        f.write(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")

    d = case("one-unknown-dtype", "listed as not readable; the other tensor is read, shown, converted")
    st(d + "m.safetensors", {"w": f32(2), "q": ("NF4", [4], b"\0\0")})

    d = case("npz-with-strings", "cat w works; vocab, version and config.json are listed as not read; convert needs a word to leave them out")
    np.savez(d + "params.npz", w=np.ones(2, np.float32), vocab=np.array(["a", "b"]), version="1.0")
    np.savez(d + "w.npz", w=np.ones(2, np.float32))
    with zipfile.ZipFile(d + "w.npz", "a") as z:
        z.writestr("config.json", '{"hidden": 2}')

    d = case("write-over-a-set", "leafstore convert small.safetensors out/model.safetensors: refused without --force, and with it the folder reads as the new; the other way round too")
    two_shards(case(d + "out", "the set that is there"), metadata={"total_size": 32})
    st(d + "small.safetensors", {"only": f32(1)})

    d = case("same-weights-two-spellings", "diff by --rename or dotted form; bf16 against f32 within a tolerance")
    st(d + "a.safetensors", {"model.w": f32(4)})
    st(d + "b.safetensors", {"w": f32(4)})
    st(d + "c.safetensors", {"w": ("BF16", [4], b"".join(struct.pack("<f", x)[2:] for x in f32(4)))})

    d = case("slashes", "--names slash: a tree of depth 3; globs see it")
    np.savez(d + "vit.npz", **{"Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel": f32(2, 2), "head/kernel": f32(2)})


if __name__ == "__main__":
    main()
