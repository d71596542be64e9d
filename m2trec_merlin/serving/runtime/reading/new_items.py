"""Raw attributes of items that the catalogue never had, encoded by the NVTabular items workflow."""

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
from m2trec_merlin.serving.runtime.reading.remembered import NewItem

if TYPE_CHECKING:
    import pandas as pd

    from m2trec_merlin.attributes import Attribute

    #: The workflow, what encodes with it, and attributes by which values are read.
    Loaded = tuple[Any, Any, list[Attribute]]


class NewItemEncoder:
    """Encodes raw attributes exactly as the catalogue's were.

    Importing NVTabular and a sentence encoder takes seconds. A server starts it at once in the background:
    requests for known items are answered meanwhile, and the first one with raw attributes waits for it.

    Args:
        directory: of the saved items workflow, in a version folder of the first step.
        attributes: those the model reads.
        in_background: load at once, in a thread; if not, when it is first needed.
        of_events: whether the workflow is that of sessions, and the "items" are events; of these attributes.
        filters: attributes by which items are filtered.
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
        """Return the encoder of items of a version folder of `m2trec_preprocess`; None if nothing can be."""
        if not version.attributes:
            return None
        return cls(directory / ITEMS_WORKFLOW, version.attributes, in_background, filters=version.filters)

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items, each by itself, with their values; see `encode_together`."""
        encoded, ignored, frame = self._encode(items)
        notes = [[str(each) for each in of_item] for of_item in ignored]
        each_alone = split_items(encoded, [1] * len(items))
        return list(map(NewItem, each_alone, notes, self._values(frame)))

    def encode_together(self, items: Sequence[dict[str, Any]]) -> tuple[EncodedItems, list[list[Ignored]]]:
        """Encode items, given by raw column, and say which of their values tell the model nothing.

        Args:
            items: one at least; absent columns count as missing, and so do values that cannot be used.

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
        """Do what `encode_together` does; return besides the items, without what none can use."""
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
        # Objects, since one type for a column would make a value depend on the other items.
        values = [[item.get(column) for column in columns] for item in items]
        return pd.DataFrame(values, columns=columns, dtype=object)


class Ignored(NamedTuple):
    """Values of a column that tell the model nothing; as text, what is said of them.

    Attributes:
        column: of raw items.
        values: one at least.
        why: an attribute cannot use them; empty: they are categories that the model does not know.
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
    """Say of a table's items what is ignored: once a column and reason, those of most items first."""
    values: dict[tuple[str, str], dict[str, object]] = {}
    items: Counter[tuple[str, str]] = Counter()
    for of_item in ignored:
        for each in of_item:
            kind = (each.column, each.why)
            values.setdefault(kind, {}).update((show(value), value) for value in each.values)
        items.update({(each.column, each.why) for each in of_item})
    return [
        f"{Ignored(column, tuple(values[column, why].values()), why)} ({n:,} item{'s' if n != 1 else ''})"
        for (column, why), n in items.most_common()
    ]


class _Refused(NamedTuple):
    """A value that an attribute cannot use."""

    item: int
    column: str
    value: object
    why: str


def _refused(frame: pd.DataFrame, attributes: Sequence[Attribute]) -> Iterator[_Refused]:
    """Yield what the attributes cannot use; `item` is the line of the frame."""
    for attribute in attributes:
        values = frame[attribute.source_column]
        for fault in attribute.faults(values[values.notna()]):
            for item, value in fault.values[fault.wrong].items():
                yield _Refused(int(str(item)), attribute.source_column, value, fault.what)


def _without_useless(
    frame: pd.DataFrame, refused: Sequence[_Refused], attributes: Sequence[Attribute]
) -> pd.DataFrame:
    """Return the items without the values that none of the attributes can use which read them.

    What stays are single values other than texts, which are missing to the attribute that cannot use them.
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
    """Yield the items with categories that the model does not know, by line of the frame, and which ones."""
    for attribute in attributes:
        ids = encoded[attribute.name]
        # Of words the model knows all the pieces.
        if not (attribute.is_shown and attribute.layout.has_vocabulary):
            continue
        values = frame[attribute.source_column]
        items = np.repeat(np.arange(len(ids)), ids.lengths)[ids.values == OUT_OF_VOCABULARY]
        for item in np.unique(items).tolist():
            [said] = attribute.filter_values(values.iloc[item : item + 1]).to_pylist()
            named = zip(said if isinstance(said, list) else [said], ids.of(item), strict=False)
            names = tuple(name for name, id_ in named if id_ == OUT_OF_VOCABULARY)
            yield item, Ignored(attribute.source_column, names)


def _started(load: Callable[[], Loaded]) -> Callable[[], Loaded]:
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="items-workflow")
    loading = executor.submit(load)
    executor.shutdown(wait=False)

    def loaded() -> Loaded:
        if (failure := loading.exception()) is not None:
            # One exception for all who ask: raised again, it would hold on to the frames of each of them.
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
    # Another workflow's ids would mean other words and categories to the graphs that are open.
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
