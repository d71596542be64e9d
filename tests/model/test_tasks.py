from dataclasses import replace

import pytest
import torch

from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, take_filled
from m2trec_merlin.model.encoded_prefixes import EncodedPrefixes
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.tasks import NextAttribute
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import ragged, tiny_catalogue, tiny_config


def test_the_sampled_loss_estimates_the_full_one_on_the_batch_at_hand() -> None:
    """Averaged over samples, its sum over candidates is the sum over all training items.

    Inclusion probabilities over all batches instead of this one made rare items of a batch weigh many times
    as much as they do, and cost a quarter of MRR@20 on Diginetica.
    """
    torch.manual_seed(0)
    batch = SessionBatch.of(Sessions.from_lists([[3, 24]]))
    losses = {}
    for loss, negatives in (("full", 1), ("sampled", 6)):
        config = tiny_config(next_item={"loss": loss, "negatives": negatives, "residual_dropout": 0.0})
        torch.manual_seed(1)
        model = build_model(config, tiny_catalogue()).eval()
        with torch.no_grad():
            model.next_item_head.popularity.weight.fill_(0.5)
            prefixes = model.body(batch, training=True)
            samples = 1 if loss == "full" else 4000
            losses[loss] = torch.stack([model.next_item_task.training_loss(prefixes) for _ in range(samples)])
    # One prefix: exp(loss) is the sum over candidates in units of the target's score.
    assert losses["sampled"].std() > 0
    estimate, truth = losses["sampled"].exp().mean(), losses["full"].exp()[0]
    torch.testing.assert_close(estimate, truth, rtol=0.02, atol=0)


def prefixes_before(targets: list[int], width: int) -> EncodedPrefixes:
    """Return prefixes of which an attribute's task reads the vectors and what came next alone."""
    model = build_model(tiny_config(), tiny_catalogue())
    encoded = model.body(SessionBatch.of(Sessions.from_lists([[1, 2]])), training=False)
    return replace(encoded, vectors=torch.randn(len(targets), width), targets=torch.tensor(targets))


@pytest.mark.parametrize("is_filled", [False, True])
def test_of_several_values_the_mean_is_learned(is_filled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists behind each other, as on a CPU, and filled up, as on a GPU, have one loss: Eq. 7 a value."""
    tags, offsets = ragged([[1], [4, 5], [5, 3, 1], [2], [3]])
    task = NextAttribute(EncodedColumn(Field("tags", Layout.ID_LISTS, 6), tags, offsets), 8)
    prefixes = prefixes_before([1, 2, 3, 4], 8)
    if is_filled:
        monkeypatch.setattr(CatalogueTensors, "forward", filled_up)
    outputs = task(prefixes, training=True)
    log = outputs["predictions"].log_softmax(1)
    # The third has none but an unknown value, and says nothing; nor does the missing one of the second.
    expected = -((log[0, 4] + log[0, 5]) / 2 + (log[1, 5] + log[1, 3]) / 2 + log[3, 3]) / 4
    torch.testing.assert_close(outputs["loss"], expected)
    assert torch.equal(task(prefixes), outputs["predictions"])


def filled_up(held: CatalogueTensors, rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Look rows up as on a GPU."""
    values, offsets = held.get_buffer("tags__values"), held.get_buffer("tags__offsets")
    return {"tags__values": take_filled(values, offsets, rows, 3).long()}


def test_nothing_is_learned_of_next_items_without_a_value() -> None:
    column = EncodedColumn(Field("colour", Layout.IDS, 5), torch.tensor([1, 2, 1]).numpy())
    outputs = NextAttribute(column, 8)(prefixes_before([1, 2], 8), training=True)
    assert outputs["loss"] == 0
    outputs["loss"].backward()
