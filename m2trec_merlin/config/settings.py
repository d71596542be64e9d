"""The whole configuration of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from m2trec_merlin.attributes import AnyAttribute, Attribute
from m2trec_merlin.column_names import ITEM_ID, LISTED, POSITION, SESSION_ID, SPLIT, TARGET, TIMESTAMP
from m2trec_merlin.config.evaluation import EvaluationConfig
from m2trec_merlin.config.model import ModelConfig
from m2trec_merlin.config.preprocessing import PreprocessingConfig
from m2trec_merlin.config.serving import ServingConfig
from m2trec_merlin.config.tracking import TrackingConfig
from m2trec_merlin.config.training import TrainingConfig
from m2trec_merlin.config.variants import M2TREC, VARIANTS, kind_of, require_variant
from m2trec_merlin.derived import DERIVED, is_derived
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.readers import DEFAULT_SOURCE, AnyData, Source
from m2trec_merlin.readers.complete_journey import CompleteJourneyData
from m2trec_merlin.sections import Section, SettingPath
from m2trec_merlin.sessions import IS_TARGET

#: Name of the folder of variants in the folder of a run; each variant but `m2trec` has its own folder there.
VARIANTS_FOLDER = "variants"
#: Columns of interactions and sessions that are not attributes of events.
_OF_EVENTS = {SESSION_ID, ITEM_ID, POSITION, TIMESTAMP, SPLIT, TARGET, "session", IS_TARGET}


class Config(Section):
    """The whole configuration of a run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    work_dir: SettingPath | None = Field(
        None, description="where results go; default: runs/<name>, below the current folder"
    )
    seed: int = Field(42, ge=0, lt=2**32)
    variant: str = Field(
        M2TREC,
        max_length=100,
        description="a variant of the paper, also set by `--variant`; variants share data, not models; what "
        "follows a dash, as in trec_id-again, keeps several models of one variant apart",
    )
    data: AnyData = CompleteJourneyData()
    attributes: list[AnyAttribute] = Field(min_length=1)
    event_attributes: list[AnyAttribute] = Field(
        [],
        description="attributes of events, of the same kinds: columns of the interactions, or "
        + ", ".join(DERIVED),
    )
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    serving: ServingConfig = ServingConfig()
    tracking: TrackingConfig = TrackingConfig()

    @property
    def directory(self) -> Path:
        """The folder of this run, with all its results."""
        return self.work_dir or Path("runs") / self.name

    @property
    def model_directory(self) -> Path:
        """The folder of all results that depend on the model: `model`, `evaluation`, `triton`."""
        return self.directory if self.variant == M2TREC else self.directory / VARIANTS_FOLDER / self.variant

    @property
    def variant_title(self) -> str:
        """The name of the variant in tables."""
        return VARIANTS[kind_of(self.variant)].title

    @property
    def inputs(self) -> list[str]:
        """The names of the model's inputs: attributes of items, and `ITEM_ID` for the id variants."""
        return self.model.inputs or [attribute.name for attribute in self.attributes]

    @property
    def titles_from(self) -> str:
        """The column of the items table by which people know an item: a title, or else the id."""
        texts = [attribute.source_column for attribute in self.attributes if attribute.gives_titles]
        return self.serving.title_column or (texts[0] if texts else ITEM_ID)

    @property
    def event_columns(self) -> dict[str, str]:
        """Columns of event attributes and targets: canonical name -> name in the source."""
        read = {a.name: a.source_column for a in self.event_attributes if not is_derived(a.source_column)}
        return read if self.data.targets is None else {**read, TARGET: self.data.targets.column}

    def open_source(self) -> Source:
        """Create the reader of the data; this reads nothing yet."""
        return self.data.open(self.seed, self.event_columns)

    def attribute(self, name: str) -> Attribute:
        """Return the attribute of items called `name`.

        Raises:
            ConfigError: there is no such attribute.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise ConfigError(f"no attribute '{name}'; there are {', '.join(a.name for a in self.attributes)}")

    def with_variant(self, variant: str) -> Config:
        """Return the configuration of one of the paper's variants; see `VARIANTS`.

        Raises:
            ConfigError: there is no such variant, or it needs attributes that are missing.
        """
        named = kind_of(variant)
        if named not in VARIANTS:
            raise ConfigError(f"no variant '{variant}'; accepted: {', '.join(VARIANTS)}")
        try:
            change = VARIANTS[named].change(self.model, self.attributes)
        except ValueError as error:
            raise ConfigError(f"{self.name}: {error}") from None
        return self.model_copy(update={"model": self.model.model_copy(update=change), "variant": variant})

    def warnings(self) -> list[str]:
        """Return one line for each setting that is valid but has no effect, or is probably unintended."""
        lines = self.data.without_effect()
        head = self.model.next_item
        # Variants replace the head, so the settings of the file do not matter.
        for name in head.without_effect() if self.variant == M2TREC else []:
            lines.append(
                f"model.next_item.{name} has no effect with head '{head.head}', similarity "
                f"'{head.similarity}' and loss '{head.loss}'"
            )
        for name in ("id_dropout", "near_items") if ITEM_ID not in self.inputs else ():
            if getattr(self.model, name):
                lines.append(
                    f"model.{name} has no effect: this model reads no item ids (--variant m2trec_id does)"
                )
        training = self.training
        if (
            training.checkpoint_steps
            and training.max_steps
            and training.checkpoint_steps > training.max_steps
        ):
            lines.append(
                f"training.checkpoint_steps {training.checkpoint_steps} is never reached: training.max_steps "
                f"is {training.max_steps}"
            )
        if self.evaluation.bootstrap_samples == 0:
            lines.append("evaluation.bootstrap_samples is 0: results have no intervals")
        return lines

    @model_validator(mode="before")
    @classmethod
    def _name_the_default_source(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(data := values.get("data"), dict) and "source" not in data:
            return {**values, "data": {"source": DEFAULT_SOURCE, **data}}
        return values

    @field_validator("variant")
    @classmethod
    def _variant_exists(cls, variant: str) -> str:
        return require_variant(variant)

    @field_validator("attributes")
    @classmethod
    def _columns_are_of_the_source(cls, attributes: list[Attribute]) -> list[Attribute]:
        # Canonical items hold the dates of `data.listed` in this column.
        if taken := [a.name for a in attributes if a.source_column == LISTED]:
            raise ValueError(f"attribute '{taken[0]}': the column '{LISTED}' is reserved: rename yours")
        return attributes

    @field_validator("event_attributes")
    @classmethod
    def _names_are_free(cls, attributes: list[Attribute]) -> list[Attribute]:
        problems = [
            f"attribute name '{a.name}' is reserved: choose another, and set column: {a.source_column}"
            for a in attributes
            if a.name in _OF_EVENTS
        ]
        problems += [
            f"attribute '{a.name}': no derived column '{a.source_column}'; accepted: {', '.join(DERIVED)}"
            for a in attributes
            if is_derived(a.source_column) and a.source_column not in DERIVED
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return attributes

    @field_validator("attributes", "event_attributes")
    @classmethod
    def _names_are_unique(cls, attributes: list[Attribute]) -> list[Attribute]:
        names = [a.name for a in attributes]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"names {repeated} occur more than once")
        return attributes

    @model_validator(mode="after")
    def _held_out_events_alone_are_scored(self) -> Config:
        if self.data.split.is_nested and self.evaluation.prefixes != "last":
            raise ValueError(
                f"data.split.kind '{self.data.split.kind}' holds out the last events of sessions, and "
                "evaluation.prefixes 'all' would score those that training has seen: set "
                "evaluation.prefixes: last"
            )
        return self

    @model_validator(mode="after")
    def _names_refer_to_attributes(self) -> Config:
        named: dict[str, Attribute] = {a.name: a for a in self.attributes}
        predictable = sorted(name for name, a in named.items() if a.names_values)
        problems = [
            f"model.inputs names '{name}'; accepted: {sorted([*named, ITEM_ID])}"
            for name in self.model.inputs or []
            if name not in named and name != ITEM_ID
        ]
        problems += [
            f"model.next_attributes names '{task.attribute}', which is "
            f"{'of kind ' + named[task.attribute].kind if task.attribute in named else 'no attribute'}; "
            f"accepted: {predictable}"
            for task in self.model.next_attributes
            if task.attribute not in predictable
        ]
        for group in (self.attributes, self.event_attributes):
            members: dict[str, Attribute] = {a.name: a for a in group}
            problems += [each for attribute in group for each in attribute.contradictions(members)]
        if problems:
            raise ValueError("; ".join(problems))
        return self
