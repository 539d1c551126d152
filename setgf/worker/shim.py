"""Supervises one attempt: starts the child, passes on a stop, records how it ended.

Run as `python -I -S shim.py RUN_FOLDER ATTEMPT GRACE_SECONDS -- COMMAND...`. Standard library only;
it knows no database, so a locked or broken one can't end a training run. It

* holds `flock(RUN_FOLDER/live)` while it lives: the kernel frees it at death, so a held lock is
  proof of life without pids or clocks;
* leaves when the `attempt` file names another attempt;
* gives the child a session of its own and SIGKILL at the shim's death, and marks it and all it
  starts by `SETGF_ATTEMPT` in their environment;
* empties the pipe the child prints into and writes its log (`attempt_log.py`);
* writes `proc.json`; at a `stop` file or SIGTERM sends SIGTERM to the child's group, and SIGKILL
  after the grace time;
* ends what the child left behind (subreaper, and a control group where one can be made), then
  writes `exit.json` atomically, in space that was reserved at the start: a full disk can't swallow
  it.

Few imports and no waiting for the disk before `proc.json`: that is how soon a job starts. What a
rebuild needs of a run is brought to the disk while the child starts.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import fcntl
import os
import resource
import signal
import sys
import time

if __name__ == "__main__":
    # In isolated mode the script's own folder is not on the path. Last: nothing there may hide
    # a module of the standard library.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    from attempt_log import AttemptLog, drain  # pyright: ignore[reportMissingImports]
    from control_group import (  # pyright: ignore[reportMissingImports]
        enter_group,
        kill_group,
        make_group,
        remove_group,
    )
else:
    from setgf.worker.attempt_log import AttemptLog, drain
    from setgf.worker.control_group import enter_group, kill_group, make_group, remove_group

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LOCK_SECONDS = 10.0
POLL_SECONDS = 0.1
SWEEP_SECONDS = 5.0
LOG_SECONDS = 5.0
"""How long the end waits for what the child has printed last."""
EXIT_FILE_BYTES = 4096
CHILD_OOM_SCORE = 300
"""The kernel, short of memory, ends the child before the shim and the worker."""
EXIT_USAGE = 64
EXIT_LOCKED = 75
"""Another process holds the run."""
EXIT_DISK_FULL = 74
"""No room to start; also of a child that found no room to say so."""
EXIT_FENCED = 76
"""Another attempt is current, or this one has ended already."""
EXIT_NO_COMMAND = 127
MARK_VARIABLE = "SETGF_ATTEMPT"
"""Holds the whole path of the attempt's folder: a copied home has runs of the same ids."""
_WAKE_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Shim:
    """One attempt from fork to `exit.json`."""

    def __init__(self, run: str, attempt: int, grace_seconds: float, command: list[str]) -> None:
        self.run = run
        self.attempt = attempt
        self.grace_seconds = grace_seconds
        self.command = command
        self.folder = os.path.join(run, f"a{attempt}")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.group: str | None = None
        self.term_at: float | None = None
        self.was_killed = False
        self.started_at = time.time()
        self.oom_kills = read_oom_kills()

    def main(self) -> int:
        """Run the attempt; returns the shim's own exit code."""
        lock = take_lock(os.path.join(self.run, "live"))
        if lock is None:
            return EXIT_LOCKED
        exit_path = os.path.join(self.folder, "exit.json")
        if read_attempt(self.run) != self.attempt or os.path.exists(exit_path):
            return EXIT_FENCED
        signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE_SIGNALS)
        self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        reserved = os.path.join(self.folder, ".exit.json")
        handle = reserve(reserved)
        name = f"setgf-{os.path.basename(self.run)}-a{self.attempt}-{os.getpid()}"
        self.group = make_group(name)
        log, (output, written) = AttemptLog(self.folder), os.pipe()
        child = self.start(written)
        os.close(written)
        is_logged = write_log(log, output)
        self.write_proc(child)
        self.settle()
        status = self.wait(child)
        leftovers = self.sweep(child)
        is_logged.acquire(timeout=LOG_SECONDS)
        text = to_json(self.describe_exit(status, leftovers)).encode("ascii")
        os.pwrite(handle, text, 0)
        os.ftruncate(handle, len(text))
        os.fsync(handle)
        os.rename(reserved, exit_path)
        sync(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        return 0

    def start(self, output: int) -> int:
        """Fork and execute the child, which prints into the pipe `output`; returns its pid."""
        parent = os.getpid()
        child = os.fork()
        if child:
            return child
        try:
            self.become_child(parent, output)
        except BaseException as error:  # noqa: BLE001 (a forked copy must never return)
            os.write(output, f"setgf: the child could not start: {error}\n".encode())
        finally:
            os._exit(EXIT_NO_COMMAND)

    def become_child(self, parent: int, output: int) -> None:
        """Turn the forked copy into the command."""
        os.setsid()
        self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(EXIT_NO_COMMAND)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        write_quietly("/proc/self/oom_score_adj", str(CHILD_OOM_SCORE))
        if self.group is not None:
            enter_group(self.group)
        os.environ[MARK_VARIABLE] = f"{os.path.realpath(self.run)}/a{self.attempt}"
        os.execvp(self.command[0], self.command)

    def write_proc(self, child: int) -> None:
        """Say who runs: what a worker that comes later must know."""
        shim = os.getpid()
        write_atomically(
            os.path.join(self.folder, "proc.json"),
            {
                "attempt": self.attempt,
                "host": os.uname().nodename,
                "boot_id": read_text("/proc/sys/kernel/random/boot_id").strip(),
                "shim_pid": shim,
                "shim_start": start_ticks(shim),
                "child_pid": child,
                "child_start": start_ticks(child),
                "started_at": self.started_at,
                "group": self.group or "",
            },
        )

    def settle(self) -> None:
        """Make the run's identity and config survive a power cut."""
        for name in ("run.json", "config.json", "attempt"):
            sync(os.path.join(self.run, name), os.O_RDONLY)
        sync(self.run, os.O_RDONLY | os.O_DIRECTORY)

    def wait(self, child: int) -> int:
        """Wait for the child's end, reaping what is re-parented meanwhile; returns its status."""
        while True:
            ended = reap(child)
            if ended is not None:
                return ended
            got = signal.sigtimedwait(_WAKE_SIGNALS, POLL_SECONDS)
            asked = got is not None and got.si_signo == signal.SIGTERM
            self.stop_if_asked(child, asked=asked)

    def stop_if_asked(self, child: int, *, asked: bool) -> None:
        """SIGTERM once when asked to stop; SIGKILL when the grace time is over."""
        now = time.monotonic()
        if self.term_at is None:
            if asked or os.path.exists(os.path.join(self.folder, "stop")):
                self.term_at = now
                signal_group(child, signal.SIGTERM)
                signal_group(child, signal.SIGCONT)  # a stopped one could not write a checkpoint
        elif now - self.term_at > self.grace_seconds:
            self.was_killed = True
            signal_group(child, signal.SIGKILL)

    def sweep(self, child: int) -> int:
        """End everything the child left behind; returns how many processes were killed."""
        signal_group(child, signal.SIGKILL)
        if self.group is not None:
            kill_group(self.group)
        killed: set[int] = set()
        deadline = time.monotonic() + SWEEP_SECONDS
        while time.monotonic() < deadline:
            reap(0)
            left = children_of(os.getpid())
            if not left:
                break
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            killed.update(left)
            signal.sigtimedwait(_WAKE_SIGNALS, 0.02)
        if self.group is not None:
            remove_group(self.group)
        return len(killed)

    def describe_exit(self, status: int, leftovers: int) -> dict[str, object]:
        """Return what `exit.json` holds."""
        use = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "attempt": self.attempt,
            "code": os.waitstatus_to_exitcode(status),
            "asked_to_stop": self.term_at is not None,
            "killed_after_grace": self.was_killed,
            "killed_leftovers": leftovers,
            "oom_kills": max(0, read_oom_kills() - self.oom_kills),
            "peak_memory_kib": use.ru_maxrss,
            "cpu_seconds": round(use.ru_utime + use.ru_stime, 3),
            "started_at": self.started_at,
            "ended_at": time.time(),
        }


def write_log(log: AttemptLog, output: int) -> _thread.LockType:
    """Begin to write what comes through the pipe `output`; returns a lock, free at its end.

    In a thread: it waits for the child's words, and the main thread for signals.
    """
    is_logged = _thread.allocate_lock()
    is_logged.acquire()

    def work() -> None:
        try:
            drain(output, log)
        finally:
            is_logged.release()

    _thread.start_new_thread(work, ())
    return is_logged


def take_lock(path: str) -> int | None:
    """Lock the file for this process; None when another one keeps it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)
        else:
            return handle


def read_attempt(run: str) -> int:
    """Return the number in the `attempt` file; -1 without one."""
    try:
        return int(read_text(os.path.join(run, "attempt")))
    except (OSError, ValueError):
        return -1


def reserve(path: str) -> int:
    """Make a file with room for `exit.json` on the disk; returns its handle."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    os.posix_fallocate(handle, 0, EXIT_FILE_BYTES)
    return handle


def reap(child: int) -> int | None:
    """Collect all ended processes; returns the status of `child` when it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return status


def signal_group(leader: int, number: int) -> None:
    """Send a signal to the child's process group; a group that is gone is fine."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def children_of(parent: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                fields = read_text(f"/proc/{name}/stat").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(name))
    return found


def start_ticks(pid: int) -> int:
    """Return a process's start time in clock ticks since boot."""
    return int(read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])


def read_oom_kills() -> int:
    """Return how many processes the kernel has ended for want of memory since boot."""
    try:
        lines = read_text("/proc/vmstat").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def read_text(path: str) -> str:
    """Return a small file's text."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_quietly(path: str, text: str) -> None:
    """Write to a kernel file; a kernel that refuses is fine."""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError:
        return


def write_atomically(path: str, value: dict[str, object]) -> None:
    """Replace a file by a JSON object; not for after a power cut, when nothing it names lives."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(to_json(value))
    os.rename(temporary, path)


def to_json(value: dict[str, object]) -> str:
    """Return a flat object of numbers, booleans and words as JSON, without `json`: 7 ms of start.

    >>> to_json({"host": "a", "code": -9, "asked": True})
    '{"host": "a", "code": -9, "asked": true}'
    """
    words: list[str] = []
    for name, entry in value.items():
        if isinstance(entry, str):
            text = entry.replace("\\", "\\\\").replace('"', '\\"')
            words.append(f'"{name}": "{text}"')
        else:
            words.append(f'"{name}": {str(entry).lower()}')
    return "{" + ", ".join(words) + "}"


def sync(path: str, flags: int) -> None:
    """Bring a file or folder to the disk; one that is not there or refuses is left."""
    try:
        handle = os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)


def main() -> int:
    """Read the command line and supervise."""
    if len(sys.argv) < 6 or sys.argv[4] != "--":
        sys.stderr.write("usage: shim.py RUN_FOLDER ATTEMPT GRACE_SECONDS -- COMMAND...\n")
        return EXIT_USAGE
    if os.getpid() != os.getsid(0):
        os.setsid()
    try:
        return Shim(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[5:]).main()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return EXIT_DISK_FULL
        raise


if __name__ == "__main__":
    sys.exit(main())
