"""Names that server and clients share: models of the repository, tensors of requests and answers."""

from __future__ import annotations

#: What `m2trec serve` listens on unless `serving.host` says otherwise; Triton itself would listen everywhere.
LOCALHOST = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Tell whether an interface can be reached only from this machine."""
    return host == "localhost" or host.startswith("127.")


#: The ensemble that clients call, and its two steps.
ENSEMBLE, PREPROCESS, PREDICT = "m2trec", "m2trec_preprocess", "m2trec_predict"

#: Most letters of an item's id in a request.
LONGEST_ID = 2048

#: Tensors of a request.
ITEM_IDS, ITEM_ATTRIBUTES, OPTIONS = "item_ids", "item_attributes", "options"

#: One more tensor of a request, where the model reads attributes of events.
EVENT_ATTRIBUTES = "event_attributes"

#: Tensors that the first step sends to the second.
ROWS, NEW_ITEMS, CHECKED = "rows", "new_items", "checked"
#: One more of these tensors, where the model reads attributes of events.
EVENTS = "events"

#: Tensors of an answer, besides those of `category_tensors`.
RECOMMENDED_IDS, TITLES, SCORES, WARNINGS = "recommended_ids", "titles", "scores", "warnings"
#: One JSON object, see `about.py`.
ABOUT = "about"
#: A JSON object for each explained item, see `explanation.py`.
EXPLANATIONS = "explanations"


#: Prefix of lines in Triton's log that its workers write for the operator.
TOLD_BY_WORKER = "m2trec-merlin: "


def category_tensors(attribute: str) -> tuple[str, str]:
    """Return the names of the two output tensors of a predicted attribute: values and their probabilities."""
    return f"next_{attribute}", f"next_{attribute}_probabilities"
