"""The report of a store as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from setgf.data.store import FeatureStore
from setgf.metrics import class_names
from setgf.terms import Dataset, Modality, Split

WIDTH = 78
"""Columns of a line, but for what can't be broken."""
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LANGUAGES = {"en": "English", "zh": "Chinese"}


def describe_store(store: FeatureStore) -> Iterator[str]:
    """Yield the lines `setgf data show` prints."""
    manifest = store.manifest
    yield f"{store.name}: {describe_briefly(store)}"
    official = f" ({manifest.official})" if manifest.official else ""
    yield f"  source       {manifest.source}{official}"
    if manifest.source_sha256:
        yield f"  sha256       {manifest.source_sha256}"
    yield f"  fingerprint  {manifest.fingerprint}"
    yield from _wrap(_describe_text(store), "  text         ")
    yield from _wrap(_describe_features(store), "  features     ")
    if manifest.made_by:
        yield from _wrap(manifest.made_by, "  splits       ")
    yield ""
    splits: Mapping[str, Any] = manifest.report["splits"]
    yield from _table(splits)
    yield ""
    yield from _histograms(splits, manifest.dataset.label_limit)
    yield ""
    yield from _length_histograms(splits)
    yield from _classes(splits, manifest.dataset)
    yield ""
    yield from _floors(manifest.report)
    yield from _frames(manifest.report)
    yield from _text(splits)
    yield from _cut(manifest.report)
    yield ""
    yield _leaks(manifest.report, splits)
    yield from _remarks(manifest.report)


def describe_briefly(store: FeatureStore) -> str:
    """Return what a store is, in one line."""
    manifest = store.manifest
    sizes = ", ".join(f"{split} {manifest.sizes[split]}" for split in Split)
    kind = "aligned" if manifest.aligned else "unaligned"
    language = _LANGUAGES.get(manifest.language, manifest.language)
    total = sum(manifest.sizes.values())
    return f"{total} samples ({sizes}), {manifest.dataset}, {language}, {kind}"


def _describe_text(store: FeatureStore) -> str:
    manifest = store.manifest
    held = [f"word pieces of {manifest.vocabulary}"] if manifest.has_tokens else []
    if manifest.text_feature_width:
        held.append(f"features {manifest.text_feature_width} wide")
    if manifest.has_unimodal_labels:
        held.append("human labels of every modality")
    return ", ".join(["transcripts", *held])


def _describe_features(store: FeatureStore) -> str:
    manifest = store.manifest
    widths = {Modality.AUDIO: manifest.audio_width, Modality.VISION: manifest.vision_width}
    held = [f"{part} {width}" for part, width in widths.items() if part in manifest.modalities]
    return f"{', '.join(held)} wide" if held else "none: text only"


def _table(splits: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line a split: samples, videos, lengths and labels."""
    lengths = ("text", "audio", "vision")
    yield (
        f"{'':7}{'samples':>8}{'videos':>7}"
        + "".join(f"{name:>11}" for name in lengths)
        + (f"{'label mean':>11}{'sd':>5}{'median':>7}")
    )
    for split, facts in splits.items():
        steps = [_show_length(facts["lengths"].get(name)) for name in lengths]
        labels = facts["labels"]
        yield (
            f"  {split:5}{facts['samples']:>8}{facts['videos'] or '-':>7}"
            + "".join(f"{step:>11}" for step in steps)
            + f"{labels['mean']:>11.2f}{labels['sd']:>5.2f}{labels['median']:>7.2f}"
        )
    yield "  text, audio and vision: steps of a sample, mean/longest"


def _show_length(part: Mapping[str, Any] | None) -> str:
    return f"{part['mean']:.1f}/{part['longest']}" if part and part["longest"] else "-"


def _histograms(splits: Mapping[str, Any], limit: float) -> Iterator[str]:
    """Yield a small histogram of the labels of every split, over one axis."""
    bars = {split: facts["labels"]["histogram"] for split, facts in splits.items()}
    width = max(map(len, bars.values()))
    yield "Labels"
    for split, counts in bars.items():
        yield f"  {split:6}{_draw(counts)}  at most {max(counts)} a bin"
    low, high = f"{-limit:g}", f"{limit:g}"
    half = width // 2
    yield f"  {'':6}{low:<{half}}0{high:>{width - half - 1}}"


def _draw(counts: Sequence[int]) -> str:
    """Return bars of eighths; a bin that is not empty is always seen."""
    most = max(*counts, 1)
    return "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // most)] for count in counts)


def _length_histograms(splits: Mapping[str, Any]) -> Iterator[str]:
    """Yield a small histogram of the lengths of every modality in train, from 0 to the longest."""
    lengths: Mapping[str, Any] = splits[str(Split.TRAIN)]["lengths"]
    drawn = {
        name: part
        for name, part in lengths.items()
        if part["longest"] and part.get("histogram")  # stores of earlier versions have none
    }
    if drawn:
        yield "Lengths in train, steps"
    for name, part in drawn.items():
        bars = _draw(part["histogram"])
        yield f"  {name:7}{bars}  0 to {part['longest']}, median {part['median']:g}"
    if drawn:
        yield ""


def _classes(splits: Mapping[str, Any], dataset: Dataset) -> Iterator[str]:
    """Yield the classes of every accuracy by their names, with their counts in every split."""
    yield "Classes, train / valid / test"
    for name in next(iter(splits.values()))["classes"]:
        counts: list[Mapping[str, int]] = [facts["classes"][name] for facts in splits.values()]
        cells = (
            f"{word} " + "/".join(str(part.get(str(number), 0)) for part in counts)
            for number, word in _class_words(dataset, name)
        )
        yield from _fold(f"  {name:11}", list(cells), "   ")


def _class_words(dataset: Dataset, name: str) -> list[tuple[int, str]]:
    """Return number and name of every class of an accuracy, the most negative first."""
    if name == "acc2_non0":
        return [(-1, "negative"), (1, "positive")]
    size = int(name.removeprefix("acc")[0])
    numbers = (-1, 1) if size == 2 else range(-(size // 2), size // 2 + 1)
    return list(zip(numbers, class_names(dataset, size), strict=True))


def _floors(report: Mapping[str, Any]) -> Iterator[str]:
    floors: Mapping[str, float] = report["floors"]
    yield "Floors on test (train's median; test's own largest class):"
    yield from _fold("  ", _named(floors), "  ")
    ridge: Mapping[str, Mapping[str, float]] = report.get("ridge", {})
    if ridge:
        yield "Ridge regression on test (words; mean frames), the penalty chosen on valid:"
    for modality, found in ridge.items():
        yield from _fold(f"  {modality:7}", _named(found), "  ")


def _named(values: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.3f}" for name, value in values.items()]


def _fold(begin: str, cells: Sequence[str], gap: str) -> Iterator[str]:
    """Yield cells in as many lines as they need, below each other."""
    line = begin
    for place, cell in enumerate(cells):
        joined = f"{line}{gap if place and line.strip() else ''}{cell}"
        if place and len(joined) > WIDTH:
            yield line
            joined = " " * len(begin) + cell
        line = joined
    yield line


def _wrap(text: str, begin: str = "") -> list[str]:
    """Return a sentence in lines, the later ones set in."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * (len(begin) or 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _frames(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is odd about the numbers of the frames: values far from train's mean."""
    frames: Mapping[str, Any] = report.get("frames", {})
    found = {name: part for name, part in frames.items() if _train(part)["frames"]}
    if found:
        yield "Values beyond 5 standard deviations of train, train / valid / test"
    for name, part in found.items():
        shares = " / ".join(f"{own['outlier_share']:.2%}" for own in part["splits"].values())
        furthest = ", ".join(f"{at} ({far:g})" for at, far in _train(part)["furthest"].items())
        yield from _fold(f"  {name:7}", [shares, f"furthest: features {furthest}"], "   ")


def _train(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return part["splits"][str(Split.TRAIN)]


def _text(splits: Mapping[str, Any]) -> Iterator[str]:
    pieces = [part for facts in splits.values() if (part := facts.get("word_pieces"))]
    if pieces:
        yield "Unknown word pieces, train / valid / test"
        yield "  text   " + " / ".join(f"{part['unknown_share']:.2%}" for part in pieces)


def _leaks(report: Mapping[str, Any], splits: Mapping[str, Any]) -> str:
    leaks: Mapping[str, Sequence[str]] = report.get("leaks", {})
    videos, ids = leaks.get("shared_videos", ()), leaks.get("shared_ids", ())
    if videos or ids:
        return f"LEAK: {len(videos)} videos and {len(ids)} ids are in more than one split."
    if any(facts["videos"] for facts in splits.values()):
        return "No video and no id is in more than one split."
    return "No id is in more than one split; the ids do not name videos."


def _cut(report: Mapping[str, Any]) -> Iterator[str]:
    if report["at_limit"]:
        cells = ", ".join(f"{where} {count}" for where, count in report["at_limit"].items())
        yield from _wrap(f"As long as the file allows, probably cut: {cells}.")


def _remarks(report: Mapping[str, Any]) -> Iterator[str]:
    if report["remarks"]:
        yield ""
        yield "Remarks"
        for remark in report["remarks"]:
            yield from _wrap(remark, "  - ")
