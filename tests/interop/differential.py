#!/usr/bin/env python3
"""Compares this library with the reference: safetensors and NumPy, both from PyPI.

usage: differential.py --program PROGRAM --venv FOLDER [--count N] [--seed N] [--bench FILE...]

  --program   the test program interop_differential
  --venv      the folder of the virtual environment; created if missing, and kept for the next run
  --count     the number of random files in each direction (default 2000)
  --bench     instead, measures how long both take to open FILE and list its names

Checks that this library reads the same contents as the reference from files that the reference wrote,
and that files written by this library are byte for byte those that the reference writes. The reference
writes two or more metadata keys in random order, so they are sorted before the comparison. Exits with
77 if PyPI cannot be reached.
"""
import argparse
import ctypes
import io
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SKIP = 77
PACKAGES = ["safetensors", "numpy"]
NO_NETWORK = ["Temporary failure in name resolution", "Name or service not known", "Network is unreachable",
              "NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "Connection refused", "ProxyError",
              "nodename nor servname",
              "connection broken by"]


def make_venv(folder):
    """Returns the interpreter of a virtual environment that has the packages."""
    python = os.path.join(folder, "bin", "python")
    ready = os.path.join(folder, "ready")
    if os.path.exists(ready):
        return python
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit("cannot make a virtual environment; scripts/setup installs python3-venv\n" + made.stdout + made.stderr)
    pip = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2",
                          "--timeout", "20", "--only-binary", ":all:"] + PACKAGES, capture_output=True, text=True)
    if pip.returncode != 0:
        if any(words in pip.stderr for words in NO_NETWORK):
            print("SKIPPED: PyPI cannot be reached (or not be trusted), so there is no reference to compare with\n" + pip.stderr)
            sys.exit(SKIP)
        sys.exit("pip could not install " + " ".join(PACKAGES) + "\n" + pip.stdout + pip.stderr)
    open(ready, "w").close()
    return python


# The name of each safetensors dtype in the reference's Python interface, and its bits. (That interface does not accept
# 6-bit types.)
DTYPES = {
    "BOOL": ("bool", 8), "U8": ("uint8", 8), "I8": ("int8", 8), "U16": ("uint16", 16), "I16": ("int16", 16),
    "U32": ("uint32", 32), "I32": ("int32", 32), "U64": ("uint64", 64), "I64": ("int64", 64), "F16": ("float16", 16),
    "BF16": ("bfloat16", 16), "F32": ("float32", 32), "F64": ("float64", 64), "C64": ("complex64", 64),
    "F8_E5M2": ("float8_e5m2", 8), "F8_E4M3": ("float8_e4m3fn", 8), "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8), "F4": ("float4_e2m1fn_x2", 4),
}
NUMPY = {"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8",
         "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8", "C64": "c8"}
PARTS = ["a", "weight", "0", "1", "10", "007", ".", ".", "", " ", "é", "漢字", "🙂", '"', "\\", "\n", "\t", "\x01", "\x7f",
         "\u2028", "/", "'", "[0]", "__metadata", "\0", "<>&", "\b\f\r"]


def random_text(rng, longest=5):
    return "".join(rng.choice(PARTS) for _ in range(rng.randrange(longest + 1)))


def random_bytes(rng, dtype, size):
    data = rng.randbytes(size)
    return bytes(byte & 1 for byte in data) if dtype == "BOOL" else data


def random_shape(rng, most=6):
    return [rng.randrange(most) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4]))]


def count_of(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


def random_tensors(rng, dtypes):
    """Returns a dict from name to (dtype, shape, bytes)."""
    tensors = {}
    few = rng.sample(dtypes, rng.choice([1, 2, 5, len(dtypes)]) if len(dtypes) > 5 else 1)
    for _ in range(rng.choice([0, 1, 2, 3, 5, 8, 13])):
        dtype = rng.choice(few)
        shape = random_shape(rng)
        if dtype == "F4":
            shape = shape or [1]
            shape[-1] *= 2
        tensors[random_text(rng)] = (dtype, shape, random_bytes(rng, dtype, count_of(shape) * DTYPES[dtype][1] // 8))
    return tensors


def random_metadata(rng, tensors):
    if rng.random() < 0.4:
        return None
    metadata = {random_text(rng): random_text(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))}
    # For no tensors and empty metadata, the reference (0.8.0) writes `{},"__metadata__":{}}`, which no reader accepts, not
    # even its own; so this case is not compared.
    return metadata if tensors or metadata else None


def random_content(rng):
    tensors = random_tensors(rng, list(DTYPES))
    return tensors, random_metadata(rng, tensors)


def hexed(data):
    return "." + (data.encode() if isinstance(data, str) else data).hex()


def dump_of(tensors, metadata=None):
    """Returns the lines of a dump, to compare as a set, since the order differs between the two sides."""
    lines = []
    if metadata is not None:
        lines.append("m")
        lines += ["m %s %s" % (hexed(key), hexed(value)) for key, value in metadata.items()]
    for name, (dtype, shape, data) in tensors.items():
        lines.append("t %s %s .%s %s" % (hexed(name), dtype, "".join("%d," % extent for extent in shape), hexed(data)))
    return lines


def serialize(tensors, metadata):
    import safetensors
    keep = []
    specs = {}
    for name, (dtype, shape, data) in tensors.items():
        buffer = ctypes.create_string_buffer(data, max(1, len(data)))
        keep.append(buffer)
        storage = shape[:-1] + [shape[-1] // 2] if dtype == "F4" else shape
        specs[name] = safetensors.TensorSpec(dtype=DTYPES[dtype][0], shape=storage,
                                             data_ptr=ctypes.addressof(buffer), data_len=len(data))
    return bytes(safetensors.serialize(specs, metadata))


def with_sorted_metadata(data):
    """Returns the file with its metadata keys sorted and everything else unchanged."""
    length = struct.unpack("<Q", data[:8])[0]
    header = data[8:8 + length].decode()
    start = '{"__metadata__":'
    if not header.startswith(start):
        return data
    metadata, end = json.JSONDecoder().raw_decode(header, len(start))
    # Python formats strings differently than the reference, so the entries are moved as text.
    pieces, at = {}, len(start) + 1
    while header[at] != "}":
        if header[at] == ",":
            at += 1
        key, key_end = json.JSONDecoder().raw_decode(header, at)
        _, value_end = json.JSONDecoder().raw_decode(header, key_end + 1)
        pieces[key.encode()] = header[at:value_end]
        at = value_end
    assert len(pieces) == len(metadata) and at + 1 == end
    ordered = start + "{" + ",".join(pieces[key] for key in sorted(pieces)) + "}" + header[end:]
    return data[:8] + ordered.encode() + data[8 + length:]


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(program, command, folder):
    done = subprocess.run([program, command, folder], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s %s failed: %s" % (program, command, done.stdout + done.stderr))


def compare(what, expected, found):
    if expected != found:
        sys.exit("%s: expected\n%s\nfound\n%s" % (what, expected, found))


def check_reading(program, rng, count, folder):
    """Checks that files written by the reference are read with the same contents."""
    expected = {}
    for i in range(count):
        tensors, metadata = random_content(rng)
        path = os.path.join(folder, "%d.safetensors" % i)
        write(path, serialize(tensors, metadata))
        expected[path] = sorted(dump_of(tensors, metadata))
    run(program, "dump", folder)
    for path, lines in expected.items():
        compare(path, lines, sorted(read(path + ".dump").decode().splitlines()))


def check_writing(program, rng, count, folder):
    """Checks that written files equal those of the reference, and that the reference reads them."""
    import safetensors
    expected = {}
    for i in range(count):
        tensors, metadata = random_content(rng)
        path = os.path.join(folder, "%d.safetensors" % i)
        lines = dump_of(tensors, metadata)
        rng.shuffle(lines)
        write(path + ".dump", ("\n".join(lines) + "\n").encode())
        expected[path] = (with_sorted_metadata(serialize(tensors, metadata)), tensors)
    run(program, "write", folder)
    for path, (data, tensors) in expected.items():
        found = read(path)
        compare(path, data, found)
        back = {name: (one["dtype"], list(one["shape"]), bytes(one["data"])) for name, one in safetensors.deserialize(found)}
        compare(path, tensors, back)


def random_member(rng):
    """Returns a name for an archive member, without the control characters that zip does not support."""
    return "".join(c for c in random_text(rng) if c >= " " or c in "\t\n\r")


def random_array(rng, dtype):
    import numpy as np
    shape = random_shape(rng)
    data = random_bytes(rng, dtype, count_of(shape) * DTYPES[dtype][1] // 8)
    return np.frombuffer(data, dtype=np.dtype(NUMPY[dtype])).reshape(shape), (dtype, shape, data)


def check_numpy_reading(program, rng, count, folder):
    import numpy as np
    expected = {}
    for i in range(count):
        tensors, arrays = {}, {}
        for name in [random_member(rng) for _ in range(1 if i % 2 else rng.randrange(4))]:
            if name == "file":  # the name of savez's own argument
                continue
            array, tensors[name] = random_array(rng, rng.choice(list(NUMPY)))
            if array.ndim > 0 and rng.random() < 0.3:
                array = np.asfortranarray(array)
            if rng.random() < 0.3:
                array = array.astype(array.dtype.newbyteorder(">"))
            arrays[name] = array
        if i % 2:
            path = os.path.join(folder, "%d.npy" % i)
            with open(path, "wb") as out:
                np.lib.format.write_array(out, next(iter(arrays.values())), version=rng.choice([None, (1, 0), (2, 0), (3, 0)]))
            tensors = {"": next(iter(tensors.values()))}
        else:
            path = os.path.join(folder, "%d.npz" % i)
            rng.choice([np.savez, np.savez_compressed])(path, **arrays)
        expected[path] = sorted(dump_of(tensors))
    run(program, "dump", folder)
    for path, lines in expected.items():
        compare(path, lines, sorted(read(path + ".dump").decode().splitlines()))


def check_numpy_writing(program, rng, count, folder):
    import numpy as np
    expected = {}
    for i in range(count):
        arrays, tensors = {}, {}
        for name in [random_member(rng) for _ in range(1 if i % 2 else rng.randrange(4))]:
            arrays[name], tensors[name] = random_array(rng, rng.choice(list(NUMPY)))
        if i % 2:
            arrays, tensors = {"": next(iter(arrays.values()))}, {"": next(iter(tensors.values()))}
        path = os.path.join(folder, "%d.%s" % (i, "npy" if i % 2 else "npz"))
        write(path + ".dump", ("\n".join(dump_of(tensors)) + "\n").encode())
        expected[path] = arrays
    run(program, "write", folder)
    for path, arrays in expected.items():
        if path.endswith(".npy"):
            buffer = io.BytesIO()
            np.save(buffer, arrays[""])
            compare(path, buffer.getvalue(), read(path))
            continue
        with np.load(path, allow_pickle=False) as found:
            compare(path, sorted(arrays), sorted(found.files))
            for name, array in arrays.items():
                same = found[name].dtype == array.dtype and found[name].shape == array.shape
                compare(path, (True, array.tobytes()), (same, found[name].tobytes()))


def bench(program, files):
    """Prints the medians of both for opening each file and listing its names, and their ratio."""
    from safetensors import safe_open
    for path in files:
        with safe_open(path, framework="np") as file:
            tensors = len(list(file.keys()))
        times = 5 if tensors > 10000 else 50
        theirs, ours = [], []
        for _ in range(5):  # in turns; the first of each turn warms up
            turn = []
            for _ in range(times):
                begin = time.perf_counter_ns()
                with safe_open(path, framework="np") as file:
                    list(file.keys())
                turn.append(time.perf_counter_ns() - begin)
            theirs += turn[1:]
            done = subprocess.run([program, "open", path, str(times)], capture_output=True, text=True, check=True)
            ours += [int(line) for line in done.stdout.split()][1:]
        theirs, ours = statistics.median(theirs), statistics.median(ours)
        print("%s: %d tensors: reference %.3f ms, leafstore %.3f ms, %.1f times as fast" %
              (os.path.basename(path), tensors, theirs / 1e6, ours / 1e6, theirs / ours))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--venv", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--bench", nargs="+")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        python = make_venv(arguments.venv)
        sys.exit(subprocess.run([python] + sys.argv + ["--inside"]).returncode)

    import numpy
    import safetensors
    print("reference: safetensors %s, numpy %s" % (safetensors.__version__, numpy.__version__))
    if arguments.bench:
        bench(arguments.program, arguments.bench)
        return
    print("seed %d" % arguments.seed, flush=True)
    rng = random.Random(arguments.seed)
    for check, count in [(check_reading, arguments.count), (check_writing, arguments.count),
                         (check_numpy_reading, arguments.count // 4), (check_numpy_writing, arguments.count // 4)]:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            check(arguments.program, rng, count, folder)
        print("%s: %d files, all equal, %.1f s" % (check.__name__, count, time.monotonic() - begin), flush=True)


if __name__ == "__main__":
    main()
