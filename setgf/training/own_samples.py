"""Samples a user brings to a trained model: laid out, checked, and told what is unlike training.

Shapes: N samples, T frames of one sample, D width of a frame as the training data has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from setgf.config import DataConfig
from setgf.data.frame_facts import FRAMED, ragged_of
from setgf.data.frames import CLIP, Scaling
from setgf.data.normalise import Normaliser
from setgf.data.ragged import Array, Floats, Integers, Ragged, from_rows
from setgf.data.sample_file import Samples
from setgf.data.split_data import SplitData
from setgf.data.tokens import WORTH_A_WARNING, TokenFacts
from setgf.errors import DataError
from setgf.terms import MODALITIES, Modality
from setgf.training.evaluate import name_samples
from setgf.training.model_facts import ModelFacts

UNLIKE_SHARE = 0.05
"""Share of features beyond the clipping bound that is worth a warning; of normal ones 6e-7 is."""
_MOST_ROWS = 1 << 16


def lay_out(
    facts: ModelFacts,
    transcripts: Sequence[str],
    *,
    frames: Mapping[Modality, Sequence[Array | None] | None],
    ids: Sequence[str] | None,
) -> Samples:
    """Return N texts, and their frames where there are some, as samples.

    Args:
        facts: of the training data.
        transcripts: N texts.
        frames: N arrays (T, D) by modality; None for a sample without, or for no sample with any.
        ids: names of the samples; None numbers them.

    Raises:
        DataError: there is no sample, or as many frames or ids as texts are not there.
    """
    count = len(transcripts)
    if not count:
        raise DataError("There is no sample to score. Give at least one text.")
    names = tuple(ids or (f"sample{place + 1}" for place in range(count)))
    if len(names) != count:
        raise DataError(f"There are {count} texts, but {len(names)} ids. Give one to each.")
    laid = {part: _lay(part, frames.get(part), facts.width(part), count) for part in FRAMED}
    held = [part for part in FRAMED if frames.get(part) is not None]
    data = SplitData(
        ids=names,
        transcripts=tuple(transcripts),
        labels=np.full(count, np.nan, np.float32),
        unimodal_labels=None,
        tokens=None,
        text_features=None,
        audio=laid[Modality.AUDIO],
        vision=laid[Modality.VISION],
    )
    return Samples(data=data, modalities=(Modality.TEXT, *held), remarks=())


def fit_widths(data: SplitData, facts: ModelFacts, settings: DataConfig) -> SplitData:
    """Return the samples with frames of the training data's width, where they have any.

    Raises:
        DataError: they have frames of another width, and the model looks at them.
    """
    fitted: dict[Modality, Ragged] = {}
    for modality in FRAMED:
        given, width = ragged_of(data, modality), facts.width(modality)
        if given.width != width:
            if len(given.values) and str(modality) in settings.modalities:
                raise DataError(
                    f"Frames of {modality} have {given.width} features, but the model was trained "
                    f"on frames of {width}. Extract them as those of `{facts.name}` were, or train "
                    "a model on yours."
                )
            nothing = np.zeros(len(given.offsets), np.int64)
            fitted[modality] = Ragged(np.zeros((0, width), np.float32), nothing)
    return replace(
        data,
        audio=fitted.get(Modality.AUDIO, data.audio),
        vision=fitted.get(Modality.VISION, data.vision),
    )


def find_present(data: SplitData, settings: DataConfig) -> dict[Modality, NDArray[np.bool_]]:
    """Return which modalities the model is given of every sample: (N,) by modality.

    Raises:
        DataError: of some samples it would be given nothing; names them.
    """
    texts = np.array([bool(text.strip()) for text in data.transcripts], np.bool_)
    present = {Modality.TEXT: texts}
    for modality in FRAMED:
        present[modality] = ragged_of(data, modality).lengths > 0
    for modality in MODALITIES:
        if str(modality) not in settings.modalities:
            present[modality] = np.zeros(data.size, np.bool_)
    nothing = np.flatnonzero(~np.any([*present.values()], axis=0))
    if len(nothing):
        seen = " and ".join(settings.modalities)
        named = name_samples([data.ids[row] for row in nothing])
        raise DataError(
            f"There is nothing to score in {len(nothing)} of {data.size} samples: {named}. The "
            f"model looks at {seen}; a sample needs some of it, and a text must not be empty."
        )
    return present


def token_warnings(tokens: TokenFacts, settings: DataConfig) -> Iterator[str]:
    """Yield a sentence for texts that were cut, and for pieces the model has never seen."""
    if Modality.TEXT not in settings.modalities:
        return
    if tokens.cut:
        yield (
            f"{tokens.cut} of {tokens.transcripts} texts have more than the {settings.max_tokens} "
            "word pieces the model reads and lose their end."
        )
    if tokens.unknown_share > WORTH_A_WARNING:
        yield (
            f"{tokens.unknown} of {tokens.pieces} word pieces ({tokens.unknown_share:.1%}) are not "
            "in the text encoder's vocabulary: are the texts in its language?"
        )


def find_warnings(
    data: SplitData,
    present: Mapping[Modality, NDArray[np.bool_]],
    settings: DataConfig,
    normaliser: Normaliser | None,
) -> Iterator[str]:
    """Yield a sentence for what is missing, and for features unlike those of the training data."""
    by_count: dict[int, list[str]] = {}
    for modality in MODALITIES:
        if str(modality) in settings.modalities and (count := int((~present[modality]).sum())):
            by_count.setdefault(count, []).append(str(modality))
    for count, names in by_count.items():
        which = "every sample" if count == data.size else f"{count} of {data.size} samples"
        verbs = ("is", "counts", "it") if len(names) == 1 else ("are", "count", "them")
        yield (
            f"{' and '.join(names)} {verbs[0]} missing in {which} and {verbs[1]} as nothing "
            f"(length zero), but the model was trained with {verbs[2]}: `setgf eval RUN --drop "
            f"{','.join(names)}` measures what that costs."
        )
    for modality in FRAMED:
        scaling = None if normaliser is None else normaliser.of(modality)
        if scaling is None or not present[modality].any():
            continue
        share = _share_beyond(ragged_of(data, modality), scaling, settings, modality)
        if share > UNLIKE_SHARE:
            yield (
                f"{share:.0%} of the {modality} features lie more than {CLIP:g} standard "
                "deviations from the training data: were they extracted in the same way?"
            )


def _lay(
    modality: Modality, frames: Sequence[Array | None] | None, width: int, count: int
) -> Ragged:
    """Return the frames of N samples back to back."""
    empty: Floats = np.zeros((0, width), np.float32)
    given = [None] * count if frames is None else frames
    rows = [empty if part is None else np.asarray(part, np.float32) for part in given]
    filled = [row for row in rows if row.size]
    shapes = {row.shape[1:] for row in filled}
    if len(rows) != count or len(shapes) > 1 or any(row.ndim != 2 for row in filled):
        found = ", ".join(sorted({str(row.shape) for row in rows})[:3])
        raise DataError(
            f"`{modality}` must be {count} arrays of shape (T, {width}), or None, one a text, but "
            f"is {len(rows)} of shapes {found}."
        )
    sample = filled[0] if filled else empty
    return from_rows([row if row.size else sample[:0] for row in rows], empty=sample)


def _share_beyond(
    frames: Ragged, scaling: Scaling, settings: DataConfig, modality: Modality
) -> float:
    """Return the share of values beyond the clipping bound, of the first frames of many."""
    values: Floats = np.asarray(frames.values[:_MOST_ROWS], np.float32)
    columns = chosen_columns(settings)[modality]
    kept = values if columns is None else values[:, columns]
    return float((np.abs((kept - scaling.mean) / scaling.spread) > CLIP).mean())


def chosen_columns(settings: DataConfig) -> dict[Modality, Integers | None]:
    """Return the numbers of the features the model looks at; None stands for all."""
    from setgf.config.columns import parse_columns

    chosen = {Modality.AUDIO: settings.audio_features, Modality.VISION: settings.vision_features}
    numbers = {modality: parse_columns(text) for modality, text in chosen.items()}
    return {part: np.array(one, np.int64) if one else None for part, one in numbers.items()}
