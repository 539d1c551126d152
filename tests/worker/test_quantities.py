from __future__ import annotations

import time

import pytest

from setgf.errors import ConfigError
from setgf.worker.quantities import (
    parse_gpus,
    parse_ids,
    parse_memory,
    parse_moment,
    parse_needed,
    parse_seconds,
)

NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))


def refuse(parse, *texts: str, match: str) -> None:
    for text in texts:
        with pytest.raises(ConfigError, match=match):
            parse(text)


def test_durations_have_a_unit() -> None:
    assert parse_seconds("90s") == 90
    assert parse_seconds("1h30m") == 5400
    assert parse_seconds(" 1.5H ") == 5400
    assert parse_seconds("2d") == 2 * 86_400
    refuse(
        parse_seconds, "", "4", "h", "-1h", "4 hours", "1h30", "٣h", match="number with its unit"
    )
    refuse(parse_seconds, "0s", "99999w", match="above 0 and below ten years")


def test_a_moment_is_to_come_in_local_time() -> None:
    def at(text: str) -> float:
        return parse_moment(text, now=NOON)

    assert at("2026-11-24 14:00") == NOON + 7200
    assert at("2026-11-24T14:00") == NOON + 7200
    assert at("2026-11-25") == NOON + 12 * 3600
    assert at("13:00") == NOON + 3600
    assert at("02:00") == NOON + 14 * 3600
    refuse(at, "2026-11-24 11:59", "2020-01-01", match="is past")
    refuse(at, "", "tomorrow", "25:00", "2026-13-01", "14", match="must be written as")


def test_memory_is_in_mib() -> None:
    assert [parse_memory(text) for text in ("6G", "512M", "1.5GiB", "2048kB", "1t")] == [
        6144, 512, 1536, 2, 1024 * 1024,
    ]  # fmt: skip
    refuse(parse_memory, "", "6", "G", "-6G", "6X", "6 gigs", match="number with its unit")
    refuse(parse_memory, "0G", "1K", match="1M or more")


def test_gpus_are_parts_of_one_or_whole() -> None:
    assert [parse_gpus(text) for text in ("auto", "0", "0.5", "1", "4")] == [None, 0, 0.5, 1, 4]
    refuse(
        parse_gpus, "", "many", "-1", "1.5", "nan", "inf", "1e9", "9999", match="must be auto, 0"
    )


def test_ids_are_numbers_and_ranges() -> None:
    assert parse_ids(["3", "5-7", "6,1"]) == (3, 5, 6, 7, 1)
    refuse(lambda text: parse_ids([text]), "x", "-3", "3-", "1--2", "²", "9" * 30, match="Job ids")


def test_what_is_needed_is_an_end_or_a_success() -> None:
    assert parse_needed(["3", "5-6:ok", "7:any,8"]) == ((3, 5, 6, 8), (7,))
    refuse(lambda text: parse_needed([text]), "3:maybe", "3:", match="`:ok`|`:any`")
    refuse(lambda text: parse_needed([text]), "x:ok", ":ok", match="Job ids|one|must be")
