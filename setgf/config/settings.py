"""Settings by name: find, read as text, replace, describe."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from inspect import getsource
from itertools import pairwise
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from setgf.config.checks import Value
from setgf.config.schema import ExperimentConfig
from setgf.errors import ConfigError, UnknownSettingError


def config_from_dict(plain: Mapping[str, Any], *, where: str = "") -> ExperimentConfig:
    """Build a config from nested data; unknown settings are refused with the nearest name.

    Raises:
        ConfigError: a setting is unknown or its value is not allowed; all problems at once.
    """
    return override(ExperimentConfig(), flatten_plain(plain), where=where)


def override(
    config: ExperimentConfig, settings: Mapping[str, Any], *, where: str = ""
) -> ExperimentConfig:
    """Return `config` with settings replaced by name.

    Args:
        settings: dotted or bare setting name to value; text is read as the setting's type.
        where: named in errors (a file or an option).

    Raises:
        ConfigError: settings are unknown or their values not allowed; all of them at once.
    """
    sections: dict[str, dict[str, Any]] = {}
    seed = config.seed
    found: list[str] = []
    for name, value in settings.items():
        try:
            full = full_name(name, where=where)
            typed = _coerce(full, value)
        except ConfigError as error:
            found.append(str(error))
            continue
        if full == "seed":
            seed = cast(int, typed)
        else:
            section, leaf = full.split(".")
            sections.setdefault(section, {})[leaf] = typed
    if found:
        raise ConfigError("\n".join(found))
    changed = {
        section: replace(getattr(config, section), **leaves) for section, leaves in sections.items()
    }
    return replace(config, seed=seed, **changed)


def full_name(name: str, *, where: str = "") -> str:
    """Return the dotted name of a setting given dotted or bare."""
    known = setting_names()
    if name in known:
        return name
    matches = [full for full in known if full.rpartition(".")[2] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(
            f"Setting `{name}` is ambiguous: it stands for "
            f"{' and '.join(f'`{match}`' for match in matches)}. Write one of them."
        )
    raise UnknownSettingError(
        name, [*known, *(full.rpartition(".")[2] for full in known)], where=where
    )


def short_name(full: str) -> str:
    """Return how a setting is written in little room: bare where that is enough, else dotted."""
    leaf = full.rpartition(".")[2]
    return leaf if sum(n.rpartition(".")[2] == leaf for n in setting_names()) == 1 else full


@cache
def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting, in order."""
    return tuple(ExperimentConfig().flatten())


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Read `name=value` options.

    Raises:
        ConfigError: an option has no `=`.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"`{text}` must be `setting=value`, for example `max_epochs=20`.")
        settings[name.strip()] = value.strip()
    return settings


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read seeds: `1111`, `1,2,3` or `1111-1115` (both ends included).

    Raises:
        ConfigError: not numbers, a range that runs backwards, or a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        try:
            first, last = int(low), int(high) if dash else int(low)
        except ValueError:
            raise ConfigError(
                f"Seeds must be numbers, lists or ranges like `1111-1115`, but are `{text}`."
            ) from None
        if last < first:
            raise ConfigError(f"The seed range `{part}` runs backwards; write `{last}-{first}`.")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"The seeds `{text}` name one seed twice.")
    return tuple(seeds)


@cache
def describe_settings() -> Mapping[str, tuple[Value, str]]:
    """Return default and sentence of every setting by dotted name."""
    defaults = ExperimentConfig().flatten()
    sentences: dict[str, str] = {}
    for section in fields(ExperimentConfig):
        owner = get_type_hints(ExperimentConfig)[section.name]
        if owner is int:
            continue
        for leaf, sentence in _field_sentences(owner):
            sentences[f"{section.name}.{leaf}"] = sentence
    sentences["seed"] = "The one number all random sources start from."
    return {name: (default, sentences[name]) for name, default in defaults.items()}


def allowed_values(name: str) -> tuple[str, ...]:
    """Return all that a setting may be, as text; empty where anything of its type may be."""
    kind = _setting_types()[full_name(name)]
    if kind is bool:
        return ("true", "false")
    return tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()


def flatten_plain(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            flat.update(flatten_plain(cast(Mapping[str, Any], value), f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _field_sentences(owner: type) -> Iterator[tuple[str, str]]:
    """Yield field name and the string under it."""
    body = cast(ast.ClassDef, ast.parse(getsource(owner)).body[0]).body
    for statement, after in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr):
            name, text = cast(ast.Name, statement.target), cast(ast.Constant, after.value)
            yield name.id, str(text.value)


@cache
def _setting_types() -> Mapping[str, Any]:
    types: dict[str, Any] = {"seed": int}
    for section, owner in get_type_hints(ExperimentConfig).items():
        if owner is not int:
            types.update({f"{section}.{k}": v for k, v in get_type_hints(owner).items()})
    return types


def _coerce(name: str, value: Any) -> Any:
    """Return `value` as the type of the setting `name`."""
    kind = _setting_types()[name]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(
                f"`{name}` must be one of {', '.join(map(str, get_args(kind)))}, but is {value!r}."
            )
        return value
    reader, expected = _READERS[get_origin(kind) or kind]
    try:
        return reader(value)
    except (TypeError, ValueError):
        raise ConfigError(f"`{name}` must be {expected}, but is {value!r}.") from None


def _read_bool(value: Any) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(value)


def _read_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _read_float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def _read_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _read_names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(_read_str(part) for part in value)


_READERS: Mapping[Any, tuple[Any, str]] = {
    bool: (_read_bool, "true or false"),
    int: (_read_int, "a whole number"),
    float: (_read_float, "a number"),
    str: (_read_str, "text"),
    tuple: (_read_names, "names separated by commas"),
}
