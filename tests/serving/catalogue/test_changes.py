"""What becomes of changes, as plain values."""

from __future__ import annotations

from m2trec_merlin.serving.catalogue.changes import Changes, ChangingCatalogue
from m2trec_merlin.serving.contract.catalogue import Availability

HIDDEN = Availability(hidden=True)


def test_another_export_keeps_what_was_changed_of_its_items_and_what_it_lacks() -> None:
    changes = Changes(
        {name: f"raw {name}" for name in ("added", "added, learned", "updated", "updated, gone")},
        frozenset({"removed", "removed, gone"}),
        dict.fromkeys(["kept", "added", "updated, gone", "removed"], HIDDEN),
    )
    rules = ChangingCatalogue({"added, learned", "updated", "removed", "kept"}, "export")
    kept = rules.carry_over(changes, {"updated", "updated, gone"})
    assert dict(kept.items) == {"added": "raw added", "updated": "raw updated"}
    assert kept.removed == {"removed"}
    assert dict(kept.availability) == {"kept": HIDDEN, "added": HIDDEN}
