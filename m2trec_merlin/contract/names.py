"""Names that server and clients share: models of the repository and tensors of a request."""

from __future__ import annotations

#: What `m2trec serve` listens on unless `serving.host` says otherwise; Triton itself would listen everywhere.
LOCALHOST = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Tell whether an interface is reached from this machine alone."""
    return host == "localhost" or host.startswith("127.")


#: The ensemble that clients call, and its two steps.
ENSEMBLE, PREPROCESS, PREDICT = "m2trec", "m2trec_preprocess", "m2trec_predict"

#: Letters of an item's id that a request may hold.
LONGEST_ID = 2048

#: What a request says.
ITEM_IDS, ITEM_ATTRIBUTES, OPTIONS = "item_ids", "item_attributes", "options"

#: Besides, where the model reads attributes of events.
EVENT_ATTRIBUTES = "event_attributes"

#: What goes from the first step to the second.
ROWS, NEW_ITEMS, CHECKED = "rows", "new_items", "checked"
#: Besides, where the model reads attributes of events.
EVENTS = "events"

#: What an answer says, besides the outputs of `category_tensors`.
RECOMMENDED_IDS, TITLES, SCORES, WARNINGS = "recommended_ids", "titles", "scores", "warnings"
#: One JSON object, see `about.py`.
ABOUT = "about"
#: A JSON object for each explained item, see `explanation.py`.
EXPLANATIONS = "explanations"


#: How lines begin that workers of Triton write on its log for whoever runs it.
TOLD_BY_WORKER = "m2trec-merlin: "


def category_tensors(attribute: str) -> tuple[str, str]:
    """Return the names of the two outputs of a predicted attribute: its values and their probabilities."""
    return f"next_{attribute}", f"next_{attribute}_probabilities"
