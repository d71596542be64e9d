"""Implicit matrix factorisation, by merlin-models' wrapper of the library implicit.

After Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, by
alternating least squares. The method knows users, not sessions: each known session is a user of its own, and
a new session gets its vector by the same least squares from the items that it holds. So there is no user
vector learned over months, and the order of the session's items is lost.
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
#: Confidence in items that a session holds, relative to those that it does not hold.
CONFIDENCE = 40.0
#: Multiple of `popularity_share` that orders items with equal products.
POPULARITY_WEIGHT = 1e-4
_SEED = 0
#: The thread pool to limit: the threads of BLAS and of implicit slow each other down.
_BLAS = "blas"


class Als(Baseline):
    """Scores items by score(j) = u . v(j), plus a little popularity; u fits the prefix's items.

    Args:
        catalogue: the catalogue; the order of its ids decides on the vectors' initial values.
        sessions: known sessions, each a user.

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

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
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
    """Fit implicit's model to sessions; `number` is the model's index of each row, -1 for none."""
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
        # implicit warns about threads of BLAS, which are off already.
        warnings.simplefilter("ignore")
        wrapper = Wrapper(
            factors=FACTORS,
            regularization=REGULARISATION,
            iterations=ITERATIONS,
            alpha=CONFIDENCE,
            random_state=_SEED,
            use_gpu=False,
        )
        # The wrapper has no option to turn off implicit's progress bar.
        wrapper.implicit_model.fit = partial(wrapper.implicit_model.fit, show_progress=False)
        wrapper.fit(Dataset(held, schema=schema))
    return wrapper.implicit_model
