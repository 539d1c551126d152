"""Our queue beside task-spooler, gflow and huey, one after the other in one run.

    python -m tests.benchmarks.queues --peers DIR --gflow DIR --huey PYTHON

`--peers` names the folder with `bench_tsp.py`, `bench_gflow.py` and `bench_huey.py`; task-spooler
is Debian's, gflow the folder of its binaries (package `runqd`), huey the Python of an environment
that has it. What is absent is left out, and said so. The environment variables SETGF_BENCH_PEERS,
SETGF_BENCH_GFLOW and SETGF_BENCH_HUEY say the same.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.engine import open_database
from db.jobs import add_jobs
from db.records import Job, JobState
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.runs.reader import read_events
from setgf.worker.supervision import is_process, read_process
from tests.acceptance.workers import ROOT, Site
from tests.benchmarks.table import median
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until

ROUNDS = 2
NUM_STARTS = 25
NUM_COMMANDS = 5
NUM_NOOPS = 200
SLOTS = 2
PEER_SECONDS = 400
WORKER = ("-m", "tests.acceptance.chaos_worker", "--lease", "30", "--slots", str(SLOTS))


@dataclass(frozen=True)
class Result:
    """What was measured of one queue in one round."""

    enqueue_ms: float
    start_ms: float
    worst_ms: float
    per_second: float
    crash: str
    """What became of the job that ran and of the one that waited when the daemon was killed."""


@dataclass(frozen=True)
class Peers:
    """Where other queues are found."""

    scripts: Path | None
    gflow: Path | None
    huey: Path | None


def main(peers: Peers | None = None, rounds: int = ROUNDS) -> None:
    """Print a table of medians over the rounds."""
    peers = peers or Peers(
        *(_path(os.environ.get(f"SETGF_BENCH_{name}")) for name in ("PEERS", "GFLOW", "HUEY"))
    )
    queues = dict(_queues(peers))
    results: dict[str, list[Result]] = {name: [] for name in queues}
    for _ in range(rounds):
        for name, measure in queues.items():
            results[name].append(measure())
            print(f"{name}: {results[name][-1]}", file=sys.stderr, flush=True)
    print(f"{rounds} rounds, one queue after the other; load {os.getloadavg()[0]:.1f}\n")
    print("| | enqueue ms | enqueue to start ms (worst) | no-op jobs/s | `kill -9` of the daemon |")
    print("|---|---|---|---|---|")
    for name, found in results.items():
        print(_row(name, found))


def _row(name: str, found: Sequence[Result]) -> str:
    enqueue = median([result.enqueue_ms for result in found])
    start = median([result.start_ms for result in found])
    worst = max(result.worst_ms for result in found)
    rate = median([result.per_second for result in found])
    crash = "; ".join(dict.fromkeys(result.crash for result in found))
    return f"| {name} | {enqueue:.1f} | {start:.0f} ({worst:.0f}) | {rate:.0f} | {crash} |"


def _queues(peers: Peers) -> Iterator[tuple[str, Callable[[], Result]]]:
    yield "setgf, from Python", lambda: ours(by_command=False)
    yield "setgf, by `setgf queue add`", lambda: ours(by_command=True)
    scripts = peers.scripts
    if scripts is None or not scripts.is_dir():
        print("Other queues are left out: no folder with their scripts (--peers).")
        return
    if shutil.which("tsp") is None:
        print("task-spooler is left out: no `tsp` (apt-get install task-spooler).")
    else:
        yield "task-spooler", lambda: task_spooler(scripts)
    if peers.gflow is None or not (peers.gflow / "gflowd").exists():
        print("gflow is left out: no folder with its binaries (--gflow; pip install runqd).")
    else:
        folder = peers.gflow
        yield "gflow, process executor", lambda: gflow(scripts, folder)
    if peers.huey is None or not peers.huey.exists():
        print("huey is left out: no Python that has it (--huey; pip install huey).")
    else:
        python = peers.huey
        yield "huey, SqliteHuey", lambda: huey(scripts, python)


def ours(*, by_command: bool) -> Result:
    """Measure our own queue with children that do nothing, and a worker that is killed."""
    with _site("quick") as site:
        add = _add_by_command if by_command else _add
        enqueue, start = _time_starts(site, add, NUM_COMMANDS if by_command else NUM_STARTS)
        rate = _time_noops(site)
    with _site("stub") as site:
        crash = _kill_worker(site)
    return Result(median(enqueue), median(start), max(start), rate, crash)


@contextmanager
def _site(child: str) -> Generator[Site]:
    with tempfile.TemporaryDirectory(prefix="setgf-bench-") as folder:
        home = Path(folder)
        synthesise(Home(home), "demo", num_samples=40)
        database = open_database(f"sqlite:///{home / 'setgf.db'}")
        with Site(home, database, (*WORKER, "--child", child)) as site:
            yield site
        database.close()


def _add(site: Site, *plan: str) -> Job:
    number = len(site.jobs()) + 1
    with site.database.write() as connection:
        new = a_new_job(f"run{number:05}", *plan)
        return add_jobs(connection, [new], actor="me", now=time.time())[0]


def _add_by_command(site: Site) -> Job:
    words = ("queue", "add", "--data", "demo", "--set", "text.encoder=tiny", "--gpus", "0")
    done = subprocess.run(
        [sys.executable, "-m", "setgf.cli.main", *words, "--force", "--json"],
        cwd=ROOT,
        env={**os.environ, "SETGF_HOME": str(site.home)},
        capture_output=True,
        check=True,
    )
    return site.job(json.loads(done.stdout)[0]["id"])


def _time_starts(
    site: Site, add: Callable[[Site], Job], count: int
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of adding a job, and until its child did something."""
    worker = site.start_worker()
    wait_until(lambda: any(one.state == "alive" for one in site.query.workers()))
    enqueue: list[float] = []
    start: list[float] = []
    for _ in range(count):
        began = time.time()
        job = add(site)
        enqueue.append(1e3 * (time.time() - began))
        wait_until(lambda job=job: site.job(job.id).state is JobState.SUCCEEDED)
        event = read_events(site.folder(job).attempt_folder(1))[0]
        start.append(1e3 * (float(event["at"]) - began))
    worker.terminate()
    worker.wait()
    return enqueue, start


def _time_noops(site: Site) -> float:
    """Return how many jobs a second run from the first claim to the last end, and are stored."""
    jobs = [_add(site) for _ in range(NUM_NOOPS)]
    site.start_worker("--drain").wait()
    ended = [site.job(job.id) for job in jobs]
    assert all(job.state is JobState.SUCCEEDED for job in ended)
    first = min(job.started_at or 0.0 for job in ended)
    return NUM_NOOPS / (max(job.finished_at or 0.0 for job in ended) - first)


def _kill_worker(site: Site) -> str:
    """Kill the worker while two jobs run and one waits; say what became of them."""
    jobs = [_add(site, "steps=400", "pause=0.02") for _ in range(SLOTS + 1)]  # 8 s, as theirs
    worker = site.start_worker()
    site.wait_for_steps(jobs[0].id, 10)
    record = read_process(site.attempt(site.job(jobs[0].id)))
    worker.kill()
    worker.wait()
    time.sleep(0.5)
    assert record is not None
    goes_on = is_process(record.child_pid, record.child_start, record.boot_id)
    site.start_worker("--drain").wait()
    ended = [site.job(job.id) for job in jobs]
    attempts = max(job.attempt for job in ended)
    right = all(job.state is JobState.SUCCEEDED for job in ended)
    job = "the job goes on" if goes_on else "the job dies"
    adopted = "the next worker adopts it" if attempts == 1 else f"it needs {attempts} attempts"
    return f"{job}, {adopted}; {'nothing is lost' if right else 'LOST'}, the waiting one runs"


def _run_script(command: Sequence[str | Path], **variables: str) -> Mapping[str, Any]:
    """Run another queue's script; returns the JSON it prints among other lines."""
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=PEER_SECONDS,
    )
    begin, end = done.stdout.find("{"), done.stdout.rfind("}")
    if begin < 0:
        sys.exit(f"{command} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout[begin : end + 1])


def task_spooler(scripts: Path) -> Result:
    """Measure task-spooler; 4 slots do the most jobs a second."""
    found = _run_script([sys.executable, scripts / "bench_tsp.py"])
    return Result(
        found["enqueue_ms_median"],
        found["enqueue_to_start_ms_median"],
        found["enqueue_to_start_ms_max"],
        max(median(found["noop_jobs_per_s_slots1"]), median(found["noop_jobs_per_s_slots4"])),
        _kill_spooler(),
    )


def _kill_spooler() -> str:
    """Kill task-spooler's server, found by its socket, while a job runs and another waits."""
    with tempfile.TemporaryDirectory(prefix="setgf-tsp-") as folder:
        socket = f"{folder}/socket"
        variables = {**os.environ, "TS_SOCKET": socket, "TMPDIR": folder}

        def tsp(*words: str) -> str:
            done = subprocess.run(["tsp", *words], env=variables, capture_output=True, text=True)
            return done.stdout.strip()

        running = tsp("sh", "-c", f"sleep 8; touch {folder}/first")
        tsp("sh", "-c", f"touch {folder}/second")
        job = int(tsp("-p", running))
        os.kill(_listener(socket), signal.SIGKILL)
        time.sleep(0.5)
        goes_on = Path(f"/proc/{job}").exists()
        known = len(tsp().splitlines()) - 1
        time.sleep(9)
        ran = Path(f"{folder}/second").exists()
        with suppress(OSError):
            os.kill(_listener(socket), signal.SIGTERM)
    job_words = "the job goes on, unwatched" if goes_on else "the job dies"
    waiting = "ran" if ran else "never runs"
    return f"{job_words}; {known} jobs known afterwards, the waiting one {waiting}"


def _listener(socket: str) -> int:
    """Return the pid of the process that listens on a Unix socket."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    inodes = {f"socket:[{line.split()[6]}]" for line in lines if line.endswith(socket)}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if any(str(link.readlink()) in inodes for link in (entry / "fd").iterdir()):
                    return int(entry.name)
    raise ProcessLookupError(f"nobody listens on {socket}")


def gflow(scripts: Path, binaries: Path) -> Result:
    """Measure gflow with its process executor."""
    script = [sys.executable, scripts / "bench_gflow.py", "process"]
    found = _run_script(script, GF_BIN=str(binaries))
    job = "the job goes on" if found["daemon_kill9_job_alive"] else "the job dies"
    state = str(found["after_restart"][0]).lower()
    then = "runs" if found["dependent_ran"] else "had not run 20 s later"
    crash = f"{job}, {state} for the next daemon; the one that waits for it {then}"
    return Result(
        found["enqueue_ms"], found["start_ms"], found["start_ms_max"],
        found["noop_jobs_per_s"], crash,
    )  # fmt: skip


def huey(scripts: Path, python: Path) -> Result:
    """Measure huey with SQLite; its enqueueing is a function call."""
    found = _run_script([python, scripts / "bench_huey.py"])
    starts = found["delay_0.05"]
    again = found["whole_group_kill9_job_C_rerun_after_restart"]
    is_lost = not any("end" in line for line in again)
    crash = "the job is lost, retries or not" if is_lost else "the job runs again"
    return Result(
        starts["enqueue_ms"], starts["start_ms_median"], starts["start_ms_max"],
        median([entry["drained_per_s_incl_start"] for entry in found["throughput"]]), crash,
    )  # fmt: skip


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _options() -> tuple[Peers, int]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("peers", "gflow", "huey"):
        default = _path(os.environ.get(f"SETGF_BENCH_{name.upper()}"))
        parser.add_argument(f"--{name}", type=Path, default=default)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    return Peers(options.peers, options.gflow, options.huey), options.rounds


if __name__ == "__main__":
    main(*_options())
