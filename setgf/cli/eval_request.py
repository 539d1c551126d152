"""What `setgf eval` is asked for, checked before anything heavy is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setgf.errors import ConfigError
from setgf.terms import MODALITIES, Modality

if TYPE_CHECKING:
    from setgf.config import ExperimentConfig

STEP = 0.1
MOST_PASSES = 10_000
"""Passes over a split; more is taken for a slip."""
_RANGE = re.compile(r"(\d*\.?\d+)-(\d*\.?\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Modalities that are to be missing."""

    drop: tuple[Modality, ...] = ()
    """Of every sample."""
    rates: tuple[float, ...] = ()
    """At random; empty: none."""
    seeds: tuple[int, ...] = ()
    keep_one: bool = False

    def to_plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "drop": [str(modality) for modality in self.drop],
            "missing": {
                "rates": list(self.rates),
                "seeds": list(self.seeds),
                "keep_one": self.keep_one,
            }
            if self.rates
            else None,
        }


def read_missing(
    drop: str | None, rate: str | None, seeds: int | None, *, keep_one: bool
) -> Missing:
    """Return what is to be missing.

    Args:
        drop: modalities with commas between.
        rate: `0.3`, `0,0.5` or `0-0.9` (in steps of 0.1).
        seeds: how many; None for five.
        keep_one: every sample keeps a modality.

    Raises:
        ConfigError: it can't be understood, or an option has nothing to do.
    """
    if rate is None and (seeds is not None or keep_one):
        name = "--missing-seeds" if seeds is not None else "--keep-one"
        raise ConfigError(f"`{name}` goes with `--missing-rate`: name rates, as 0-0.9.")
    rates = () if rate is None else _read_rates(rate)
    numbers = tuple(range(1, (seeds or 5) + 1)) if rates else ()
    if len(rates) * len(numbers) > MOST_PASSES:
        raise ConfigError(
            f"{len(rates)} rates with {len(numbers)} seeds are {len(rates) * len(numbers)} passes "
            f"over the data; at most {MOST_PASSES} are made."
        )
    dropped = () if drop is None else _read_modalities(drop)
    return Missing(drop=dropped, rates=rates, seeds=numbers, keep_one=keep_one)


def check_seen(missing: Missing, config: ExperimentConfig) -> tuple[Modality, ...]:
    """Return the modalities that are left to go missing at random.

    Raises:
        ConfigError: a modality that is to be dropped is none the model looks at, or none is left.
    """
    seen = tuple(part for part in MODALITIES if str(part) in config.data.modalities)
    blind = [part for part in missing.drop if part not in seen]
    if blind:
        raise ConfigError(
            f"`--drop` names {', '.join(blind)}, but the model looks at {', '.join(seen)} only."
        )
    left = tuple(part for part in seen if part not in missing.drop)
    if not left:
        raise ConfigError(
            f"`--drop` names {', '.join(missing.drop)}, all the model looks at; leave one at least."
        )
    return left


def _read_modalities(text: str) -> tuple[Modality, ...]:
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in tuple(MODALITIES)]
    if unknown:
        raise ConfigError(
            f"`--drop` must name text, audio or vision, with commas between, but names "
            f"`{unknown[0]}`."
        )
    return tuple(part for part in MODALITIES if part in words)


def _read_rates(text: str) -> tuple[float, ...]:
    refused = ConfigError(
        f"`--missing-rate` must be shares from 0 to 1, as `0.3`, `0,0.25,0.5` or `0-0.9` (in steps "
        f"of {STEP}), but is `{text}`."
    )
    try:
        if match := _RANGE.fullmatch(text.strip()):
            low, high = float(match[1]), float(match[2])
            count = round((high - low) / STEP, 6)
            if count < 0:
                raise refused
            rates = [round(low + STEP * place, 6) for place in range(int(count) + 1)]
        else:
            rates = [float(word) for word in text.split(",")]
    except ValueError:
        raise refused from None
    if not all(0 <= rate <= 1 for rate in rates):
        raise refused
    return tuple(sorted(set(rates)))
