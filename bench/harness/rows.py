"""The rows of the report, as data: what is compared, and the targets.

`scenes(big_mib)` returns them in the order in which they are measured and shown. Benchmarks are in bench/*_bench.cc, calls
of peers in bench/peers/*_peer.py. A target is the largest accepted ratio of leafstore's time to the peer's. The rows about
files are in file_rows.py.
"""

from dataclasses import replace

from file_rows import loads, openings, saves, small_tensors
from measures import MS, NS, US, Ours, Quotient, Row, Scene, peer

MOVE = Ours("BM_MoveHandles/100000", "moving 100,000 bare handles of 8 bytes")
COPY = Ours("BM_CopyHandles/100000", "copying 100,000 bare handles and their reference counts")
MOVE_9000 = Ours("MoveHandles/9000", "moving 9,000 bare handles")
COPY_9000 = Ours("CopyHandles/9000", "copying 9,000 bare handles and their reference counts")


# Why a row misses its target, according to profiles. Shown only if it does.
REASONS = {
    "partition-types-inox": "each of the 100,000 leaves is moved into its group, and its header is read from memory",
    "partition-globs-inox": "the globs advance at every node, and each leaf is moved into its group; the peer's filters "
    "compare the classes of nodes instead, because they do not see paths",
    "nnx-split": "most of the time goes into comparing the model's fields with the structure, and into the fingerprint that "
    "tells whether a grouping fits a store; the peer runs at its best, in tree mode and with the collector off",
    "nnx-merge": "each field of each struct is compared with the structure before a handle is moved",
    "nnx-update": "an update changes two reference counts per leaf, of the new and of the old tensor, while the limit changes one; "
    "and it reads both headers, to compare dtype and shape",
    "nnx-update-module": "like the update of a store, and each field is also compared with the structure",
    "unflatten-structs": "unflattening needs two passes: it checks all fields and leaves before it writes the first one, so that an "
    "error changes nothing",
    "unflatten-tree": "like structs, and each key of the structure is also compared with the key in the destination tree; the peer "
    "creates new dicts and compares no keys",
    "find-1000000-touched": "at this size the headers do not fit into a cache: reading one is a third cache miss, in addition to "
    "the two of the bare map",
    "bytes-map": "most of the memory on both sides is the tensor headers (dtype, shape, generation, counts), which do not depend "
    "on the dictionary",
    "bytes-numpy": "most of the memory on both sides is the array headers, which do not depend on the dictionary",
    "bytes-torch": "most of leafstore's memory is the tensor headers, which do not depend on the dictionary",
    "save-safetensors-not-synced": "each byte is hashed, for its tensor and for its block; the peers compute no checksums",
    "save-torch-not-synced": "each byte is hashed, for its tensor and for its block; the peers compute no checksums",
    "save-dcp-not-synced": "each byte is hashed, for its tensor and for its block; the peers compute no checksums",
    "load-small": "the header and path of each tensor are checked, and no names repeat; most of the rest of the time is checksums",
    "save-async-longest": "a call waits while another process uses the processor",
    "save-dcp": "both sides wait for the disk, which takes most of the time",
    "save-small": "more than half of leafstore's time is the syncs of the file and its directory",
    "open-one": "the complete structure is read and checked before the leaf is read",
    "open-one-cold": "the complete structure is read and checked before the leaf is read",
    "open-list-names": "every key is a different string to check and print; the names in a model repeat",
}


# Calls and steps.


def calls():
    opaque = Ours("LimitOpaqueCall", "a call of an opaque function with a pointer")
    ours = {n: Ours(f"BM_GroupAtCall/{n}", "for (const Leaf& leaf : group.leaves()) opaque(leaf)") for n in (1, 1000, 100000)}
    inox = {
        n: peer("Inox", "jax", "inox_group_at_call", "jax.tree_util.tree_flatten(inox.tree.partition(model, jax.Array)[1])",
                statics=n)
        for n in (1, 1000, 100000)
    }  # fmt: skip
    equinox = {
        n: peer("Equinox", "jax", "equinox_half_at_call", "jax.tree_util.tree_flatten(eqx.partition(model, eqx.is_array)[0])",
                statics=n)
        for n in (1, 1000, 100000)
    }  # fmt: skip
    work = "pass a group of one tensor to a function; static leaves outside the group: {}"
    return Scene(
        "calls",
        "Pass a group to a function",
        (
            Row("call-inox", work.format("100,000"), ours[100000], (inox[100000],), target=0.02, most=20 * NS, limit=opaque),
            Row("call-equinox", work.format("100,000"), ours[100000], (equinox[100000],), target=0.00001, limit=opaque),
            Row("call-itself", work.format("1"), ours[1], (ours[100000],), target=(0.9, 1.1), limit=opaque,
                note="compared with itself at 100,000: the time must not depend on leaves outside the group"),
            Row("call-inox-1", work.format("1"), ours[1], (inox[1],)),
            Row("call-inox-1000", work.format("1,000"), ours[1000], (inox[1000],)),
            Row("call-equinox-1", work.format("1"), ours[1], (equinox[1],)),
            Row("call-equinox-1000", work.format("1,000"), ours[1000], (equinox[1000],)),
        ),
        seconds=2.0,
        quick_seconds=3.0,
    )  # fmt: skip


def steps():
    jit = {
        form: peer("jax.jit", "jax", "jit_call",
                   f"a compiled function that takes 9,000 arrays of 256 f32 {text} and returns a scalar",
                   tensors=9000, form=form)
        for form, text in (("dictionary", "in a dictionary"), ("tuple", "in a tuple"), ("packed", "packed into one array"))
    }  # fmt: skip
    many = Ours("BM_GroupOfManyAtCall/9000", "for (const Leaf& leaf : group.leaves()) opaque(leaf)")
    pack = Ours("BM_PackAtCall/9000", "opaque(packed.span<float>())")
    step = {
        mflop: peer("jax.jit", "jax", "jit_step", f"a compiled step of {mflop / 1000:g} GFLOP, including the wait for its result",
                    megaflops=mflop)
        for mflop in (2000, 20000)
    }
    note = "compares the work of the host in a C++ call and in a call of a compiled jax function; they are not alternatives"
    return Scene(
        "steps",
        "What a step costs the host",
        (
            Row("step-dictionary", "pass 9,000 tensors of 256 elements to a function; jax: in a dictionary", many,
                (jit["dictionary"],), quick=False, note=note),
            Row("step-tuple", "pass 9,000 tensors of 256 elements to a function; jax: in a tuple", many, (jit["tuple"],),
                quick=False, note=note),
            Row("step-packed", "pass the same elements, packed into one buffer, to a function", pack, (jit["packed"],),
                note=note),
            Row("step-device-2", "for comparison: a step of 2 GFLOP on this processor", None, (step[2000],)),
            Row("step-device-20", "for comparison: a step of 20 GFLOP on this processor", None, (step[20000],)),
        ),
        seconds=12.0,
        quick_seconds=2.0,
    )


# Groups.


def partitions():
    inox = {
        kind: peer("Inox", "jax", "inox_partition", f"inox.tree.partition(model, *filters), filters: {text}", leaves=100000, kind=kind)
        for kind, text in (("types", "is static, is bf16, has rank 1"),
                           ("classes", "three classes of nodes that select the same leaves as the globs, because "
                            "these filters do not see paths"))
    }  # fmt: skip
    equinox = peer("Equinox", "jax", "equinox_partition_twice",
                   "eqx.partition(model, is_bf16), then eqx.partition(rest, has_rank_1)", leaves=100000)  # fmt: skip
    inox_combine = peer("Inox", "jax", "inox_combine", "inox.tree.combine(treedef, *groups) with four groups", leaves=100000,
                        kind="classes")  # fmt: skip
    equinox_combine = peer("Equinox", "jax", "equinox_combine", "eqx.combine(*groups) with three groups", leaves=100000)
    types = Ours("BM_PartitionFresh/100000/0", "Partition(std::move(store), {IsStatic(), DTypeIs(DType::kBF16), RankIs(1)})")
    globs = Ours("BM_PartitionFresh/100000/1", 'Partition(std::move(store), {Glob("layers.*.attn.**"), '
                 'Glob("layers.*.mlp.up"), Glob("**.norm.*")})')  # fmt: skip
    plan = Ours("BM_PartitionByPlan/100000", "grouping.Split(std::move(store))")
    plan_copied = Ours("BM_PartitionByPlanCopied/100000", "grouping.Split(store)")
    merge = Ours("BM_MergeMoved/100000", "MergeGroups(std::move(groups)) with four groups")
    merge_copied = Ours("BM_MergeCopied/100000", "MergeGroups(layout, groups) with four groups")
    work = "partition 100,000 leaves with three {} filters, evaluated at each call; store moved"
    return Scene(
        "partitions",
        "Partition and merge",
        (
            Row("partition-types-inox", work.format("type"), types, (inox["types"],), target=0.004, most=10 * MS, limit=MOVE),
            Row("partition-globs-inox", work.format("glob"), globs, (inox["classes"],), target=0.004, most=10 * MS, limit=MOVE),
            Row("partition-types-equinox", work.format("type"), types, (equinox,), target=0.03, limit=MOVE),
            Row("partition-globs-equinox", work.format("glob"), globs, (equinox,), target=0.03, limit=MOVE),
            Row("plan-moved", "split 100,000 leaves with a compiled grouping; store moved", plan, (inox["classes"],),
                target=0.001, most=2 * MS, limit=MOVE),
            Row("plan-copied", "split 100,000 leaves with a compiled grouping; handles copied", plan_copied, (inox["classes"],),
                limit=COPY),
            Row("merge-inox", "merge four groups, 100,000 leaves; groups moved", merge, (inox_combine,), target=0.003,
                most=3 * MS, limit=MOVE),
            Row("merge-equinox", "merge four groups, 100,000 leaves; groups moved", merge, (equinox_combine,), target=0.04,
                limit=MOVE),
            Row("merge-copied", "merge four groups, 100,000 leaves; handles copied", merge_copied, (inox_combine,), limit=COPY),
        ),
        seconds=17.0,
        quick_seconds=15.0,
    )


def modules():
    def nnx(call, text):
        return tuple(
            peer(f"Flax NNX{label}", "jax", call, text + option, variables=9000, graph=graph)
            for label, option, graph in (("", "", True), (" (graph=False)", "; split with graph=False", False))
        )

    split = nnx("nnx_split", "nnx.split(model, Norm, ...)")
    merge = nnx("nnx_merge", "nnx.merge(graphdef, *states)")
    update = nnx("nnx_update", "nnx.update(model, *states)")
    first = Ours("ModelSplitFirst/9000", "Flatten(std::move(model)), Partition(std::move(params), {Glob(...)})")
    return Scene(
        "modules",
        "Split, merge and update a module",
        (
            Row("nnx-split", "split a module of 9,000 variables in 1,000 blocks into two groups",
                Ours("ModelSplit/9000", "FlattenLike(def, std::move(model)), grouping.Split(std::move(params))"), split,
                target=0.001,
                limit=MOVE_9000, note="with the structure of an earlier call and a compiled grouping"),
            Row("nnx-split-first", "split a module for the first time: build the structure, evaluate the filters", first, split,
                limit=MOVE_9000),
            Row("nnx-merge", "merge the two groups into the module",
                Ours("ModelMerge/9000", "MergeGroups(std::move(groups)), Unflatten(def, std::move(params), &model)"), merge,
                target=0.001, limit=MOVE_9000),
            Row("nnx-update", "update all 9,000 variables",
                Ours("ModelUpdate/9000", "Update(&params, others)"), update, target=0.001, limit=COPY_9000,
                note="in the store, which is what a program trains"),
            Row("nnx-update-module", "update all 9,000 variables in the module itself",
                Ours("ModelUpdateStructs/9000", "Unflatten(def, others, &model)"), update, target=0.001,
                limit=COPY_9000),
        ),
        seconds=6.0,
        quick_seconds=7.0,
    )  # fmt: skip


def flattening():
    peers = {
        verb: (peer("jax", "jax", f"jax_{verb}", f"jax.tree_util.tree_{verb}", leaves=9000),
               peer("optree", "jax", f"optree_{verb}", f"optree.tree_{verb}", leaves=9000))
        for verb in ("flatten", "unflatten")
    }  # fmt: skip

    def row(verb, form, what, call, target, most):
        ours = Ours(f"{verb.capitalize()}/{form}/9000", call)
        return Row(f"{verb}-{form}", f"{verb} 9,000 leaves, {what}", ours, peers[verb], target=target, most=most, limit=MOVE_9000)

    structs, tree = "bound structs, moved", "dynamic Tree of nested dicts, moved"
    flatten, unflatten = "FlattenTreeLike(def, std::move(model))", "UnflattenTree(def, std::move(leaves), &model)"
    package = {name: {what: peer(name, "jax", f"treedef_{what}", text, leaves=9000, package=name)
                      for what, text in (("equal", "a == b"), ("hash", "hash(a)"))} for name in ("jax", "optree")}  # fmt: skip
    compare = Ours("LimitComparePointers", "comparing two pointers")
    return Scene(
        "flattening",
        "Flatten, unflatten, compare structures",
        (
            row("flatten", "structs", structs, flatten, 0.15, 0.5 * MS),
            row("unflatten", "structs", structs, unflatten, 0.15, 0.5 * MS),
            row("flatten", "tree", tree, flatten, 0.5, 1.5 * MS),
            row("unflatten", "tree", tree, unflatten, 0.5, 1.5 * MS),
            Row("flatten-first-structs", "flatten 9,000 leaves for the first time, building the structure; bound structs",
                Ours("FlattenFirst/structs/9000", "FlattenTree(std::move(model))"), peers["flatten"], limit=MOVE_9000),
            Row("flatten-first-tree", "flatten 9,000 leaves for the first time, building the structure; dynamic Tree",
                Ours("FlattenFirst/tree/9000", "FlattenTree(std::move(model))"), peers["flatten"], limit=MOVE_9000),
            Row("treedef-equal", "compare two structures of 9,000 leaves that were built separately",
                Ours("TreeDefEqual/9000", "a == b"),
                (package["jax"]["equal"], package["optree"]["equal"]), target=0.01, limit=compare),
            Row("treedef-hash", "hash a structure of 9,000 leaves", Ours("TreeDefHash/9000", "absl::HashOf(def)"),
                (package["jax"]["hash"], package["optree"]["hash"]), target=0.01, limit=compare,
                note="computed when a structure is built, so the first flatten includes this cost"),
        ),
        seconds=6.0,
        quick_seconds=5.0,
    )  # fmt: skip


def lookups():
    def row(leaves, touched):
        name = f"BM_Find/{leaves}/{touched}"
        ours = Ours(name, "store.Find(path)" + ("->generation()" if touched else ""), "ours_ns", NS)
        bare = Ours(name, "absl::flat_hash_map<absl::string_view, uint32_t>::find", "bare_ns", NS)
        what = " and read its header" if touched else ""
        return Row(f"find-{leaves}-{'touched' if touched else 'untouched'}",
                   f"find a leaf{what} by path among {leaves:,}, in random order",
                   ours, (bare,), target=1.5 if touched else 1.25, limit=bare, quick=leaves < 1_000_000)  # fmt: skip

    sizes = (100, 1_000, 10_000, 100_000, 1_000_000)
    return Scene("lookups", "Find by path", tuple(row(n, t) for t in (0, 1) for n in sizes), seconds=8.0, quick_seconds=2.0)


def memory():
    ours = Ours("BytesPerLeaf/100000", "ParamStore with its index", "bytes/leaf")
    in_map = Ours("BytesPerLeafOfMap/100000", "std::map<std::string, Leaf>, with handles of 8 bytes", "bytes/leaf")
    python = {
        arrays: peer(f"nested dict ({arrays})", "jax", "nested_dict_bytes",
                     f"memory growth of a process that creates nested dicts of {arrays} arrays",
                     leaves=100000, arrays=arrays)
        for arrays in ("numpy", "jax", "torch")
    }  # fmt: skip
    work = "bytes per leaf, not counting path text, handle and data; 100,000 leaves"
    return Scene(
        "memory",
        "Memory",
        (
            Row("bytes-map", work, ours, (in_map,), target=0.7, most=192, unit="bytes"),
            *(Row(f"bytes-{name}", work, ours, (nested,), target=0.3, unit="bytes", quick=name == "numpy") for name, nested in python.items()),
        ),
        most_rounds=1,
        seconds=45.0,
        quick_seconds=3.0,
    )


# Training.


def optimizers():
    def torch(shape, how, text):
        return peer(f"torch {how}", "torch", f"adamw_{shape}", f"torch.optim.AdamW({text}, {how}).step()", tensors=9000,
                    elements=256, how=how)  # fmt: skip

    listed, flat = torch("list", "fused", "9,000 tensors"), torch("flat", "fused", "one tensor")
    foreach = torch("list", "foreach", "9,000 tensors")
    packed = Ours("BM_AdamWPacked", "adamw.Step(&packed, packed_grads, {.lr = rate})")
    loose = Ours("BM_AdamWOneByOne", "adamw.Step(&params, grads, {.lr = rate})")
    mixed = Ours("BM_AdamWPackedWithLooseGradients", "adamw.Step(&packed, grads, {.lr = rate})")
    memcpy = Ours("BM_MemcpyOfAsManyBytes", "a memcpy with the same memory traffic")
    work = "AdamW step for 9,000 tensors of 256 f32 on one thread, {}"
    return Scene(
        "optimizers",
        "A step of AdamW",
        (
            Row("adamw-packed-list", work.format("packed"), packed, (listed,), target=0.05, limit=memcpy),
            Row("adamw-packed-flat", work.format("packed"), packed, (flat,), target=1.1, limit=memcpy),
            Row("adamw-loose-list", work.format("not packed"), loose, (listed,), target=0.15, limit=memcpy),
            Row("adamw-mixed-list", work.format("packed, with separate gradients"), mixed, (listed,), limit=memcpy),
            Row("adamw-loose-foreach", work.format("not packed"), loose, (foreach,), limit=memcpy),
        ),
        seconds=5.0,
        quick_seconds=6.0,
    )


def snapshots(size):
    step = "StepAfterSnapshot"
    snapshot = Ours("SnapshotOfAll", "params.Snapshot()")
    copy = Ours("CopyOfAll", "a copy of each tensor into new memory")
    beyond = Ours(step, "the first step after a snapshot, minus a plain step", "beyond_ms", MS)
    copied = Ours(step, "a copy of each tensor into new memory", "copy_ms", MS)
    pack_beyond = Ours("PackedStepAfterSnapshot", "the first step of a pack after a snapshot, minus a plain step", "beyond_ms", MS)
    pack_copied = Ours("PackedStepAfterSnapshot", "one memcpy into new memory", "copy_ms", MS)
    fresh = Ours("LimitMemcpy/fresh:1", f"a memcpy of {size} into new memory")
    return Scene(
        "snapshots",
        "Snapshots",
        (
            Row("snapshot", f"take a snapshot of 9,000 leaves, {size} in total", snapshot, (copy,), target=0.001),
            Row("step-after-snapshot", "first update of all leaves after a snapshot, minus a plain update", beyond, (copied,),
                target=1.1,
                limit=fresh),
            Row("step-after-snapshot-packed", "first update of a pack after a snapshot, minus a plain update", pack_beyond,
                (pack_copied,), target=1.1, limit=fresh),
            Row("step-beside-save", "update all leaves during a background save",
                Ours("StepsBesideSaves/keep_memory:1", "optimizer.Step(...) during manager.SaveAsync"),
                (Ours("StepsBesideSaves/keep_memory:1", "a plain step", "plain_ms", MS),), quick=False),
            Row("save-async-call", "call SaveAsync", Ours("SaveAsyncCall", "manager.SaveAsync(step, items)", "call_us", US),
                (copy,), most=200 * US),
            Row("save-async-longest", "call SaveAsync: the longest of 19 calls after the first",
                Ours("SaveAsyncCall", "manager.SaveAsync(step, items)", "longest_us", US), most=200 * US),
            Row("save-async-first", "call SaveAsync: the first call after the model is created",
                Ours("SaveAsyncCall", "manager.SaveAsync(step, items)", "first_us", US),
                note="includes work that malloc deferred while the 9,000 tensors were created, and does at the next allocation"),
        ),
        most_rounds=5,
        seconds=28.0,
        quick_seconds=5.0,
    )  # fmt: skip


# Growth.


def growth_of(benchmark, text, counter=None):
    """Returns the time per leaf at 1,000,000 leaves, divided by that at 10,000. Counters are times per leaf already."""
    def at(leaves):
        return Ours(benchmark.format(leaves), "", counter, NS if counter else 1.0)

    return Quotient(at(1_000_000), at(10_000), 1.0 if counter else 0.01, "leafstore", text)


def growths():
    copy = growth_of("BM_CopyHandles/{}", "copying bare handles")
    move = growth_of("BM_MoveHandles/{}", "moving bare handles")
    operations = {
        "partition-types": "BM_PartitionFresh/{}/0",
        "partition-globs": "BM_PartitionFresh/{}/1",
        "plan-moved": "BM_PartitionByPlan/{}",
        "plan-copied": "BM_PartitionByPlanCopied/{}",
        "merge-moved": "BM_MergeMoved/{}",
        "merge-copied": "BM_MergeCopied/{}",
        "flatten-structs": "Flatten/structs/{}",
        "unflatten-structs": "Unflatten/structs/{}",
        "flatten-tree": "Flatten/tree/{}",
        "unflatten-tree": "Unflatten/tree/{}",
        "flatten-first-structs": "FlattenFirst/structs/{}",
        "open": "CheckpointOpen<BlocksDef>/{}",
        "open-list": "CheckpointOpenAndList<BlocksDef>/{}",
        "snapshot": "BM_Snapshot/{}",
    }
    text = "time per leaf at 1,000,000 leaves divided by that at 10,000: "
    rows = [
        Row(f"growth-{name}", text + name.replace("-", ", ").replace("plan", "compiled grouping"), growth_of(benchmark, benchmark), (copy,),
            target=1.3, limit=move, unit="times", quick=name in ("partition-globs", "plan-moved", "merge-moved"),
            note="compared with the growth of copying bare handles")
        for name, benchmark in operations.items()
    ]  # fmt: skip
    for touched, name in ((0, "find"), (1, "find-touched")):
        benchmark = "BM_Find/{}/" + str(touched)
        ours = growth_of(benchmark, benchmark, "ours_ns")
        bare = growth_of(benchmark, "the bare lookup", "bare_ns")
        rows.append(Row(f"growth-{name}", text + name.replace("-", ", "), ours, (bare,), target=1.3, unit="times",
                        note="compared with the growth of the bare lookup"))  # fmt: skip
    return Scene("growth", "Growth", tuple(rows), most_rounds=3, seconds=40.0, quick_seconds=10.0)


def scenes(big_mib: int = 1024) -> list[Scene]:
    size = "1 GiB" if big_mib == 1024 else f"{big_mib} MiB"
    elements = (big_mib << 20) // 64 // 4
    out = [
        calls(),
        steps(),
        partitions(),
        modules(),
        flattening(),
        lookups(),
        memory(),
        optimizers(),
        snapshots(size),
        saves(size, elements),
        loads(size, elements),
        small_tensors(),
        openings(),
        growths(),
    ]
    return [replace(scene, rows=tuple(replace(row, reason=REASONS.get(row.name, "")) for row in scene.rows)) for scene in out]
