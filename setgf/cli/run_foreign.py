"""What TensorBoard and MMSA left, as runs in the form of `setgf.runs.exchange`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from setgf.errors import DataError
from setgf.runs.exchange import FORMAT, POINTS_A_LINE, derive_id, hash_of
from setgf.runs.mmsa_results import MmsaResult, dataset_of, read_results
from setgf.runs.tensorboard import Scalar, Scalars, find_folders, read_files, read_folder
from setgf.runs.tensorboard import series_names as names_of
from setgf.terms import Dataset

UNKNOWN = "unknown"


def of_tensorboard(
    path: Path, *, dataset: Dataset | None, data: str | None, model: str | None, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the runs under a folder, or of one event file, with their scalars.

    Raises:
        DataError: there are no scalars at all, or a file can't be read.
    """
    path = path.absolute()
    sources = [path] if path.is_file() else find_folders(path)
    num_runs = 0
    for source in sources:
        scalars = read_files([source]) if source.is_file() else read_folder(source)
        yield from ({"remark": sentence} for sentence in scalars.damaged)
        if not scalars.by_tag:
            yield {"remark": f"{source} holds no scalars; it is left out."}
            continue
        num_runs += 1
        name = path.name if source == path else str(source.relative_to(path))
        facts = {
            "dataset": str(dataset or UNKNOWN),
            "data_name": data or str(dataset or UNKNOWN),
            "model": model or UNKNOWN,
            "seed": seed,
        }
        yield from _of_scalars(source, name, scalars, facts)
    if not num_runs:
        raise DataError(f"{path} holds no scalars of TensorBoard, so there is nothing to import.")


def of_mmsa(
    path: Path, *, dataset: Dataset | None, data: str | None, model: str | None
) -> Iterator[dict[str, Any]]:
    """Yield a run for every row of a result file: the mean over the seeds it was made of.

    Raises:
        DataError: it is no such file, or its name does not say the data set.
    """
    path = path.absolute()
    results = read_results(path, model=model)
    known = dataset or dataset_of(path)
    if known is None:
        raise DataError(
            f"The name of {path} does not begin with a data set; name it with `--dataset`."
        )
    for result in results:
        yield _of_result(path, result, known, data or str(known))


def _of_result(path: Path, result: MmsaResult, dataset: Dataset, data: str) -> dict[str, Any]:
    config = {
        "imported": {
            "from": "mmsa",
            "file": path.name,
            "row": result.row,
            "sd": dict(result.deviations),
            "parameters": dict(result.parameters),
        }
    }
    moment = _moment(path)
    row = sorted((*result.metrics.items(), *result.parameters.items()))
    return _run(
        derive_id("mmsa", str(path), result.model, repr(row)),
        name=f"{result.model} {dataset} (MMSA)",
        dataset=str(dataset),
        data_name=data,
        model=result.model,
        config=config,
        metrics=dict(result.metrics),
        created_at=moment,
        note="The mean over the seeds that MMSA ran." if result.deviations else "",
        tags=["imported", "mmsa"],
    )


def _of_scalars(
    source: Path,
    name: str,
    scalars: Scalars,
    facts: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    series = names_of(list(scalars.by_tag))
    ordered = {
        series[tag]: [by_step[step] for step in sorted(by_step)]
        for tag, by_step in scalars.by_tag.items()
    }
    times = [scalar.time for points in ordered.values() for scalar in points]
    run_id = derive_id("tensorboard", str(source))
    last = {name: points[-1] for name, points in ordered.items()}
    yield _run(
        run_id,
        name=name,
        **facts,
        config={"imported": {"from": "tensorboard", "path": str(source)}},
        metrics={n: point.value for n, point in last.items() if n.startswith("test.")},
        created_at=min(times),
        started_at=min(times),
        finished_at=max(times),
        step=max(point.step for point in last.values()),
        tags=["imported", "tensorboard"],
    )
    for series_name, points in ordered.items():
        yield from _points(run_id, series_name, points)


def _points(run_id: str, name: str, points: list[Scalar]) -> Iterator[dict[str, Any]]:
    for begin in range(0, len(points), POINTS_A_LINE):
        part = points[begin : begin + POINTS_A_LINE]
        yield {
            "kind": "points",
            "run_id": run_id,
            "series": name,
            "steps": [point.step for point in part],
            "epochs": [0] * len(part),
            "values": [point.value for point in part],
            "times": [point.time for point in part],
        }


def _run(run_id: str, *, config: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """Return the line of a run that was made by another program, and is over."""
    settings = {**config, "model": {"name": values["model"]}, "data": {"name": values["data_name"]}}
    return {
        "kind": "run",
        "format": FORMAT,
        "id": run_id,
        "seed": 0,
        "max_epochs": 0,
        "monitor": "mae",
        "state": "succeeded",
        "fingerprint": hash_of({**settings, "id": run_id}),
        "variant": hash_of({"model": values["model"], "data": values["data_name"], "id": run_id}),
        "config": settings,
        **values,
    }


def _moment(path: Path) -> float:
    """Return when a file was last written; now, where the system does not say."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
