"""The report of a store as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from setgf.data.store import FeatureStore
from setgf.terms import Split

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LANGUAGES = {"en": "English", "zh": "Chinese"}


def describe_store(store: FeatureStore) -> Iterator[str]:
    """Yield the lines `setgf data show` prints."""
    manifest = store.manifest
    yield f"{store.name}: {describe_briefly(store)}"
    yield f"  source       {manifest.source}"
    if manifest.source_sha256:
        yield f"  sha256       {manifest.source_sha256}"
    yield f"  fingerprint  {manifest.fingerprint}"
    yield f"  text         {_describe_text(store)}"
    yield f"  features     audio {manifest.audio_width}, vision {manifest.vision_width} wide"
    yield ""
    splits: Mapping[str, Any] = manifest.report["splits"]
    yield from _table(splits)
    yield ""
    yield from _histograms(splits, manifest.dataset.label_limit)
    yield ""
    yield from _classes(splits)
    yield ""
    floors: Mapping[str, float] = manifest.report["floors"]
    yield "Floors on test (train median; largest class):"
    yield "  " + "  ".join(f"{name} {value:.3f}" for name, value in floors.items())
    yield from _cut(manifest.report)
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


def _table(splits: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line a split: samples, videos, lengths and labels."""
    lengths = ("text", "audio", "vision")
    head = [f"{name} mean/longest" for name in lengths]
    yield (
        f"{'':8}{'samples':>8}{'videos':>8}"
        + "".join(f"{name:>22}" for name in head)
        + (f"{'label mean':>12}{'sd':>6}{'median':>8}")
    )
    for split, facts in splits.items():
        steps = [
            f"{part['mean']:.1f}/{part['longest']}" if (part := facts["lengths"].get(name)) else "-"
            for name in lengths
        ]
        labels = facts["labels"]
        yield (
            f"{split:8}{facts['samples']:>8}{facts['videos'] or '-':>8}"
            + "".join(f"{step:>22}" for step in steps)
            + f"{labels['mean']:>12.2f}{labels['sd']:>6.2f}{labels['median']:>8.2f}"
        )


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


def _classes(splits: Mapping[str, Any]) -> Iterator[str]:
    yield "Classes, train / valid / test"
    names = next(iter(splits.values()))["classes"]
    for name in names:
        counts = [facts["classes"][name] for facts in splits.values()]
        classes = sorted({int(key) for part in counts for key in part})
        cells = (
            f"{key:+d}: " + "/".join(str(part.get(str(key), 0)) for part in counts)
            for key in classes
        )
        yield f"  {name:11}" + "  ".join(cells)


def _cut(report: Mapping[str, Any]) -> Iterator[str]:
    if report["at_limit"]:
        cells = ", ".join(f"{where} {count}" for where, count in report["at_limit"].items())
        yield f"As long as the file allows, probably cut: {cells}."


def _remarks(report: Mapping[str, Any]) -> Iterator[str]:
    if report["remarks"]:
        yield ""
        yield "Remarks"
        yield from (f"  - {remark}" for remark in report["remarks"])
