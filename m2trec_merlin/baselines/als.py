"""Implicit matrix factorisation, by merlin-models' wrapper of the library implicit.

After Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, by
alternating least squares. It knows users, not sessions: each known session is a user of its own, and one
that it has never seen gets its vector by the same least squares from the items that it holds. So what is
scored is not the vector of a user learned over months, and the order of the session's items is lost.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from m2trec_merlin.baselines.base import Baseline, popularity_of_seen
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.merlin_adapter import prepare_merlin
from m2trec_merlin.sessions import Prefixes, Sessions

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares

FACTORS, REGULARISATION, ITERATIONS = 256, 1.0, 15
#: How much surer a held item is than one that is not.
CONFIDENCE = 40.0
#: Multiple of `popularity_share` that orders what the vectors say nothing of.
POPULARITY_WEIGHT = 1e-4
_SEED = 0
#: Its threads and those of implicit are in each other's way.
_BLAS = "blas"


class Als(Baseline):
    """score(j) = u . v(j), plus a little popularity; u solves the least squares of the prefix's items.

    Args:
        catalogue: gives the order of items, which vectors start from.
        sessions: one user each.

    Raises:
        MissingDependencyError: implicit is not installed.
    """

    name = "ALS"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        super().__init__(sessions, popularity_of_seen(catalogue, POPULARITY_WEIGHT))
        rows = np.unique(sessions.rows[sessions.rows != NO_ITEM])
        # By id, so that another order of the catalogue gives the same vectors.
        self.rows = rows[np.argsort(catalogue.item_ids[rows].astype(str), kind="stable")]
        self.number = np.full(catalogue.n_rows, -1)
        self.number[self.rows] = np.arange(len(self.rows))
        self.model = _fit(sessions, self.number)

    def told_by(self, prefixes: Prefixes) -> np.ndarray:
        """See `Baseline`."""
        items = distinct_events_before(prefixes)
        number = self.number[items.row]
        known = number >= 0
        shape = (len(prefixes), len(self.rows))
        ones = np.ones(int(known.sum()), np.float32)
        held = sparse.csr_matrix((ones, (items.prefix[known], number[known])), shape)
        with threadpool_limits(1, _BLAS):
            users = self.model.recalculate_user(np.arange(len(prefixes)), held)
        told = np.zeros((len(prefixes), len(self.number)), np.float32)
        told[:, self.rows] = users @ self.model.item_factors.T
        return told


def _fit(sessions: Sessions, number: np.ndarray) -> AlternatingLeastSquares:
    """Return implicit's model of sessions, by items as they are numbered."""
    prepare_merlin()
    try:
        from merlin.models.implicit import AlternatingLeastSquares as Wrapper
    except ImportError as error:
        raise MissingDependencyError(
            f"the baseline als needs the library implicit, and {error.name} is missing: "
            "pip install 'm2trec-merlin[baselines]', or leave it out of evaluation.baselines"
        ) from error
    from merlin.io import Dataset
    from merlin.schema import ColumnSchema, Schema, Tags

    session = np.repeat(np.arange(len(sessions)), sessions.lengths)
    held = pd.DataFrame({"session": session, "item": number[sessions.rows]})
    held = held[held["item"] >= 0].drop_duplicates()
    schema = Schema([ColumnSchema("session", tags=[Tags.USER_ID]), ColumnSchema("item", tags=[Tags.ITEM_ID])])
    with threadpool_limits(1, _BLAS), warnings.catch_warnings():
        # Of threads of BLAS, which are off already.
        warnings.simplefilter("ignore")
        wrapper = Wrapper(
            factors=FACTORS,
            regularization=REGULARISATION,
            iterations=ITERATIONS,
            alpha=CONFIDENCE,
            random_state=_SEED,
            use_gpu=False,
        )
        # It shows a bar of its own, and the wrapper takes no word against it.
        wrapper.implicit_model.fit = partial(wrapper.implicit_model.fit, show_progress=False)
        wrapper.fit(Dataset(held, schema=schema))
    return wrapper.implicit_model
