"""MODEL_CARD.md beside an exported model: what it is, its data, its metrics, and what it is good for.

The facts come from the manifests of the run and from metrics.json; the card says so where one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.bootstrap import CONFIDENCE_TEXT
from m2trec_merlin.evaluation.measurements import OURS, PROTOCOL, Measurement, read_measurements
from m2trec_merlin.evaluation.tables import category_table, slice_table, to_markdown
from m2trec_merlin.runs import Run, Verb
from m2trec_merlin.runs.definitions import Manifest
from m2trec_merlin.serving.export.licences import licence_of, licence_of_data, packages_of, parts_of

MODEL_CARD = "MODEL_CARD.md"

#: Entries of an evaluation's protocol that the card's section on data tells.
_TOLD_BEFORE = ("Data", "Split", "Filtering", "Catalogue")
_NOT_TOLD = "not told by its manifest"


def write_card(run: Run, items: int, found: dict[str, Any]) -> str:
    """Return the card of a model that is being exported, in Markdown.

    Args:
        run: the run as the model was trained, with the settings that it is served with.
        items: number of items of the catalogue.
        found: facts that `write_repository` returns, such as the index and its recall.
    """
    sections = {
        "What it is": _identity(run, found),
        "What it was trained on": _data(run, items),
        "What was measured": _measured(run),
        "What it is for, and what not": _limits(run, items),
        "What is inside, and under which licence": _licences(run, found["index"]),
    }
    text = [f"# Model card: {run.config.name}, {run.config.variant_title}"]
    text.append("Written by `m2trec export` from the manifests of the run; its checksums seal it.")
    for heading, lines in sections.items():
        text += [f"## {heading}", "\n".join(lines)]
    return "\n\n".join(text) + "\n"


def _manifest(run: Run, verb: Verb) -> Manifest:
    return run.step(verb).found() or {}


def _identity(run: Run, found: dict[str, Any]) -> Iterator[str]:
    config, trained = run.config, _manifest(run, "train")
    kinds = {attribute.name: attribute.kind for attribute in config.attributes}
    knows = ", ".join(f"{name} ({kinds.get(name, 'an id a training item')})" for name in config.inputs)
    continued = trained.get("settings", {}).get("continued")
    epochs = config.training.epochs if continued is None else continued["epochs"]
    predicts = ", ".join(["the next item", *(f"its {name}" for name in config.model.predicted_attributes)])
    yield "- A session-based recommender (M2TRec, RecSys 2022): it ranks what may come next."
    yield f"- It knows of an item: {_plain(knows)}. It predicts {_plain(predicts)}."
    if of_events := ", ".join(f"{a.name} ({a.kind})" for a in config.event_attributes):
        yield f"- It knows of an event: {_plain(of_events)}."
    if (targets := config.data.targets) is not None:
        values = " or ".join(targets.values)
        yield f"- What may come next are events whose {_plain(targets.column)} is {_plain(values)}."
    yield (
        f"- {_count(trained.get('parameters'))} parameters, trained on {trained.get('written', _NOT_TOLD)} "
        f"with seed {config.seed} on {trained.get('device', 'a device that is not told')} "
        f"in {trained.get('precision', 'a precision that is not told')}; epoch "
        f"{trained.get('best_epoch') or 'not told'} of at most {epochs} was kept."
    )
    if continued is not None:
        yield (
            "- It goes on from the weights of an earlier run: trained on were "
            f"{_count(trained.get('new_sessions'))} new sessions, and {_count(trained.get('old_sessions'))} "
            "known ones again."
        )
    yield f"- Answers, metrics and logs call it `{found['version']}` (`about.model`)."
    served = (
        "mixed with the sessions of training and validation most like a session"
        if config.serving.is_mixed
        else "alone"
    )
    if boost := config.serving.new_item_boost:
        served += f", with {boost:+g} added to the scores of items without a history"
    yield (
        f"- It is served {served}; candidates are searched by the index {found['index']}, which found "
        f"{100 * found['recall_at_20']:.2f} % of the best 20 items."
    )


def _data(run: Run, items: int) -> Iterator[str]:
    config, data, encoded = run.config, _manifest(run, "data"), _manifest(run, "preprocess")
    if not data:
        yield f"- `{run.data.name}/` is not with the run any more: the source cannot be told."
    else:
        source = _plain(str(data.get("source", _NOT_TOLD)))
        yield f"- Source: {source}, read on {data.get('written', _NOT_TOLD)}."
    split = config.data.split.model_dump(exclude={"kind"})
    told = ", ".join(f"{name} {value}" for name, value in split.items())
    yield f"- Split by {config.data.split.kind}{f' ({_plain(told)})' if told else ''}."
    for name, counts in encoded.get("sessions", {}).items():
        yield f"- Sessions, {name}: {counts['sessions']:,} with {counts['events']:,} events."
    seen = encoded.get("catalogue", {}).get("seen")
    yield f"- Catalogue: {items:,} items, {_count(seen)} of them seen in training."
    longest = config.data.max_session_length or "as many as the data suggest"
    yield (
        f"- Sessions have at least {config.data.min_session_length} events; of longer ones the last ones "
        f"count ({longest})."
    )
    if config.data.cold_item_share:
        yield f"- {config.data.cold_item_share:.1%} of the items were kept from training."
    yield from (f"- {_plain(notice)}" for notice in data.get("notices", []))


def _measured(run: Run) -> Iterator[str]:
    measurements, lack = _evaluation(run)
    if not measurements:
        yield f"**Not measured on test sessions: {lack}.** What this model is worth is not known."
        validation = _manifest(run, "train").get("best_hit_20")
        if validation is not None:
            yield (
                f"In training it had HIT@20 {100 * validation:.2f} % on validation prefixes; its epoch was "
                "chosen by that number, which therefore flatters."
            )
        return
    manifest, k = _manifest(run, "evaluate"), max(m.k for m in measurements)
    yield (
        f"In percent; ± is the wider side of the {CONFIDENCE_TEXT} interval; bold is the best of its column. "
        f"Lines after {' and '.join(_plain(name) for name in manifest.get(OURS, ()))} are baselines.\n"
    )
    for table in (slice_table(measurements, k), category_table(measurements)):
        if table is not None:
            yield f"{table.title}:\n\n{to_markdown(table)}"
    # As it was measured, whatever the settings of evaluation are now.
    for term, text in manifest[PROTOCOL]:
        if term not in _TOLD_BEFORE:
            yield f"- {_plain(term)}: {_plain(text)}."


def _evaluation(run: Run) -> tuple[list[Measurement], str]:
    """Return the measurements of this model as it is served, or else why there are none."""
    step = run.step("evaluate")
    again = "run `m2trec evaluate`, then `m2trec export --force`"
    try:
        if step.found() is None:
            return [], f"there was no evaluation when it was exported ({again})"
        if outdated := step.outdated():
            return [], f"the evaluation is of before {' and '.join(outdated)} changed ({again})"
        if step.is_incomparable():
            return [], f"the evaluation is of an earlier version, which measured otherwise ({again})"
        if changes := [name for name in step.changes() if name.startswith("serving.")]:
            return [], f"the evaluation was made with another {', '.join(changes)} ({again})"
        return read_measurements(run.evaluation), ""
    except ArtifactError as error:
        return [], str(error)


def _limits(run: Run, items: int) -> Iterator[str]:
    config, encoded = run.config, _manifest(run, "preprocess")
    yield (
        "- For ranking items of this catalogue after the events of a session, where behaviour is like that "
        "of the training sessions. Not for decisions about people: it knows nothing of them but the session."
    )
    yield "- Numbers are offline: was the next event of a past session ranked high? They tell no sales."
    yield "- What was taken often is recommended often; the option `popularity` says how much that counts."
    seen = encoded.get("catalogue", {}).get("seen")
    if seen is not None and seen < items:
        yield (
            f"- {items - seen:,} of {items:,} items have no training history. "
            + (
                "To a model that reads ids they are all the same."
                if ITEM_ID in config.inputs
                else "Metadata alone rank them; see the slice Cold target, and the option `new_item_boost`."
            )
        )
    if ITEM_ID in config.inputs:
        yield "- Items that are not in the catalogue cannot be described in a request: it reads ids."
    if config.serving.is_mixed:
        yield "- The repository holds sessions of training and validation: keep it as such data demand."
    yield "- It ages with the catalogue and the season: train again, and let `m2trec promote` judge."


def _licences(run: Run, index: str) -> Iterator[str]:
    data = _manifest(run, "data").get("settings", {})
    yield f"The data: {licence_of_data(data.get('source'))}.\n"
    yield "| part | what | licence |\n|---|---|---|"
    for part in parts_of(run.config):
        yield f"| {part.files} | {_plain(part.made_of)} | {_plain(part.licence)} |"
    yield "\nServing imports these, as installed at the export; licences as their metadata tell them:\n"
    yield "| package | version | licence |\n|---|---|---|"
    for package in packages_of(run.config, index):
        yield f"| {package} | {_version(package)} | {_plain(licence_of(package))} |"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _count(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int) else "an unknown number of"


def _plain(text: str) -> str:
    """Escape text from the data or the configuration for Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in " ".join(text.split()))
