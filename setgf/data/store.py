"""The feature store: written once, whole or not at all, then memory-mapped.

The format is described in the package's docstring. Shapes: N samples of a split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from setgf.data.atomic_folder import (
    FolderWriter,
    hash_file,
    refuse_existing,
    restore,
    write_folder,
)
from setgf.data.find_store import STORE_NAME, check_size, find_store, store_names
from setgf.data.frame_facts import describe_frames
from setgf.data.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    Manifest,
    StoreFacts,
    damaged,
    fingerprint_of,
    read_manifest,
)
from setgf.data.ragged import Array, Floats, Ragged
from setgf.data.ridge import describe_ridge
from setgf.data.split_data import RAGGED, SplitData, SplitSource
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import MODALITIES, Modality, Split


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """An opened store; it never changes, and costs only the frames that are touched."""

    name: str
    path: Path
    manifest: Manifest

    def split(self, split: Split) -> SplitData:
        """Map one split.

        Raises:
            DataError: a file is missing or not what the manifest says, or the store was replaced.
        """
        self._check_same()
        samples = self._samples(split)
        ragged = {name: self._ragged(split, name) for name in RAGGED}
        audio, vision = ragged["audio"], ragged["vision"]
        if audio is None or vision is None:
            raise damaged(self.path, f"the frames of `{split}` are not in its manifest")
        data = SplitData(
            ids=tuple(samples["ids"]),
            transcripts=tuple(samples["transcripts"]),
            labels=self._array(f"{split}.labels.npy"),
            unimodal_labels=self._unimodal_labels(split),
            tokens=ragged["tokens"],
            text_features=ragged["text_features"],
            audio=audio,
            vision=vision,
        )
        if {len(data.labels), len(audio), len(vision)} != {data.size}:
            raise damaged(self.path, f"the arrays of `{split}` have different numbers of samples")
        return data

    def check_sizes(self) -> None:
        """Compare the size of every file with the manifest.

        Raises:
            DataError: a file is missing, cut or grown.
        """
        for name in self.manifest.files:
            self._check_size(name)

    def check(self) -> None:
        """Read every file and compare its hash.

        Raises:
            DataError: a file is missing or damaged.
        """
        for name, facts in self.manifest.files.items():
            self._check_size(name)
            if hash_file(self.path / name) != facts.sha256:
                raise damaged(self.path, f"`{name}` does not have the hash in the manifest")

    def _check_same(self) -> None:
        """Refuse other data under this store's name; a store that is being written has no manifest.

        Raises:
            DataError: the store was replaced after it was opened.
        """
        if not (self.path / MANIFEST_FILE).is_file():
            return
        now = read_manifest(self.path).fingerprint
        if now != self.manifest.fingerprint:
            raise DataError(
                f"The feature store `{self.name}` was replaced by other data since it was opened "
                f"(fingerprint {self.manifest.fingerprint}, now {now}). Start again with one of "
                "them, and import the other under a name of its own."
            )

    def _samples(self, split: Split) -> dict[str, list[str]]:
        name = f"{split}.samples.json"
        self._check_size(name)
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise damaged(self.path, f"`{name}` is not JSON") from error

    def _unimodal_labels(self, split: Split) -> dict[Modality, Floats] | None:
        if not self.manifest.has_unimodal_labels:
            return None
        return {part: self._array(f"{split}.labels_{part}.npy") for part in MODALITIES}

    def _ragged(self, split: Split, name: str) -> Ragged | None:
        if f"{split}.{name}.npy" not in self.manifest.files:
            return None
        offsets = self._array(f"{split}.{name}_offsets.npy")
        try:
            return Ragged(self._array(f"{split}.{name}.npy"), np.asarray(offsets, np.int64))
        except ValueError as error:
            raise damaged(self.path, f"`{split}.{name}_offsets.npy` does not fit") from error

    def _array(self, name: str) -> Array:
        """Map one array; object arrays are refused by `open_memmap`."""
        self._check_size(name)
        try:
            return np.lib.format.open_memmap(self.path / name, mode="r")
        except ValueError as error:
            raise damaged(self.path, f"`{name}` is not an array file") from error

    def _check_size(self, name: str) -> None:
        check_size(self.path, self.manifest, name)


def open_store(home: Home, name: str) -> FeatureStore:
    """Open the store `name`.

    Raises:
        DataError: there is none of that name (the known ones are named), or it is damaged.
    """
    path, manifest = find_store(home, name)
    return FeatureStore(name, path, manifest)


def list_stores(home: Home) -> tuple[FeatureStore, ...]:
    """Return every store of `home`, by name.

    Raises:
        DataError: one of them is damaged.
    """
    return tuple(open_store(home, name) for name in store_names(home))


def check_new_name(folder: Path, name: str, *, force: bool = False) -> None:
    """Refuse a name before any work is done for it.

    Raises:
        DataError: it can't name a store, or a store has it already and `force` is false.
    """
    if not STORE_NAME.fullmatch(name):
        raise DataError(
            f"A feature store can't be named `{name}`: a name has letters, digits, dots, dashes "
            "and underscores, begins with a letter or digit, and has at most 64 characters."
        )
    restore(folder / name)
    refuse_existing(folder / name, replace=force)


def write_store(
    folder: Path,
    name: str,
    splits: Mapping[Split, SplitSource],
    facts: StoreFacts,
    *,
    force: bool = False,
) -> FeatureStore:
    """Write a store into `folder`: it appears whole when all is on the disk, or not at all.

    Frames are written a chunk at a time, and then looked at: what is found joins the report.

    Args:
        folder: folder of the stores (`Home.data`).
        name: of the new store.
        splits: all three splits.
        facts: what the arrays do not say.
        force: replace a store of that name.

    Raises:
        DataError: the name is taken or no name, or the disk refuses.
    """
    check_new_name(folder, name, force=force)
    with write_folder(folder / name, replace=force) as writer:
        for split in Split:
            _write_split(writer, split, splits[split])
        written = FeatureStore(name, writer.folder, _describe(splits, facts, writer))
        manifest = _look_at(written)
        writer.write_json(MANIFEST_FILE, manifest.to_dict())
    return FeatureStore(name, folder / name, manifest)


def _write_split(writer: FolderWriter, split: Split, data: SplitSource) -> None:
    writer.write_json(f"{split}.samples.json", {"ids": data.ids, "transcripts": data.transcripts})
    writer.write_array(f"{split}.labels.npy", data.labels.astype(np.float32, copy=False))
    for modality, labels in (data.unimodal_labels or {}).items():
        writer.write_array(f"{split}.labels_{modality}.npy", labels.astype(np.float32, copy=False))
    for name, sequences in data.sequences().items():
        kind = np.dtype(np.int32 if name == "tokens" else np.float32)
        width = () if name == "tokens" else (sequences.width,)
        shape = (int(sequences.offsets[-1]), *width)
        writer.write_rows(f"{split}.{name}.npy", sequences.chunks(), shape, kind)
        writer.write_array(f"{split}.{name}_offsets.npy", sequences.offsets)


def _describe(
    splits: Mapping[Split, SplitSource], facts: StoreFacts, writer: FolderWriter
) -> Manifest:
    train = splits[Split.TRAIN]
    labels = np.concatenate([data.labels for data in splits.values()])
    own: dict[str, Any] = {entry.name: getattr(facts, entry.name) for entry in fields(StoreFacts)}
    return Manifest(
        **own,
        format_version=FORMAT_VERSION,
        fingerprint=fingerprint_of(facts, writer.files),
        audio_width=train.audio.width,
        vision_width=train.vision.width,
        text_feature_width=None if train.text_features is None else train.text_features.width,
        has_tokens=train.tokens is not None,
        sizes={split: splits[split].size for split in Split},
        label_range=(float(labels.min()), float(labels.max())),
        has_unimodal_labels=train.unimodal_labels is not None,
        files=dict(writer.files),
    )


def _look_at(store: FeatureStore) -> Manifest:
    """Return the manifest of a store with what is to be known of its frames."""
    splits, manifest = {split: store.split(split) for split in Split}, store.manifest
    found = describe_frames(splits)
    report = {
        **manifest.report,
        "frames": found.report,
        "ridge": describe_ridge(splits, manifest.modalities),
        "remarks": [*manifest.report.get("remarks", ()), *found.remarks],
    }
    scaling = {str(part): own.to_plain() for part, own in found.scaling.items()}
    return replace(manifest, report=report, scaling=scaling)


__all__ = [
    "FeatureStore",
    "Manifest",
    "Ragged",
    "SplitData",
    "SplitSource",
    "StoreFacts",
    "check_new_name",
    "list_stores",
    "open_store",
    "store_names",
    "write_store",
]
