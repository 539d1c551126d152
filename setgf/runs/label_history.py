"""Unimodal labels by epoch: what a run has taught each modality of every train sample.

    a<N>/labels.json  {"modalities": ["text", ...], "sample_ids": [...], "first_epoch": 1}
    a<N>/labels.npy   float16: the annotation, then one row an epoch

The rows of an attempt that went on from a checkpoint take the place of those the earlier one had
made from that epoch on.

Shapes: E rows, M modalities, N samples of the train split.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from setgf.errors import RunFolderError
from setgf.runs.atomic import create, explain, read_json, write_json
from setgf.runs.folder import AttemptFolder, RunFolder

Floats = npt.NDArray[np.float32]
HEADER_SIZE = 128
_MAGIC = b"\x93NUMPY\x01\x00"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelHistory:
    """The labels of a run at the end of its epochs."""

    modalities: tuple[str, ...]
    sample_ids: tuple[str, ...]
    """N, in the order of the train split."""
    annotated: Floats
    """(N,)."""
    epochs: tuple[int, ...]
    """Epochs of the rows of `labels`, ascending."""
    labels: Floats
    """(E, M, N) on the label scale, exact to 0.001."""


class LabelWriter:
    """Appends to an attempt's history: one write an epoch, and the header last."""

    def __init__(
        self,
        attempt: AttemptFolder,
        first_epoch: int,
        modalities: Sequence[str],
        sample_ids: Sequence[str],
        annotated: Floats,
    ) -> None:
        """Begin the files of an attempt.

        Raises:
            RunFolderError: the disk is full or the folder can't be written.
        """
        self._path = attempt.labels
        self._modalities = tuple(modalities)
        self._num_samples = len(sample_ids)
        self._num_rows = 0
        about = {
            "modalities": list(modalities),
            "sample_ids": list(sample_ids),
            "first_epoch": first_epoch,
        }
        write_json(self._path.with_suffix(".json"), about, durable=False)
        try:
            os.close(create(self._path))
        except OSError as error:
            raise explain(error, self._path) from error
        self._append(np.broadcast_to(annotated, (len(self._modalities), self._num_samples)))

    def add(self, labels: Mapping[str, Floats]) -> None:
        """Append the labels (N,) of every modality at the end of the next epoch.

        Raises:
            RunFolderError: the disk is full; the rows before stay readable.
        """
        self._append(np.stack([labels[name] for name in self._modalities]))

    def _append(self, row: Floats) -> None:
        data = row.astype("<f2").tobytes()
        try:
            with self._path.open("r+b") as file:
                self._write_row(file, data)
        except OSError as error:
            raise explain(error, self._path) from error

    def _write_row(self, file: BinaryIO, data: bytes) -> None:
        file.seek(HEADER_SIZE + self._num_rows * len(data))
        file.write(data)
        file.flush()
        self._num_rows += 1
        file.seek(0)
        file.write(self._header())

    def _header(self) -> bytes:
        """Return the header of an array file, padded so that a longer shape fits as well."""
        shape = (self._num_rows, len(self._modalities), self._num_samples)
        text = repr({"descr": "<f2", "fortran_order": False, "shape": shape})
        size = HEADER_SIZE - len(_MAGIC) - 2
        return _MAGIC + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"


def read_label_history(run: RunFolder) -> LabelHistory | None:
    """Return the history of a run, of all its attempts; None where it has kept none.

    Raises:
        RunFolderError: a file is damaged.
    """
    whole: LabelHistory | None = None
    for attempt in run.attempts():
        if attempt.labels.exists() and attempt.labels.with_suffix(".json").exists():
            whole = _joined(whole, _read_attempt(attempt))
    return whole


def _read_attempt(attempt: AttemptFolder) -> LabelHistory:
    path = attempt.labels
    about = read_json(path.with_suffix(".json"))
    try:
        rows = np.lib.format.open_memmap(path, mode="r")
        modalities, sample_ids = tuple(about["modalities"]), tuple(about["sample_ids"])
        first = int(about["first_epoch"])
    except OSError as error:
        raise explain(error, path) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"{path} must hold the labels of an attempt, but can't be read: {error}."
        ) from error
    if rows.ndim != 3 or rows.shape[1:] != (len(modalities), len(sample_ids)) or not len(rows):
        raise RunFolderError(
            f"{path} holds an array of shape {rows.shape}, but must have one row of "
            f"{len(modalities)} x {len(sample_ids)} labels an epoch."
        )
    return LabelHistory(
        modalities=modalities,
        sample_ids=sample_ids,
        annotated=rows[0, 0].astype(np.float32),
        epochs=tuple(range(first, first + len(rows) - 1)),
        labels=rows[1:].astype(np.float32),
    )


def _joined(older: LabelHistory | None, newer: LabelHistory) -> LabelHistory:
    """Return both, the newer one's epochs in place of the older one's from its first on."""
    is_same = older is not None and (older.modalities, older.sample_ids) == (
        newer.modalities,
        newer.sample_ids,
    )
    if older is None or not is_same or not newer.epochs:
        return newer if newer.epochs or older is None else older
    kept = [place for place, epoch in enumerate(older.epochs) if epoch < newer.epochs[0]]
    return LabelHistory(
        modalities=newer.modalities,
        sample_ids=newer.sample_ids,
        annotated=newer.annotated,
        epochs=(*(older.epochs[place] for place in kept), *newer.epochs),
        labels=np.concatenate([older.labels[kept], newer.labels]),
    )
