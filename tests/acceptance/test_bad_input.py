"""Whatever is wrong with what a user gives: one clear sentence, an exit code, nothing lost."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.acceptance.broken_files import BAD_CONTENT, hostile_pickles
from tests.acceptance.user import User, check_refusal, fingerprints
from tests.data.builders import make_content

DATA = 3
HOSTILE_NAMES = ("os.system", "STACK_GLOBAL", "in an object array")
"""The others are tried in one process, by `test_guard_corpus`."""
BAD_NAMES = ("no vision", "NaN labels", "an empty split")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_pickle_that_runs_code_is_refused_by_name_before_it_runs(
    user: User, tmp_path: Path, name: str
) -> None:
    marker, path = tmp_path / "marker", tmp_path / "features.pkl"
    asked, data = hostile_pickles(marker)[name]
    path.write_bytes(data)
    before = fingerprints(user.home)

    outcome = user.run("data", "import", path, "--name", "mosi")

    check_refusal(outcome, DATA, str(path), asked, "refused before anything ran")
    assert not marker.exists()
    assert fingerprints(user.home) == before


def test_a_link_to_a_hostile_pickle_is_refused_too(user: User, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "real.pkl").write_bytes(hostile_pickles(marker)["os.system"][1])
    (tmp_path / "link.pkl").symlink_to("real.pkl")

    outcome = user.run("data", "import", tmp_path / "link.pkl", "--name", "mosi")

    check_refusal(outcome, DATA, "link.pkl", "system", "refused before anything ran")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cut.pkl", ("cut.pkl is damaged", "Get the feature file again")),
        ("words.pkl", ("words.pkl is not a pickle", "MMSA layout")),
        ("empty.pkl", ("empty.pkl is empty", "MMSA layout")),
        ("folder.pkl", ("folder.pkl is a folder", "MMSA layout")),
        ("none.pkl", ("none.pkl does not exist", "setgf data synth")),
        ("dangling.pkl", ("dangling.pkl does not exist", "setgf data synth")),
    ],
)
def test_a_file_that_is_no_pickle_is_named(
    user: User, tmp_path: Path, name: str, parts: tuple[str, ...]
) -> None:
    whole = pickle.dumps(make_content(), 4)
    (tmp_path / "cut.pkl").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.pkl").write_text("These are the notes of our meeting.\n")
    (tmp_path / "empty.pkl").touch()
    (tmp_path / "folder.pkl").mkdir()
    (tmp_path / "dangling.pkl").symlink_to("nowhere.pkl")
    before = fingerprints(user.home)

    check_refusal(user.run("data", "import", tmp_path / name, "--name", "mosi"), DATA, *parts)

    assert fingerprints(user.home) == before


@pytest.mark.parametrize("name", BAD_NAMES)
def test_content_that_can_not_be_used_is_told_and_nothing_is_kept(
    user: User, tmp_path: Path, name: str
) -> None:
    make, parts = BAD_CONTENT[name]
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(make(), 4))
    before = fingerprints(user.home)

    outcome = user.run("data", "import", path, "--name", "demo", "--dataset", "mosi", "--force")

    check_refusal(outcome, DATA, str(path), *parts)
    assert fingerprints(user.home) == before
