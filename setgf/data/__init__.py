"""Feature files and feature stores: read once, mapped for ever.

Contract: only `batch`, `kept` and `prefetch` load torch; a pickle is read only through
`setgf.data.pickle_guard`, by a machine that can make plain data and nothing else; a store never
changes after it was written, so it may be read by any number of processes and threads, also from a
read-only disk; `write_store` is the only writer, and puts a store in its place in one step.

From a feature file to a batch: `read_any` (a pickle by `features`, a label.csv by `labelled` with
`array_files`) checks and cleans without holding the frames, `write_store` writes them a chunk at a
time and looks at them (`frame_facts`, `ridge`), `open_store` maps them, `open_batches` prepares
what a network sees. Samples to score, without labels: `sample_file`.

The feature store, format version 1, is the folder `$SETGF_HOME/data/<name>/`:

    manifest.json                  what the store is, written last; lists every other file with its
                                   size in bytes and its SHA-256
    <split>.samples.json           {"ids": [...], "transcripts": [...]}, in the order of the arrays
    <split>.labels.npy             (N,) float32, on the label scale
    <split>.labels_<modality>.npy  (N,) float32, human unimodal labels; only where the data has them
    <split>.audio.npy              (F_total, D) float32, the real frames of all samples back to back
    <split>.audio_offsets.npy      (N+1,) int64, sample i is rows offsets[i] to offsets[i+1]
    <split>.vision*.npy            as audio
    <split>.text_features*.npy     as audio; only where the data has precomputed text features
    <split>.tokens*.npy            (F_total,) int32 word piece ids, [CLS] and [SEP] included; only
                                   where the data has them

Splits are `train`, `valid` and `test`. Arrays are plain `.npy` files of little-endian numbers and
are mapped, never unpickled. There is no padding anywhere; a sample may have no frames at all, and
a modality the data lacks has a width of 1 and no frames (`modalities` of the manifest says so).
Manifests also hold `scaling`, the mean and spread of the train split's frames, `official`, the
published file a store was made of, `made_by`, how its splits were made, and the `report`; stores
written before these existed are read without them.

Sizes are compared whenever a store is opened, hashes by `setgf data check`. The `fingerprint` is a
hash of every array and of the facts that decide a number: equal fingerprint, equal data.
"""
