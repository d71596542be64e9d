import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from m2trec_merlin.model import session_items as tested
from m2trec_merlin.model.encoded_prefixes import History
from m2trec_merlin.model.session_items import SessionItems

WIDTH, LONGEST = 4, 6


def session_items() -> SessionItems:
    torch.manual_seed(0)
    module = SessionItems(WIDTH, LONGEST).eval()
    with torch.no_grad():
        module.distance_biases.normal_()
        module.sharpness.fill_(3.0)
        module.encoder_weight.fill_(0.5)
    return module


def history(prefix: list[int], distance: list[int]) -> History:
    return History(torch.tensor(prefix), torch.ones(len(prefix), dtype=torch.long), torch.tensor(distance))


def each(count: int) -> torch.Tensor:
    return torch.arange(count)


def test_the_query_of_one_item_is_the_encoder_s_answer_and_the_item() -> None:
    module = session_items()
    session, item = torch.randn(1, WIDTH), F.normalize(torch.randn(1, WIDTH), dim=-1)
    query = module(session, item, each(1), history([0], [0]))
    torch.testing.assert_close(query, 0.5 * F.normalize(session, dim=-1) + item)


def test_weights_follow_the_formula() -> None:
    module = session_items()
    session = torch.randn(1, WIDTH)
    items = F.normalize(torch.randn(3, WIDTH), dim=-1)
    asked = F.normalize(module.ask(session), dim=-1)[0]
    logits = torch.stack([module.distance_biases[2 - i] + 3.0 * asked @ items[i] for i in range(3)])
    expected = 0.5 * F.normalize(session, dim=-1)[0] + logits.softmax(0) @ items
    found = module(session, items, each(3), history([0, 0, 0], [2, 1, 0]))
    torch.testing.assert_close(found[0], expected)


def test_a_prefix_without_a_known_item_is_what_the_encoder_says() -> None:
    module = session_items()
    sessions = torch.randn(2, WIDTH)
    queries = module(sessions, F.normalize(torch.randn(1, WIDTH), dim=-1), each(1), history([1], [0]))
    torch.testing.assert_close(queries[0], 0.5 * F.normalize(sessions[0], dim=-1))


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=LONGEST), min_size=1, max_size=4))
def test_padded_sessions_give_the_queries_of_their_pairs(counted: list[list[bool]]) -> None:
    """What is exported equals what is trained, whatever events count (the last one always does)."""
    module = session_items()
    lengths = torch.tensor([len(session) for session in counted])
    longest = int(lengths.max())
    items = F.normalize(torch.randn(len(counted), longest, WIDTH), dim=-1)
    mask = torch.zeros(len(counted), longest, dtype=torch.bool)
    for number, session in enumerate(counted):
        mask[number, : len(session)] = torch.tensor([*session[:-1], True])
    sessions = torch.randn(len(counted), WIDTH)
    prefix, step = mask.nonzero(as_tuple=True)
    pairs = History(prefix, torch.ones_like(prefix), lengths[prefix] - 1 - step)
    found = module(sessions, items[prefix, step], each(len(prefix)), pairs)
    torch.testing.assert_close(module.forward_padded(sessions, items, mask, lengths), found)


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 100])
def test_blocks_of_pairs_give_the_same_queries_and_gradients(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long sessions have pairs by the million, whose vectors do not fit into memory at a time."""
    pairs = history([1, 1, 1, 2, 3, 3, 5], [2, 1, 0, 0, 4, 1, 0])
    held, sizes = torch.tensor([0, 2, 1, 1, 0, 2, 2]), []
    sessions, items = torch.randn(7, WIDTH), F.normalize(torch.randn(3, WIDTH), dim=-1)
    found = []
    for bound in (1000, at_a_time):
        monkeypatch.setattr(tested, "PAIRS_AT_A_TIME", bound)
        module, given = session_items(), [sessions.clone().requires_grad_(), items.clone().requires_grad_()]
        module.register_forward_pre_hook(lambda *_: sizes.clear())
        monkeypatch.setattr(
            module,
            "_logits",
            lambda *args, of=module: (sizes.append(len(args[0])), SessionItems._logits(of, *args))[1],
        )
        queries = module(*given, held, pairs)
        queries.sin().sum().backward()
        found.append([queries, *(tensor.grad for tensor in (*given, *module.parameters()))])
        with torch.inference_mode():
            torch.testing.assert_close(module(sessions, items, held, pairs), queries.detach())
    assert max(sizes) < at_a_time + 3, (
        "a block holds the pairs that begin in it, and the rest of its last prefix"
    )
    torch.testing.assert_close(*found)
