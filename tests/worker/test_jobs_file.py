from __future__ import annotations

from pathlib import Path

import pytest

from setgf.errors import ConfigError
from setgf.worker.jobs_file import read_jobs_file

NOW = 1_800_000_000.0
GOOD = """
data = "small"
priority = 2
[settings]
max_epochs = 20
optim.lr = 1e-3

[[job]]
name = "baseline"
seeds = "1-3"

[[job]]
name = "rates"
model = ["setgf", "self_mm"]
settings = { max_epochs = 5, "train.patience" = 2 }
grid = { lr = [1e-4, 5e-4], "data.modalities" = [["text"], ["text", "audio"]] }
after = ["baseline", "7-8", "9:any"]
group = "sweep"
gpus = 0.5
memory = "6G"
time_limit = "4h"
in = "2h"
retries = 0
hold = true
tags = ["paper"]
priority = 5
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "jobs.toml"
    path.write_text(text)
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_jobs_file(write(tmp_path, text), now=NOW)
    return str(caught.value).replace(str(tmp_path) + "/", "").splitlines()


def test_a_section_is_a_request_over_the_defaults_of_the_file(tmp_path: Path) -> None:
    first, second = read_jobs_file(write(tmp_path, GOOD), now=NOW)

    assert (first.name, first.request.seeds, first.request.priority) == ("baseline", (1, 2, 3), 2)
    assert first.request.settings == {"train.max_epochs": 20, "optim.lr": 1e-3}
    assert first.request.max_attempts == 3
    found = second.request
    assert found.models == ("setgf", "self_mm")
    assert found.settings == {"train.max_epochs": 5, "train.patience": 2}
    assert found.grid["optim.lr"] == [1e-4, 5e-4]
    assert (found.after, found.after_any, second.after_names) == (
        (7, 8),
        (9,),
        (("baseline", "ok"),),
    )
    assert (found.gpus, found.memory_mib, found.time_limit) == (0.5, 6144, 14_400.0)
    assert (found.not_before, found.held, found.max_attempts) == (NOW + 7200, True, 1)
    assert (second.group, found.priority, found.tags) == ("sweep", 5, ("paper",))


def test_every_problem_is_told_with_its_line_and_job(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """sedes = 3
data = "small"
[[job]]
name = "one"
priority = "high"
gpu = 1
[[job]]
seeds = "5-1"
time_limit = "4"
grid = { max_epoch = [1] }
after = ["two"]
hold = 1
[[job]]
name = "one"
at = "2020-01-01"
settings = { max_epoch = 3 }
model = [1]
retries = -1
after = ["3:maybe"]
""",
    )

    assert any(
        line.startswith("jobs.toml:1: unknown key `sedes`. Did you mean `seeds`?") for line in found
    )
    assert "jobs.toml:3 (one): `priority` must be a whole number, but is 'high'." in found
    assert "jobs.toml:3 (one): unknown key `gpu`. Did you mean `gpus`?" in found
    assert any(
        line.startswith("jobs.toml:7: The seed range `5-1` runs backwards") for line in found
    )
    assert any("jobs.toml:7: `time_limit`: A duration must be a number" in line for line in found)
    assert any("jobs.toml:7: Unknown setting `max_epoch`" in line for line in found)
    assert "jobs.toml:7: `hold` must be true or false, but is 1." in found
    second = [line for line in found if line.startswith("jobs.toml:13 (one)")]
    for words in (
        "`at`: The moment",
        "Unknown setting `max_epoch`",
        "`model` must be text",
        "`retries` must be 0 or more, but is -1",
        "`after`: After a job's id",
    ):
        assert any(words in line for line in second), words


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("data = 'small", "jobs.toml:1: this is not TOML"),
        ("data = 'small'", "jobs.toml has no jobs; each begins with a line `[[job]]`"),
        ("[job]\ndata = 'small'", "has no jobs"),
        ("[[job]]\nname = 'x'", "jobs.toml:1 (x): `data`, the name of a feature store, is missing"),
        ("data = 'd'\n[[job]]\nname = 'x'\nafter = 'y'", "`after` names `y`, but no earlier job"),
        ("data = 'd'\n[[job]]\nname='x'\n[[job]]\nname='x'", "an earlier job of this file has the"),
        ("data = 'd'\n[[job]]\nat='2099-01-01'\nin='1h'", "name either `at` or `in`, not both"),
        ("data = 'd'\n[[job]]\ngrid = 3", "`grid` must be a table"),
        ("data = 'd'\n[[job]]\ngrid = { lr = 3 }", "the grid over `optim.lr` must be a list"),
        ("data = 'd'\n[[job]]\nsettings = 3", "`settings` must be a table"),
        ("data = 3\n[[job]]\nname='x'", "`data` must be text in quotes, but is 3"),
    ],
)
def test_a_file_that_can_not_be_read_says_why(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in line for line in problems(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        read_jobs_file(tmp_path / "none.toml", now=NOW)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not text in UTF-8"):
        read_jobs_file(tmp_path / "binary.toml", now=NOW)
