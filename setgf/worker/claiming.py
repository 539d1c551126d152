"""Takes the jobs that fit on what is free: look, place, claim, start."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from db import jobs, runs
from db.engine import Database
from db.records import Claim, Job
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.worker.clocks import boot_time
from setgf.worker.gpus import free_memory_mib
from setgf.worker.identity import Identity
from setgf.worker.keeper import Keeper
from setgf.worker.memory import Need, Peaks, memory_key, need_of
from setgf.worker.placement import Host, Placement, Room, fits_ever, place
from setgf.worker.presence import Presence
from setgf.worker.processes import descendants, process_table
from setgf.worker.rooms import gpu_room, slot_room
from setgf.worker.submit import new_run, run_identity

WINDOW = 32
"""Jobs looked at, best first."""
DEEPER = 8
"""So many times more are looked at when none of them can start here, though a device is free."""
DEEPEST = 16_384
DEEP_SECONDS = 2.0
DEEP_REST = 20.0
"""Times its own length between two such looks: at most 5 % of a core."""
PEAKS_SECONDS = 10.0
"""How long a measured peak is believed to be the newest."""

log = logging.getLogger("setgf.worker")


class Claimer:
    """One worker's way from the queue to running attempts."""

    def __init__(
        self,
        home: Home,
        database: Database,
        identity: Identity,
        presence: Presence,
        keeper: Keeper,
        *,
        share_gpus: bool,
    ) -> None:
        self.home = home
        self.database = database
        self.identity = identity
        self.presence = presence
        self.keeper = keeper
        self.share_gpus = share_gpus
        self.waits = False
        """True when a job waits for what no change of the database tells of: memory, a GPU."""
        self._peaks: dict[str, tuple[float, int | None]] = {}
        self._next_deep = 0.0

    def claim(self, now: float, *, at_most: int | None = None) -> int:
        """Start what fits on free devices; returns how many jobs were taken."""
        self.waits = boot_time() < self.keeper.rests_until
        if self.waits:
            return 0
        taken = self.keeper.taken_devices()
        if not self.presence.has_gpus and all(d.name in taken for d in self.presence.devices):
            return 0
        placements, num_seen = self._look(now, WINDOW)
        if not placements and num_seen == WINDOW and boot_time() >= self._next_deep:
            placements = self._look_deeper(now)
        return self._take(placements[:at_most], now)

    def finds_work(self) -> bool:
        """True while a job waits that this worker could run, now or when its time has come."""
        return any(self._finds_work(window) for window in (WINDOW, DEEPEST))

    def _finds_work(self, window: int) -> bool:
        with self.database.read() as connection:
            waiting = jobs.candidates(connection, now=sys.float_info.max, limit=window)
            needs = [self._need(connection, job) for job in waiting if self._has_folder(job)]
        return any(fits_ever(need, self.presence.devices) for need in needs)

    def _look_deeper(self, now: float) -> tuple[Placement, ...]:
        """Look at ever more jobs until one fits; again only after a time many times as long."""
        began, window = boot_time(), WINDOW
        while True:
            window *= DEEPER
            placements, num_seen = self._look(now, window)
            if placements or num_seen < window or window >= DEEPEST:
                break
        ended = boot_time()
        self._next_deep = ended + max(DEEP_SECONDS, DEEP_REST * (ended - began))
        return placements

    def _look(self, now: float, window: int) -> tuple[tuple[Placement, ...], int]:
        """Return what can start of the first jobs that may, and how many there are."""
        with self.database.read() as connection:
            found = jobs.candidates(connection, now=now, limit=window)
            waiting = [job for job in found if self._has_folder(job)]
            if not waiting:
                return (), len(found)
            needs = [self._need(connection, job) for job in waiting]
            rooms = self._rooms(connection)
        placements, obstacles = place(
            list(zip(waiting, needs, strict=True)), rooms, self._host(needs)
        )
        self.waits = bool(obstacles)
        return placements, len(found)

    def _has_folder(self, job: Job) -> bool:
        """False for a run id that would lead out of the folder of runs: it is never started."""
        try:
            self.home.run_path(job.run_id)
        except RunFolderError as error:
            log.debug("job %d is left: %s", job.id, error)
            return False
        return True

    def _take(self, placements: Sequence[Placement], now: float) -> int:
        """Claim jobs, all in one transaction, and start those that are ours."""
        if not placements:
            return 0
        ours: list[tuple[Claim, Placement]] = []
        with self.database.write() as connection:
            for placement in placements:
                claim = self._claim_one(connection, placement, now)
                if claim is not None:
                    ours.append((claim, placement))
        for claim, placement in ours:
            self.keeper.start(claim.job, placement.devices, now, host_mib=placement.host_mib)
        return len(ours)

    def _claim_one(self, connection: Connection, placement: Placement, now: float) -> Claim | None:
        me = self.identity
        claim = jobs.claim(
            connection,
            placement.job.id,
            worker_id=me.worker_id,
            host=me.host,
            boot_id=me.boot_id,
            devices=placement.devices,
            lease_seconds=me.lease_seconds,
            now=now,
            boot_time=boot_time(),
            share=placement.share,
        )
        if claim is not None:
            folder = self.home.run_path(claim.job.run_id)
            identity = run_identity(claim.job, created_at=now)
            runs.add_run(connection, new_run(identity, claim.job.config, folder))
        return claim

    def _need(self, connection: Connection, job: Job) -> Need:
        kinds = ("host", "gpu") if job.gpus > 0 else ("host",)
        peaks = {kind: self._peak(connection, memory_key(job.config, kind)) for kind in kinds}
        return need_of(job, Peaks(**peaks))

    def _peak(self, connection: Connection, key: str) -> int | None:
        moment = boot_time()
        known = self._peaks.get(key)
        if known is None or moment - known[0] > PEAKS_SECONDS:
            known = (moment, jobs.memory_peak(connection, key))
            self._peaks[key] = known
        return known[1]

    def _rooms(self, connection: Connection) -> list[Room]:
        taken = self.keeper.taken_devices()
        use = self.presence.gpu_use()
        given: Mapping[str, float] = {}
        ours: set[int] = set()
        if use:
            given = jobs.device_shares(connection, self.identity.host)
        if any(gpu.processes for gpu in use.values()):
            ours = self._pids(connection)
        rooms: list[Room] = []
        for device in self.presence.devices:
            if device.kind == "cpu":
                rooms.append(slot_room(device, is_taken=device.name in taken))
            elif device.name in use:
                rooms.append(
                    gpu_room(
                        device,
                        use[device.name],
                        given=given.get(device.name, 0.0),
                        ours=ours,
                        share_gpus=self.share_gpus,
                    )
                )
        return rooms

    def _pids(self, connection: Connection) -> set[int]:
        """Return the pids of all attempts of this machine, those of its other workers too."""
        live = jobs.live_jobs(connection, self.identity.host)
        shims = [
            (attempt.pid, attempt.pid_start)
            for _, attempt in live
            if attempt.pid is not None and attempt.pid_start is not None
        ]
        return descendants(process_table(), shims)

    def _host(self, needs: Sequence[Need]) -> Host:
        held = tuple(self.keeper.held.values())
        has_lonely = any(entry.job.is_alone and entry.job.gpus <= 0 for entry in held)
        if all(need.host_mib is None for need in needs):
            return Host(num_running=len(held), has_lonely=has_lonely)
        promised = sum(max(0, entry.host_mib - entry.watch.memory_mib) for entry in held)
        return Host(
            free_mib=free_memory_mib() - promised,
            ours_mib=sum(max(entry.host_mib, entry.watch.memory_mib) for entry in held),
            num_running=len(held),
            has_lonely=has_lonely,
        )
