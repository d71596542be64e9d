from __future__ import annotations

import json
import pickle
import random
from collections import Counter
from functools import partial

import dask.dataframe as dd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merlin.io import Dataset
from nvtabular import ColumnSelector, Workflow

from m2trec_merlin.attributes.categories import RESERVED
from m2trec_merlin.attributes.subwords import SubwordTokenize, encode_texts, learn_tokenizer
from m2trec_merlin.encoded import MISSING
from m2trec_merlin.frames.pandas_frames import PandasFrames

# The example of the byte-pair encoding paper (Sennrich et al. 2016).
WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
CHARACTERS = ["##d", "##e", "##i", "##o", "##r", "##s", "##t", "##w", "l", "n", "w"]


def fit(frame: pd.DataFrame, partitions: int = 1, **options) -> tuple[Workflow, SubwordTokenize]:
    operator = SubwordTokenize(**options)
    workflow = Workflow(list(frame.columns) >> operator)
    workflow.fit(Dataset(dd.from_pandas(frame, npartitions=partitions, sort=False)))
    return workflow, operator


def pieces(tokenizer) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)


def test_the_most_frequent_pairs_become_pieces():
    learned = pieces(learn_tokenizer(WORDS, len(CHARACTERS) + 4))
    assert learned[:3] == list(RESERVED)
    assert learned[3:14] == CHARACTERS
    # "es" and "st" occur 9 times, then "est" 9 times, "lo" or "ow" and "low" 7 times.
    assert {"##est", "low"} < set(learned[14:])
    assert len(learned) == 18


# As `learn_tokenizer` wrote it while accents were stripped of all scripts and long words were unknown.
LEARNED_BEFORE = ["##e", "##o", "##r", "##w", "##น", "l", "ก", "##ow", "low", "lowe", "กน", "lower"]
FITTED_BEFORE = {
    "version": "1.0",
    "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
    "padding": None,
    "added_tokens": [],
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordPiece",
        "unk_token": "<other>",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {piece: i for i, piece in enumerate([*RESERVED, *LEARNED_BEFORE])},
    },
}


def test_a_vocabulary_goes_on_under_the_rules_that_it_was_fitted_by():
    _, operator = fit(pd.DataFrame({"title": ["low"]}))
    operator.vocabularies = {"title": json.dumps(FITTED_BEFORE)}
    operator = pickle.loads(pickle.dumps(operator))
    titles = pd.DataFrame({"title": ["Lower LÖW", "กิน", "กัน", "low" * 40]})
    ids = operator.transform(ColumnSelector(["title"]), titles)["title"]
    assert [list(row) for row in ids] == [[14, 11], [13], [13], [2]]


def test_plain_english_has_the_ids_that_it_always_had():
    titles = ["Organic Oat Milk, 12 oz", "Oat & Almond Milk - 2% fat", "Dairy-Free Milk (organic)"]
    learned = learn_tokenizer(Counter(word for title in titles for word in title.split()), 60)
    assert [learned.encode(title).ids for title in titles] == [
        [42, 40, 35, 23, 50, 55],
        [40, 20, 56, 35, 24, 26, 19, 53],
        [57, 24, 54, 35, 21, 42, 22],
    ]


def test_text_is_split_into_the_longest_known_pieces():
    tokenizer = learn_tokenizer(WORDS, len(CHARACTERS) + 4)
    assert tokenizer.encode("Lowest LÖW").tokens == ["low", "##est", "low"]
    assert tokenizer.encode("low zoo").tokens == ["low", "<other>"]


@pytest.mark.parametrize("size", [8, 9, 12, 20])
def test_a_vocabulary_is_never_larger_than_asked(size):
    assert len(pieces(learn_tokenizer(WORDS, size))) <= 3 + size


def test_words_with_rare_characters_are_out_of_vocabulary():
    tokenizer = learn_tokenizer({"aa": 100, "ab": 90, "aq": 1}, 3)
    assert set(pieces(tokenizer)) == {*RESERVED, "a", "##a", "##b"}
    assert tokenizer.encode("aq ab").tokens == ["<other>", "a", "##b"]


def test_reserved_names_in_a_text_are_ordinary_text():
    tokenizer = learn_tokenizer({"<": 5, "missing": 5, ">": 5}, 40)
    assert tokenizer.encode("<missing>").tokens == ["<", "missing", ">"]


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_the_order_of_words_does_not_matter(seed):
    words = {"".join(random.Random(i).choices("abcdefgh", k=5)): 1 + i % 3 for i in range(60)}
    shuffled = list(words.items())
    random.Random(seed).shuffle(shuffled)
    assert learn_tokenizer(dict(shuffled), 60).to_str() == learn_tokenizer(words, 60).to_str()


@pytest.mark.parametrize("partitions", [2, 5])
def test_the_order_of_rows_and_their_partitions_do_not_matter(partitions):
    words = [*WORDS, "กินข้าว" * 20, "がーぜ", "कील", "Crème", "sku-" * 50]
    texts = [" ".join(random.Random(i).choices(words, k=3)) for i in range(30)]
    frame = pd.DataFrame({"title": texts})
    _, once = fit(frame, vocabulary_size=90)
    _, again = fit(frame.sample(frac=1, random_state=1), partitions=partitions, vocabulary_size=90)
    assert once.vocabularies == again.vocabularies


LEARNED = learn_tokenizer({**WORDS, "é": 3, "Ünder": 2, "x-ray": 2, "数": 1}, 60)
fragments = st.sampled_from(
    [
        *("low", "lowest", "WIDEST", "x-ray", "é", "e\u0301", "\u0301", "数字", "\x00", "zq", "x" * 150),
        *("\u200b", "\u200d", "กิน", "\u0e34", "か\u3099", "\u3099", "\u00b4", "한", "\uff21", "🥑", "Σ"),
    ]
)
spaces = st.sampled_from([" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\x1c", "", "."])
texts = st.none() | st.text() | st.lists(st.one_of(fragments, spaces)).map("".join)


@given(st.lists(texts), st.integers(1, 5))
def test_words_encoded_once_give_the_ids_of_whole_texts(rows, longest):
    LEARNED.enable_truncation(longest)
    expected = [LEARNED.encode(row or "", add_special_tokens=False).ids or [1] for row in rows]
    encode = partial(encode_texts, LEARNED)
    ids = PandasFrames().tokens(pd.Series(rows, dtype=object), "title", encode, longest, MISSING)
    assert [list(row) for row in ids] == expected


def test_ids_are_cut_and_never_empty():
    workflow, operator = fit(pd.DataFrame({"title": ["low lower", "newest"]}), max_tokens=2)
    ids = workflow.transform(pd.DataFrame({"title": ["low low low", None, "", " \t", "zzz", 5]}))["title"]
    low = operator.tokenizer("title").token_to_id("low")
    assert [list(row) for row in ids] == [[low, low], [1], [1], [1], [2], [2]]
    assert ids.iloc[0].dtype == "int64"


def test_columns_have_vocabularies_of_their_own_unless_shared():
    frame = pd.DataFrame({"title": ["low"], "about": ["newest"]})
    _, apart = fit(frame)
    assert apart.tokenizer("title").token_to_id("newest") is None
    _, together = fit(frame, shared=True, max_tokens={"title": 1, "about": 2})
    ids = [pieces(together.tokenizer(name)) for name in ("title", "about")]
    assert ids[0] == ids[1]
    assert {"low", "newest"} < set(ids[0])
    assert together.tokenizer("title").truncation["max_length"] == 1


def test_a_column_without_any_text_still_works():
    workflow, operator = fit(pd.DataFrame({"title": [None, ""]}))
    assert operator.size("title") == 3
    assert [list(v) for v in workflow.transform(pd.DataFrame({"title": ["low", None]}))["title"]] == [
        [2],
        [1],
    ]


def test_the_operator_survives_pickling():
    _, operator = fit(pd.DataFrame({"title": ["low"]}))
    copy = pickle.loads(pickle.dumps(operator))
    assert copy.tokenizer("title").encode("low").ids == operator.tokenizer("title").encode("low").ids


def test_the_schema_tells_the_ids_and_the_length():
    workflow, operator = fit(pd.DataFrame({"title": ["low"]}), max_tokens=5)
    column = workflow.output_schema["title"]
    assert column.properties["domain"]["max"] == operator.size("title") - 1
    assert column.is_list
    assert column.properties["value_count"] == {"min": 1, "max": 5}
