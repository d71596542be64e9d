"""The base class and common types of all sections of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


def at_home(value: Any) -> Any:
    """Return a path as it is written in a setting, with `~` for the home folder; other values unchanged.

    Raises:
        ValueError: it begins with `~`, but no such home folder is known.
    """
    if not isinstance(value, str | Path) or value == "":
        return value
    path = Path(value)
    if not str(value).startswith("~"):
        # ./~name is a file of that name, which no later reader must take for a home folder.
        return path.absolute() if str(path).startswith("~") else path
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(
            f"no home folder {path.parts[0]} is known; a file or folder that is called so is ./{path}"
        ) from None


#: The most that NumPy, Torch and Arrow count in 32 bits.
MANY = 2**31 - 1

#: A number of things, at least one.
Count = Annotated[int, Field(ge=1, le=MANY)]
#: The width of an embedding or a layer; a greater one is a typing error, or needs more memory than there is.
Width = Annotated[int, Field(ge=1, le=65_536)]
#: A share that is hidden or left out; some must remain.
Dropout = Annotated[float, Field(ge=0, le=0.95)]
#: The weight of a loss relative to others.
Weight = Annotated[float, Field(ge=1e-6, le=1e6)]
LONGEST_NAME = 255
#: A name of a column, a split or a file.
Name = Annotated[str, Field(max_length=LONGEST_NAME)]


def _each_once(values: list[str]) -> list[str]:
    if repeated := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"values {repeated} occur more than once")
    return values


#: Values of a column, each named once.
Values = Annotated[list[Name], Field(min_length=1), AfterValidator(_each_once)]
#: A file or folder; `~` is the home folder.
SettingPath = Annotated[Path, BeforeValidator(at_home)]


class Section(BaseModel):
    """Base of all sections: unknown keys and infinite numbers are mistakes, and values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _mean_something(cls, values: Any, validate: ModelWrapValidatorHandler[Section]) -> Section:
        """Refuse values that Python would accept but are surely mistakes, such as true for a number."""
        mistakes = [
            InitErrorDetails(
                type=PydanticCustomError("meaningless", "{what}", {"what": what}), loc=place, input=part
            )
            for name, value in (values.items() if isinstance(values, dict) else ())
            if name in cls.model_fields
            for place, part in _parts(name, value)
            if (what := _meaningless(part, set(_types(cls.model_fields[name].annotation))))
        ]
        if not mistakes:
            return validate(values)
        try:
            validate(values)
        except ValidationError as error:
            mistakes += [
                InitErrorDetails(type=e["type"], loc=e["loc"], input=e["input"], ctx=e.get("ctx", {}))
                for e in error.errors()
                if e["loc"] not in {mistake["loc"] for mistake in mistakes}
            ]
        raise ValidationError.from_exception_data(cls.__name__, mistakes)


def _parts(name: str, value: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    """Return a value, or each entry of a list, with its location in the section."""
    if not isinstance(value, list):
        return [((name,), value)]
    return [((name, number), entry) for number, entry in enumerate(value)]


def _meaningless(value: Any, types: Set[Any]) -> str | None:
    """Return what is wrong with a value for a setting of these types; None if it is fine."""
    if isinstance(value, bool) and bool not in types and types & {int, float}:
        return "expected a number"
    if value == "" and types & {str, Path}:
        return "is empty: give a value, or leave it out"
    return "holds a NUL character" if isinstance(value, str) and "\0" in value else None


def _types(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and all types nested in it."""
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)
