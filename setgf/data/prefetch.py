"""The batches of an epoch in order, made ahead of the one that is worked on.

On a GPU a thread makes them, on a stream of its own: reading, scaling and copying go on while the
device computes. On the CPU, where that would only take cores from the network, each is made when
it is asked for. No other process is needed: making a batch is a few copies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from queue import Queue
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from setgf.data.batch import Batch, BatchLabels, BatchSource
from setgf.data.ragged import Integers

AHEAD_ON_GPU = 3
"""Batches that are ready or under way."""
Loaded = tuple[Batch, BatchLabels]


class BatchFeed:
    """Gives the batches of some rows, in order; a context that ends what it started."""

    def __init__(
        self, source: BatchSource, order: Sequence[Integers], *, ahead: int | None = None
    ) -> None:
        on_gpu = source.device.type == "cuda"
        ahead = (AHEAD_ON_GPU if on_gpu else 0) if ahead is None else ahead
        self.waited = 0.0
        """Seconds that the reader has waited for its batches."""
        self._thread = None if ahead == 0 else _Ahead(source, order, ahead)
        self._batches: Iterator[Loaded] = (
            (source.batch(rows) for rows in order) if self._thread is None else self._thread.read()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.close()

    def __iter__(self) -> Iterator[Loaded]:
        return self

    def __next__(self) -> Loaded:
        started = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.waited += time.perf_counter() - started


class _Ahead:
    """The thread that makes batches, and what it has made."""

    def __init__(self, source: BatchSource, order: Sequence[Integers], ahead: int) -> None:
        self._source, self._order = source, order
        self._made: Queue[tuple[Loaded, torch.Event | None] | BaseException] = Queue()
        self._room = threading.Semaphore(ahead)
        self._is_closed = threading.Event()
        self._stream: torch.cuda.Stream | None = None
        if source.device.type == "cuda":
            self._stream = torch.cuda.Stream(source.device)
            self._stream.wait_stream(torch.cuda.current_stream(source.device))
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    def read(self) -> Iterator[Loaded]:
        """Yield every batch; what went wrong in the thread is raised here."""
        for _ in self._order:
            made = self._made.get()
            self._room.release()
            if isinstance(made, BaseException):
                raise made
            loaded, is_copied = made
            if is_copied is not None:
                self._hand_over(loaded, is_copied)
            yield loaded

    def close(self) -> None:
        """End the thread; what it has made is dropped."""
        self._is_closed.set()
        self._room.release()
        self._thread.join()
        if self._stream is not None:
            self._stream.synchronize()

    def _run(self) -> None:
        try:
            with torch.cuda.stream(self._stream):  # None: nothing
                for rows in self._order:
                    self._room.acquire()
                    if self._is_closed.is_set():
                        return
                    loaded = self._source.batch(rows)
                    is_copied = None if self._stream is None else self._stream.record_event()
                    self._made.put((loaded, is_copied))
        except BaseException as error:  # noqa: BLE001 - it is raised where the batch is read
            self._made.put(error)

    def _hand_over(self, loaded: Loaded, is_copied: torch.Event) -> None:
        """Let the reader's stream wait for the copies, and keep their memory until it is done."""
        stream = torch.cuda.current_stream(self._source.device)
        stream.wait_event(is_copied)
        for part in loaded:
            for entry in fields(part):
                value = getattr(part, entry.name)
                if isinstance(value, Tensor) and value.is_cuda:
                    value.record_stream(stream)
