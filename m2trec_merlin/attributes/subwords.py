"""An NVTabular operator that cuts text into subwords: `SubwordTokenize`.

The tokenizer is WordPiece, because its vocabulary is a plain list of pieces that are matched greedily,
longest first: cuDF has a tokenizer for such lists, and no merge rules have to be stored with the ids.
`words.py` defines what a word is; these rules are part of the vocabulary's file.

The trainer of the `tokenizers` library gives a different vocabulary in each run: the ids of continuing
characters ("##a") follow the order of a hash map, and break ties between pieces. Here the trainer is given
all characters as a sorted list first, which makes it deterministic: the same items give the same vocabulary,
whatever the order and partitioning of the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer

from m2trec_merlin.artifacts import atomic_write, reading
from m2trec_merlin.attributes.categories import RESERVED
from m2trec_merlin.attributes.fitting import FittedByParts, add_counts
from m2trec_merlin.attributes.words import LONGEST_WORD, may_stand_anywhere, normalizer, pre_tokenizer
from m2trec_merlin.encoded import FIRST_VALUE, MISSING
from m2trec_merlin.frames import Column, Frame, Frames, frames_of

_CONTINUES = "##"
_WORDS_AT_ONCE = 10_000


class SubwordTokenize(FittedByParts):
    """Replace text by a list of subword ids: 1 missing, 2 words out of vocabulary, pieces from 3 on.

    Args:
        vocabulary_size: the most pieces to learn, besides the reserved ids.
        max_tokens: the number of ids kept of a text, for all columns or by column.
        shared: whether to learn one vocabulary from all columns together, instead of one for each.
    """

    def __init__(
        self, vocabulary_size: int = 8000, max_tokens: int | Mapping[str, int] = 16, shared: bool = False
    ) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.max_tokens = max_tokens
        self.shared = shared
        self.vocabularies: dict[str, str] = {}
        self._tokenizers: dict[str, Tokenizer] = {}
        self._before: dict[str, str] = {}

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> dict[str, dict[str, int]]:
        """Count the words of each text column in a part of the data, before normalisation."""
        frames = frames_of(df)
        return {name: frames.count_words(df[name], name) for name in col_selector.names}

    def join(self, parts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
        """Add the counts up."""
        return add_counts(parts)

    def fit_finalize(self, dask_stats: dict[str, Counter[str]]) -> None:
        """Learn the vocabularies from the words of all partitions, or extend earlier ones."""
        together = sum(dask_stats.values(), Counter())
        self.vocabularies = {
            name: self._serialise(name, self._learn(name, together if self.shared else words))
            for name, words in dask_stats.items()
        }

    def _learn(self, name: str, words: Mapping[str, int]) -> Tokenizer:
        if (before := self._before.get(name)) is not None:
            return extend_tokenizer(Tokenizer.from_str(before), words, self.vocabulary_size)
        return learn_tokenizer(words, self.vocabulary_size)

    def _serialise(self, name: str, tokenizer: Tokenizer) -> str:
        tokenizer.enable_truncation(self._longest(name))
        return tokenizer.to_str()

    def clear(self) -> None:
        """Forget what was learned."""
        self.vocabularies = {}
        self._tokenizers = {}

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return a frame of lists of ids, int64, none of them empty.

        Each distinct word is encoded once. Joined, the ids of its words are those of a text, because
        WordPiece looks at one word at a time, and the normaliser never looks across a space.
        """
        frames = frames_of(df)
        return frames.frame({name: self._tokens(name, df[name], frames) for name in col_selector.names})

    def _tokens(self, name: str, column: Column, frames: Frames) -> Column:
        encode = partial(encode_texts, self.tokenizer(name))
        return frames.tokens(column, name, encode, self._longest(name), MISSING)

    def _longest(self, name: str) -> int:
        return self.max_tokens if isinstance(self.max_tokens, int) else self.max_tokens[name]

    def tokenizer(self, name: str) -> Tokenizer:
        """Return the tokenizer of a column."""
        if name not in self._tokenizers:
            self._tokenizers[name] = Tokenizer.from_str(self.vocabularies[name])
        return self._tokenizers[name]

    def size(self, name: str) -> int:
        """Return the number of ids of a column, including reserved ids."""
        return self.tokenizer(name).get_vocab_size()

    def write_learned(self, column: str, folder: Path) -> None:
        """Write COLUMN.json, the tokenizer."""
        atomic_write(folder / f"{column}.json", self.vocabularies[column])

    def read_learned(self, column: str, folder: Path) -> None:
        """Read COLUMN.json; see `Learning`."""
        self.vocabularies[column], self._tokenizers[column] = _read(folder / f"{column}.json")

    def start_from(self, column: str, folder: Path) -> None:
        """Keep the ids of the pieces in COLUMN.json, and the pieces of known words; see `Learning`."""
        self._before[column], _ = _read(folder / f"{column}.json")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tokenizers": {}}

    def _compute_properties(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        schema = super()._compute_properties(col_schema, input_schema)
        if col_schema.name not in self.vocabularies:
            return schema
        domain = {"min": 0, "max": self.size(col_schema.name) - 1, "name": col_schema.name}
        return schema.with_properties({**schema.properties, "domain": domain})

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_shape((None, (1, self._longest(col_schema.name))))

    @property
    def output_tags(self) -> list[Tags]:
        """The tags of lists of token ids."""
        return [Tags.CATEGORICAL, Tags.LIST, Tags.TOKENIZED]

    @property
    def output_dtype(self) -> Any:
        """The type of ids."""
        return np.int64


def _read(path: Path) -> tuple[str, Tokenizer]:
    with reading(path, "preprocess"):
        text = path.read_text(encoding="utf-8")
        try:
            return text, Tokenizer.from_str(text)
        except Exception as error:  # the library raises no narrower class for files that it cannot read
            raise ValueError(str(error)) from None


def learn_tokenizer(words: Mapping[str, int], vocabulary_size: int) -> Tokenizer:
    """Learn a WordPiece vocabulary from counted words.

    Args:
        words: the count of each word, before normalisation.
        vocabulary_size: the most pieces to learn. If there are more characters than that, only the most
            frequent ones are kept, and words with other characters are out of vocabulary.
    """
    counts = _normalise(words)
    characters = _characters(counts, vocabulary_size)
    learnable = {word: count for word, count in counts.items() if characters.issuperset(_split(word))}
    # The trainer adds every character as the start of a word, even if no word begins with it.
    useless = set(chain.from_iterable(learnable)) - characters
    trainer = WordPieceTrainer(
        vocab_size=FIRST_VALUE + vocabulary_size + len(useless),
        special_tokens=[*RESERVED, *sorted(characters)],
        limit_alphabet=len(characters) + len(useless),
        show_progress=False,
    )
    trained = _tokenizer({})
    trained.train_from_iterator(_repeat(learnable), trainer)
    ids = trained.get_vocab(with_added_tokens=True)
    pieces = [piece for piece in sorted(ids, key=ids.__getitem__) if piece not in useless]
    # In a fresh tokenizer, the characters are no longer special tokens, which match before all rules.
    return _tokenizer({piece: i for i, piece in enumerate(pieces)})


def extend_tokenizer(tokenizer: Tokenizer, words: Mapping[str, int], vocabulary_size: int) -> Tokenizer:
    """Append the characters that a WordPiece vocabulary lacks.

    Longer pieces are not added: they would cut known words into other pieces than those that were trained. A
    single character cannot do that, because it is used only where no longer piece matches.

    Args:
        tokenizer: the tokenizer learned before.
        words: the current count of each word, before normalisation.
        vocabulary_size: how many of the most frequent characters to consider.
    """
    ids = tokenizer.get_vocab()
    lacking = _characters(_normalise(words), vocabulary_size) - ids.keys()
    pieces = [*sorted(ids, key=ids.__getitem__), *sorted(lacking)]
    return _tokenizer({piece: i for i, piece in enumerate(pieces)})


def _tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=RESERVED[2], max_input_chars_per_word=LONGEST_WORD))
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizer()
    return tokenizer


def _normalise(words: Mapping[str, int]) -> Counter[str]:
    spell, cut = normalizer(), pre_tokenizer()
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for piece, _ in cut.pre_tokenize_str(spell.normalize_str(word)):
            counts[piece] += count
    return counts


def _split(word: str) -> list[str]:
    return [word[0], *(_CONTINUES + character for character in word[1:])]


def _characters(counts: Mapping[str, int], most: int) -> set[str]:
    occurrences: Counter[str] = Counter()
    for word, count in counts.items():
        for character in _split(word):
            occurrences[character] += count
    for character, count in list(occurrences.items()):
        # Scripts without spaces are cut anywhere: a letter inside a piece of this text begins one in another.
        letter = character.removeprefix(_CONTINUES)
        if len(letter) == 1 and may_stand_anywhere(letter):
            for form in _split(letter * 2):
                occurrences[form] = max(occurrences[form], count)
    ranked = sorted(occurrences, key=lambda character: (-occurrences[character], character))
    return set(ranked[:most])


def _repeat(counts: Mapping[str, int]) -> Iterator[str]:
    for word in sorted(counts):
        for start in range(0, counts[word], _WORDS_AT_ONCE):
            yield " ".join([word] * min(_WORDS_AT_ONCE, counts[word] - start))


def encode_texts(tokenizer: Tokenizer, texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ids of all texts one after another, and for each text their start and number."""
    # The faster call, new in tokenizers 0.20, skips the positions of tokens in the text.
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
    encoded = [encoding.ids for encoding in encode(texts.to_pylist(), add_special_tokens=False)]
    sizes = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    ids = np.fromiter(chain.from_iterable(encoded), dtype=np.int64, count=sizes.sum())
    return ids, np.cumsum(sizes) - sizes, sizes
