"""The manifest of a feature store: what it is, and the hash of every file in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from setgf.data.atomic_folder import FileFacts
from setgf.errors import DataError
from setgf.terms import MODALITIES, Dataset, Modality, Split

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the maker of a store knows and the arrays do not say."""

    dataset: Dataset
    """Family: label range and evaluation protocol."""
    language: str
    """Language of the transcripts: `en` or `zh`."""
    aligned: bool
    """All modalities share the text's steps."""
    source: str
    """Name of the feature file, or how the store was made up."""
    source_sha256: str | None
    """Hash of the feature file; None for a made-up store."""
    vocabulary: str
    """Word pieces of the tokens: `bert-base-uncased` or `bert-base-chinese`."""
    report: Mapping[str, Any]
    """Cleaning report (`setgf.data.report`), plain JSON."""
    modalities: tuple[Modality, ...] = MODALITIES
    """Modalities the data has; one it lacks has a width of 1 and no frames."""
    official: str | None = None
    """The published file this is, told by its hash (`setgf.data.official`); None for any other."""
    made_by: str | None = None
    """How the splits were made; None where they are the file's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(StoreFacts):
    """Everything that is known of a store without opening its arrays."""

    format_version: int
    fingerprint: str
    """Hash of the facts that decide a number and of every array's hash (16 hex digits)."""
    audio_width: int
    """Features of an audio frame."""
    vision_width: int
    """Features of a vision frame."""
    text_feature_width: int | None
    """Features of a precomputed text step; None where there are none."""
    has_tokens: bool
    """The store holds word piece ids."""
    sizes: Mapping[Split, int]
    """Samples of every split."""
    label_range: tuple[float, float]
    """Lowest and highest label in the store."""
    has_unimodal_labels: bool
    """Humans labelled every modality on its own."""
    files: Mapping[str, FileFacts]
    """Size and hash of every file but the manifest."""
    scaling: Mapping[str, Any] | None = None
    """`Scaling.to_plain` of the train split's frames by modality; None in older stores."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in sorted(_FIELDS)}
        plain["files"] = {
            name: {"size": facts.size, "sha256": facts.sha256} for name, facts in self.files.items()
        }
        return plain


_FIELDS = frozenset(Manifest.__dataclass_fields__)
_LATER_FIELDS = frozenset({"modalities", "official", "made_by", "scaling"})
"""Absent from stores of earlier versions."""


def fingerprint_of(facts: StoreFacts, files: Mapping[str, FileFacts]) -> str:
    """Return one hash for everything in a store that can change a number."""
    content = [facts.dataset, facts.language, facts.aligned, facts.vocabulary]
    hashes = sorted((name, file.sha256) for name, file in files.items())
    return hashlib.sha256(json.dumps([content, hashes]).encode()).hexdigest()[:16]


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the store in `folder`.

    Raises:
        DataError: it is damaged or was written by a newer version.
    """
    path = folder / MANIFEST_FILE
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        version = plain["format_version"]
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"`{MANIFEST_FILE}` is not a manifest") from error
    if version != FORMAT_VERSION:
        raise DataError(
            f"The feature store `{folder.name}` has format version {version}, but this setgf reads "
            f"version {FORMAT_VERSION}. Import it again, or use the setgf that wrote it."
        )
    try:
        return _from_plain(plain)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"`{MANIFEST_FILE}` is not a manifest") from error


def damaged(folder: Path, what: str) -> DataError:
    """Return the error of a store that is not what its manifest says."""
    return DataError(
        f"The feature store `{folder.name}` is damaged: {what}. "
        f"Import it again with `setgf data import FILE --name {folder.name} --force`."
    )


def _from_plain(plain: Mapping[str, Any]) -> Manifest:
    values = {name: plain[name] for name in _FIELDS if name not in _LATER_FIELDS or name in plain}
    low, high = plain["label_range"]
    values["dataset"] = Dataset(plain["dataset"])
    values["sizes"] = {Split(name): int(size) for name, size in plain["sizes"].items()}
    values["label_range"] = (float(low), float(high))
    values["files"] = {
        name: FileFacts(int(file["size"]), str(file["sha256"]))
        for name, file in plain["files"].items()
    }
    if "modalities" in values:
        values["modalities"] = tuple(map(Modality, plain["modalities"]))
    return Manifest(**values)
