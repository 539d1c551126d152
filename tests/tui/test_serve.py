"""The dashboard in a browser: who is let in, and a real page in Chromium."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest
from db.records import JobState, Point
from db.runs import add_run
from setgf.errors import ConfigError
from tests.db.builders import new_attempt, new_run
from tui.command_line import run
from tui.png import CONVERTERS, svg_to_png
from tui.serve import PAGES, Guard

NOW = 1_764_000_000.0
PORT = 8917
RUN_ID = "bbbbbbb1"
BROWSER = next(filter(None, map(shutil.which, CONVERTERS[2:])), None)
WAIT_SECONDS = 60.0


def test_without_the_package_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))

    assert run(["--serve"]) != 0
    assert "pip install 'setgf[serve]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 403),
        ("/ws", {}, 403),
        ("/static/js/textual.js", {}, 403),
        ("/?token=wrong", {}, 403),
        ("/?token=right", {}, 303),
        ("/?token=right", {"Host": "evil.example"}, 403),
        ("/?token=right", {"Origin": "http://evil.example"}, 403),
        ("/", {"Cookie": f"setgf_{PORT}=right"}, 200),
        ("/", {"Cookie": f"setgf_{PORT}=wrong"}, 403),
        ("/ws", {"Cookie": f"setgf_{PORT}=right", "Origin": "http://localhost:1"}, 403),
    ],
)
async def test_only_who_has_the_token_is_let_in_and_only_from_this_machine(
    path: str, headers: dict[str, str], status: int
) -> None:
    web = pytest.importorskip("aiohttp.web")
    from aiohttp.test_utils import make_mocked_request

    async def page(_request: Any) -> Any:
        return web.Response(text="the dashboard")

    asked = make_mocked_request("GET", path, headers={"Host": f"localhost:{PORT}", **headers})
    answer = await Guard(PORT, "right")(asked, page)

    assert answer.status == status
    if status == 303:
        cookie = answer.cookies[f"setgf_{PORT}"]
        assert answer.headers["Location"] == "/"
        assert cookie["httponly"] and cookie["samesite"] == "Strict"
    if status == 200:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_the_page_loads_nothing_from_afar() -> None:
    page = (PAGES / "app_index.html").read_text(encoding="utf-8")

    assert "//" not in page.replace("<!DOCTYPE html>", "")


def test_a_png_needs_a_converter_and_says_so() -> None:
    with pytest.raises(ConfigError, match=r"save an \.svg"):
        svg_to_png("<svg/>", find=lambda _name: None)


def test_a_converter_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "rsvg-convert"
    program.write_text("#!/bin/sh\necho 'no such font' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(ConfigError, match="no such font"):
        svg_to_png('<svg viewBox="0 0 10 10"/>', find=lambda _name: str(program))


# In a browser


class Page:
    """A page of a real browser, driven by its developer tools."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self.received = ""
        """What the dashboard has drawn, as it came."""

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._next()
            if message.get("id") == self._number:
                return message.get("result", {})

    async def _next(self) -> dict[str, Any]:
        message = json.loads((await self._socket.receive(timeout=WAIT_SECONDS)).data)
        if message.get("method") == "Network.webSocketFrameReceived":
            frame = message["params"]["response"]
            data = frame["payloadData"]
            if frame["opcode"] == 2:
                data = base64.b64decode(data).decode(errors="replace")
            self.received += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data)
        return message

    async def wait_for(self, is_there: Callable[[str], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not is_there(self.received):
                await self._next()

    async def press(self, key: str) -> None:
        self.received = ""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, **text)


@asynccontextmanager
async def browser(folder: Path) -> AsyncGenerator[Page]:
    """Run a browser without a window and give its first page."""
    import aiohttp

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        str(BROWSER), "--headless", *sandbox, "--disable-gpu", "--remote-debugging-port=0",
        f"--user-data-dir={folder}", "about:blank",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not (folder / "DevToolsActivePort").exists():
                await asyncio.sleep(0.1)
        port = (folder / "DevToolsActivePort").read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://localhost:{port}/json") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            socket = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(socket, max_msg_size=0) as connection:
                yield Page(connection)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def served(home: Path) -> AsyncGenerator[str]:
    """Serve the dashboard of a home and give the address that was printed."""
    environment = {**os.environ, "SETGF_HOME": str(home)}
    environment.pop("SETGF_DATABASE_URL", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui.app", "--serve", "--port", str(PORT),
        stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS)).decode()
        yield line.split()[-1]
    finally:
        process.terminate()
        await process.wait()


def begun_run(home: Path) -> Database:
    """Store a run with 50 points of its loss."""
    database = open_database(f"sqlite:///{home / 'setgf.db'}")
    with database.write() as connection:
        new = new_run(RUN_ID, seed=7, folder=str(home / "runs" / RUN_ID))
        add_run(connection, new, state=JobState.RUNNING)
        add_attempt(connection, new_attempt(RUN_ID))
    grow(database, 1, 50)
    return database


def grow(database: Database, first: int, last: int) -> None:
    with database.write() as connection:
        points = [
            Point(series="train.loss", step=n, epoch=1, value=1 / n, time=NOW + n)
            for n in range(first, last + 1)
        ]
        ingest(connection, RUN_ID, 1, points, points_offset=28 * last)


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
async def test_in_a_browser_the_page_loads_a_key_works_and_a_curve_grows(tmp_path: Path) -> None:
    pytest.importorskip("textual_serve", reason="the extra `serve` is not installed")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    database = begun_run(home)
    async with served(home) as address, browser(tmp_path / "profile") as page:
        await page.ask("Network.enable")
        await page.ask("Page.navigate", url=address)
        await page.wait_for(lambda text: "1 Runs" in text and "train.loss" in text)

        await page.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        await page.ask("Runtime.evaluate", expression="document.querySelector('textarea').focus()")
        await page.press("2")
        await page.wait_for(lambda text: "The queue is empty" in text)

        await page.press("1")
        await page.wait_for(lambda text: "train.loss" in text)
        assert "5000" not in page.received
        grow(database, 51, 5000)
        await page.wait_for(lambda text: "5000" in text.replace(",", "") or "5k" in text)
    database.close()
