"""Attributes of events in the model: what is visible where."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from m2trec_merlin.config import Config
from m2trec_merlin.encoded import EncodedColumn
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.continuing import take_over
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.storage import load_model, save_model
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import (
    EVENT_ATTRIBUTES,
    EVENT_FIELDS,
    event_values,
    tiny_catalogue,
    tiny_config,
    with_events,
)

#: One of them longer than the six events that the model takes.
SESSIONS = with_events(Sessions.from_lists([[1, 2, 3], [5, 4, 5, 24, 30], [7, 8], list(range(1, 10))]))


def config(mode: str = "causal") -> Config:
    return tiny_config(session={"mode": mode, "pooling": "mean_last"}, event_attributes=EVENT_ATTRIBUTES)


def model(mode: str = "causal") -> M2TRec:
    torch.manual_seed(0)
    built = build_model(config(mode), tiny_catalogue(), events=EVENT_FIELDS)
    with torch.no_grad():
        built.session_encoder.events.project.weight.normal_()
    return built.eval()


def changed_from(sessions: Sessions, event: int) -> Sessions:
    """The same sessions with other attributes of one event and all behind it."""
    others = event_values(len(sessions.rows), seed=9)
    columns = {
        name: EncodedColumn.join([column.slice(0, event), others[name].slice(event, len(column))])
        for name, column in sessions.attributes.items()
    }
    return replace(sessions, attributes=columns)


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_a_prefix_sees_the_attributes_of_its_own_events_only(mode: str) -> None:
    """Those of the target, which a server cannot know, above all."""
    built, one = model(mode), with_events(Sessions.from_lists([[1, 2, 3, 4, 5]]))
    before = built(SessionBatch.of(one), testing=True)["predictions"]["next_item"]
    for event in range(5):
        after = built(SessionBatch.of(changed_from(one, event)), testing=True)["predictions"]["next_item"]
        same = [torch.equal(after[n], before[n]) for n in range(4)]
        # Prefix n holds the events 0 to n, and event n + 1 is its target.
        assert same == [n < event for n in range(4)]
        scores = [ModelScorer(built).score(each.prefixes()) for each in (one, changed_from(one, event))]
        assert [np.array_equal(*pair) for pair in zip(*scores, strict=True)] == same


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_scores_of_prefixes_equal_those_of_sessions_by_themselves(mode: str) -> None:
    """Also of prefixes that are cut to the last events: their attributes are cut alike."""
    built, prefixes = model(mode), SESSIONS.prefixes()
    scores = ModelScorer(built).score(prefixes)
    for index in range(len(prefixes)):
        length = min(int(prefixes.length[index]), built.max_length)
        end = SESSIONS.offsets[prefixes.session[index]] + prefixes.length[index]
        alone = SESSIONS.cut(np.array([end - length]), np.array([length]))
        with torch.inference_mode():
            expected = built(SessionBatch.of(alone))["next_item"][0].numpy()
        np.testing.assert_allclose(scores[index], expected, rtol=1e-4, atol=1e-4)


def test_every_attribute_counts() -> None:
    built, prefixes = model(), SESSIONS.prefixes()
    scores, others = ModelScorer(built).score(prefixes), changed_from(SESSIONS, 0)
    for name in SESSIONS.attributes:
        mixed = {**SESSIONS.attributes, name: others.attributes[name]}
        assert not np.allclose(
            ModelScorer(built).score(replace(SESSIONS, attributes=mixed).prefixes()), scores
        )


def test_what_is_not_said_is_missing() -> None:
    built = model()
    missing = {f.name: EncodedColumn.no_item(f).take(np.zeros(len(SESSIONS.rows), int)) for f in EVENT_FIELDS}
    said = ModelScorer(built).score(replace(SESSIONS, attributes=missing).prefixes())
    np.testing.assert_array_equal(ModelScorer(built).score(replace(SESSIONS, attributes={}).prefixes()), said)


def test_they_start_as_nothing_and_are_learned() -> None:
    torch.manual_seed(0)
    built = build_model(config(), tiny_catalogue(), events=EVENT_FIELDS)
    prefixes = SESSIONS.prefixes()
    scores = ModelScorer(built).score(prefixes)
    np.testing.assert_array_equal(ModelScorer(built).score(changed_from(SESSIONS, 0).prefixes()), scores)
    built.train()
    batch = SessionBatch.of(SESSIONS.take(np.array([0, 1, 2])))
    built(batch, training=True)["loss"].backward()
    assert built.session_encoder.events.project.weight.grad.abs().sum() > 0


def test_the_loss_is_that_of_events_that_may_be_targets() -> None:
    built, sessions = model(), SESSIONS.take(np.array([0, 1, 2]))
    for may_be in (np.arange(10) % 2 == 0, np.arange(10) == 9):
        batch = SessionBatch.of(replace(sessions, is_target=may_be))
        outputs = built(batch, testing=True)
        # Events that are the first of their session are no targets: 0, 3 and 8.
        targets = [int(sessions.rows[e]) for e in range(10) if may_be[e] and e not in (0, 3, 8)]
        assert outputs["labels"]["next_item"].tolist() == targets
        assert batch.n_targets == len(targets) > 0


def test_a_stored_model_is_the_same_again(tmp_path) -> None:
    built, prefixes = model(), SESSIONS.prefixes()
    save_model(built, tmp_path, config(), tiny_catalogue())
    again = load_model(tmp_path, tiny_catalogue())
    assert again.events == EVENT_FIELDS and again.event_widths == built.event_widths
    np.testing.assert_array_equal(ModelScorer(again).score(prefixes), ModelScorer(built).score(prefixes))


def test_sessions_of_other_attributes_are_refused() -> None:
    with pytest.raises(
        ArtifactError, match=r"sessions have the event attributes \['event_type'\] and the conf"
    ):
        build_model(config(), tiny_catalogue(), events=EVENT_FIELDS[:1])


def test_a_model_that_goes_on_knows_new_values_as_unseen_ones() -> None:
    earlier = model()
    fields = [replace(f, size=f.size + 2) if f.layout.has_vocabulary else f for f in EVENT_FIELDS]
    grown = build_model(
        config(), tiny_catalogue(), events=fields, widths=earlier.widths, event_widths=earlier.event_widths
    )
    take_over(grown, earlier, np.arange(31))
    prefixes = SESSIONS.prefixes()
    np.testing.assert_array_equal(ModelScorer(grown).score(prefixes), ModelScorer(earlier).score(prefixes))
    [table] = [e.embedding.weight for e in grown.session_encoder.events.encoders if e.name == "event_type"]
    assert torch.equal(table[6], table[2]) and torch.equal(table[7], table[2])
