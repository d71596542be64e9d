"""What scorers are compared on, and its description in words, shown with the tables of every report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import FIRST_VALUE, NO_ITEM
from m2trec_merlin.evaluation.bootstrap import CONFIDENCE_TEXT
from m2trec_merlin.evaluation.known import Known
from m2trec_merlin.evaluation.metrics import METRICS
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.ranking import prefixes_of
from m2trec_merlin.evaluation.slices import SLICES
from m2trec_merlin.runs import HeldOut
from m2trec_merlin.sessions import Sessions

#: A term and what it means.
Entry = tuple[str, str]

#: Texts by the value of `evaluation.exclude_session_items`.
_OWN_ITEMS = {
    True: "are no candidates, for every model",
    False: "are candidates; the baselines leave them out where known sessions hardly ever repeat an item",
}

#: Texts by the value of `evaluation.prefixes`.
_PREFIXES = {
    "all": "every proper beginning of a session, one event or more",
    "last": "the whole of a session but its last event, which is the next item",
}

#: Texts by the split that is scored.
_KNOWN: dict[HeldOut, str] = {
    "valid": "training sessions",
    "test": "models are trained on training sessions; baselines, neighbours and trends know those of "
    "validation, too, as a server does",
}


@dataclass(frozen=True)
class Setup:
    """What is the same for all scorers of a comparison.

    Attributes:
        config: configuration of the run; its section `evaluation` says what to measure.
        catalogue: the items.
        known: known sessions, from which the baselines learn.
        split: name of the split that is scored.
        sessions: its sessions.
        remarks: what else a reader has to know of these sessions.
    """

    config: Config
    catalogue: Catalogue
    known: Known
    split: HeldOut
    sessions: Sessions
    remarks: Sequence[Entry]


def describe_protocol(setup: Setup, outcomes: Sequence[Outcome]) -> list[Entry]:
    """Describe how the numbers were measured.

    Args:
        setup: what the scorers were compared on.
        outcomes: outcomes of the scorers, all on the same prefixes.
    """
    config, catalogue, sessions = setup.config, setup.catalogue, setup.sessions
    evaluation = config.evaluation
    scored, total = len(outcomes[0].prefixes), len(prefixes_of(sessions, evaluation))
    sample = "" if scored == total else f", a random sample of the {total:,} (seed {config.seed})"
    unknown = int((sessions.rows == NO_ITEM).sum())
    split_settings = config.data.split.model_dump(exclude={"kind"})
    settings = ", ".join(f"{name} {value}" for name, value in split_settings.items())
    candidates = [f"{o.model}: {o.candidates}" for o in outcomes if o.candidates]
    return [
        ("Data", f"{config.name}: source {config.data.source}"),
        ("Split", config.data.split.kind + (f" ({settings})" if settings else "")),
        (
            "Filtering",
            f"sessions of at least {config.data.min_session_length} events; training sessions keep their "
            f"last {config.data.max_session_length or '(most, as the data suggest)'} events",
        ),
        (
            "Sessions",
            f"{setup.split}: {len(sessions):,} with {len(sessions.rows):,} events, "
            f"{unknown:,} of them of items that the catalogue does not hold",
        ),
        ("Prefixes", f"{scored:,} scored{sample}: {_PREFIXES[evaluation.prefixes]}"),
        ("Known before", _KNOWN[setup.split]),
        *_targets(config),
        *setup.remarks,
        ("Catalogue", f"{catalogue.n_rows - 1:,} items, {catalogue.n_seen:,} of them seen in training"),
        ("Candidates", "; ".join(candidates)),
        ("The session's own items", _OWN_ITEMS[evaluation.exclude_session_items]),
        ("Hit", "the next item is at rank K or better among all candidates; none is sampled away"),
        (
            "Ties",
            "count against the model: the rank is 1 + the number of other candidates with at least the "
            "same score; an item that is no candidate is a miss",
        ),
        *(("Cut-offs", text) for text in empty_cut_offs(config, catalogue)),
        (
            "Intervals",
            f"{CONFIDENCE_TEXT}, from {evaluation.bootstrap_samples:,} bootstrap samples of sessions",
        ),
        *((f"{metric.name}@K", metric.formula) for metric in METRICS),
        (
            "Category HIT@K",
            "1 if the next item's category, or one of several, is among the top K categories, else 0; next "
            "items without the category are not counted",
        ),
        *((part.name, part.meaning.format(tail=evaluation.sparse_below)) for part in SLICES),
    ]


def empty_cut_offs(config: Config, catalogue: Catalogue) -> list[str]:
    """List the cut-offs that include all items or values, so that HIT tells nothing."""
    counts = [("next item", "items", catalogue.n_rows - 1)]
    for name in config.model.predicted_attributes:
        counts.append((f"next {name}", "values", catalogue.attributes[name].field.size - FIRST_VALUE))
    found = []
    for what, kind, count in counts:
        if ks := [str(k) for k in sorted(config.evaluation.ks) if k >= count]:
            found.append(
                f"{what}: K = {', '.join(ks)} takes in all {count:,} {kind}, however they are ranked"
            )
    return found


def _targets(config: Config) -> list[Entry]:
    """Say which events may be targets, unless all may."""
    targets = config.data.targets
    if targets is None:
        return []
    values = " or ".join(targets.values)
    return [("Targets", f"events whose {targets.column} is {values}; all others are read as context alone")]
