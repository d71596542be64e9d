import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

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


def test_the_query_of_one_item_is_the_encoder_s_answer_and_the_item() -> None:
    module = session_items()
    session, item = torch.randn(1, WIDTH), F.normalize(torch.randn(1, WIDTH), dim=-1)
    query = module(session, item, history([0], [0]))
    torch.testing.assert_close(query, 0.5 * F.normalize(session, dim=-1) + item)


def test_weights_follow_the_formula() -> None:
    module = session_items()
    session = torch.randn(1, WIDTH)
    items = F.normalize(torch.randn(3, WIDTH), dim=-1)
    asked = F.normalize(module.ask(session), dim=-1)[0]
    logits = torch.stack([module.distance_biases[2 - i] + 3.0 * asked @ items[i] for i in range(3)])
    expected = 0.5 * F.normalize(session, dim=-1)[0] + logits.softmax(0) @ items
    torch.testing.assert_close(module(session, items, history([0, 0, 0], [2, 1, 0]))[0], expected)


def test_a_prefix_without_a_known_item_is_what_the_encoder_says() -> None:
    module = session_items()
    sessions = torch.randn(2, WIDTH)
    queries = module(sessions, F.normalize(torch.randn(1, WIDTH), dim=-1), history([1], [0]))
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
    torch.testing.assert_close(
        module.forward_padded(sessions, items, mask, lengths), module(sessions, items[prefix, step], pairs)
    )
