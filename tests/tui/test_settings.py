"""What the dashboard remembers, and what it does about a file somebody broke."""

from __future__ import annotations

import stat
from dataclasses import fields, replace
from pathlib import Path

import pytest

from setgf.home import Home
from tui.settings import Remembered, Settings, settings_path

PLACE = "/data/ada/setgf/setgf.db"
MANY = Settings(
    theme='odd "name" \\ \t \x7f \N{GREEK SMALL LETTER ALPHA} \N{GRINNING FACE}',
    columns=("state", "name", "optim.lr", "best.valid.mae"),
    sort="test.mae",
    reverse=True,
    filter='model == "setgf" and test.mae < 1',
    filters=("a", "b"),
    group="variant",
    folded=("v1",),
    selected=("run00001", "run00002"),
    baseline="run00001",
    series="valid.loss",
    x_axis="time",
    smoothing=0.5,
    log_y=True,
    seen_event=7,
    told_event=8,
    alerts_off=("gpu", "plateau"),
    bell=False,
    osc9=True,
)


def saved(path: Path, settings: Settings, place: str = PLACE) -> None:
    remembered = Remembered(path, place)
    remembered.remember(settings)
    remembered.save()
    assert remembered.notices == ()


def test_every_setting_comes_back_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "home" / "tui.toml"
    changed = [
        f.name for f in fields(Settings) if getattr(MANY, f.name) != getattr(Settings(), f.name)
    ]
    assert changed == [f.name for f in fields(Settings)], "the test must change every setting"

    saved(path, MANY)

    assert Remembered(path, PLACE).settings == MANY
    assert Remembered(path, PLACE).notices == ()
    assert [one.name for one in path.parent.iterdir()] == ["tui.toml"]


def test_each_run_database_has_settings_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "tui.toml"
    saved(path, MANY)
    saved(path, Settings(filter="seed == 1"), "postgresql://db.example/runs")

    assert Remembered(path, PLACE).settings == MANY
    assert Remembered(path, "postgresql://db.example/runs").settings.filter == "seed == 1"
    assert Remembered(path, "elsewhere").settings == Settings()


def test_what_is_unknown_or_broken_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "tui.toml"
    path.write_text(
        f'[databases."{PLACE}"]\n'
        'colour = "pink"\nsmoothing = 1.5\ncolumns = ["name", 3]\nlog_y = 1\nsort = ["a"]\n'
        'filter = "seed == 1"\n'
    )
    remembered = Remembered(path, PLACE)

    assert remembered.settings == Settings(filter="seed == 1")
    told = "\n".join(remembered.notices)
    assert "there is no setting `colour`" in told
    assert "`smoothing` must be a number from 0 to below 1, and it is 1.5" in told
    for name in ("columns", "log_y", "sort"):
        assert f"`{name}` must be" in told


@pytest.mark.parametrize("content", [b"[databases", b"\xff\xfe\x00", b"a = 1\na = 2\n"])
def test_a_file_that_cannot_be_read_is_set_aside_at_the_first_change(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "tui.toml"
    path.write_bytes(content)
    remembered = Remembered(path, PLACE)
    assert remembered.settings == Settings()
    assert "the defaults count" in remembered.notices[0]
    assert path.read_bytes() == content, "reading changes nothing"

    remembered.remember(Settings(filter="x"))
    remembered.save()

    assert Remembered(path, PLACE).settings.filter == "x"
    assert (tmp_path / "tui.toml.broken").read_bytes() == content


@pytest.mark.parametrize("content", ["databases = 3", f'[databases]\n"{PLACE}" = 4', "x = 1"])
def test_tables_of_another_shape_are_no_reason_to_fail(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tui.toml"
    path.write_text(content)

    assert Remembered(path, PLACE).settings == Settings()


def test_a_file_that_cannot_be_written_is_said_once_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    remembered = Remembered(tmp_path / "file" / "tui.toml", PLACE)
    for text in ("a", "b"):
        remembered.remember(Settings(filter=text))
        remembered.save()

    assert remembered.settings.filter == "b"
    assert len([one for one in remembered.notices if "can't be written" in one]) == 1


def test_nothing_is_written_without_a_change_or_when_only_reading(tmp_path: Path) -> None:
    path = tmp_path / "tui.toml"
    same = Remembered(path, PLACE)
    same.remember(replace(same.settings))
    same.save()
    only_reading = Remembered(path, PLACE, writes=False)
    only_reading.remember(MANY)
    only_reading.save()

    assert only_reading.settings == MANY
    assert not path.exists()


def test_everybody_has_a_file_in_a_home_that_a_group_shares(tmp_path: Path) -> None:
    assert settings_path(Home(tmp_path)) == tmp_path / "tui.toml"

    tmp_path.chmod(stat.S_ISGID | stat.S_IRWXG | stat.S_IRWXU)

    assert settings_path(Home(tmp_path)).name.startswith("tui-")
