"""The part of the fake gateway that lists and changes runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from db.records import Run
from tui.gateway import FilterProblem, GatewayError
from tui.gateway_runs import RunNames
from tui.settings import Remembered

UNKNOWN = "Unknown name `learning`. Did you mean `optim.lr`?\n  learning > 1\n  ^~~~~~~~"


class FakeRuns:
    """Runs in memory, with what a user may change of them."""

    runs: list[Run]
    calls: list[tuple[str, Any]]
    read_only: bool
    trash: list[Run]
    remembered: Remembered

    def touch(self) -> None:
        raise NotImplementedError

    def list_runs(self, where: str = "", *, archived: bool = False) -> tuple[Run, ...]:
        if "learning" in where:
            raise FilterProblem(UNKNOWN)
        found = [one for one in self.runs if archived or not one.archived]
        if "==" in where:
            name = where.rpartition("==")[2].strip(' "')
            found = [one for one in found if one.model == name]
        return tuple(sorted(found, key=lambda one: -one.created_at))

    def read_values(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        return {
            one.id: {name: value for name in names if (value := _value(one, name)) is not None}
            for one in self.runs
            if one.id in set(run_ids)
        }

    def list_names(self) -> RunNames:
        return RunNames(
            settings=("model.name", "model.width", "optim.lr", "optim.lr_text"),
            metrics=("test.acc7", "test.corr", "test.mae", "train.loss", "valid.mae"),
            tags=tuple(sorted({tag for one in self.runs for tag in one.tags})),
        )

    def list_values(self, name: str) -> tuple[str, ...]:
        return tuple(sorted({str(v) for one in self.runs if (v := _value(one, name)) is not None}))

    def archive_runs(self, run_ids: Sequence[str], *, archived: bool) -> str:
        self._each("archive", run_ids, lambda one: replace(one, archived=archived))
        return f"{len(run_ids)} put away" if archived else f"{len(run_ids)} taken back"

    def tag_runs(self, run_ids: Sequence[str], tag: str, *, present: bool) -> str:
        def tagged(one: Run) -> Run:
            tags = {*one.tags, tag} if present else {*one.tags} - {tag}
            return replace(one, tags=tuple(sorted(tags)))

        self._each("tag", run_ids, tagged)
        return f"tagged {tag}" if present else f"took {tag} off"

    def note_runs(self, notes: Mapping[str, str]) -> str:
        self._each("note", tuple(notes), lambda one: replace(one, note=notes[one.id]))
        return "noted"

    def rename_runs(self, names: Mapping[str, str]) -> str:
        self._each("rename", tuple(names), lambda one: replace(one, name=names[one.id]))
        return "renamed"

    def trash_runs(self, run_ids: Sequence[str]) -> str:
        live = [one.id for one in self.runs if one.id in set(run_ids) and one.state.is_live]
        if live:
            raise GatewayError(f"Run `{live[0]}` is running; only one that is over can be deleted.")
        self._each("trash", run_ids, lambda one: one)
        self.trash += [one for one in self.runs if one.id in set(run_ids)]
        self.runs = [one for one in self.runs if one.id not in set(run_ids)]
        return f"{len(run_ids)} in the trash"

    def recover_runs(self, run_ids: Sequence[str]) -> str:
        self.runs += [one for one in self.trash if one.id in set(run_ids)]
        self.trash = [one for one in self.trash if one.id not in set(run_ids)]
        self._each("recover", run_ids, lambda one: one)
        return f"{len(run_ids)} brought back"

    def write_file(self, name: str, text: str) -> str:
        self.calls.append(("write", (name, text)))
        return f"Wrote {name}."

    def _each(self, verb: str, run_ids: Sequence[str], change: Callable[[Run], Run]) -> None:
        if self.read_only:
            raise GatewayError("This dashboard is read-only. Start it without `--read-only`.")
        self.calls.append((verb, tuple(run_ids)))
        self.runs = [change(one) if one.id in set(run_ids) else one for one in self.runs]
        self.touch()


def _value(one: Run, name: str) -> Any:
    if name in one.metrics:
        return one.metrics[name]
    if name in ("tag", "tags"):
        return None
    found: Any = one.config
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if found is None or isinstance(found, Mapping):
        return getattr(one, name, None)
    return found
