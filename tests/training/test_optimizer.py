import pytest
import torch
from torch import nn

from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.training.optimizer import RowwiseAdagrad, build_optimizer, clip_gradients
from tests.worlds.encoded import tiny_catalogue, tiny_config


def test_calibration_moves_faster_than_weights() -> None:
    config = tiny_config()
    model = build_model(config, tiny_catalogue())
    optimizer = build_optimizer(model, config.training)
    weights, calibration = optimizer.parts[0].param_groups
    assert {id(p) for p in calibration["params"]} == {
        id(p) for p in model.next_item_head.calibration_parameters()
    }
    assert calibration["rate_factor"] > 10 * weights["rate_factor"]
    assert calibration["weight_decay"] == 0


@pytest.mark.parametrize("loss", ["sampled", "full"])
@pytest.mark.parametrize("inputs", [None, ["item_id", "category"]])
def test_every_parameter_has_one_optimiser(loss: str, inputs: list[str] | None) -> None:
    config = tiny_config(next_item={"loss": loss}, model={"inputs": inputs})
    model = build_model(config, tiny_catalogue())
    optimizer = build_optimizer(model, config.training)
    held = [id(p) for part in optimizer.parts for group in part.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    by_row = optimizer.parts[1].param_groups[0]["params"] if len(optimizer.parts) > 1 else []
    tables = [model.next_item_head.residual.weight]
    first = model.item_encoder.encoders[0]
    # Ids, or the pairs of subwords of the title.
    tables.insert(0, first.embedding.weight if inputs else first.pairs.weight)
    assert [id(p) for p in by_row] == ([id(t) for t in tables] if loss == "sampled" else [])


class TestRowwiseAdagrad:
    def step(self, table: nn.Embedding, optimizer: RowwiseAdagrad, rows: list[int], by: torch.Tensor) -> None:
        optimizer.zero_grad()
        (table(torch.tensor(rows)) * by).sum().backward()
        optimizer.step()

    def test_golden_steps(self) -> None:
        """Two steps by hand: gradient (3, 4) has mean square 12.5; row 1 is asked for twice, row 0 never."""
        table = nn.Embedding(3, 2, sparse=True)
        nn.init.zeros_(table.weight)
        optimizer = RowwiseAdagrad([table.weight], lr=1.0)
        self.step(table, optimizer, [2], torch.tensor([3.0, 4.0]))
        first = torch.tensor([3.0, 4.0]) / 12.5**0.5
        torch.testing.assert_close(table.weight[2], -first)
        self.step(table, optimizer, [2, 1, 1], torch.tensor([3.0, 4.0]))
        torch.testing.assert_close(table.weight[2], -first - torch.tensor([3.0, 4.0]) / 25**0.5)
        # Its gradients add up to (6, 8) before they are squared: 50.
        torch.testing.assert_close(table.weight[1], -torch.tensor([6.0, 8.0]) / 50**0.5)
        assert table.weight[0].tolist() == [0, 0]
        assert optimizer.state[table.weight]["squares"].tolist() == [0, 50, 25]

    def test_rows_without_gradient_stay(self) -> None:
        torch.manual_seed(0)
        table = nn.Embedding(50, 4, sparse=True)
        before = table.weight.detach().clone()
        self.step(table, RowwiseAdagrad([table.weight], lr=0.1), [7, 9], torch.ones(4))
        changed = (table.weight != before).any(1).nonzero().squeeze(1)
        assert changed.tolist() == [7, 9]


def test_state_survives_a_round_trip() -> None:
    config = tiny_config()

    def run(steps: int) -> tuple[nn.Module, object]:
        torch.manual_seed(0)
        model = build_model(config, tiny_catalogue())
        optimizer = build_optimizer(model, config.training)
        advance(model, optimizer, steps)
        return model, optimizer

    def advance(model: nn.Module, optimizer: object, steps: int) -> None:
        for step in range(steps):
            torch.manual_seed(10 + step)
            loss = model({"row": torch.tensor([[1, 2, 3], [4, 5, 0]])}, training=True)["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    model, optimizer = run(3)
    other = build_optimizer(model, config.training)
    other.load_state_tensors({k: v.clone() for k, v in optimizer.state_tensors().items()})
    assert other.state_tensors().keys() == optimizer.state_tensors().keys()
    for name, tensor in optimizer.state_tensors().items():
        assert torch.equal(other.state_tensors()[name], tensor), name
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    advance(model, optimizer, 2)
    expected = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(weights)
    advance(model, other, 2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_clipping_takes_sparse_and_dense_gradients_together() -> None:
    """Gradients (3, 0) and, of a table, 2 + 2 = 4: the joint norm is 5, and is cut to 1."""
    weight = nn.Parameter(torch.zeros(2))
    table = nn.Embedding(3, 1, sparse=True)
    (weight[0] * 3 + table(torch.tensor([1, 1])).sum() * 2).backward()
    clip_gradients([weight, table.weight], 10.0)
    assert weight.grad is not None and weight.grad.tolist() == [3, 0]
    clip_gradients([weight, table.weight], 1.0)
    torch.testing.assert_close(weight.grad, torch.tensor([0.6, 0.0]), rtol=1e-5, atol=0)
    torch.testing.assert_close(
        table.weight.grad.to_dense().flatten(), torch.tensor([0, 0.8, 0]), rtol=1e-5, atol=0
    )
