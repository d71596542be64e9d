"""The words of a text in any language: how letters are spelled alike, and where a text is cut.

Everything is a rule of the `tokenizers` library: a fitted vocabulary carries it in its file, and a catalogue
that was fitted under another rule goes on under that one.

- Letters of other widths, ligatures, and composed and decomposed letters are one (NFKD, lower case).
- Marks of Latin, Greek and Cyrillic letters are accents, and go. Elsewhere they are vowels, tones, voicing
  or points, which tell words apart, and stay.
- White space, punctuation and zero-width spaces separate words; Chinese characters are a word each.
- Scripts that are written without spaces are cut every so many letters, longer words of others at the length
  that WordPiece takes. A letter that training never met then costs its piece, not the whole title.
- What nobody sees (controls, joiners, marks of direction, variation selectors) is left out.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from tokenizers import Regex
from tokenizers.normalizers import NFKD, BertNormalizer, Normalizer, Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import BertPreTokenizer, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers

#: Letters of a piece at most; WordPiece calls longer words unknown.
LONGEST_WORD = 100

#: Scripts that are written without spaces, by the names that Unicode gives them and their letters.
_WITHOUT_SPACES = ("Thai", "Lao", "Khmer", "Myanmar", "Hiragana", "Katakana")
#: Kana share the marks of voicing and the sign of a long vowel with other scripts.
_SPACELESS = "".join(rf"\p{{{script}}}" for script in _WITHOUT_SPACES) + r"\u3099\u309A\u30FC"
#: Some four or five words: long enough for what pieces learn to be words, short enough to be found again.
_LETTERS_WITHOUT_SPACES = 20


def normalizer() -> Normalizer:
    """Return what spells a text's letters alike."""
    return Normalizers(
        [
            Replace(Regex(r"[\s\u200B]"), " "),
            Replace(Regex(r"[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\uFFFD]"), ""),
            NFKD(),
            Replace(Regex(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}])\p{Mn}+"), ""),
            BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=True),
            # Lower case is made letter by letter, and does not see that a sigma ends its word.
            Replace("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"),
        ]
    )


def pre_tokenizer() -> PreTokenizer:
    """Return what cuts a normalised text into punctuation and words of at most `LONGEST_WORD` letters."""
    return PreTokenizers([BertPreTokenizer(), _cut()])


def may_stand_anywhere(letter: str) -> bool:
    """Tell whether a letter's script has no spaces: where its words begin, nobody can see."""
    return unicodedata.name(letter, "").startswith(tuple(script.upper() for script in _WITHOUT_SPACES))


def words_of(text: str) -> list[str]:
    """Return the words of a text, normalised, without punctuation; a word may hold digits and underscores."""
    normalised = _normalizer().normalize_str(text)
    return [word for word, _ in _between_punctuation().pre_tokenize_str(normalised)]


def _cut() -> PreTokenizer:
    runs = [
        _run(f"[{_SPACELESS}]", _LETTERS_WITHOUT_SPACES),
        _run(f"[^{_SPACELESS}]", LONGEST_WORD),
    ]
    return Split(Regex("|".join(runs)), "isolated")


def _run(letters: str, longest: int) -> str:
    """Match so many letters at most, and no end between a letter and its marks if that can be helped."""
    return rf"{letters}{{1,{longest}}}(?!\p{{M}})|{letters}{{1,{longest}}}"


@cache
def _normalizer() -> Normalizer:
    return normalizer()


@cache
def _between_punctuation() -> PreTokenizer:
    return PreTokenizers([Split(Regex(r"[\w\p{M}]+"), "removed", invert=True), _cut()])
