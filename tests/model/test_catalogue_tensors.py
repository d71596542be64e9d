"""Attributes read by any library of frames are those that the host held."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from m2trec_merlin.catalogue import ENCODED, Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.frames import library
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, id_column
from m2trec_merlin.preprocessing.run import preprocess
from tests.frames import keyhole
from tests.worlds.raw_run import make_config, write_data


@pytest.mark.parametrize("package", ["pandas", "cudf"])
def test_any_frames_read_the_same_attributes(package: str, tmp_path: Path) -> None:
    write_data(tmp_path)
    config: Config = make_config(tmp_path)
    folder = preprocess(config) / "catalogue"
    catalogue = Catalogue.load(folder)
    columns = [*catalogue.attributes.values(), id_column(catalogue)]
    assert len({column.field.layout for column in columns}) == 4
    expected = CatalogueTensors(columns)
    found = copy.deepcopy(expected)
    with torch.no_grad():
        for name, held in found.named_buffers():
            if not name.startswith("item_id"):
                held[2:] = 0
    with keyhole.installed():
        found.read(library(package), folder / ENCODED)
    for name, held in expected.named_buffers():
        other = found.get_buffer(name)
        assert other.dtype == held.dtype and torch.equal(other, held), name
