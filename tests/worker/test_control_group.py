"""With a folder in the place of the kernel's: what is asked of it, and that a refusal is fine."""

from __future__ import annotations

from pathlib import Path

from setgf.worker.control_group import enter_group, kill_group, make_group, remove_group


def a_kernel(tmp_path: Path, membership: str = "0::/user/me\n") -> tuple[str, str]:
    root = tmp_path / "cgroup"
    (root / "user" / "me").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("memory")
    (tmp_path / "self").write_text(membership)
    return str(root), str(tmp_path / "self")


def test_a_group_is_made_below_our_own_and_taken_away(tmp_path: Path) -> None:
    path = make_group("setgf-abcd1234-a1", *a_kernel(tmp_path))

    assert path is not None
    assert path == str(tmp_path / "cgroup" / "user" / "me" / "setgf-abcd1234-a1")
    remove_group(path)
    assert not Path(path).exists()
    remove_group(path)


def test_a_process_enters_by_itself_and_the_group_is_ended_at_one_stroke(tmp_path: Path) -> None:
    path = make_group("g", *a_kernel(tmp_path))
    assert path is not None
    for name in ("cgroup.procs", "cgroup.kill"):
        (Path(path) / name).touch()

    enter_group(path)
    assert kill_group(path)

    assert (Path(path) / "cgroup.procs").read_text() == "0"
    assert (Path(path) / "cgroup.kill").read_text() == "1"


def test_without_the_kernels_help_there_is_no_group(tmp_path: Path) -> None:
    root, membership = a_kernel(tmp_path, "4:memory:/old\n")

    assert make_group("g", root, membership) is None
    assert make_group("g", str(tmp_path / "nowhere"), membership) is None
    assert not kill_group(str(tmp_path / "nowhere"))
    enter_group(str(tmp_path / "nowhere"))


def test_a_group_of_that_name_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    root, membership = a_kernel(tmp_path)
    assert make_group("g", root, membership) is not None

    assert make_group("g", root, membership) is None
