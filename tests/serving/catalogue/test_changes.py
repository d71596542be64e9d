"""What becomes of changes, as plain values."""

from __future__ import annotations

import pytest

from m2trec_merlin.contract.catalogue import Availability
from m2trec_merlin.errors import DataError
from m2trec_merlin.serving.catalogue.changes import Changes, ChangingCatalogue

HIDDEN = Availability(hidden=True)


def test_another_export_keeps_what_was_changed_of_its_items_and_what_it_lacks() -> None:
    changes = Changes(
        dict.fromkeys(("added", "added, learned"), '{"price": 1}'),
        dict.fromkeys(("added, learned", "added", "updated", "updated, gone"), '{"price": 2}'),
        frozenset({"removed", "removed, gone"}),
        dict.fromkeys(["kept", "added", "updated, gone", "removed"], HIDDEN),
    )
    exported = ["added, learned", "updated", "removed", "kept"]
    rules = ChangingCatalogue(set(exported), "export", exported, {"added, learned", "kept"}.__contains__)
    kept = rules.carry_over(changes, is_same_model=False)
    assert kept.added == {"added": '{"price": 1}'}
    assert kept.updates == dict.fromkeys(("added, learned", "added", "updated"), '{"price": 2}')
    assert kept.items == dict.fromkeys(("added", "added, learned", "updated"), '{"price": 2}')
    assert kept.removed == {"removed"}
    assert dict(kept.availability) == {"kept": HIDDEN, "added": HIDDEN}
    assert kept.listed == {"added, learned"}, "it has not sold yet, and one that was there before is stock"
    again = rules.carry_over(kept, is_same_model=True)
    assert again.listed == kept.listed, "another export of the same model makes no stock of it"
    assert not rules.carry_over(kept, is_same_model=False).listed, "by the next model it is"
    assert rules.remove(kept, ["kept"]).listed == kept.listed
    # As where an item is recalled on the day that it came: tables of the next day may hold it.
    recalled = rules.remove(rules.add(Changes(), {"new": "raw"}), ["new"])
    assert not recalled.items and recalled.removed == {"new"}
    next_day = ChangingCatalogue({"new", "kept"}, "export", ["new", "kept"])
    assert next_day.carry_over(recalled, is_same_model=False).removed == {"new"}
    assert not rules.carry_over(recalled, is_same_model=False).removed, (
        "an export that lacks it has nothing to take out"
    )
    assert not rules.add(recalled, {"new": "raw"}).removed


def test_an_unknown_id_is_held_against_those_that_the_catalogue_has_now() -> None:
    exported = ["001", "002"]
    rules = ChangingCatalogue(set(exported), "remove", exported)
    with pytest.raises(DataError) as found:
        rules.remove(Changes(), ["2"])
    hint = "the items have '002', which differs from '2' by leading zeros or a fraction"
    assert found.value.problems == [f"item 2 is not in the catalogue: {hint}"]
    gone, added = Changes(removed=frozenset({"002"})), Changes({"SKU-9": "raw"})
    with pytest.raises(DataError, match=r"item 2 is not in the catalogue$"):
        rules.remove(gone, ["2"])
    with pytest.raises(DataError, match="the items have 'SKU-9', which differs from 'sku-9'"):
        rules.hide(added, ["sku-9"], hidden=True)
