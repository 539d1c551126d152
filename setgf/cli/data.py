"""`setgf data`: feature stores, from a feature file or made up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import complete_store
from setgf.cli.data_split import split_command
from setgf.cli.output import note, say, say_json, say_table
from setgf.errors import DataError
from setgf.home import find_home
from setgf.terms import Dataset, Modality, Split

if TYPE_CHECKING:
    from setgf.data.store import FeatureStore

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Feature stores: import, make, check, list, show, split.",
)
app.command("split")(split_command)
_BYTES_A_MEGABYTE = 1e6

Name = Annotated[str, typer.Option("--name", help="Name of the new feature store.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a store of that name.")]
Features = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Arrays of the clips of a label.csv, by id.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A pickle in the MMSA layout, or a label.csv.")
    ],
    name: Name,
    dataset: Annotated[
        Dataset | None, typer.Option(help="Data set whose rules hold; recognised when left out.")
    ] = None,
    audio: Features = None,
    vision: Features = None,
    text_features: Features = None,
    max_memory: Annotated[
        str | None,
        typer.Option(help="Most memory a file may take, as 500M or 8G; 80 % of what is free."),
    ] = None,
    force: Force = False,
) -> None:
    """Check a feature file and convert it to a feature store.

    Nothing in a pickle is run: only numpy arrays, numbers, text, lists and dictionaries are read.
    A label.csv alone makes a text-only set; with --audio and --vision its clips get the arrays of
    their ids, out of a .npz, .npy, HDF5 or safetensors file or a folder of .npy files. Nothing is
    kept when anything is not what it must be.

    Example: setgf data import unaligned_50.pkl --name mosi

    Example: setgf data import label.csv --name mine --audio audio.npz --vision vision.h5
    """
    from setgf.data.memory import parse_size
    from setgf.data.read_any import Source, read_any
    from setgf.data.store import check_new_name, write_store

    home = find_home()
    check_new_name(home.data, name, force=force)
    given = {Modality.TEXT: text_features, Modality.AUDIO: audio, Modality.VISION: vision}
    source = Source(
        path=file,
        features={part: path for part, path in given.items() if path is not None},
        dataset=dataset,
        max_memory=None if max_memory is None else parse_size(max_memory),
    )
    content = read_any(source)
    store = write_store(home.data, name, content.splits, content.facts, force=force)
    _tell("Imported", store)


@app.command("synth")
def synth_command(
    name: Name,
    dataset: Annotated[Dataset, typer.Option(help="Shape of the store.")] = Dataset.MOSI,
    samples: Annotated[int, typer.Option(help="Samples of all splits together.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed, the same store.")] = 0,
    force: Force = False,
) -> None:
    """Make up a feature store with a known signal in every modality.

    Transcripts are readable sentences whose words carry the text's share of the label; audio and
    vision frames carry the rest.

    Example: setgf data synth --name demo --dataset mosi --samples 240
    """
    from setgf.data.synthetic import synthesise

    store = synthesise(find_home(), name, dataset, num_samples=samples, seed=seed, force=force)
    _tell("Made up", store)


@app.command("check")
def check_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Feature stores; all when left out."),
    ] = None,
) -> None:
    """Read every file of feature stores and compare it with the hash in the manifest.

    The first store that is damaged ends it, with exit code 3.

    Example: setgf data check mosi
    """
    from setgf.data.store import open_store, store_names

    home = find_home()
    chosen = names or store_names(home)
    for name in chosen:
        store = open_store(home, name)
        store.check()
        files = len(store.manifest.files)
        say(f"{name}: {files} files, {_size(store) / _BYTES_A_MEGABYTE:.1f} MB, every hash right.")
    if not chosen:
        note("No feature stores yet. Make one with `setgf data import` or `setgf data synth`.")


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the feature stores.

    Example: setgf data list --json
    """
    from setgf.data.store import open_store, store_names

    home = find_home()
    stores: list[FeatureStore] = []
    for name in store_names(home):
        try:
            stores.append(open_store(home, name))
        except DataError as error:
            note(f"setgf: {error}")
    if as_json:
        say_json([_summary(store) for store in stores])
    elif stores:
        _say_stores(stores)
    else:
        note("No feature stores yet. Make one with `setgf data import` or `setgf data synth`.")


@app.command("show")
def show_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a feature store.", autocompletion=complete_store
        ),
    ],
    as_json: AsJson = False,
    check: Annotated[bool, typer.Option("--check", help="Compare every file's hash.")] = False,
) -> None:
    """Show what is in a feature store: counts, lengths, labels, floors, what was cleaned.

    Example: setgf data show mosi
    """
    from setgf.data.report_text import describe_store
    from setgf.data.store import open_store

    store = open_store(find_home(), name)
    if check:
        store.check()
    if as_json:
        say_json({"name": store.name, "path": str(store.path), **store.manifest.to_dict()})
        return
    for line in describe_store(store):
        say(line)
    if check:
        say("\nEvery file has the hash in the manifest.")


def _say_stores(stores: list[FeatureStore]) -> None:
    columns = ("name", "dataset", "train", "valid", "test", "audio", "vision", "MB", "fingerprint")
    rows = (
        (
            store.name,
            str(store.manifest.dataset),
            *(str(store.manifest.sizes[split]) for split in Split),
            *(_width(store, part) for part in (Modality.AUDIO, Modality.VISION)),
            f"{_size(store) / _BYTES_A_MEGABYTE:.1f}",
            store.manifest.fingerprint,
        )
        for store in stores
    )
    say_table(columns, rows, right=("train", "valid", "test", "audio", "vision", "MB"))


def _summary(store: FeatureStore) -> dict[str, object]:
    manifest = store.manifest
    return {
        "name": store.name,
        "path": str(store.path),
        "dataset": manifest.dataset,
        "language": manifest.language,
        "aligned": manifest.aligned,
        "sizes": manifest.sizes,
        "modalities": manifest.modalities,
        "audio_width": manifest.audio_width,
        "vision_width": manifest.vision_width,
        "label_range": manifest.label_range,
        "has_unimodal_labels": manifest.has_unimodal_labels,
        "bytes": _size(store),
        "fingerprint": manifest.fingerprint,
        "source": manifest.source,
        "source_sha256": manifest.source_sha256,
        "official": manifest.official,
        "made_by": manifest.made_by,
    }


def _width(store: FeatureStore, modality: Modality) -> str:
    manifest = store.manifest
    widths = {Modality.AUDIO: manifest.audio_width, Modality.VISION: manifest.vision_width}
    return str(widths[modality]) if modality in manifest.modalities else "-"


def _size(store: FeatureStore) -> int:
    return sum(facts.size for facts in store.manifest.files.values())


def _tell(done: str, store: FeatureStore) -> None:
    """Say what was made, and what a person should read of its report."""
    from setgf.data.report_text import describe_briefly

    say(f"{done} `{store.name}`: {describe_briefly(store)}.")
    for remark in store.manifest.report["remarks"]:
        note(f"remark: {remark}")
    note(f"See `setgf data show {store.name}`.")
