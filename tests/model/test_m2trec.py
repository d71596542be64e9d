import pytest
import torch
from torch.nn import functional as F

from m2trec_merlin.config import VARIANTS
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import ATTRIBUTES, tiny_catalogue, tiny_config

ROWS = torch.tensor([[1, 2, 3, 0], [5, 4, 5, 24], [7, 8, 0, 0]])


def model(**sections: object) -> M2TRec:
    torch.manual_seed(0)
    return build_model(tiny_config(**sections), tiny_catalogue())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_every_variant_learns(variant: str, mode: str, loss: str) -> None:
    config = tiny_config(session={"mode": mode}, next_item={"loss": loss}).with_variant(variant)
    torch.manual_seed(0)
    tested = build_model(config, tiny_catalogue())
    optimizer = torch.optim.Adam(tested.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        losses.append(tested({"row": ROWS}, training=True)["loss"])
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_the_loss_is_the_weighted_sum_of_the_tasks_losses() -> None:
    """Eq. 7 of the paper."""
    both = model(
        next_item={"loss": "full"}, model={"next_attributes": [{"attribute": "category", "weight": 0.5}]}
    )
    both.eval()
    outputs = both({"row": ROWS}, testing=True)
    scores, logits = outputs["predictions"]["next_item"], outputs["predictions"]["next_category"]
    targets, labels = outputs["labels"]["next_item"], outputs["labels"]["next_category"]
    expected = F.cross_entropy(scores, targets) + 0.5 * F.cross_entropy(logits, labels[:, 0])
    assert outputs["loss"].item() == pytest.approx(expected.item())
    assert targets.tolist() == [2, 3, 4, 5, 24, 8]
    assert scores.shape == (6, 31)
    assert torch.isneginf(scores[:, 0]).all()


def test_ragged_batches_of_the_merlin_loader_are_understood() -> None:
    tested = model().eval()
    ragged = {
        "row__values": torch.tensor([1, 2, 3, 5, 4, 5, 24, 7, 8]),
        "row__offsets": torch.tensor([0, 3, 7, 9]),
    }
    torch.testing.assert_close(
        tested(ragged, testing=True)["loss"], tested({"row": ROWS}, testing=True)["loss"]
    )


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_padding_changes_nothing(mode: str) -> None:
    """Padded as far as one likes, ragged, or as our own loader has them: equal to the last bit."""
    tested = model(session={"mode": mode}).eval()
    sessions = [[1, 2, 3], [5, 4, 5, 24], [7, 8]]
    batches = [{"row": F.pad(ROWS, (0, more))} for more in (0, 1, 2)]
    batches.append(SessionBatch.of(Sessions.from_lists(sessions)))
    expected, *others = (tested(batch, testing=True) for batch in batches)
    for outputs in others:
        assert outputs["loss"] == expected["loss"]
        for task, scores in expected["predictions"].items():
            assert torch.equal(outputs["predictions"][task], scores)
    alone, *others = (tested(batch) for batch in batches)
    assert alone["next_item"].shape == (3, 31)
    assert all(torch.equal(other[task], alone[task]) for other in others for task in alone)


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_unknown_items_are_events_but_no_targets(mode: str) -> None:
    """Each prefix scores as it does alone, wherever the unknown items of its session stand."""
    tested = model(session={"mode": mode}).eval()
    sessions = [[1, 0, 2], [0, 0, 3, 4], [5, 6, 0], [0, 7]]
    outputs = tested(SessionBatch.of(Sessions.from_lists(sessions)), testing=True)
    prefixes = [(s[:n], s[n]) for s in sessions for n in range(1, len(s)) if s[n]]
    assert outputs["labels"]["next_item"].tolist() == [target for _, target in prefixes]
    for index, (prefix, _) in enumerate(prefixes):
        alone = tested(SessionBatch.of(Sessions.from_lists([prefix])))
        for task, scores in alone.items():
            torch.testing.assert_close(outputs["predictions"][task][index], scores[0])
    shorter = tested(SessionBatch.of(Sessions.from_lists([[1]])))
    longer = tested(SessionBatch.of(Sessions.from_lists([[1, 0]])))
    assert not torch.allclose(shorter["next_item"][0, 1:], longer["next_item"][0, 1:])


@pytest.mark.parametrize("variant", ["m2trec", "mutrec_id"])
def test_training_on_sessions_with_unknown_items_learns_their_known_ones(variant: str) -> None:
    everything = tiny_catalogue(n_items=24, n_seen=24)
    torch.manual_seed(0)
    tested = build_model(tiny_config(next_item={"loss": "full"}).with_variant(variant), everything).eval()
    batch = SessionBatch.of(Sessions.from_lists([[1, 0, 2, 2], [0, 3, 4], [5, 0]]))
    trained = tested(batch, training=True)["loss"]
    torch.testing.assert_close(trained, tested(batch, testing=True)["loss"])
    trained.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in tested.parameters())


def test_full_training_loss_equals_the_tested_one() -> None:
    """With every item a candidate and nothing at random, the two ways to compute the loss agree."""
    everything = tiny_catalogue(n_items=24, n_seen=24)
    torch.manual_seed(0)
    tested = build_model(tiny_config(next_item={"loss": "full"}), everything).eval()
    with torch.no_grad():
        tested.next_item_head.repeat_biases.normal_()
    rows = ROWS
    trained = tested({"row": rows}, training=True)["loss"]
    torch.testing.assert_close(trained, tested({"row": rows}, testing=True)["loss"])


def test_without_item_ids_no_input_parameter_grows_with_the_catalogue() -> None:
    small = build_model(tiny_config(), tiny_catalogue(n_items=30, n_seen=24))
    large = build_model(tiny_config(), tiny_catalogue(n_items=300, n_seen=240))
    assert [p.shape for p in small.body.parameters()] == [p.shape for p in large.body.parameters()]


def test_the_metadata_head_without_residual_is_smaller_than_the_id_variant() -> None:
    catalogue = tiny_catalogue(n_items=3000, n_seen=3000)
    free = build_model(tiny_config(next_item={"residual": False}), catalogue)
    with_ids = build_model(tiny_config().with_variant("trec_id"), catalogue)
    assert free.count_parameters() < with_ids.count_parameters() / 5


def test_transformers4rec_schemas() -> None:
    tested = model()
    assert tested.input_schema.column_names == ["row"]
    assert tested.output_schema.column_names == ["next_item", "next_category"]


def test_an_attribute_that_was_not_preprocessed_is_named() -> None:
    config = tiny_config(attributes=[*ATTRIBUTES, {"name": "colour", "kind": "categorical"}])
    with pytest.raises(ArtifactError, match=r"no attribute 'colour' .*run `m2trec preprocess`"):
        build_model(config, tiny_catalogue())


def test_the_title_variant_needs_a_text_attribute() -> None:
    config = tiny_config(attributes=[a for a in ATTRIBUTES if a["kind"] != "text"])
    with pytest.raises(ConfigError, match="needs an attribute of kind 'text'"):
        config.with_variant("trec_title")
