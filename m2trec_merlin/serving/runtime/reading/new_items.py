"""Encoding of items outside of the catalogue from raw attributes, by the NVTabular items workflow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from m2trec_merlin.contract.checksums import seal_of
from m2trec_merlin.contract.version import ITEMS_WORKFLOW, Description, RawAttribute
from m2trec_merlin.encoded import OUT_OF_VOCABULARY, EncodedColumn, EncodedItems, split_items
from m2trec_merlin.errors import ArtifactError, MissingDependencyError
from m2trec_merlin.serving.runtime.notes import name_some, show
from m2trec_merlin.serving.runtime.reading.cached_items import NewItem
from m2trec_merlin.shares import counted

if TYPE_CHECKING:
    import pandas as pd

    from m2trec_merlin.attributes import Attribute

    #: The workflow, the function that encodes with it, and the attributes that raw values are checked by.
    Loaded = tuple[Any, Any, list[Attribute]]


class NewItemEncoder:
    """Encodes raw attributes exactly as those of the catalogue were.

    Importing NVTabular and a sentence encoder takes seconds. A server starts the import at once in the
    background: requests for known items are answered meanwhile, and the first with raw attributes waits.

    Args:
        directory: folder of the saved items workflow, in a version folder of the first step.
        attributes: attributes that the model reads.
        in_background: whether to load the workflow at once, in a thread; else when it is first needed.
        of_events: whether the "items" are events, and the workflow that of events, limited to `attributes`.
        filters: names of the attributes that items are filtered by.
    """

    def __init__(
        self,
        directory: Path,
        attributes: Sequence[RawAttribute],
        in_background: bool = False,
        of_events: bool = False,
        filters: Collection[str] = (),
    ) -> None:
        self._attributes, self._filters = attributes, filters
        seal = seal_of(directory.parent)
        load = partial(_load, directory, seal, attributes, of_events)
        self._loaded = _started(load) if in_background else cache(load)

    @classmethod
    def of(cls, directory: Path, version: Description, in_background: bool = False) -> NewItemEncoder | None:
        """Return the encoder of a version folder of `m2trec_preprocess`; None if the model needs item ids."""
        if not version.attributes:
            return None
        return cls(directory / ITEMS_WORKFLOW, version.attributes, in_background, filters=version.filters)

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items and return each by itself, with its values to filter by; see `encode_together`."""
        encoded, ignored, frame = self._encode(items)
        notes = [[str(each) for each in of_item] for of_item in ignored]
        each_alone = split_items(encoded, [1] * len(items))
        return list(map(NewItem, each_alone, notes, self._values(frame)))

    def encode_together(self, items: Sequence[dict[str, Any]]) -> tuple[EncodedItems, list[list[Ignored]]]:
        """Encode items, and return for each also the values that are of no use to the model.

        Args:
            items: at least one item, as values by raw column; absent columns and values that cannot be used
                count as missing.

        Raises:
            MissingDependencyError: NVTabular is not installed where the server runs.
            ArtifactError: the workflow's files were altered, or are those of another export by now.
            DataError: a value cannot be encoded, such as a vector of another size.
        """
        encoded, ignored, _ = self._encode(items)
        return encoded, ignored

    def _encode(
        self, items: Sequence[dict[str, Any]]
    ) -> tuple[EncodedItems, list[list[Ignored]], pd.DataFrame]:
        """Do the same as `encode_together`, but also return the raw items, without unusable values."""
        workflow, encode_items, read_by = self._loaded()
        from m2trec_merlin.columns import to_arrow

        frame = self._frame(items)
        refused = list(_refused(frame, read_by))
        ignored: list[list[Ignored]] = [[] for _ in items]
        for each in refused:
            ignored[each.item].append(Ignored(each.column, (each.value,), each.why))
        useful = _without_useless(frame, refused, read_by)
        encoded = encode_items(workflow, useful)
        fields = [attribute.field for attribute in self._attributes]
        columns = {f.name: EncodedColumn.from_arrow(f, to_arrow(encoded[f.name])) for f in fields}
        for item, unknown in _unknown(frame, read_by, columns):
            ignored[item].append(unknown)
        return columns, ignored, useful

    def _values(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        *_, read_by = self._loaded()
        of_each: list[dict[str, Any]] = [{} for _ in range(len(frame))]
        for attribute in read_by:
            if attribute.name in self._filters:
                values = attribute.filter_values(frame[attribute.source_column]).to_pylist()
                for item, value in zip(of_each, values, strict=True):
                    item[attribute.name] = value
        return of_each

    def _frame(self, items: Sequence[dict[str, Any]]) -> pd.DataFrame:
        import pandas as pd

        columns = list(dict.fromkeys(attribute.column for attribute in self._attributes))
        # With a common type for the column, a value would depend on the other items.
        values = [[item.get(column) for column in columns] for item in items]
        return pd.DataFrame(values, columns=columns, dtype=object)


class Ignored(NamedTuple):
    """Values of a column that are of no use to the model; as text, a message about them.

    Attributes:
        column: name of the raw column.
        values: the values, at least one.
        why: why an attribute cannot use them; empty for categories that the model does not know.
    """

    column: str
    values: tuple[object, ...]
    why: str = ""

    def __str__(self) -> str:
        names = name_some(self.values)
        if self.why:
            return f"{self.column} {names} {self.why}, so it counts as missing"
        return f"{self.column}: the model does not know {names}, so nothing is concluded from it"


def summed_up(ignored: Sequence[Sequence[Ignored]]) -> list[str]:
    """Return messages on what is ignored in a table: one per column and reason, the most frequent first."""
    values: dict[tuple[str, str], dict[str, object]] = {}
    items: Counter[tuple[str, str]] = Counter()
    for of_item in ignored:
        for each in of_item:
            kind = (each.column, each.why)
            values.setdefault(kind, {}).update((show(value), value) for value in each.values)
        items.update({(each.column, each.why) for each in of_item})
    return [
        f"{Ignored(column, tuple(values[column, why].values()), why)} ({counted(n, 'item')})"
        for (column, why), n in items.most_common()
    ]


class _Refused(NamedTuple):
    """A value that an attribute cannot use."""

    item: int
    column: str
    value: object
    why: str


def _refused(frame: pd.DataFrame, attributes: Sequence[Attribute]) -> Iterator[_Refused]:
    """Yield the values that an attribute cannot use; `item` is the line of the frame."""
    for attribute in attributes:
        values = frame[attribute.source_column]
        for fault in attribute.faults(values[values.notna()]):
            for item, value in fault.values[fault.wrong].items():
                yield _Refused(int(str(item)), attribute.source_column, value, fault.what)


def _without_useless(
    frame: pd.DataFrame, refused: Sequence[_Refused], attributes: Sequence[Attribute]
) -> pd.DataFrame:
    """Return the items with values removed that no attribute reading the column can use.

    Only texts, lists and objects are removed; any other value counts as missing where it cannot be used.
    """
    readers = Counter(attribute.source_column for attribute in attributes)
    useless = (each for each in refused if isinstance(each.value, str | dict | list))
    refusals = Counter((each.item, each.column) for each in useless)
    left = frame.copy() if refusals else frame
    for (item, column), count in refusals.items():
        if count == readers[column]:
            left.at[item, column] = None
    return left


def _unknown(
    frame: pd.DataFrame, attributes: Sequence[Attribute], encoded: EncodedItems
) -> Iterator[tuple[int, Ignored]]:
    """Yield each item with categories that the model does not know: its line of the frame, and the values."""
    for attribute in attributes:
        ids = encoded[attribute.name]
        # Texts have no unknown words, as the model knows all pieces of words.
        if not (attribute.is_shown and attribute.layout.has_vocabulary):
            continue
        values = frame[attribute.source_column]
        items = np.repeat(np.arange(len(ids)), ids.lengths)[ids.values == OUT_OF_VOCABULARY]
        for item in np.unique(items).tolist():
            [said] = attribute.filter_values(values.iloc[item : item + 1]).to_pylist()
            named = zip(said if isinstance(said, list) else [said], ids.of(item), strict=False)
            names = dict.fromkeys(name for name, id_ in named if id_ == OUT_OF_VOCABULARY)
            yield item, Ignored(attribute.source_column, tuple(names))


def _started(load: Callable[[], Loaded]) -> Callable[[], Loaded]:
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="items-workflow")
    loading = executor.submit(load)
    executor.shutdown(wait=False)

    def loaded() -> Loaded:
        if (failure := loading.exception()) is not None:
            # All callers raise this one exception, which would otherwise keep the frames of each alive.
            raise failure.with_traceback(None)
        return loading.result()

    return loaded


def _load(directory: Path, seal: str, raw: Sequence[RawAttribute], of_events: bool) -> Loaded:
    try:
        from m2trec_merlin.merlin_adapter import importing_merlin, prepare_merlin

        prepare_merlin()
        with importing_merlin():
            from m2trec_merlin.attributes import parse_attribute
            from m2trec_merlin.attributes.operators import load_operators
            from m2trec_merlin.workflows.items import encode_items, items_workflow
            from m2trec_merlin.workflows.sessions import events_workflow
            from m2trec_merlin.workflows.storage import load_workflow
    except ImportError as error:
        raise MissingDependencyError(
            f"raw attributes need NVTabular in the server's Python, where {error.name} is "
            "missing: install m2trec-merlin there, or send ids of the catalogue only"
        ) from error
    names = [attribute.field.name for attribute in raw]
    workflow = load_workflow(directory, partial(events_workflow, only=names) if of_events else items_workflow)
    load_operators(workflow)
    # The graphs that are open would read ids of another workflow as other words and categories.
    if seal_of(directory.parent) != seal:
        raise ArtifactError(
            f"{directory.parents[2]} was exported again since it was opened: open it again, or start the "
            "server again"
        )
    return (
        workflow,
        encode_items,
        [parse_attribute(name=each.field.name, **each.settings) for each in raw if each.settings],
    )
