"""The run folder: the truth of a run. Standard library only, but for the history of labels.

    $SETGF_HOME/runs/<run_id>/
      run.json          who the run is: `RunIdentity`; written once
      config.json       nested settings; written once
      environment.json  code, libraries, machine, data; written by the process that trains
      attempt           number of the current attempt: the fence
      evaluations.jsonl what `setgf eval` scored again (`evaluations`): no result of the run
      live              lock file; flock held by the shim, or by a foreground `setgf train`
      a<N>/             what attempt N left; never written by another attempt
        points.bin        journal: 28-byte records `<HHIddI`: series, epoch, step, value, time,
                          crc32 of the first 24 bytes; a torn or damaged record ends reading
        series.jsonl      {"id": 0, "name": "train.loss"}, written before the series' first point
        events.jsonl      {"at": .., "kind": .., ...} a line; one without newline is not there
        predictions-<split>.csv
        labels.npy        unimodal labels by epoch (`setgf.runs.label_history`), with labels.json
        checkpoints/      best.*, last-*.* and manifest.json, which is written last
        log.txt           standard output and error of the child
        proc.json         the shim and its child: pid, start time, boot id
        exit.json         how the child ended; written atomically by the shim
        stop              exists: the attempt is asked to stop; its text says what it becomes:
                          `cancel` or `requeue`

Who writes: the worker and `setgf train` make the folder; the worker moves `attempt` before it
starts a shim; the shim writes `live`, `proc.json`, `exit.json`; only the training process
writes the rest of `a<N>/`, through `FolderRecorder`; `setgf eval` appends to `evaluations.jsonl`.
Everybody may read at any time.

Kinds of events: `started` {resume_step, ...}, `epoch` {epoch, step, max_epochs, valid, best,
best_epoch}, `checkpoint` {role, file, epoch, step, size, sha256}, `predictions` {split, file},
`finished` {best_epoch, best_valid, epochs, steps, metrics, weights_sha256}, `stopped` {step,
epoch}, `failed` {failure_class, message, exit_code}, `warning` {message}.

Superseding: points of an earlier attempt with a step above the `resume_step` of a later one's
`started` event do not count, so (series, step) is unique in a run.
"""
