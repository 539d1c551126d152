"""Feature files and feature stores: read once, mapped for ever.

Contract: only `setgf.data.batch` loads torch; a feature file is read only through
`setgf.data.pickle_guard`; a store never changes after it was written, so it may be read by any
number of processes and threads; `write_store` is the only writer.

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
are mapped, never unpickled. There is no padding anywhere; a sample may have no frames at all.
"""
