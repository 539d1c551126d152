"""Readable opinions of a known strength: the transcripts of made-up stores.

A transcript holds three phrases, each of a level from -3 (terrible) to 3 (wonderful); the mean of
the levels is the text's share of the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from setgf.data.ragged import Array

NUM_PHRASES = 3
STRONGEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The words opinions are made of."""

    openings: Sequence[str]
    topics: Sequence[str]
    opinions: Mapping[int, Sequence[str]]
    """Opinions of every level, -3 to 3."""
    sentence: str
    """Joins an opening and three phrases."""
    phrase: str
    """Joins a topic and an opinion."""


ENGLISH = Phrases(
    openings=("So,", "Well,", "Honestly,", "You know,", "I mean,", "To be fair,", "Okay,"),
    topics=(
        "the story",
        "the acting",
        "the music",
        "the ending",
        "the dialogue",
        "the main character",
        "the first half",
        "the direction",
        "the humor",
        "the whole movie",
    ),
    opinions={
        -3: ("was terrible", "was a complete disaster", "was absolutely awful", "was horrible"),
        -2: ("was bad", "was boring", "was disappointing", "annoyed me"),
        -1: ("was a bit slow", "felt slightly weak", "was a little flat", "could be better"),
        0: ("was average", "was ordinary", "was nothing special", "was what you would expect"),
        1: ("was fairly decent", "was okay and quite nice", "worked rather well", "was all right"),
        2: ("was good", "was really enjoyable", "was fun and clever", "made me smile"),
        3: ("was amazing", "was absolutely wonderful", "was brilliant", "was simply perfect"),
    },
    sentence="{0} {1}, {2} and {3}.",
    phrase="{0} {1}",
)

# Opinions hold characters that the English vocabulary has too (an encoder without Chinese word
# pieces then still reads something), one set of characters a level.
CHINESE = Phrases(
    openings=("其实", "总之", "怎么说呢", "我觉得", "老实讲"),
    topics=("剧情", "表演", "音乐", "结局", "对话", "主角", "画面", "节奏", "配乐"),
    opinions={
        -3: ("白费时间", "下流至极", "简直白痴", "低下透顶"),
        -2: ("不行", "很不好看", "让人不喜欢", "并不精彩"),
        -1: ("有小毛病", "有些小遗憾", "有一点小乱", "有小问题"),
        0: ("平平", "平淡无奇", "平平常常", "比较平"),
        1: ("还可以", "还算可看", "尚可接受", "可圈可点"),
        2: ("真好看", "真精彩", "真有意思", "真让人喜欢"),
        3: ("美极了", "美得惊人", "如神作般完美", "神奇又绝美"),
    },
    sentence="{0},{1},{2},{3}。",
    phrase="{0}{1}",
)


def draw_levels(random: np.random.Generator, count: int) -> Array:
    """Return phrase levels (count, NUM_PHRASES) int64, their means spread evenly from -3 to 3."""
    target = random.uniform(-STRONGEST, STRONGEST, (count, 1))
    return np.floor(target + random.random((count, NUM_PHRASES))).astype(np.int64)


def write_transcripts(
    random: np.random.Generator, levels: Array, phrases: Phrases
) -> tuple[str, ...]:
    """Return a sentence for every row of `levels` (N, NUM_PHRASES)."""
    return tuple(_write(random, row, phrases) for row in levels.tolist())


def _write(random: np.random.Generator, levels: list[int], phrases: Phrases) -> str:
    topics = random.choice(len(phrases.topics), size=len(levels), replace=False).tolist()
    parts = [
        phrases.phrase.format(phrases.topics[topic], _pick(random, phrases.opinions[level]))
        for topic, level in zip(topics, levels, strict=True)
    ]
    return phrases.sentence.format(_pick(random, phrases.openings), *parts)


def _pick(random: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(random.integers(len(choices)))]
