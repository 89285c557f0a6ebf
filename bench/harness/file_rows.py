"""The rows of the report about checkpoints: saving, loading and opening files. rows.py combines them with the others."""

from measures import MS, US, Ours, Row, Scene, peer


def format_peers(call, tensors, elements, **args):
    """Returns a peer for each format. `call` is "save", or "load", which copies into new memory.

    A save is durable on both sides or on neither, so Orbax is among the peers only when `synced`.
    """
    def of(label, worker, text, **more):
        return peer(label, worker, call, text, tensors=tensors, elements=elements, **args, **more)

    if call == "save":
        # safetensors and torch.save sync nothing. DCP syncs its files unless told otherwise, but not the directory. Orbax syncs
        # its files and the directories below the path, but not the one that contains it. What a durable save lacks is added,
        # and is part of the measured time.
        synced = args["synced"]
        files = ", then fsync of the file and its directory" if synced else ""
        directories = ", then fsync of the directories" if synced else ""
        writer = f"FileSystemWriter(path, sync_files={synced})"
        made = {
            "safetensors": of("safetensors", "safetensors", "safetensors.numpy.save_file(tensors, path)" + files),
            "safetensors-torch": of("safetensors (torch)", "torch", "safetensors.torch.save_file(tensors, path)" + files,
                                    format="safetensors"),
            "torch": of("torch.save", "torch", "torch.save(tensors, path)" + files, format="torch"),
            "dcp": of("torch DCP", "torch",
                      f"torch.distributed.checkpoint.save(tensors, storage_writer={writer}, no_dist=True)" + directories,
                      format="dcp"),
        }  # fmt: skip
        if synced:
            text = "ocp.StandardCheckpointer().save(path, tensors), wait_until_finished(), which syncs its files"
            made["orbax"] = of("Orbax", "orbax", text + directories)
        return made
    return {
        "safetensors": of("safetensors", "safetensors", 'safetensors.numpy.load_file(path, backend="mmap")', backend="mmap"),
        "safetensors-pread": of("safetensors (pread)", "safetensors", 'safetensors.numpy.load_file(path, backend="pread")',
                                backend="pread"),
        "safetensors-torch": of("safetensors (torch, pread)", "torch", 'safetensors.torch.load_file(path, backend="pread")',
                                format="safetensors_pread"),
        "torch": of("torch.load", "torch", "torch.load(path, weights_only=True)", format="torch"),
        "dcp": of("torch DCP", "torch", "torch.distributed.checkpoint.load(tensors, checkpoint_id=path, no_dist=True)", format="dcp"),
        "orbax": of("Orbax", "orbax", "ocp.StandardCheckpointer().restore(path, like)"),
    }  # fmt: skip


def saves(size, elements):
    plain = format_peers("save", 64, elements, synced=False)
    synced = format_peers("save", 64, elements, synced=True)
    durable = Ours("Save/large_durable", "SaveCheckpoint(path, items), syncs the file and its directory, with XXH3-64 checksums")
    unsynced = Ours("Save/large_not_synced", "SaveCheckpoint(path, items, {.io = {.durable = false}})")
    disk = Ours("LimitWrite/disk", f"writing {size} without the page cache, and syncing it")
    cache = Ours("LimitWrite/page_cache", f"writing {size} into the page cache")
    work = f"save {size} in 64 tensors, all durable; only leafstore computes checksums"
    rows = [
        Row("save-safetensors", work, durable, (synced["safetensors"], synced["safetensors-torch"]), target=1.0, limit=disk),
        Row("save-torch", work, durable, (synced["torch"],), target=1.0, limit=disk),
        Row("save-dcp", work, durable, (synced["dcp"],), target=0.5, limit=disk),
        Row("save-orbax", work, durable, (synced["orbax"],), target=1.0, limit=disk),
        Row("save-disk", f"save {size} in 64 tensors, durable and checksummed, compared with writing to the disk", durable,
            (disk,), target=1 / 0.85, limit=disk,
            note="the target is 0.85 of the speed of the disk"),
        Row("save-increment", "save 1 % of 9,000 leaves; the others are in an earlier file",
            Ours("IncrementalSave", "SaveCheckpoint(path, items, {.history = &history})"),
            (Ours("IncrementalSave", "SaveCheckpoint(path, items) of all leaves", "whole_ms", MS),)),
        Row("save-memory", "peak memory of a save, not counting the model",
            Ours("SaveMemory", "SaveCheckpoint(path, items)", "peak_bytes"), most=64 << 20, unit="bytes"),
    ]  # fmt: skip
    work = f"save {size} in 64 tensors, none durable; only leafstore computes checksums"
    rows += [Row(f"save-{name}-not-synced", work, unsynced, (plain[name],), target=1.0, limit=cache, quick=name == "torch")
             for name in ("safetensors", "torch", "dcp")]  # fmt: skip
    return Scene("saves", f"Save {size}", tuple(rows), settle=True, most_rounds=5, seconds=42.0, quick_seconds=5.0)


def loads(size, elements):
    warm = format_peers("load", 64, elements)
    cold = format_peers("load", 64, elements, cold=True)
    mapped = {
        (name, then_read): peer(label, "torch", "load", text + (", then sum every tensor" if then_read else ""), tensors=64,
                                elements=elements, format=name, then_read=then_read)
        for name, label, text in (("torch_mapped", "torch.load (mmap)", "torch.load(path, weights_only=True, mmap=True)"),
                                  ("safetensors_mapped", "safetensors (torch, mmap)", 'safetensors.torch.load_file(path, backend="mmap")'))
        for then_read in (False, True)
    }  # fmt: skip
    both = tuple(mapped[name, False] for name in ("torch_mapped", "safetensors_mapped"))
    both_read = tuple(mapped[name, True] for name in ("torch_mapped", "safetensors_mapped"))
    read_2 = Ours("LimitMemoryRead/2", f"reading {size} from memory with two threads")
    verified = Ours("Load/large_verified", 'CheckpointReader::Open(path, {.io = {.threads = 2}}), Load("params"), verifies every byte')
    unverified = Ours("Load/large_unverified", 'Open(path, {.io = {.threads = 2}, .verify = false}), Load("params")')
    unverified_read = Ours("Load/large_unverified_read_all",
                           'Open(path, {.io = {.threads = 2}, .verify = false}), Load("params"), then sum every tensor')
    return Scene(
        "loads",
        f"Load {size}",
        (
            Row("load-verified", f"load {size} mapped, every byte verified, with two threads; the peers copy", verified,
                tuple(warm.values()), target=0.5, limit=read_2),
            Row("load-memory", f"load {size} mapped, every byte verified, compared with reading as many bytes of memory",
                verified, (read_2,), target=1 / 0.7, limit=read_2,
                note="the target is 0.7 of the speed of reading memory"),
            Row("load-read", f"load {size} by plain reads into new memory, every byte verified; the peers copy",
                Ours("Load/large_read", "Open(path, {.io = {.mode = ReadMode::kRead, .threads = 2}}), Load"),
                tuple(warm.values()),
                limit=Ours("LimitRead/disk:0", f"reading {size} from the page cache")),
            Row("load-cold", f"load {size} from a cold page cache, every byte verified; the peers copy",
                Ours("Load/large_verified_cold",
                     'Open(path, {.io = {.threads = 2}}), Load("params"), after evicting the file from the page cache'),
                tuple(cold.values()), quick=False,
                limit=Ours("LimitRead/disk:1", f"reading {size} from the disk, without the page cache")),
            Row("load-mapped", f"load {size} mapped, without reading tensor bytes", unverified, both,
                limit=Ours("LimitOpenMapClose", "opening, mapping and closing a file")),
            Row("load-mapped-read", f"load {size} mapped, unverified, then sum every tensor", unverified_read, both_read,
                limit=read_2),
            Row("open-mapped", f"open {size} mapped, unverified, and get every tensor", unverified,
                (peer("safetensors", "safetensors", "open_and_list", 'with safe_open(path, "np") as f: f.keys()', model="names",
                      tensors=64, elements=elements),), target=0.5, note="safetensors only lists the names"),
        ),
        settle=True,
        most_rounds=5,
        seconds=32.0,
        quick_seconds=8.0,
    )  # fmt: skip


def small_tensors():
    fast = ("safetensors", "safetensors-torch", "torch")
    plain, synced = (format_peers("save", 9000, 256, synced=value) for value in (False, True))
    loads_warm, loads_cold = (format_peers("load", 9000, 256, cold=value) for value in (False, True))
    disk = Ours("LimitWrite/disk_small", "writing 16 MiB without the page cache, and syncing it")
    cache = Ours("LimitWrite/page_cache_small", "writing 16 MiB into the page cache")
    copying = (*fast, "safetensors-pread")
    durable = Ours("Save/small_durable", "SaveCheckpoint(path, items)")
    verified = Ours("Load/small_verified", 'Open(path, {.io = {.threads = 2}}), Load("params"), verifies every byte')
    scale = 9000 * 1024 / (16 << 20)
    return Scene(
        "small-tensors",
        "Many small tensors",
        (
            Row("save-small", "save 9,000 tensors of 1 KiB, all durable; only leafstore computes checksums", durable,
                tuple(synced[n] for n in fast), target=0.2, limit=disk, limit_scale=scale),
            Row("save-small-not-synced", "save 9,000 tensors of 1 KiB, none durable; only leafstore computes checksums",
                Ours("Save/small_not_synced", "SaveCheckpoint, {.io = {.durable = false}}"),
                tuple(plain[n] for n in fast), target=0.2, limit=cache, limit_scale=scale),
            Row("load-small", "load 9,000 tensors of 1 KiB, every byte verified", verified, tuple(loads_warm[n] for n in copying),
                target=0.05),
            Row("load-small-unverified", "load 9,000 tensors of 1 KiB, unverified",
                Ours("Load/small_unverified", "Open(path, {.io = {.threads = 2}, .verify = false}), Load"),
                tuple(loads_warm[n] for n in copying)),
            Row("load-small-cold", "load 9,000 tensors of 1 KiB from a cold page cache, every byte verified",
                Ours("Load/small_verified_cold",
                     'Open(path, {.io = {.threads = 2}}), Load("params"), after evicting the file from the page cache'),
                tuple(loads_cold[n] for n in copying), quick=False),
        ),
        settle=True,
        seconds=9.0,
        quick_seconds=4.0,
    )  # fmt: skip


def openings():
    def listing(model, cold=False):
        return peer("safetensors", "safetensors", "open_and_list", 'with safe_open(path, "np") as f: list(f.keys())', model=model,
                    tensors=100000, elements=4, cold=cold)  # fmt: skip

    def one(cold):
        return peer("safetensors", "safetensors", "open_and_one", 'with safe_open(path, "np") as f: f.get_tensor(name)',
                    model="blocks", tensors=100000, elements=256, cold=cold)  # fmt: skip

    strings = Ours("LimitMakeStrings/100000", "creating 100,000 strings of the same length")
    call = "CheckpointReader::Open(path), then create a string for each path"
    one_text = 'CheckpointReader::Open(path), LoadLeaf("params", path)'
    return Scene(
        "openings",
        "Open a file of 100,000 leaves",
        (
            Row("open-list-blocks", "open a file of 100,000 leaves and list them; names repeat in blocks",
                Ours("CheckpointOpenAndList<BlocksDef>/100000", call), (listing("blocks"),), target=0.06, most=20 * MS,
                limit=strings),
            Row("open-list-names", "open a file of 100,000 leaves and list them; all names differ",
                Ours("CheckpointOpenAndList<NamesDef>/100000", call), (listing("names"),), target=0.06, most=20 * MS,
                limit=strings),
            Row("open-one", "open a file of 100,000 leaves and read one; warm page cache",
                Ours("CheckpointOneLeaf/leaves:100000/cold:0", one_text), (one(False),), target=0.05, most=10 * MS),
            Row("open-one-cold", "open a file of 100,000 leaves and read one; cold page cache",
                Ours("CheckpointOneLeaf/leaves:100000/cold:1", one_text), (one(True),), target=0.05, most=10 * MS),
            Row("one-leaf-open", "read one leaf of 100,000 with an open reader, mapped",
                Ours("CheckpointOneLeafOpen<ReadMode::kMap>", "reader.LoadLeaf"), (), most=50 * US),
            Row("one-leaf-open-read", "read one leaf of 100,000 with an open reader, by plain reads",
                Ours("CheckpointOneLeafOpen<ReadMode::kRead>", "reader.LoadLeaf"), (), most=50 * US),
        ),
        settle=True,
        seconds=9.0,
        quick_seconds=8.0,
    )  # fmt: skip
