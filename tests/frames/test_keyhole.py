"""The stand-in for cuDF has no name, and no parameter, that cuDF has not.

`cudf_names.json` was recorded from the wheel of cuDF 25.12, and from the sources of 23.02 and 23.04, which
Merlin's images hold.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.frames import keyhole

NAMES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("cudf_names.json").read_text())
CLASSES = ("DataFrame", "Series", "Index", "StringMethods", "ListMethods")
#: What is done otherwise where it is missing.
NEW = {"from_pylibcudf", "to_pylibcudf"}


def members(kind: type) -> dict[str, Any]:
    return {n: m for n, m in vars(kind).items() if not n.startswith("_") or n in ("__getitem__", "__ge__")}


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


@pytest.mark.parametrize("name", CLASSES)
def test_every_name_is_one_of_cudf(name: str) -> None:
    for member, found in members(getattr(keyhole, name)).items():
        assert member in NAMES["25.12"][name]
        recorded = NAMES["25.12"][name][member]
        if recorded is not None and member != "__ge__":
            function = found.__func__ if isinstance(found, classmethod) else found
            ours = [parameter for parameter in parameters(function) if parameter != "key"]
            assert set(ours) <= set(recorded), member


@pytest.mark.parametrize("release", ["23.02", "23.04"])
@pytest.mark.parametrize("name", CLASSES)
def test_every_name_was_one_of_cudf_in_the_images_of_merlin(name: str, release: str) -> None:
    assert members(getattr(keyhole, name)).keys() - NEW <= set(NAMES[release][name])


def test_every_function_of_arrays_is_one_of_cupy() -> None:
    assert set(keyhole.CUPY) <= NAMES["25.12"]["cupy"].keys()


def test_what_is_recorded_is_what_is_installed() -> None:
    """CuDF can be imported without a driver; only its columns cannot be made."""
    cudf = pytest.importorskip("cudf", reason="cuDF is not installed: extra gpu", exc_type=ImportError)
    import cupy
    import pylibcudf
    from cudf.core.accessors.lists import ListMethods
    from cudf.core.accessors.string import StringMethods

    installed = {
        **{name: getattr(cudf, name) for name in ("DataFrame", "Series", "Index")},
        **{kind.__name__: kind for kind in (ListMethods, StringMethods)},
        **{module.__name__: module for module in (cudf, cupy, pylibcudf)},
    }
    for owner, names in NAMES["25.12"].items():
        for name, recorded in names.items():
            found = getattr(installed[owner], name)
            if recorded is not None:
                assert [n for n in parameters(found) if n != "self"] == recorded, f"{owner}.{name}"
