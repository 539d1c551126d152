"""Made-up feature stores of the shape of real ones, with a known signal in every modality.

A label is a weighted sum of three independent shares, one a modality: the words of the transcript
carry the text's, level and trend of the audio frames the audio's, level and bursts of the vision
frames the vision's. No modality alone tells the label. Shapes: N samples, F_total frames, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from setgf.data.manifest import StoreFacts
from setgf.data.ragged import Array, Floats, Integers, Ragged, count_up, offsets_of
from setgf.data.report import build_report
from setgf.data.sentences import (
    CHINESE,
    ENGLISH,
    NUM_PHRASES,
    STRONGEST,
    draw_levels,
    write_transcripts,
)
from setgf.data.store import FeatureStore, SplitData, check_new_name, write_store
from setgf.data.tokens import (
    CHINESE_VOCABULARY,
    ENGLISH_VOCABULARY,
    encode,
    installed_tokenizer,
    load_tokenizer,
)
from setgf.data.vocabulary import read_vocabulary
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split

SHARES: Mapping[Modality, float] = {
    Modality.TEXT: 0.5,
    Modality.AUDIO: 0.4,
    Modality.VISION: 0.3,
}
"""Weight of every modality's share, -1 to 1, in a label whose limit is 1."""
FEWEST_SAMPLES = 12
_CLIPS_A_VIDEO = 4
_SPLIT_PARTS = {Split.TRAIN: 0.65, Split.VALID: 0.15}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Widths and longest sequences of a data set (MMSA's unaligned files, `msa.md` 3.1)."""

    audio_width: int
    vision_width: int
    audio_frames: int
    """Longest audio, frames."""
    vision_frames: int
    """Longest vision, frames."""
    label_step: float
    """Distance of neighbouring labels: what averaging over annotators leaves."""


_SIMS = Shape(audio_width=33, vision_width=709, audio_frames=400, vision_frames=55, label_step=0.2)
SHAPES: Mapping[Dataset, Shape] = {
    Dataset.MOSI: Shape(
        audio_width=5, vision_width=20, audio_frames=375, vision_frames=500, label_step=0.2
    ),
    Dataset.MOSEI: Shape(
        audio_width=74, vision_width=35, audio_frames=500, vision_frames=375, label_step=1 / 3
    ),
    Dataset.SIMS: _SIMS,
    Dataset.SIMSV2: _SIMS,
}


def synthesise(
    home: Home,
    name: str,
    dataset: Dataset = Dataset.MOSI,
    *,
    num_samples: int = 240,
    sizes: Mapping[Split, int] | None = None,
    seed: int = 0,
    force: bool = False,
) -> FeatureStore:
    """Make up a store; the same arguments give the same numbers.

    Args:
        num_samples: samples of all splits together, 12 or more; cut 65 : 15 : 20 by video.
        sizes: samples of every split, instead of `num_samples`.
        force: replace a store of that name.

    Raises:
        DataError: the name is taken or no name, too few samples, or the disk refuses.
    """
    check_new_name(home.data, name, force=force)
    counts = _sizes_of(num_samples) if sizes is None else dict(sizes)
    if min(counts.get(split, 0) for split in Split) < 1:
        raise DataError(f"Every split needs 1 sample or more, but the sizes are {counts}.")
    splits = _Maker(dataset, np.random.default_rng([seed, sum(map(ord, dataset))])).make(counts)
    facts = StoreFacts(
        dataset=dataset,
        language=_language(dataset),
        aligned=False,
        source=f"made up by `setgf data synth`, seed {seed}",
        source_sha256=None,
        vocabulary=CHINESE_VOCABULARY if _language(dataset) == "zh" else ENGLISH_VOCABULARY,
        report=build_report(splits, dataset),
    )
    return write_store(home.data, name, splits, facts, force=force)


class _Maker:
    """Draws the splits of one store, all from one random stream."""

    def __init__(self, dataset: Dataset, random: np.random.Generator) -> None:
        self.dataset = dataset
        self.shape = SHAPES[dataset]
        self.random = random
        self.audio = _Source(random, self.shape.audio_width, self.shape.audio_frames)
        self.vision = _Source(random, self.shape.vision_width, self.shape.vision_frames)
        self.num_videos = 0

    def make(self, sizes: Mapping[Split, int]) -> dict[Split, SplitData]:
        return {split: self._make_split(sizes[split]) for split in Split}

    def _make_split(self, count: int) -> SplitData:
        ids, speakers = self._name_clips(count)
        levels = draw_levels(self.random, count)
        shares = {
            Modality.TEXT: levels.sum(axis=1) / (NUM_PHRASES * STRONGEST),
            Modality.AUDIO: self.random.uniform(-1, 1, count),
            Modality.VISION: self.random.uniform(-1, 1, count),
        }
        chinese = _language(self.dataset) == "zh"
        phrases = CHINESE if chinese else ENGLISH
        transcripts = write_transcripts(self.random, levels, phrases)
        unimodal = {modality: self._to_labels(share) for modality, share in shares.items()}
        return SplitData(
            ids=ids,
            transcripts=transcripts,
            labels=self._to_labels(np.sum([SHARES[p] * shares[p] for p in shares], axis=0)),
            unimodal_labels=unimodal if chinese else None,
            tokens=None if chinese else _word_pieces(transcripts),
            text_features=None,
            audio=self.audio.draw(shares[Modality.AUDIO], speakers, bursts=False),
            vision=self.vision.draw(shares[Modality.VISION], speakers, bursts=True),
        )

    def _name_clips(self, count: int) -> tuple[tuple[str, ...], Integers]:
        """Return ids and the number of every clip's speaker; no video is in two splits."""
        videos = self.num_videos + np.arange(count) // _CLIPS_A_VIDEO
        self.num_videos = int(videos[-1]) + 1
        clips = np.arange(count) % _CLIPS_A_VIDEO + 1
        pairs = zip(videos.tolist(), clips.tolist(), strict=True)
        return tuple(f"video{video:04}$_${clip}" for video, clip in pairs), videos

    def _to_labels(self, share: Array) -> Floats:
        """Return labels on the data set's scale and steps, of shares whose limit is 1."""
        limit, step = self.dataset.label_limit, self.shape.label_step
        steps = np.rint(np.clip(share, -1, 1) * limit / step)
        return np.clip(steps * step, -limit, limit).astype(np.float32)


class _Source:
    """One modality's frames: raw feature scales, speakers, smooth noise and the planted share."""

    _LEVEL, _COURSE, _SPEAKER, _NOISE = 1.2, 1.2, 0.3, 0.8

    def __init__(self, random: np.random.Generator, width: int, longest: int) -> None:
        self.random, self.width, self.longest = random, width, longest
        self.spread = np.exp(random.uniform(-1.5, 1.5, width))
        self.offset = random.uniform(-2, 2, width) * self.spread
        signs = random.choice([-1.0, 1.0], (2, width))
        carriers = random.random((2, width)) < max(0.4, 4 / width)
        self.level, self.course = signs * carriers

    def draw(self, share: Array, speakers: Integers, *, bursts: bool) -> Ragged:
        """Return frames that carry `share` (N,), -1 to 1, as level and as course over time."""
        lengths = self._draw_lengths(len(share))
        sample = np.repeat(np.arange(len(share)), lengths)
        time = count_up(lengths) / np.maximum(lengths[sample] - 1, 1)
        course = np.abs(np.sin(3 * np.pi * time)) if bursts else 2 * time - 1
        planted = share[sample, None] * (
            self._LEVEL * self.level + self._COURSE * course[:, None] * self.course
        )
        frames = self._noise(len(sample)) + self._speakers(speakers)[sample] + planted
        values = (self.offset + self.spread * frames).astype(np.float32)
        return Ragged(values, offsets_of(lengths))

    def _draw_lengths(self, count: int) -> Integers:
        """Return lengths with a long tail, most of them far below the longest."""
        share = self.random.beta(1.3, 9.0, count)
        return np.clip(np.rint(share * self.longest), 4, self.longest).astype(np.int64)

    def _noise(self, count: int) -> Array:
        """Return noise (count, D) that changes slowly: the mean of three neighbours, scaled."""
        white = self.random.standard_normal((count + 2, self.width))
        return self._NOISE * (white[2:] + white[1:-1] + white[:-2]) / np.sqrt(3)

    def _speakers(self, speakers: Integers) -> Array:
        """Return every sample's speaker offset (N, D), which does not point along the level."""
        own = self._SPEAKER * self.random.standard_normal((int(speakers.max()) + 1, self.width))
        unit = self.level / max(float(np.linalg.norm(self.level)), 1.0)
        return (own - np.outer(own @ unit, unit))[speakers]


def _sizes_of(num_samples: int) -> dict[Split, int]:
    if num_samples < FEWEST_SAMPLES:
        raise DataError(
            f"A made-up store needs {FEWEST_SAMPLES} samples or more, but {num_samples} "
            "were asked for."
        )
    sizes = {split: max(int(part * num_samples), 1) for split, part in _SPLIT_PARTS.items()}
    return {**sizes, Split.TEST: num_samples - sum(sizes.values())}


def _language(dataset: Dataset) -> str:
    return "zh" if dataset in (Dataset.SIMS, Dataset.SIMSV2) else "en"


def _word_pieces(transcripts: tuple[str, ...]) -> Ragged | None:
    """Return bert-base-uncased word pieces where their vocabulary is installed, else None."""
    folder = installed_tokenizer()
    if folder is None:
        return None
    is_english = read_vocabulary(folder).is_of(ENGLISH_VOCABULARY)
    return encode(load_tokenizer(folder), transcripts) if is_english else None
