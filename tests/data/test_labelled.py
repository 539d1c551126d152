"""A label.csv is a set by itself, or with arrays joined by id."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from setgf.data.labelled import read_labelled
from setgf.data.store import write_store
from setgf.errors import ConfigError, DataError
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split
from setgf.worker.submit import Request, plan_jobs

COLUMNS: tuple[str, ...] = (
    "video_id",
    "clip_id",
    "text",
    "label",
    "label_T",
    "label_A",
    "label_V",
    "annotation",
    "mode",
)
MODES = ("train", "train", "valid", "test", "test")
IDS = tuple(f"v{row}$_$00{row}" for row in range(5))
WIDTH = 3


def make_rows(**changes: Any) -> list[dict[str, str]]:
    rows = [
        {
            "video_id": f"v{row}",
            "clip_id": f"00{row}",
            "text": f"it was, well, number {row}",
            "label": str(row - 2.0),
            **dict.fromkeys(("label_T", "label_A", "label_V"), ""),
            "annotation": "Neutral",
            "mode": mode,
        }
        for row, mode in enumerate(MODES)
    ]
    return [{**row, **changes} for row in rows]


def write_labels(folder: Path, rows: list[dict[str, str]] | None = None) -> Path:
    path = folder / "label.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(make_rows() if rows is None else rows)
    return path


def frames_of(row: int) -> np.ndarray:
    return np.random.default_rng(row).normal(size=(row + 1, WIDTH)).astype(np.float32)


def test_labels_alone_are_a_text_only_set(tmp_path: Path, home: Home) -> None:
    file = read_labelled(write_labels(tmp_path), {})
    store = write_store(home.data, "text", file.splits, file.facts)

    train = store.split(Split.TRAIN)
    assert train.ids == IDS[:2]
    assert train.transcripts[1] == "it was, well, number 1"
    assert train.labels.tolist() == [-2.0, -1.0]
    assert train.unimodal_labels is None
    assert train.audio.lengths.tolist() == [0, 0]
    assert store.manifest.modalities == (Modality.TEXT,)
    assert store.manifest.sizes == {Split.TRAIN: 2, Split.VALID: 1, Split.TEST: 2}
    assert set(store.manifest.report["ridge"]) == {"text"}


def test_jobs_on_a_text_only_set_leave_the_other_modalities_out(tmp_path: Path, home: Home) -> None:
    file = read_labelled(write_labels(tmp_path), {})
    write_store(home.data, "text", file.splits, file.facts)
    request = Request(data_name="text", settings={"text.encoder": "tiny"})

    (job,) = plan_jobs(home, request)

    assert job.config["data"]["modalities"] == ["text"]
    asked = {**request.settings, "data.modalities": "text,audio"}
    with pytest.raises(ConfigError, match=r"names audio, but the feature store `text` has only"):
        plan_jobs(home, replace(request, settings=asked))


def test_human_labels_of_every_modality_are_kept(tmp_path: Path) -> None:
    rows = make_rows(label_T="0.2", label_A="0.4", label_V="-0.6", label="1.0", text="好")

    file = read_labelled(write_labels(tmp_path, rows), {})

    labels = file.splits[Split.TEST].unimodal_labels
    assert labels is not None
    assert [round(float(labels[part][0]), 1) for part in Modality] == [0.2, 0.4, -0.6]
    assert (file.facts.dataset, file.facts.language) == (Dataset.SIMS, "zh")


def as_npz(folder: Path, names: Callable[[int], str]) -> Path:
    path = folder / "a.npz"
    np.savez(path, **{names(row): frames_of(row) for row in range(5)})  # type: ignore[arg-type]
    return path


def as_compressed_stack(folder: Path) -> Path:
    path = folder / "a.npz"
    stack = np.zeros((5, 6, WIDTH))
    for row in range(5):
        stack[row, : row + 1] = frames_of(row)
    np.savez_compressed(path, ids=np.array(IDS)[::-1], features=stack[::-1])
    return path


def as_npy(folder: Path, order: Any = "C") -> Path:
    stack = np.zeros((5, 6, WIDTH), np.float32, order=order)
    for row in range(5):
        stack[row, : row + 1] = frames_of(row)
    np.save(folder / "a.npy", stack)
    return folder / "a.npy"


def as_folder(folder: Path) -> Path:
    for row in range(5):
        (folder / "arrays" / f"v{row}").mkdir(parents=True)
        np.save(folder / "arrays" / f"v{row}" / f"00{row}.npy", frames_of(row))
    return folder / "arrays"


def as_safetensors(folder: Path) -> Path:
    from safetensors.numpy import save_file

    save_file({name: frames_of(row) for row, name in enumerate(IDS)}, folder / "a.safetensors")
    return folder / "a.safetensors"


def as_hdf5(folder: Path, suffix: str = "h5") -> Path:
    h5py = pytest.importorskip("h5py")
    path = folder / f"a.{suffix}"
    with h5py.File(path, "w") as file:
        for row, name in enumerate(IDS):
            where = f"COVAREP/data/v{row}[00{row}]/features" if suffix == "csd" else name
            file[where] = frames_of(row)
    return path


WAYS: Mapping[str, Callable[[Path], Path]] = {
    "npz by id": lambda folder: as_npz(folder, lambda row: IDS[row]),
    "npz by video and clip": lambda folder: as_npz(folder, lambda row: f"v{row}[00{row}]"),
    "compressed npz, stacked": as_compressed_stack,
    "npy": as_npy,
    "npy by columns": lambda folder: as_npy(folder, "F"),
    "folder": as_folder,
    "safetensors": as_safetensors,
    "hdf5": as_hdf5,
    "computational sequence": lambda folder: as_hdf5(folder, "csd"),
}


@pytest.mark.parametrize("way", WAYS)
def test_arrays_of_every_kind_are_joined_by_id(tmp_path: Path, way: str) -> None:
    path = WAYS[way](tmp_path)

    file = read_labelled(write_labels(tmp_path), {Modality.AUDIO: path})

    assert file.facts.modalities == (Modality.TEXT, Modality.AUDIO)
    for split in Split:
        data = file.splits[split]
        rows = [IDS.index(name) for name in data.ids]
        expected = np.concatenate([frames_of(row) for row in rows])
        np.testing.assert_array_equal(np.concatenate([*data.audio.chunks()]), expected)
        assert data.audio.lengths.tolist() == [row + 1 for row in rows]


def test_a_clip_without_an_array_has_no_frames_and_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{name: frames_of(0) for name in IDS[1:]})  # type: ignore[arg-type]

    file = read_labelled(write_labels(tmp_path), {Modality.VISION: tmp_path / "a.npz"})

    assert file.splits[Split.TRAIN].vision.lengths.tolist() == [0, 1]
    assert any(f"no array for 1 clips: `{IDS[0]}`" in r for r in file.facts.report["remarks"])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"label": "high"}, "`label` .* is not a finite number for 5 of 5 clips: `v0"),
        ({"label": "nan"}, "not a finite number"),
        ({"mode": "dev2"}, "`mode` .* is not train, valid or test for 5 of 5"),
        ({"mode": "train"}, "`valid` .* is empty"),
        ({"video_id": "v", "clip_id": "1"}, "has 1 clips more than once"),
        ({"label": "7"}, "its labels reach 7"),
        ({"label_T": "1", "label_A": "", "label_V": "1"}, "`label_A` .* not a finite number"),
    ],
)
def test_rows_that_can_not_be_used_are_named(
    tmp_path: Path, changes: dict[str, str], what: str
) -> None:
    with pytest.raises(DataError, match=what):
        read_labelled(write_labels(tmp_path, make_rows(**changes)), {})


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "lacks the column"),
        (b"a,b\n1,2\n", "lacks the column `video_id`.*It has `a`, `b`"),
        ("video_id,clip_id,text,label,mode\n".encode("utf-16"), "not UTF-8 text"),
        (b"video_id,clip_id,text,label,mode\n", "has no rows"),
        (b"video_id,clip_id,text,label,mode\nv,1\n", "Line 2 .* not have as many fields"),
        (b"video_id,clip_id,text,label,mode\nv,1,t,1,train,x\n", "Line 2"),
        (b'video_id,clip_id,text,label,mode\nv,1,"t\n', "not a table of comma-separated"),
    ],
)
def test_what_is_no_label_file_is_one_sentence(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "label.csv").write_bytes(data)

    with pytest.raises(DataError, match=what):
        read_labelled(tmp_path / "label.csv", {})


def test_leading_zeros_of_ids_and_a_byte_order_mark_survive(tmp_path: Path) -> None:
    path = write_labels(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_labelled(path, {}).splits[Split.VALID].ids == ("v2$_$002",)


def test_arrays_of_other_clips_are_refused_with_the_forms_of_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", other=frames_of(0), more=frames_of(1))

    with pytest.raises(DataError, match=r"no array for 5 of 5 clips.*it has `other`.*`video\["):
        read_labelled(write_labels(tmp_path), {Modality.AUDIO: tmp_path / "a.npz"})


def test_arrays_of_different_widths_are_refused(tmp_path: Path) -> None:
    arrays = {name: frames_of(0) for name in IDS} | {IDS[3]: np.ones((2, 9))}
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]

    with pytest.raises(DataError, match="9 wide, but others are 3 wide"):
        read_labelled(write_labels(tmp_path), {Modality.AUDIO: tmp_path / "a.npz"})


def test_an_array_with_other_rows_than_the_labels_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((4, 2, 3)))

    with pytest.raises(DataError, match=r"shape \(4, 2, 3\).*5 rows"):
        read_labelled(write_labels(tmp_path), {Modality.AUDIO: tmp_path / "a.npy"})


def test_an_archive_is_read_by_key_and_never_unpacked(tmp_path: Path) -> None:
    path = as_npz(tmp_path, lambda row: IDS[row])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.npy", b"x")

    with pytest.raises(DataError, match="leads out of the archive"):
        read_labelled(write_labels(tmp_path), {Modality.AUDIO: path})
    assert not (tmp_path.parent.parent / "escaped.npy").exists()
