"""The rules that cut a text of any language into words: how letters are normalised, and where words end.

All rules are built from the `tokenizers` library. A fitted vocabulary stores them in its file, so a catalogue
that was fitted under earlier rules keeps these.

- Full-width letters, ligatures, and composed and decomposed letters are made equal (NFKD, lower case).
- Marks on Latin, Greek and Cyrillic letters are accents, and are removed. In other scripts they are vowels,
  tones, voicing or points, which tell words apart, and stay.
- White space, punctuation and zero-width spaces separate words; each Chinese character is a word.
- Text in scripts without spaces is cut every 20 letters; longer words of other scripts are cut at the
  greatest length that WordPiece accepts. So a letter that training never met costs one piece, not the whole
  title.
- Invisible characters (controls, joiners, marks of direction, variation selectors) are removed.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from tokenizers import Regex
from tokenizers.normalizers import NFKD, BertNormalizer, Normalizer, Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import BertPreTokenizer, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers

#: The most letters of a word; WordPiece treats longer words as unknown.
LONGEST_WORD = 100

#: Scripts written without spaces, by their Unicode names, which the names of their letters begin with.
_WITHOUT_SPACES = ("Thai", "Lao", "Khmer", "Myanmar", "Hiragana", "Katakana")
#: Kana share the marks of voicing and the sign of a long vowel with other scripts.
_SPACELESS = "".join(rf"\p{{{script}}}" for script in _WITHOUT_SPACES) + r"\u3099\u309A\u30FC"
#: What the words of a vocabulary are counted between, and zero-width spaces: Arrow and Python count the
#: separators of ASCII (U+001C to U+001F) as white space, and regular expressions do not.
_SPACES = r"[\s\x1C-\x1F\u200B]"
#: Four or five words: long enough to learn words as pieces, short enough for a cut to occur again.
_LETTERS_WITHOUT_SPACES = 20


def normalizer() -> Normalizer:
    """Create the normaliser, which makes equivalent letters equal."""
    return Normalizers(
        [
            Replace(Regex(_SPACES), " "),
            Replace(Regex(r"[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\uFFFD]"), ""),
            NFKD(),
            Replace(Regex(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}])\p{Mn}+"), ""),
            BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=True),
            # Letters are lowered one by one, so a capital sigma at the end of a word becomes a medial one.
            Replace("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"),
        ]
    )


def pre_tokenizer() -> PreTokenizer:
    """Create the cutter of normalised text into punctuation and words of at most `LONGEST_WORD` letters."""
    return PreTokenizers([BertPreTokenizer(), _cut()])


def may_stand_anywhere(letter: str) -> bool:
    """Tell whether a letter's script has no spaces, so that the letter may begin a piece anywhere."""
    return unicodedata.name(letter, "").startswith(tuple(script.upper() for script in _WITHOUT_SPACES))


def words_of(text: str) -> list[str]:
    """Return the normalised words of a text, without punctuation; words may hold digits and underscores."""
    normalised = _normalizer().normalize_str(text)
    return [word for word, _ in _between_punctuation().pre_tokenize_str(normalised)]


def _cut() -> PreTokenizer:
    runs = [
        _run(f"[{_SPACELESS}]", _LETTERS_WITHOUT_SPACES),
        _run(f"[^{_SPACELESS}]", LONGEST_WORD),
    ]
    return Split(Regex("|".join(runs)), "isolated")


def _run(letters: str, longest: int) -> str:
    """Return a pattern for at most `longest` letters, which avoids ending between a letter and its marks."""
    return rf"{letters}{{1,{longest}}}(?!\p{{M}})|{letters}{{1,{longest}}}"


@cache
def _normalizer() -> Normalizer:
    return normalizer()


@cache
def _between_punctuation() -> PreTokenizer:
    return PreTokenizers([Split(Regex(r"[\w\p{M}]+"), "removed", invert=True), _cut()])
