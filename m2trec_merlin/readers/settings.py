"""The settings of `data` that all sources share: the split, and which sessions count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.source import Source
from m2trec_merlin.readers.times import ISO_8601, require_format
from m2trec_merlin.sections import MANY, Name, Section, Values


class Split(Section):
    """Base of the settings of all kinds of splits; `data/splits.py` implements the kinds."""

    kind: str

    #: Whether a column of the interactions names the split of each session; their order is that of time.
    is_named: ClassVar[bool] = False
    #: Whether each event needs a time.
    needs_times: ClassVar[bool] = False
    #: Whether ids of sessions must be whole numbers.
    needs_whole_ids: ClassVar[bool] = False
    #: Whether the held-out splits repeat the training sessions, with the events that training must not see.
    is_nested: ClassVar[bool] = False
    #: Hints for an empty split, by its name.
    hints: ClassVar[Mapping[str, str]] = {}


class SplitByColumn(Split):
    """A column of the interactions names the split: `train`, `valid` or `test`."""

    is_named: ClassVar[bool] = True
    hints: ClassVar[Mapping[str, str]] = {"valid": "valid_share_of_train takes sessions from training"}

    kind: Literal["column"]
    valid_share_of_train: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="take this last share of the training sessions for validation, if none is named",
    )


class _Shares(Split):
    test_share: float = Field(0.1, gt=0, lt=1)
    valid_share: float = Field(0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _something_is_left(self) -> _Shares:
        if self.test_share + self.valid_share >= 1:
            raise ValueError(
                f"test_share {self.test_share} and valid_share {self.valid_share} leave nothing to train on"
            )
        return self


class SplitByTime(_Shares):
    """The last sessions, by the time of their first event, are held out."""

    needs_times: ClassVar[bool] = True
    hints: ClassVar[Mapping[str, str]] = dict.fromkeys(
        SPLITS, "sessions that begin at one time stay together; kind hash divides them"
    )

    kind: Literal["time"]


class SplitByHash(_Shares):
    """A stable hash of the session id decides, the same on every machine."""

    kind: Literal["hash"]


class SplitByModulus(Split):
    """`session_id % modulus` decides; needs integer session ids."""

    needs_whole_ids: ClassVar[bool] = True

    kind: Literal["modulus"]
    modulus: int = Field(10, ge=3, le=1_000_000)
    test: list[int] = Field([0], min_length=1)
    valid: list[int] = Field([1], min_length=1)

    @model_validator(mode="after")
    def _remainders_are_disjoint(self) -> SplitByModulus:
        wrong = [r for r in self.test + self.valid if not 0 <= r < self.modulus]
        if wrong:
            raise ValueError(f"remainders {wrong} are not between 0 and {self.modulus - 1}")
        if len(set(self.test)) < len(self.test) or len(set(self.valid)) < len(self.valid):
            raise ValueError(f"test {self.test} or valid {self.valid} repeats a remainder")
        if set(self.test) & set(self.valid):
            raise ValueError(f"test {self.test} and valid {self.valid} share a remainder")
        if len(set(self.test + self.valid)) == self.modulus:
            raise ValueError(f"test {self.test} and valid {self.valid} leave nothing to train on")
        return self


class LeaveOneOut(Split):
    """The last event of each session is for the test, the one before it for validation.

    Needs `evaluation.prefixes: last`, because training sees all earlier events.
    """

    is_nested: ClassVar[bool] = True

    kind: Literal["leave_one_out"]


SplitConfig = Annotated[
    SplitByColumn | SplitByTime | SplitByHash | SplitByModulus | LeaveOneOut, Field(discriminator="kind")
]


class Targets(Section):
    """Which events may be targets in training, validation and test; all events serve as context."""

    column: Name = Field(description="column of the interactions that tells")
    values: Values = Field(description="of the events that may be targets")


class ListingDates(Section):
    """Since when items are listed: an item listed late in training that never sold is no dead stock."""

    column: Name = Field(description="column of the items that tells")
    time_format: Name = Field(
        ISO_8601, description="how times are written, as of data.options; dates and times need none"
    )

    @field_validator("time_format")
    @classmethod
    def _tells_times(cls, time_format: str) -> str:
        return require_format(time_format)


class DataSettings(Section):
    """Where raw data comes from, how it is split, and which sessions count."""

    source: str
    split: SplitConfig = SplitByHash(kind="hash")
    cold_item_share: float = Field(
        0.0, ge=0, lt=1, description="share of seen items whose sessions leave training altogether"
    )
    min_session_length: int = Field(2, ge=2, le=10_000)
    max_session_length: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="training sessions keep their last so many events; default: so many that 99 % of all "
        "events are kept, at most 200",
    )
    targets: Targets | None = Field(None, description="which events may be targets; default: all")
    listed: ListingDates | None = Field(None, description="since when items are listed; default: not known")
    chunk_sessions: int = Field(200_000, ge=1, le=MANY, description="sessions held in memory at a time")

    #: Settings that are paths, relative to the configuration file; moving the data changes no result.
    paths: ClassVar[tuple[str, ...]] = ()
    #: Those of `paths` that may be folders, which are then read with all their subfolders.
    tables: ClassVar[tuple[str, ...]] = ()
    #: Hint for events of items that the items table lacks.
    left_out_hint: ClassVar[str] = "leave these events out"
    #: Hint for times that cannot be read.
    times_hint: ClassVar[str] = "the years 1678 to 2261 can be read"

    @property
    def names_splits(self) -> bool:
        """Whether the source has a column for `split.kind: column`."""
        return False

    @property
    def columns_to_keep_by(self) -> list[str]:
        """The columns of the interactions that are read only to tell which events count."""
        return []

    @property
    def items_dialect(self) -> Dialect:
        """The dialect of the items table, if it is CSV."""
        return Dialect(options=None)

    def without_effect(self) -> list[str]:
        """Return one message for each setting that has no effect because of other settings."""
        return []

    def open(self, seed: int, more: Mapping[str, str] | None = None) -> Source:
        """Create the reader; this reads nothing yet.

        Args:
            seed: seed of everything that the reader draws at random.
            more: further columns of the interactions to read: name in the chunks -> name in the source.
        """
        raise NotImplementedError

    @model_validator(mode="after")
    def _lengths_and_split_are_possible(self) -> DataSettings:
        if self.max_session_length is not None and self.min_session_length > self.max_session_length:
            raise ValueError(
                f"min_session_length {self.min_session_length} is above max_session_length "
                f"{self.max_session_length}"
            )
        if self.split.is_named and not self.names_splits:
            raise ValueError(self._no_split_column())
        return self

    def _no_split_column(self) -> str:
        kind = self.split.kind
        return f"split.kind '{kind}' needs a column that names the split, and '{self.source}' has none"
