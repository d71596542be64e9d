"""The contract of every kind of attribute: whoever adds one gives it a line in EXAMPLES."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import permutations
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from nvtabular import Workflow
from pydantic import ValidationError

from m2trec_merlin.attributes import AnyAttribute, Attribute, parse_attribute
from m2trec_merlin.columns import to_arrow
from m2trec_merlin.encoded import EncodedColumn, Field
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.workflows.items import encode_items, items_workflow
from m2trec_merlin.workflows.storage import load_workflow, save_workflow

#: By kind: settings of its own, and raw values of training items, one of them missing.
EXAMPLES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "text": ({"vocabulary_size": 20, "max_tokens": 3}, ["red wine", "red apple", None, "wine"]),
    "categorical": ({}, ["a", "b", None, "a"]),
    "multi_categorical": ({"max_tokens": 2}, ["a|b", "b", None, "a|b|c"]),
    "numeric": ({"log": True}, [1.0, 3.5, None, 0.0]),
    "vector": ({"size": 2}, [[1.0, 2.0], [0.5, 0.0], None, [3.0, 4.0]]),
    "sentence": ({}, ["red wine", "red apple", None, "wine"]),
}
KINDS = [get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(AnyAttribute)[0])]
#: A value that no kind but one of lists takes.
A_LIST, A_WORD = ["x"], "x"


def test_every_kind_has_an_example():
    assert sorted(KINDS) == sorted(EXAMPLES)


def properties(workflow: Workflow) -> dict[str, Any]:
    """The schema of a workflow, but for where its vocabularies lie."""
    found = {}
    for column in workflow.output_schema:
        others = {name: value for name, value in column.properties.items() if name != "cat_path"}
        found[column.name] = column.dtype, column.shape, set(column.tags), others
    return found


def test_values_of_a_list_are_parted_where_a_person_reads_them():
    tags = parse_attribute(name="x", kind="multi_categorical")
    assert [tags.spell(value) for value in tags.comparable(pd.Series(["a|b", "c", None])).to_pylist()] == [
        "a, b",
        "c",
        "",
    ]


@pytest.mark.parametrize("kind", KINDS)
class TestContract:
    @pytest.fixture
    def attribute(self, kind: str) -> Attribute:
        return parse_attribute(name="x", kind=kind, column="raw", **EXAMPLES[kind][0])

    @pytest.fixture
    def raw(self, kind: str) -> pd.Series:
        return pd.Series(EXAMPLES[kind][1], dtype=object, name="raw")

    @pytest.fixture
    def fitted(self, attribute, raw, tmp_path) -> tuple[Any, Field]:
        frame = pd.DataFrame({"item_id": range(len(raw)), "raw": raw})
        frame.to_parquet(tmp_path / "part.parquet", index=False)
        workflow = items_workflow([attribute], tmp_path / "storage")
        workflow.fit(dataset_of_parts([tmp_path / "part.parquet"], ["item_id", "raw"]))
        (tmp_path / "vocabularies").mkdir()
        return workflow, attribute.write_vocabulary(workflow, tmp_path / "vocabularies")

    def encoded(self, fitted, values: pd.Series) -> EncodedColumn:
        workflow, field = fitted
        frame = pd.DataFrame({"item_id": range(len(values)), "raw": values.to_numpy(object)})
        return EncodedColumn.from_arrow(field, to_arrow(encode_items(workflow, frame)["x"]))

    def test_its_values_lie_as_its_layout_says(self, attribute, raw, fitted, kind):
        column = self.encoded(fitted, raw)
        assert column.field == Field("x", attribute.layout, fitted[1].size)
        assert len(column) == len(raw) and column.values.dtype == attribute.layout.dtype
        if attribute.layout.has_vocabulary:
            assert column.values.min() > 0 and column.values.max() < column.field.size

    def test_a_missing_value_is_that_of_no_item(self, raw, fitted, kind):
        nothing = self.encoded(fitted, raw).slice(2, 3)
        if kind != "numeric":  # whose missing values are the mean, which is 0 but for rounding
            assert nothing.values.tolist() == EncodedColumn.no_item(fitted[1]).values.tolist()
        assert nothing.values == pytest.approx(EncodedColumn.no_item(fitted[1]).values)

    def test_an_item_is_encoded_alone_as_in_company(self, raw, fitted, kind):
        together = self.encoded(fitted, raw)
        alone = EncodedColumn.join([self.encoded(fitted, raw[i : i + 1]) for i in range(len(raw))])
        np.testing.assert_allclose(alone.values, together.values, atol=1e-5)
        np.testing.assert_array_equal(alone.lengths, together.lengths)

    def test_a_saved_workflow_encodes_alike_and_is_no_pickle(self, attribute, raw, fitted, tmp_path, kind):
        workflow, field = fitted
        save_workflow(workflow, [attribute], tmp_path / "saved")
        for path in (tmp_path / "saved").rglob("*.*"):
            assert path.suffix in (".json", ".parquet") and path.stem in ("workflow", "x")
        loaded = load_workflow((tmp_path / "saved").rename(tmp_path / "moved"))
        values = pd.concat([raw, pd.Series([raw[0], None], dtype=object)])
        before, after = self.encoded(fitted, values), self.encoded((loaded, field), values)
        assert after.values.tobytes() == before.values.tobytes()
        np.testing.assert_array_equal(after.lengths, before.lengths)
        assert properties(loaded) == properties(workflow)

    def test_equal_items_are_those_of_equal_comparable_values(self, attribute, raw, kind):
        found = attribute.comparable(attribute.canonical(pd.concat([raw, raw], ignore_index=True)))
        assert found.null_count == 2 * raw.isna().sum() and len(found) == 2 * len(raw)
        codes = found.dictionary_encode().indices.to_pylist()
        assert codes[: len(raw)] == codes[len(raw) :]
        equal = [[str(a) == str(b) for b in raw] for a in raw]
        assert [[a == b for b in codes[: len(raw)]] for a in codes[: len(raw)]] == equal

    def test_a_comparable_value_is_spelt_for_a_person(self, attribute, raw, kind):
        values = attribute.comparable(attribute.canonical(raw)).to_pylist()
        spelt = [attribute.spell(value) for value in values]
        assert all(text.isprintable() for text in spelt) and spelt[2] == ""
        assert kind == "vector" or all(text for text, value in zip(spelt, values, strict=True) if value)

    def test_a_profile_takes_every_item_into_account(self, attribute, raw, kind):
        encoded = attribute.comparable(attribute.canonical(raw)).drop_null().dictionary_encode()
        counts = np.bincount(encoded.indices, minlength=len(encoded.dictionary))
        profile = attribute.profile(encoded.dictionary, counts)
        json.dumps(asdict(profile), allow_nan=False)
        assert sum(n for _, n in profile.frequent) >= (counts.sum() if profile.frequent else 0)
        assert bool(profile.lengths) == bool(profile.counted)

    def test_its_values_satisfy_its_schema_and_another_form_does_not(self, attribute, raw, kind):
        schema = Draft202012Validator(attribute.value_schema())
        Draft202012Validator.check_schema(schema.schema)
        assert all(schema.is_valid(value) for value in raw.dropna())
        assert not schema.is_valid(None) and not schema.is_valid({"a": "struct"})
        if kind != "multi_categorical":
            assert not schema.is_valid(A_WORD if kind == "vector" else A_LIST)

    def test_valid_values_have_no_fault(self, attribute, raw, kind):
        assert not any(fault.wrong.any() for fault in attribute.faults(raw[raw.notna()]))

    def test_a_value_of_another_form_is_a_fault_with_its_row(self, attribute, raw, kind):
        if kind == "multi_categorical":
            pytest.skip("takes single values and lists")
        mixed = pd.concat([raw, pd.Series([A_WORD if kind == "vector" else A_LIST], index=[9])])
        wrong = [
            fault.values.index[np.asarray(fault.wrong)].tolist()
            for fault in attribute.faults(mixed[mixed.notna()])
        ]
        assert [9] in wrong

    @pytest.mark.parametrize("odd", [{"a": "struct"}, [["x"]], [{"a": 1}]])
    def test_what_only_requests_can_say_is_a_fault_with_its_row(self, attribute, raw, odd):
        for values in (pd.concat([raw, pd.Series([odd], index=[9])]), pd.Series([odd], index=[9])):
            wrong = [fault.wrong for fault in attribute.faults(values[values.notna()])]
            assert any(np.asarray(each)[-1] for each in wrong if len(each))

    def test_a_value_is_judged_by_itself_whatever_is_beside_it(self, attribute):
        """Requests of several clients are read together."""
        texts = ["['a']", "[a, b]", "[c, d]", "[]", "b"]

        def are_wrong(*values):
            faults = attribute.faults(pd.Series(values, dtype=object))
            wrong = {row for fault in faults for row in fault.values.index[np.asarray(fault.wrong)]}
            return [row in wrong for row in range(len(values))]

        for one, other in permutations(texts, 2):
            assert are_wrong(one, other) == are_wrong(one) + are_wrong(other)

    def test_settings_of_the_model_do_not_ask_for_preprocessing(self, attribute, kind):
        settings = attribute.preprocessing_settings()
        assert set(settings) == set(type(attribute).model_fields) - attribute.model_settings

    def test_settings_of_other_kinds_are_refused(self, kind):
        others = {"log": True, "separator": ",", "size": 2, "shared_vocabulary": "y", "min_count": 2}
        known = type(parse_attribute(name="x", kind=kind, **EXAMPLES[kind][0])).model_fields
        for setting, value in others.items():
            if setting not in known:
                with pytest.raises(ValidationError, match=setting):
                    parse_attribute(name="x", kind=kind, **{**EXAMPLES[kind][0], setting: value})

    def test_what_is_shown_can_be_filtered_by(self, attribute, raw, kind):
        if attribute.is_shown:
            assert len(attribute.filter_values(raw)) == len(raw)
        else:
            with pytest.raises(NotImplementedError):
                attribute.filter_values(raw)


@pytest.mark.parametrize(
    ("values", "separator", "told"),
    [
        (["new;hot", "hot;eco", "new", "new, hot"], "|", ["no value holds the separator '|'"]),
        (["new;hot", "hot|eco", "new"], "|", []),
        (["new;hot", "hot;eco", "new"], ";", []),
        (["new", "hot", "eco", "sale", "toys, games"], "|", []),
        ([["a;b", "c;d"], ["e;f"]], "|", []),
        ([], "|", []),
    ],
)
def test_another_separator_than_the_values_have_is_told(
    values: list[Any], separator: str, told: list[str]
) -> None:
    attribute = parse_attribute(name="tags", kind="multi_categorical", separator=separator)
    doubts = list(attribute.doubts(pd.Series(values, dtype=object)))
    assert [doubt.partition(" of attribute")[0] for doubt in doubts] == told
    assert all("2 hold ';': does that separate values? Then set separator: ';'" in doubt for doubt in doubts)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (
            "text",
            ["a <b>red</b> lamp", "mug", None],
            "1 item holds marks of web pages, which count as words: ",
        ),
        ("categorical", ["L&#39;Oreal", "L&#39;Oreal", "AT&T"], "2 items hold marks of web pages"),
        (
            "text",
            ["K\u00c3\u00bcche", "bed"],
            "1 item holds letters that another encoding has damaged, such as",
        ),
        (
            "categorical",
            ["Men\u00e2\u20ac\u2122s", "kids"],
            "1 item holds letters that another encoding has dam",
        ),
        (
            "text",
            ["K\ufffdche", "gr?n", "Gr??e"],
            "3 items hold letters that another encoding has damaged, such as 'K",
        ),
        (
            "text",
            [r"K\u00fcche", "K%C3%BCche", "x.example/K%C3%BCche", "50%CA"],
            "2 items hold letters as JSON or addresses write them, such as",
        ),
        ("multi_categorical", ["tools|home &amp; garden", "tools"], "1 item holds marks of web pages"),
        (
            "text",
            ["Men\x92s", "bed"],
            "1 item holds control characters, such as 'Men\\x92s': letters of another encoding, such as",
        ),
        ("categorical", ['="bed"', '="lamp"'], "2 items hold quotation marks around their values"),
        ("categorical", ["'bed'", "'lamp'", "rug"], "2 items hold quotation marks around their values"),
        (
            "text",
            ["['pens', 'red']", "pens"],
            "1 item holds lists written as text, read as they stand, such as",
        ),
        ("categorical", ["['red']", "red"], "1 item holds lists written as text"),
        ("categorical", ["{'red': 'x'}", "red"], "1 item holds objects written as text"),
        ("text", ["[REC]", "[sold out]", "pens"], ""),
        ("text", ["black & white; 5 < 7", "x <y> & z"], ""),
        ("text", ["home &amp; garden", *map(str, range(100))], ""),
        ("numeric", [1.5, 2.0], ""),
    ],
)
def test_what_hardly_belongs_to_a_text_is_told(kind: str, values: list[Any], told: str) -> None:
    attribute = parse_attribute(name="name", kind=kind)
    doubts = list(attribute.doubts(pd.Series(values).dropna()))
    assert [doubt[: len(told)] for doubt in doubts] == ([told] if told else [])


@pytest.mark.parametrize("kind", ["multi_categorical", "categorical", "text"])
def test_objects_that_are_written_as_text_are_no_lists(kind: str) -> None:
    values = pd.Series(['{"b": "1"}', "{'b': 'c', 'd': 2}"])
    faults = parse_attribute(name="a", kind=kind).column_faults(values)
    (fault,) = (each for each in faults if each.wrong.any())
    assert (fault.what, fault.hint) == (
        "is an object written as text",
        "give each of its properties a column",
    )
    assert fault.wrong.all()
