from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.errors import RunFolderError
from setgf.runs.folder import RunFolder
from setgf.runs.journal import MAX_EPOCH, MAX_STEP, RECORD_SIZE, Record, decode, encode
from setgf.runs.reader import JournalReader
from setgf.runs.recorder import FolderRecorder

records = st.builds(
    Record,
    series=st.integers(0, 0xFFFF),
    epoch=st.integers(0, MAX_EPOCH),
    step=st.integers(0, MAX_STEP),
    value=st.floats(),
    time=st.floats(allow_nan=False),
)


def key(record: Record) -> str:
    return repr(record)


@given(st.lists(records, max_size=20))
def test_what_is_encoded_comes_back(written: list[Record]) -> None:
    data = b"".join(map(encode, written))

    decoded = decode(data)

    assert len(data) == RECORD_SIZE * len(written)
    assert list(map(key, decoded.records)) == list(map(key, written))
    assert decoded.size == len(data)
    assert not decoded.damaged


@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_one_flipped_bit_ends_reading_at_its_record(
    written: list[Record], data: st.DataObject
) -> None:
    whole = bytearray(b"".join(map(encode, written)))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8

    decoded = decode(bytes(whole))

    before = bit // 8 // RECORD_SIZE
    assert list(map(key, decoded.records)) == list(map(key, written[:before]))
    assert decoded.damaged


def recorder_with_points(tmp_path: Path, steps: int) -> FolderRecorder:
    recorder = FolderRecorder(RunFolder(tmp_path / "run").begin_attempt(1))
    for step in range(1, steps + 1):
        recorder.begin_epoch(1)
        recorder.log(step, {"train.loss": step / 10, "valid.mae": math.nan})
    return recorder


def test_cutting_the_journal_at_any_byte_loses_only_the_torn_record(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 3)
    path = recorder.attempt.points
    whole = path.read_bytes()

    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        reading = JournalReader(recorder.attempt).read()

        assert len(reading.points) == size // RECORD_SIZE
        assert reading.points_offset == size // RECORD_SIZE * RECORD_SIZE


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 2)
    reader = JournalReader(recorder.attempt)
    first = reader.read()
    recorder.log(3, {"train.loss": 0.3, "train.lr": 1e-4})
    recorder.event("epoch", epoch=1)

    second = reader.read()

    assert [point.step for point in first.points] == [1, 1, 2, 2]
    assert [(point.series, point.step) for point in second.points] == [
        ("train.loss", 3),
        ("train.lr", 3),
    ]
    assert [event["kind"] for event in second.events] == ["epoch"]
    assert reader.read().points == []


def test_a_new_reader_goes_on_from_stored_offsets(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 2)
    reading = JournalReader(recorder.attempt).read()
    recorder.log(3, {"train.loss": 0.3})

    later = JournalReader(recorder.attempt, reading.points_offset, reading.events_offset).read()

    assert [point.step for point in later.points] == [3]


def test_a_damaged_record_is_reported_and_nothing_after_it_is_read(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 3)
    data = bytearray(recorder.attempt.points.read_bytes())
    data[RECORD_SIZE * 2 + 5] ^= 1
    recorder.attempt.points.write_bytes(data)
    reader = JournalReader(recorder.attempt)

    reading = reader.read()

    assert len(reading.points) == 2
    assert reader.damaged
    assert reader.read().points == []


def test_a_recorder_that_opens_a_torn_journal_appends_readable_records(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 2)
    recorder.event("epoch", epoch=1)
    recorder.close()
    attempt = recorder.attempt
    with attempt.points.open("ab") as points, attempt.events.open("ab") as events:
        points.write(b"\x01\x02\x03")
        events.write(b'{"kind": "half')

    again = FolderRecorder(attempt)
    again.log(3, {"train.loss": 0.3})
    again.event("epoch", epoch=2)

    reading = JournalReader(attempt).read()
    assert [point.step for point in reading.points] == [1, 1, 2, 2, 3]
    assert [event["epoch"] for event in reading.events] == [1, 2]


def test_an_event_line_without_newline_is_not_there_yet(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 1)
    recorder.event("epoch", epoch=1)
    with recorder.attempt.events.open("ab") as events:
        events.write(b'{"at": 1, "kind": "epoch"')
    reader = JournalReader(recorder.attempt)
    assert len(reader.read().events) == 1

    with recorder.attempt.events.open("ab") as events:
        events.write(b', "epoch": 2}\n')

    assert [event["epoch"] for event in reader.read().events] == [2]


def test_a_value_that_is_no_number_is_refused_by_its_name(tmp_path: Path) -> None:
    recorder = recorder_with_points(tmp_path, 0)

    with pytest.raises(RunFolderError, match=r"`train.loss` can't be stored at step 1"):
        recorder.log(1, {"train.loss": "low"})  # pyright: ignore[reportArgumentType]
