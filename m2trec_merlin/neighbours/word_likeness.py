"""The view `content`: similarity of items' words to those of the session (cosine of TF-IDF vectors)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from m2trec_merlin.attributes.words import words_of
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.compiled import compiled
from m2trec_merlin.encoded import FIRST_VALUE
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.incidence import SparseLines
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.neighbours.views import MixedView, Relisting, ViewScores, Weight, steps_back
from m2trec_merlin.sessions import Sessions

#: Files of an exported version: vectors of texts; the text of each row; the words of titles with their
#: inverse document frequencies, line i for column i of the vectors.
WORDS, TEXTS, VOCABULARY = "neighbour_words.npz", "neighbour_texts.npy", "neighbour_vocabulary.parquet"

#: The text without words, which row NO_ITEM has.
NO_TEXT = 0

#: Number of most similar texts that get a score after a session, and all that tie; chosen on validation
#: (docs/quality-log.md). Texts that only share a common word with the session are hardly similar.
NEAREST = 300

#: Limits that keep the cost from growing with the catalogue: up to HOLDERS texts with words of the session
#: (counted word by word), all are scored; beyond, only those with its rarest words, up to LOOKED_UP, each
#: looked up.
HOLDERS, LOOKED_UP = 60_000, 20_000


@dataclass(frozen=True)
class WordVectors:
    """TF-IDF vectors of items' texts; items with equal texts share a vector.

    Attributes:
        texts: TF-IDF vector of each text, of length 1 or 0, float32 [K, words].
        text_of: text of each row, int64 [R].
    """

    texts: sparse.csr_matrix
    text_of: np.ndarray


@dataclass(frozen=True)
class Vocabulary:
    """Words and their inverse document frequencies, for TF-IDF as in scikit-learn.

    Attributes:
        words: the words, in the order of the columns.
        idf: frequencies, float32 [words].
    """

    words: Sequence[str]
    idf: np.ndarray

    @cached_property
    def _column_of(self) -> dict[str, int]:
        return {word: column for column, word in enumerate(self.words)}

    def vectors(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return the vectors of texts, of length 1 or 0, float32 [n, words]; unknown words are ignored."""
        rows, columns = [], []
        for row, text in enumerate(texts):
            known = [self._column_of[word] for word in words_of(text) if word in self._column_of]
            rows += [row] * len(known)
            columns += known
        counts = np.ones(len(rows), np.float32)
        shape = (len(texts), len(self.words))
        weighted = sparse.csr_matrix((counts, (rows, columns)), shape) @ sparse.diags(self.idf)
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        scales = sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32))
        return (scales @ weighted).tocsr().astype(np.float32)


class WordLikeness(MixedView):
    """Scores items by score(j) = cos(words of j, profile), which is 0 if they share no word.

    The profile is the mean of the TF-IDF vectors of the session's items, weighted by 1 / (1 + d) where d is
    the number of steps to the end of the session.

    Args:
        words: TF-IDF vectors of the items.
        repeats: whether a session's own items are candidates.
        vocabulary: vocabulary for titles of items added later; without it those items have no words.
    """

    name = "likeness of words"
    candidates = "all catalogue items"
    weight = Weight("content", 0.25, 0.2, "items whose words are most like the session's")
    rare_weight = Weight(
        "rare_content", 1.0, 0.6, "the same, of items without history; half of it at 5 occurrences"
    )
    guess = (1.0, 3.0)
    settings = (NEAREST, HOLDERS, LOOKED_UP)

    def __init__(
        self, words: WordVectors, repeats: bool = True, vocabulary: Vocabulary | None = None
    ) -> None:
        self.background = np.zeros(words.texts.shape[0], np.float32)
        self.group_of: np.ndarray = words.text_of
        self.repeats = repeats
        self._vocabulary, self._texts = vocabulary, SparseLines(words.texts)
        self._holders = SparseLines(words.texts.T.tocsr())

    @classmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> WordLikeness | None:
        """See `MixedView.fit`; None if no training item has any word."""
        try:
            words, vocabulary = fit_words(catalogue)
        except DataError:
            return None
        return cls(words, sessions_repeat_items(sessions), vocabulary if catalogue.titled else None)

    @classmethod
    def write(cls, folder: Path, catalogue: Catalogue, sessions: Sessions) -> None:
        """See `MixedView.write`; writes nothing if no training item has any word."""
        if (view := cls.fit(catalogue, sessions)) is None:
            return
        sparse.save_npz(folder / WORDS, view._texts.matrix)
        np.save(folder / TEXTS, view.group_of.astype(np.int32))
        if (vocabulary := view._vocabulary) is not None:
            columns = {"word": pa.array(vocabulary.words, pa.string()), "idf": vocabulary.idf}
            pq.write_table(pa.table(columns), folder / VOCABULARY)

    @classmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> WordLikeness | None:
        """See `MixedView.read`."""
        if not (folder / WORDS).is_file():
            return None
        words = WordVectors(sparse.load_npz(folder / WORDS), np.load(folder / TEXTS).astype(np.int64))
        vocabulary = None
        if (path := folder / VOCABULARY).is_file():
            table = pq.read_table(path)
            vocabulary = Vocabulary(table.column("word").to_pylist(), table.column("idf").to_numpy())
        return cls(words, sessions_repeat_items(sessions), vocabulary)

    def relisted(self, listing: Relisting) -> WordLikeness:
        """See `MixedView.relisted`; new titles get vectors from the same vocabulary.

        A text counts once, and only if an item has it, as in the view of an export with the same items: any
        other would take one of the NEAREST places from an item.
        """
        texts, text_of = self._texts.matrix, self.group_of[listing.origins]
        if self._vocabulary is not None:
            first = len(self.group_of)
            titles = listing.titles(np.arange(first, len(text_of)))
            alike = listing.titled(titles)
            alike = alike[alike < first]
            text_with = {"": NO_TEXT, **dict(zip(listing.titles(alike), self.group_of[alike], strict=True))}
            new = [title for title in dict.fromkeys(titles) if title not in text_with]
            text_with |= dict(zip(new, range(texts.shape[0], texts.shape[0] + len(new)), strict=True))
            text_of[first:] = [text_with[title] for title in titles]
            texts = sparse.vstack([texts, self._vocabulary.vectors(new)]).tocsr()
        text_of[~listing.live] = NO_TEXT
        kept = np.union1d(NO_TEXT, text_of)
        words = WordVectors(texts[kept], np.searchsorted(kept, text_of))
        return WordLikeness(words, self.repeats, self._vocabulary)

    def score_near(self, session: np.ndarray) -> ViewScores:
        """See `SessionView.score_near`."""
        items, distances = steps_back(session)
        words, sums = self._texts.sums(self.group_of[items], 1 / (1 + distances))
        profile = sums / max(float(np.linalg.norm(sums)), 1e-12)
        texts, cosines = self._near(words, profile)
        if len(texts) > NEAREST:
            near = cosines >= np.partition(cosines, -NEAREST)[-NEAREST]
            texts, cosines = texts[near], cosines[near]
        return ViewScores(texts, cosines.astype(np.float32))

    def _near(self, words: np.ndarray, profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return texts that include the nearest among those that hold some words, or the rarest of these.

        The norm of the profile without the rarest words is the most that the other words can add to a cosine:
        a text too far away for that by the rarest words alone is not looked up.

        Args:
            words: columns of the profile's words, int64 [m].
            profile: values of these columns, float64 [m].

        Returns:
            The texts, int64 [n], and the products of their vectors with the profile, float64 [n].
        """
        holders = self._holders.lengths[words]
        if holders.sum() <= HOLDERS:
            return _nearest(*self._holders.sums(words, profile), NEAREST, 0.0)
        order = np.lexsort([words, holders])
        n_rarest = max(1, int(np.searchsorted(np.cumsum(holders[order]), LOOKED_UP, side="right")))
        rarest, rest = order[:n_rarest], float(np.linalg.norm(profile[order[n_rarest:]]))
        texts, _ = _nearest(*self._holders.sums(words[rarest], profile[rarest]), NEAREST, rest)
        return texts, self._texts.products(texts, words, profile)


@compiled
def _nearest(
    texts: np.ndarray, cosines: np.ndarray, count: int, more: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return texts that include the `count` nearest, and their cosines, if each cosine may grow by `more`.

    A histogram of the cosines in steps of about a thousandth replaces sorting, which takes longer.
    """
    n_steps = 1024
    counts = np.zeros(n_steps + 1, np.int64)
    for cosine in cosines:
        counts[min(int(cosine * n_steps), n_steps)] += 1
    step = n_steps
    while step > 0 and counts[step] < count:
        count -= counts[step]
        step -= 1
    # Rounding errors must not separate equal cosines.
    near = cosines >= step / n_steps - more - 1e-6
    return texts[near], cosines[near]


def item_words(catalogue: Catalogue) -> list[str]:
    """Return the title of each item, N texts; its categories as words if no attribute gives titles."""
    if catalogue.titled:
        return [str(title) for title in catalogue.display()["title"].fillna("")]
    return category_words(catalogue)


def category_words(catalogue: Catalogue) -> list[str]:
    """Return the known categories of each item as words such as `aisle_17`, N texts.

    Items do not become alike by what is not known of them: missing and unseen values are no words.
    """
    words: list[list[str]] = [[] for _ in range(catalogue.n_rows - 1)]
    for name in catalogue.categories:
        column = catalogue.attributes[name]
        for row in range(1, catalogue.n_rows):
            known = (value for value in column.of(row) if value >= FIRST_VALUE)
            words[row - 1].extend(f"{name}_{value}" for value in known)
    return [" ".join(line) for line in words]


def fit_words(catalogue: Catalogue, words: Sequence[str] | None = None) -> tuple[WordVectors, Vocabulary]:
    """Return TF-IDF vectors of items, and their vocabulary.

    Args:
        catalogue: the catalogue; its training items define the vocabulary and the frequencies.
        words: a text for each item, N texts; default: `item_words`.

    Raises:
        DataError: no training item has any word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=words_of, dtype=np.float32)
    seen = np.flatnonzero(catalogue.train_counts[1:] > 0)
    words = item_words(catalogue) if words is None else words
    try:
        vectorizer.fit([words[index] for index in seen])
    except ValueError:
        raise DataError(
            "words of items",
            ["no training item has a title or category"],
        ) from None
    text_of = {"": NO_TEXT}
    texts = np.array([NO_TEXT, *(text_of.setdefault(text, len(text_of)) for text in words)])
    vocabulary = Vocabulary(list(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32))
    return WordVectors(vectorizer.transform(text_of), texts), vocabulary
