"""Faults that somebody could make, each of which the suite shall find.

File -> (what stands there, what stands there instead); once in the file.
"""

ATOMIC = "tl_keras/atomic.py"
CHECKPOINTS = "tl_keras/checkpoints.py"
SPLITS = "tl_keras/data/splits.py"
SPLIT_RECORD = "tl_keras/data/split_record.py"
COMPARISON = "tl_keras/exports/comparison.py"
DIFFERENCE = "tl_keras/tasks/difference.py"
DIFFERS = "tl_keras/tasks/multiclass/differs.py"
MANIFEST = "tl_keras/exports/manifest.py"
LABELS = "tl_keras/exports/labels.py"
SPLIT = "tl_keras/exports/split.py"
STORED = "tl_keras/exports/stored.py"
GATE = "tl_keras/exports/gate.py"
INSPECTION = "tl_keras/exports/inspection.py"
VERSIONS = "tl_keras/versions.py"

PLANTED = [
    # A file or folder that is not there whole.
    (
        ATOMIC,
        "        sync_file(temporary)\n        os.replace(",
        "        os.replace(",
    ),
    (
        ATOMIC,
        "        os.replace(temporary, path)\n        sync_file(path.parent)",
        "        os.replace(temporary, path)",
    ),
    (ATOMIC, "        os.replace(temporary, path)\n", ""),
    (ATOMIC, "    sync_tree(temporary)\n", ""),
    (
        ATOMIC,
        "    os.rename(temporary, final)\n    sync_file(final.parent)",
        "    os.rename(temporary, final)",
    ),
    (ATOMIC, "    if final.exists():\n", "    if False:\n"),
    (VERSIONS, "default=0) + 1", "default=0)"),
    (
        VERSIONS,
        "    return max(numbers",
        "    return len(numbers) or max(numbers",
    ),
    (
        ATOMIC,
        "        if _size_and_hash(folder / name) != expected:",
        "        if _size_and_hash(folder / name)[0] != expected[0]:",
    ),
    (
        ATOMIC,
        "    folder.rename(doomed)\n    shutil.rmtree(doomed",
        "    shutil.rmtree(folder",
    ),
    # Saves that are not what they were.
    (CHECKPOINTS, "            atomic.write_manifest(temporary)\n", ""),
    (CHECKPOINTS, "[: -self.keep]", "[: -self.keep + 1]"),
    (CHECKPOINTS, "default=0) + 1:08d", "default=0):08d"),
    (CHECKPOINTS, "reversed(self._numbers())", "self._numbers()"),
    (CHECKPOINTS, "            if fault is None:\n", "            if True:\n"),
    (
        CHECKPOINTS,
        "        if faults and found is None:",
        "        if False and found is None:",
    ),
    (
        CHECKPOINTS,
        "            if required:\n",
        "            if not required:\n",
    ),
    (
        CHECKPOINTS,
        "        return sorted(int(name)",
        "        return list(int(name)",
    ),
    (
        CHECKPOINTS,
        "            folder.rename(folder.with_name(DAMAGED",
        "            str(folder.with_name(DAMAGED",
    ),
    (
        CHECKPOINTS,
        "with atomic.building_folder(self.folder) as temporary:",
        "with atomic.building_folder(self.folder.parent) as temporary:",
    ),
    # A picture in two splits, or in none; other pictures each time.
    (
        SPLITS,
        "        order, start = draw.permutation(members[label]), 0\n",
        "        order, start = members[label], 0\n",
    ),
    (
        SPLITS,
        "np.random.default_rng([cut.seed, label])",
        "np.random.default_rng([label])",
    ),
    (
        SPLITS,
        "np.random.default_rng([cut.seed, label])",
        "np.random.default_rng([cut.seed])",
    ),
    (SPLITS, "            start += count\n", ""),
    (
        SPLITS,
        "            start += count\n",
        "            start += count - 1\n",
    ),
    (
        SPLITS,
        "max(1, round(cut.val_fraction * count))",
        "round(cut.val_fraction * count)",
    ),
    (SPLITS, "count - val - test", "count - val"),
    (SPLITS, "sum(sizes.values()) > count", "sum(sizes.values()) >= count"),
    (SPLIT_RECORD, "now[k][1] != before[k][1]", "now[k][0] != before[k][0]"),
    (SPLIT_RECORD, "now[k][3] != before[k][3]", "now[k][0] != before[k][0]"),
    # An export that is not its model.
    (COMPARISON, "        if difference > limit:\n", "        if False:\n"),
    (DIFFERENCE, "nan=np.inf", "nan=0.0"),
    (
        DIFFERS,
        "    return np.maximum(largest(received, expected), by_logs)",
        "    return largest(received, expected)",
    ),
    (
        COMPARISON,
        '        if told is not None and ((told != b"") != bad).any():',
        "        if False:",
    ),
    (
        DIFFERS,
        "    return [(scores, best), (scores, of_names)]",
        "    return [(scores, best)]",
    ),
    (
        COMPARISON,
        '            if name != "status" and',
        "            if False and",
    ),
    (STORED, "    if others:\n", "    if others and False:\n"),
    (
        STORED,
        "        if place is None:\n            others",
        "        if False:\n            others",
    ),
    (
        LABELS,
        "texts == names for texts",
        "sorted(texts) == sorted(names) for texts",
    ),
    (
        GATE,
        "        exact.refuse(movement.tolerance)\n        return movement",
        "        return movement",
    ),
    (GATE, "            if report.refusal:\n", "            if False:\n"),
    (SPLIT, "        if self.worst <= movement.far:", "        if True:"),
    # A version that is not what it was, and is asked all the same.
    (INSPECTION, "    if order == OTHER_ORDER:\n", "    if False:\n"),
    (MANIFEST, "    if changed:\n", "    if False:\n"),
    (INSPECTION, "        if not trust_model:", "        if False:"),
    (VERSIONS, "sorted(names, key=int, reverse=True)", "sorted(names)"),
]
