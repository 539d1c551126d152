"""The small language in which one looks for predictions.

great movie       both words in transcript or id; !word: not this word
error>0.5         also label, score, abs (size of the error), text, audio, vision; < <= >= =
class=positive    class of the label begins like this; said=positive: class of the score
wrong   right     score and label are of different classes, or of the same
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable

from tui.run_records import Sample

HINT = "words, class=positive, said=neutral, error>0.5, abs>1, text<0, wrong, right"

_TERM = re.compile(
    r"(label|score|error|abs|text|audio|vision)(<=|>=|<|>|=)([-+]?(?:\d+\.?\d*|\.\d+))"
)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_VALUES: dict[str, Callable[[Sample], float | None]] = {
    "label": lambda sample: sample.prediction.label,
    "score": lambda sample: sample.prediction.fusion,
    "error": lambda sample: sample.error,
    "abs": lambda sample: abs(sample.error),
    "text": lambda sample: sample.prediction.text,
    "audio": lambda sample: sample.prediction.audio,
    "vision": lambda sample: sample.prediction.vision,
}


def find_samples(samples: Iterable[Sample], text: str) -> tuple[Sample, ...]:
    """Return the samples that meet every term of a text."""
    tests = [_test(term) for term in text.lower().split()]
    return tuple(sample for sample in samples if all(test(sample) for test in tests))


def _test(term: str) -> Callable[[Sample], bool]:
    number = _TERM.fullmatch(term)
    if number is not None:
        return _comparison(number[1], number[2], float(number[3]))
    if term.startswith("class="):
        return lambda sample: sample.label_class.startswith(term[6:])
    if term.startswith("said="):
        return lambda sample: sample.score_class.startswith(term[5:])
    if term in ("wrong", "right"):
        return lambda sample: (sample.label_class == sample.score_class) == (term == "right")
    if term.startswith("!") and len(term) > 1:
        return lambda sample: not _has(sample, term[1:])
    return lambda sample: _has(sample, term)


def _comparison(name: str, sign: str, number: float) -> Callable[[Sample], bool]:
    value_of, compare = _VALUES[name], _OPERATORS[sign]

    def test(sample: Sample) -> bool:
        value = value_of(sample)
        return value is not None and compare(value, number)

    return test


def _has(sample: Sample, word: str) -> bool:
    return word in sample.transcript.lower() or word in sample.prediction.sample_id.lower()


def words_in(text: str, words: str) -> bool:
    """Return True when every word occurs in a text, whatever its case; `!word` must not occur."""
    text = text.lower()
    return all(
        word[1:] not in text if word.startswith("!") and len(word) > 1 else word in text
        for word in words.lower().split()
    )
