from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.jobs.adding import add_jobs
from db.jobs.blocked import fail_blocked
from db.jobs.control import cancel
from setgf.errors import ConfigError, WorkerError
from setgf.home import Home
from setgf.worker.hooks import run_hook
from setgf.worker.notifier import Notifier, deliver
from setgf.worker.notify import (
    TEMPLATE,
    News,
    Settings,
    load_apprise,
    mask,
    read_settings,
    send,
    write_template,
)
from tests.worker.builders import a_new_job
from tests.worker.processes import wait_until

SECRET = "hunter2"
quiet_apprise = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Its modules use what Python will drop."""
NEWS = News(
    kind="failed",
    title="title",
    text="text",
    details={"job_id": 3, "name": "small", "error": "The loss is NaN.", "state": "failed"},
)


@pytest.fixture
def here(home) -> Home:
    return Home(Path(home))


def write(here: Home, text: str, mode: int = 0o600) -> None:
    here.notify.write_text(text)
    here.notify.chmod(mode)


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "hook.py"
    path.write_text(text)
    return (sys.executable, str(path), str(tmp_path))


def test_a_template_is_private_and_tells_nobody(here: Home) -> None:
    path = write_template(here)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == TEMPLATE
    settings = read_settings(here)
    assert settings is not None
    assert not settings.has_any
    with pytest.raises(ConfigError, match="is there already"):
        write_template(here)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on = ['started']", "`on` in .* must be of finished, failed, queue_empty"),
        ("url = []", "Unknown setting `url`"),
        ("urls = 'x'", "`urls` in .* must be a list of texts"),
        ("urls = [", "must be TOML"),
        ("hook = 'rm'", "`hook` in .* must be a table"),
        ("[hook]\nshell = 'rm'", "Unknown setting `hook.shell`"),
        ("[hook]\ncommand = ['x']\nseconds = 0", "`hook.seconds` in .* must be above 0"),
        ("[hook]\ncommand = ['x']\nseconds = 'long'", "`hook.seconds` in .* must be a number"),
    ],
)
def test_what_is_not_as_expected_is_told(here: Home, text: str, words: str) -> None:
    write(here, text)

    with pytest.raises(ConfigError, match=words):
        read_settings(here)


def test_a_file_that_others_can_read_is_refused_without_telling_it(here: Home) -> None:
    write(here, f"urls = ['mailto://ada:{SECRET}@example.org']", mode=0o640)

    with pytest.raises(ConfigError, match=r"others may read it .*0640.*chmod 600") as caught:
        read_settings(here)

    assert SECRET not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_somebody_else_wrote_is_never_obeyed(here: Home) -> None:
    write(here, "[hook]\ncommand = ['rm']")
    os.chown(here.notify, 12345, -1)

    with pytest.raises(ConfigError, match="belongs to `12345`"):
        read_settings(here)


def test_a_link_is_not_read_as_settings(here: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("urls = []")
    other.chmod(0o600)
    here.notify.symlink_to(other)

    with pytest.raises(ConfigError, match="can't be read"):
        read_settings(here)


def test_a_hook_gets_the_event_as_json_and_as_variables(here: Home, tmp_path: Path) -> None:
    command = program(
        tmp_path,
        "import json, os, sys\n"
        "told = {k: v for k, v in os.environ.items() if k.startswith('SETGF_')}\n"
        "open(sys.argv[1] + '/told', 'w').write(json.dumps([json.load(sys.stdin), told]))\n",
    )

    run_hook(here, command, 20, NEWS)

    given, variables = json.loads((tmp_path / "told").read_text())
    assert given == {"event": "failed", **NEWS.details}
    assert variables["SETGF_EVENT"] == "failed"
    assert variables["SETGF_JOB_ID"] == "3"
    assert variables["SETGF_ERROR"] == "The loss is NaN."
    assert variables["SETGF_HOME"] == str(here.root)


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        ("import sys; sys.exit('no network')", 20, "ended with code 1, saying: no network"),
        ("import time; time.sleep(60)", 0.2, "killed: it took longer than 0.2 seconds"),
    ],
    ids=["fails", "hangs"],
)
def test_a_hook_that_fails_says_so(here, tmp_path, text, seconds, words) -> None:
    with pytest.raises(WorkerError, match=words):
        run_hook(here, program(tmp_path, text), seconds, NEWS)


def test_a_hook_that_is_not_there_says_so(here: Home) -> None:
    with pytest.raises(WorkerError, match="`/no/such/program` can't be started: No such file"):
        run_hook(here, ("/no/such/program",), 1, NEWS)


def test_what_a_hook_leaves_running_ends_with_it(here: Home, tmp_path: Path) -> None:
    command = program(
        tmp_path,
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1] + '/pid', 'w').write(str(p.pid))\n",
    )

    run_hook(here, command, 20, NEWS)

    pid = (tmp_path / "pid").read_text()
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


@quiet_apprise
def test_a_url_is_never_shown_but_for_its_kind() -> None:
    assert mask(f"mailto://ada:{SECRET}@example.org") == "mailto://***"
    assert mask(SECRET) == "***"
    with pytest.raises(WorkerError, match="none that Apprise knows") as caught:
        send(f"no-such-service://{SECRET}", NEWS)
    assert SECRET not in str(caught.value)


@quiet_apprise
def test_a_message_goes_to_a_service_by_its_url(here: Home, tmp_path: Path) -> None:
    sent: list[tuple[str, str]] = []
    library = load_apprise()
    from apprise.decorators import notify

    @notify(on="trial")
    def trial(body: str, title: str, *args: object, **kwargs: object) -> bool:
        sent.append((title, body))
        return "bad" not in str(kwargs.get("meta"))

    settings = Settings(urls=("trial://here", "trial://bad"))
    problems = deliver(here, settings, NEWS)

    assert library is not None
    assert sent == [("title", "text")] * 2
    assert len(problems) == 1
    assert problems[0].startswith("`trial://***` could not be told")


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(WorkerError, match=r'pip install "setgf\[notify\]"'):
        send("ntfy://x", NEWS)


@pytest.fixture
def database(here: Home):
    database = open_database(here.database_url)
    yield database
    database.close()


def hook_that_writes(here: Home, tmp_path: Path) -> Path:
    """Have every event written down, one line each."""
    text = "import json, sys\nopen(sys.argv[1] + '/told', 'a').write(sys.stdin.read() + '\\n')\n"
    command = program(tmp_path, text)
    write(here, f"[hook]\ncommand = {json.dumps(list(command))}")
    return tmp_path / "told"


def told(path: Path) -> list[tuple[str, object]]:
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [(news["event"], news.get("job_id")) for news in found]


def fail_job(database: Database, run_id: str, now: float) -> int:
    """Add a job that fails without ever starting: it waits for one that is cancelled."""
    with database.write() as connection:
        (first,) = add_jobs(connection, [a_new_job(run_id)], actor="ada", now=now)
        waits = a_new_job(f"{run_id}x", after=(first.id,))
        (job,) = add_jobs(connection, [waits], actor="ada", now=now)
        cancel(connection, [first.id], actor="ada", now=now)
        fail_blocked(connection, now=now)
    return job.id


def test_every_end_is_told_once_also_by_the_next_worker(here, database, tmp_path) -> None:
    path = hook_that_writes(here, tmp_path)
    notifier = Notifier(here, database)
    fail_job(database, "old00001", time.time())
    notifier.look()  # what was before the first time is no news
    assert told(path) == []

    first = fail_job(database, "one00001", time.time())
    notifier.look()
    notifier.look()
    assert told(path) == [("failed", first), ("queue_empty", None)]

    second = fail_job(database, "two00001", time.time())
    notifier.close()
    with Notifier(here, database, seconds=60):
        pass
    assert told(path)[2:] == [("failed", second), ("queue_empty", None)]


def test_one_worker_of_a_home_tells_at_a_time(here, database, tmp_path) -> None:
    path = hook_that_writes(here, tmp_path)
    first, second = Notifier(here, database), Notifier(here, database)
    first.look()
    second.look()

    fail_job(database, "one00001", time.time())
    second.look()
    assert told(path) == []
    first.look()
    first.close()
    second.look()
    second.close()

    assert len(told(path)) == 2


def test_what_happened_long_ago_is_no_news(here, database, tmp_path) -> None:
    path = hook_that_writes(here, tmp_path)
    notifier = Notifier(here, database)
    notifier.look()

    fail_job(database, "one00001", time.time() - 86400)
    notifier.look()
    notifier.close()

    assert told(path) == []


def test_settings_that_are_wrong_hurt_no_worker(here, database, caplog) -> None:
    write(here, "urls = [", mode=0o600)

    with Notifier(here, database, seconds=60):
        pass

    assert database.check() == ()


def _is_zombie(pid: str) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
