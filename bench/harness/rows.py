"""All rows of the report, as data: what is compared with what, and what is wanted of it.

`scenes(big_mib)` gives them in the order in which they are measured and shown. Benchmarks are those of bench/*_bench.cc,
calls those of bench/peers/*_peer.py. Targets are ours / peer's. Those of files are in file_rows.py.
"""

from dataclasses import replace

from file_rows import loads, openings, saves, small_tensors
from measures import MS, NS, US, Ours, Quotient, Row, Scene, peer

MOVE = Ours("BM_MoveHandles/100000", "moving 100,000 bare handles of 8 bytes")
COPY = Ours("BM_CopyHandles/100000", "copying 100,000 bare handles, each with its count")
MOVE_9000 = Ours("MoveHandles/9000", "moving 9,000 bare handles")
COPY_9000 = Ours("CopyHandles/9000", "copying 9,000 bare handles, each with its count")


# Why a row misses, where it does: from profiles. Shown only then.
REASONS = {
    "partition-types-inox": "the header of each of 100,000 leaves is read from memory, and each leaf put into its group",
    "partition-globs-inox": "each node is a step of the globs, and each leaf is put into its group; a filter of the peer's "
    "sees no path and is given the nodes' classes instead",
    "nnx-split": "most of it compares the model's fields with the prepared structure and makes the fingerprint by which a plan "
    "knows a new store; the peer is taken at its best, in tree mode and with the collector off",
    "nnx-merge": "as for the split: each field of each struct is checked against the structure before a handle is moved",
    "nnx-update": "an update changes two counts a leaf, of the handle that comes and of the one that goes, where the limit beside it "
    "changes one; and it reads both headers, to compare dtype and shape",
    "nnx-update-module": "as for the dictionary, and each field is checked against the structure",
    "unflatten-structs": "all fields are checked, and each leaf asked what it is, before the first is written, so that what fails "
    "changes nothing: two passes",
    "unflatten-tree": "as for structs, and each key of the structure is compared with that of the tree that is written into; the peer "
    "makes dicts of keys that it has",
    "find-1000000-touched": "at this size no cache holds the header, and it is read besides what the bare map reads: one more wait for "
    "memory to two",
    "bytes-map": "most of both is the header of each tensor (dtype, shape, generation, counts), which no dictionary makes smaller",
    "bytes-numpy": "most of both is the header of each array, which no dictionary makes smaller",
    "bytes-torch": "most of what leafstore takes is the header of each tensor, which no dictionary makes smaller",
    "save-safetensors": "the peer returns when its bytes are in memory, in the page cache; leafstore when the disk has them, and it "
    "takes what the disk takes",
    "load-small": "each tensor has a header and a path of its own to check, and all names differ; much of the rest is checksums",
    "save-async-longest": "a call waits while another process has the processor",
    "open-one-cold": "all that is structure is read and checked before the leaf is",
    "open-list-names": "every key is a string of its own to check and to print; a model's own names repeat",
}


# Calls and steps.


def calls():
    opaque = Ours("LimitOpaqueCall", "one opaque call of a bare pointer")
    ours = {n: Ours(f"BM_GroupAtCall/{n}", "each leaf of group.leaves() into an opaque call") for n in (1, 1000, 100000)}
    inox = {
        n: peer("Inox", "jax", "inox_group_at_call", "jax.tree_util.tree_flatten(arrays), arrays the dictionary of "
                "inox.tree.partition(model, jax.Array)", statics=n)
        for n in (1, 1000, 100000)
    }  # fmt: skip
    equinox = {
        n: peer("Equinox", "jax", "equinox_half_at_call", "jax.tree_util.tree_flatten(eqx.partition(model, eqx.is_array)[0])",
                statics=n)
        for n in (1, 1000, 100000)
    }  # fmt: skip
    work = "a group of one tensor into a call, {} static leaves left behind"
    return Scene(
        "calls",
        "A group at a call",
        (
            Row("call-inox", work.format("100,000"), ours[100000], (inox[100000],), target=0.02, most=20 * NS, limit=opaque),
            Row("call-equinox", work.format("100,000"), ours[100000], (equinox[100000],), target=0.00001, limit=opaque),
            Row("call-itself", work.format("1"), ours[1], (ours[100000],), target=(0.9, 1.1), limit=opaque,
                note="against itself with 100,000: a group does not pay for what is left behind"),
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
        form: peer("jax.jit", "jax", "jit_call", f"a compiled function of 9,000 arrays of 256 f32 {text}, which returns a number",
                   tensors=9000, form=form)
        for form, text in (("dictionary", "in a dictionary"), ("tuple", "in a tuple"), ("packed", "packed into one array"))
    }  # fmt: skip
    many = Ours("BM_GroupOfManyAtCall/9000", "each leaf of group.leaves() into an opaque call")
    pack = Ours("BM_PackAtCall/9000", "packed.span<float>() into an opaque call")
    step = {
        mflop: peer("jax.jit", "jax", "jit_step", f"a compiled step of {mflop / 1000:g} GFLOP, waited for", megaflops=mflop)
        for mflop in (2000, 20000)
    }
    note = "a C++ call against a call of a compiled jax function: shows what the host does at each, not two ways to do one thing"
    return Scene(
        "steps",
        "What a step costs the host",
        (
            Row("step-dictionary", "9,000 tensors of 256 into a call: a group", many, (jit["dictionary"],), quick=False, note=note),
            Row("step-tuple", "9,000 tensors of 256 into a call: a group, a tuple", many, (jit["tuple"],), quick=False, note=note),
            Row("step-packed", "the same numbers packed", pack, (jit["packed"],), note=note),
            Row("step-device-2", "for scale: a step of 2 GFLOP on this processor", None, (step[2000],)),
            Row("step-device-20", "for scale: a step of 20 GFLOP on this processor", None, (step[20000],)),
        ),
        seconds=12.0,
        quick_seconds=2.0,
    )


# Groups.


def partitions():
    inox = {
        kind: peer("Inox", "jax", "inox_partition", f"inox.tree.partition(model, *filters), filters: {text}", leaves=100000, kind=kind)
        for kind, text in (("types", "is static, is bf16, has rank 1"),
                           ("classes", "three classes of nodes; its filters see no path, these take the leaves of the globs"))
    }  # fmt: skip
    equinox = peer("Equinox", "jax", "equinox_partition_twice",
                   "eqx.partition(model, is_bf16), and eqx.partition(rest, has_rank_1)", leaves=100000)  # fmt: skip
    inox_combine = peer("Inox", "jax", "inox_combine", "inox.tree.combine(treedef, *groups), four groups", leaves=100000,
                        kind="classes")  # fmt: skip
    equinox_combine = peer("Equinox", "jax", "equinox_combine", "eqx.combine(*groups), three groups", leaves=100000)
    types = Ours("BM_PartitionFresh/100000/0", "Partition(std::move(store), {IsStatic(), DTypeIs(DType::kBF16), RankIs(1)})")
    globs = Ours("BM_PartitionFresh/100000/1", 'Partition(std::move(store), {Glob("layers.*.attn.**"), '
                 'Glob("layers.*.mlp.up"), Glob("**.norm.*")})')  # fmt: skip
    plan = Ours("BM_PartitionByPlan/100000", "grouping.Split(std::move(store))")
    plan_copied = Ours("BM_PartitionByPlanCopied/100000", "grouping.Split(store)")
    merge = Ours("BM_MergeMoved/100000", "MergeGroups(std::move(groups)), four groups")
    merge_copied = Ours("BM_MergeCopied/100000", "MergeGroups(layout, groups), four groups")
    work = "partition, fresh, 100,000 leaves, three filters by {}; store moved in"
    return Scene(
        "partitions",
        "Partition and merge",
        (
            Row("partition-types-inox", work.format("type"), types, (inox["types"],), target=0.004, most=10 * MS, limit=MOVE),
            Row("partition-globs-inox", work.format("glob"), globs, (inox["classes"],), target=0.004, most=10 * MS, limit=MOVE),
            Row("partition-types-equinox", work.format("type"), types, (equinox,), target=0.03, limit=MOVE),
            Row("partition-globs-equinox", work.format("glob"), globs, (equinox,), target=0.03, limit=MOVE),
            Row("plan-moved", "partition by plan, moved", plan, (inox["classes"],), target=0.001, most=2 * MS, limit=MOVE),
            Row("plan-copied", "partition by plan, copied", plan_copied, (inox["classes"],), limit=COPY),
            Row("merge-inox", "merge, moved", merge, (inox_combine,), target=0.003, most=3 * MS, limit=MOVE),
            Row("merge-equinox", "merge, moved", merge, (equinox_combine,), target=0.04, limit=MOVE),
            Row("merge-copied", "merge, copied", merge_copied, (inox_combine,), limit=COPY),
        ),
        seconds=17.0,
        quick_seconds=15.0,
    )


def modules():
    def nnx(call, text):
        return tuple(
            peer(f"Flax NNX{label}", "jax", call, text + option, variables=9000, graph=graph)
            for label, option, graph in (("", "", True), (" (graph=False)", "; the model split with graph=False", False))
        )

    split = nnx("nnx_split", "nnx.split(model, Norm, ...)")
    merge = nnx("nnx_merge", "nnx.merge(graphdef, *states)")
    update = nnx("nnx_update", "nnx.update(model, *states)")
    first = Ours("ModelSplitFirst/9000", "Flatten(std::move(model)), Partition(std::move(params), {Glob(...)})")
    return Scene(
        "modules",
        "A module taken apart and put together",
        (
            Row("nnx-split", "split of 9,000 variables in 1,000 blocks into two groups",
                Ours("ModelSplit/9000", "FlattenLike(def, std::move(model)), grouping.Split(std::move(params))"), split, target=0.001,
                limit=MOVE_9000, note="of a model whose structure is known and whose plan is made"),
            Row("nnx-split-first", "the same, nothing known: structure made, filters asked", first, split, limit=MOVE_9000),
            Row("nnx-merge", "merge of the groups into the module",
                Ours("ModelMerge/9000", "MergeGroups(std::move(groups)), Unflatten(def, std::move(params), &model)"), merge,
                target=0.001, limit=MOVE_9000),
            Row("nnx-update", "update of all variables",
                Ours("ModelUpdate/9000", "Update(&params, others)"), update, target=0.001, limit=COPY_9000,
                note="in the dictionary, which is what a program trains"),
            Row("nnx-update-module", "the same, in the module itself",
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
            Row("flatten-first-structs", "the first flatten, which makes the structure: structs",
                Ours("FlattenFirst/structs/9000", "FlattenTree(std::move(model))"), peers["flatten"], limit=MOVE_9000),
            Row("flatten-first-tree", "the first flatten, which makes the structure: Tree",
                Ours("FlattenFirst/tree/9000", "FlattenTree(std::move(model))"), peers["flatten"], limit=MOVE_9000),
            Row("treedef-equal", "equality of two structures of 9,000 leaves, made apart", Ours("TreeDefEqual/9000", "a == b"),
                (package["jax"]["equal"], package["optree"]["equal"]), target=0.01, limit=compare),
            Row("treedef-hash", "hash of a structure of 9,000 leaves", Ours("TreeDefHash/9000", "absl::HashOf(def)"),
                (package["jax"]["hash"], package["optree"]["hash"]), target=0.01, limit=compare,
                note="computed when a structure is made, which the row of the first flatten pays"),
        ),
        seconds=6.0,
        quick_seconds=5.0,
    )  # fmt: skip


def lookups():
    def row(leaves, touched):
        name = f"BM_Find/{leaves}/{touched}"
        ours = Ours(name, "store.Find(path)" + ("->generation()" if touched else ""), "ours_ns", NS)
        bare = Ours(name, "absl::flat_hash_map<absl::string_view, uint32_t>::find", "bare_ns", NS)
        what = "found and its header read" if touched else "found"
        return Row(f"find-{leaves}-{'touched' if touched else 'untouched'}", f"a leaf {what} by path among {leaves:,}, in random order",
                   ours, (bare,), target=1.5 if touched else 1.25, limit=bare, quick=leaves < 1_000_000)  # fmt: skip

    sizes = (100, 1_000, 10_000, 100_000, 1_000_000)
    return Scene("lookups", "Find by path", tuple(row(n, t) for t in (0, 1) for n in sizes), seconds=8.0, quick_seconds=2.0)


def memory():
    ours = Ours("BytesPerLeaf/100000", "ParamStore with its index", "bytes/leaf")
    in_map = Ours("BytesPerLeafOfMap/100000", "std::map<std::string, Leaf>, a handle of 8 bytes each", "bytes/leaf")
    python = {
        arrays: peer(f"nested dict ({arrays})", "jax", "nested_dict_bytes", f"nested dicts of {arrays} arrays, growth of the process",
                     leaves=100000, arrays=arrays)
        for arrays in ("numpy", "jax", "torch")
    }  # fmt: skip
    work = "bytes a leaf beyond path text, handle and data; 100,000 leaves"
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
    memcpy = Ours("BM_MemcpyOfAsManyBytes", "a memcpy that moves as many bytes")
    work = "AdamW over 9,000 tensors of 256 f32, one thread, {}"
    return Scene(
        "optimizers",
        "A step of AdamW",
        (
            Row("adamw-packed-list", work.format("packed"), packed, (listed,), target=0.05, limit=memcpy),
            Row("adamw-packed-flat", work.format("packed"), packed, (flat,), target=1.1, limit=memcpy),
            Row("adamw-loose-list", work.format("not packed"), loose, (listed,), target=0.15, limit=memcpy),
            Row("adamw-mixed-list", work.format("packed, with loose gradients"), mixed, (listed,), limit=memcpy),
            Row("adamw-loose-foreach", work.format("not packed"), loose, (foreach,), limit=memcpy),
        ),
        seconds=5.0,
        quick_seconds=6.0,
    )


def snapshots(size):
    step = "StepAfterSnapshot"
    snapshot = Ours("SnapshotOfAll", "params.Snapshot()")
    copy = Ours("CopyOfAll", "each tensor copied into memory as new")
    beyond = Ours(step, "the first step after a snapshot, less a plain one", "beyond_ms", MS)
    copied = Ours(step, "each tensor copied into memory as new", "copy_ms", MS)
    pack_beyond = Ours("PackedStepAfterSnapshot", "the same of a pack", "beyond_ms", MS)
    pack_copied = Ours("PackedStepAfterSnapshot", "one memcpy into memory as new", "copy_ms", MS)
    fresh = Ours("LimitMemcpy/fresh:1", f"a memcpy of {size} into memory as new")
    return Scene(
        "snapshots",
        "Snapshots",
        (
            Row("snapshot", f"snapshot of 9,000 leaves, {size}", snapshot, (copy,), target=0.001),
            Row("step-after-snapshot", "the first update of all leaves after it, beyond a plain one", beyond, (copied,), target=1.1,
                limit=fresh),
            Row("step-after-snapshot-packed", "the same of a pack", pack_beyond, (pack_copied,), target=1.1, limit=fresh),
            Row("step-beside-save", "an update of all leaves while a save runs",
                Ours("StepsBesideSaves/keep_memory:1", "optimizer.Step beside manager.SaveAsync"),
                (Ours("StepsBesideSaves/keep_memory:1", "a plain step", "plain_ms", MS),), quick=False),
            Row("save-async-call", "the call of SaveAsync", Ours("SaveAsyncCall", "manager.SaveAsync(step, items)", "call_us", US),
                (copy,), most=200 * US),
            Row("save-async-longest", "the longest of the nineteen calls after the first", Ours("SaveAsyncCall", "the same", "longest_us", US), most=200 * US),
            Row("save-async-first", "the first after the model was made", Ours("SaveAsyncCall", "the same", "first_us", US),
                note="malloc sorts what it had put off while 9,000 tensors were made: whoever asks for memory first pays that"),
        ),
        most_rounds=5,
        seconds=28.0,
        quick_seconds=5.0,
    )  # fmt: skip


# Growth.


def growth_of(benchmark, text, counter=None):
    """Time a leaf at 1,000,000 leaves over that at 10,000. A counter is a time a leaf already."""
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
    text = "growth of the time a leaf from 10,000 to 1,000,000 leaves: "
    rows = [
        Row(f"growth-{name}", text + name.replace("-", ", "), growth_of(benchmark, benchmark), (copy,), target=1.3, limit=move,
            unit="times", quick=name in ("partition-globs", "plan-moved", "merge-moved"),
            note="against that of copying bare handles")
        for name, benchmark in operations.items()
    ]  # fmt: skip
    for touched, name in ((0, "find"), (1, "find-touched")):
        benchmark = "BM_Find/{}/" + str(touched)
        ours = growth_of(benchmark, benchmark, "ours_ns")
        bare = growth_of(benchmark, "the bare lookup", "bare_ns")
        rows.append(Row(f"growth-{name}", text + name.replace("-", ", "), ours, (bare,), target=1.3, unit="times",
                        note="against that of the bare lookup"))  # fmt: skip
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
