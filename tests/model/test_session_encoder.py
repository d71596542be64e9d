import pytest
import torch

from m2trec_merlin.config import SessionEncoderConfig
from m2trec_merlin.model.packing import Packing
from m2trec_merlin.model.session_encoder import SessionEncoder

MODES = ["causal", "bidirectional"]
POOLINGS = ["mean", "last", "mean_last"]


def encoder(mode: str = "causal", pooling: str = "mean") -> SessionEncoder:
    torch.manual_seed(0)
    config = SessionEncoderConfig.model_validate(
        {"mode": mode, "pooling": pooling, "heads": 2, "feedforward": 16}
    )
    return SessionEncoder(item_width=5, width=8, max_length=6, config=config).eval()


def items(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pooling", POOLINGS)
class TestContract:
    """What a session encoder must satisfy in every mode, with every pooling."""

    def test_padding_does_not_change_outputs(self, mode: str, pooling: str) -> None:
        model, x = encoder(mode, pooling), items(2, 4)
        lengths = torch.tensor([2, 4])
        padded = torch.cat([x, 100 * torch.ones(2, 2, 5)], dim=1)
        padded[0, 2:] = -50
        vectors = model.encode_last(padded, lengths)
        torch.testing.assert_close(vectors, model.encode_last(x, lengths))
        torch.testing.assert_close(vectors[:1], model.encode_last(x[:1, :2], torch.tensor([2])))

    def test_packed_equals_padded(self, mode: str, pooling: str) -> None:
        model, x, lengths = encoder(mode, pooling), items(3, 5), torch.tensor([1, 5, 3])
        packing = Packing.of(lengths, 5)
        packed = model.pool_sessions(packing.pad(model(packing.pack(x), packing)), lengths)
        torch.testing.assert_close(packed, model.encode_last(x, lengths))

    def test_a_session_does_not_depend_on_its_batch(self, mode: str, pooling: str) -> None:
        model, x, lengths = encoder(mode, pooling), items(3, 5), torch.tensor([4, 5, 3])
        order = torch.tensor([2, 0, 1])
        torch.testing.assert_close(
            model.encode_last(x, lengths)[order], model.encode_last(x[order], lengths[order])
        )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_one_causal_pass_gives_the_vectors_of_all_prefixes(pooling: str) -> None:
    model, x, lengths = encoder("causal", pooling), items(2, 6), torch.tensor([6, 3])
    packing = Packing.of(lengths, 6)
    at_once = model.pool_prefixes(model(packing.pack(x), packing), packing)
    one_by_one = [
        model.encode_last(x[i : i + 1, : n + 1], torch.tensor([n + 1]))
        for i, length in enumerate(lengths.tolist())
        for n in range(length)
    ]
    torch.testing.assert_close(at_once, torch.cat(one_by_one))


def test_causal_events_do_not_see_the_future() -> None:
    model, x = encoder("causal"), items(1, 6)
    changed = x.clone()
    changed[0, 4:] += 10
    packing = Packing.of(torch.tensor([6]), 6)
    before, after = model(x[0], packing), model(changed[0], packing)
    torch.testing.assert_close(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])


def test_bidirectional_events_see_the_whole_session() -> None:
    model, x = encoder("bidirectional"), items(1, 6)
    changed = x.clone()
    changed[0, 5] += 10
    packing = Packing.of(torch.tensor([6]), 6)
    assert not torch.allclose(model(x[0], packing)[0], model(changed[0], packing)[0])


def test_order_matters() -> None:
    model, x = encoder(), items(1, 4)
    lengths = torch.tensor([4])
    assert not torch.allclose(model.encode_last(x, lengths), model.encode_last(x.flip(1), lengths))
