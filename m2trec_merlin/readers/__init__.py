"""Readers of raw data, one module for each source."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from m2trec_merlin.readers.complete_journey import CompleteJourneyData
from m2trec_merlin.readers.diginetica import DigineticaData
from m2trec_merlin.readers.settings import DataSettings
from m2trec_merlin.readers.source import Origin, Source
from m2trec_merlin.readers.synthetic import SyntheticData
from m2trec_merlin.readers.tables import TablesData

__all__ = ["DEFAULT_SOURCE", "PATHS", "AnyData", "DataSettings", "Origin", "Source"]

#: The settings of all readers. To add one, write a module and add its class here.
AnyData = Annotated[
    CompleteJourneyData | DigineticaData | SyntheticData | TablesData, Field(discriminator="source")
]

DEFAULT_SOURCE = "complete_journey"

#: Names of all settings of `data` that are paths, for any source.
PATHS = tuple(path for reader in get_args(get_args(AnyData)[0]) for path in reader.paths)
