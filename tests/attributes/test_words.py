"""Words of many languages: what is spelled alike, what is told apart, where a text is cut."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from m2trec_merlin.attributes.subwords import learn_tokenizer
from m2trec_merlin.attributes.words import LONGEST_WORD, normalizer, pre_tokenizer, words_of

# fmt: off
TITLES = {
    "Latin": ("Crème Brûlée à la crème", [112, 171, 65, 145, 112]),
    "Greek": ("Ελληνικός καφές ΚΑΦΕΣ", [180, 113, 113]),
    "Cyrillic": ("Чёрный чай зелёный чай", [174, 110, 173, 110]),
    "Thai": ("กิน ข้าว กัน", [162, 163, 161]),
    "Devanagari": ("कील काल कल", [160, 159, 158]),
    "Japanese": ("がーぜ かーせ 靴ひも", [179, 166, 99, 168]),
    "Chinese": ("红茶 绿茶", [96, 98, 97, 98]),
    "Korean": ("한국 김치", [178, 177]),
    "Arabic": ("شاي أخضر شَاي", [156, 176, 157]),
    "Hebrew": ("תה ירוק תֵּה", [153, 152, 175]),
    "Vietnamese": ("Cà phê sữa đá", [144, 146, 147, 148]),
}
# fmt: on
LEARNED = learn_tokenizer(Counter(word for title, _ in TITLES.values() for word in title.split()), 200)


def cut(text: str) -> list[str]:
    return [word for word, _ in pre_tokenizer().pre_tokenize_str(normalizer().normalize_str(text))]


@pytest.mark.parametrize("script", TITLES)
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_ids_of_titles_in_eleven_scripts_however_composed(script: str, form: str) -> None:
    title, ids = TITLES[script]
    assert LEARNED.encode(unicodedata.normalize(form, title)).ids == ids


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème brûlée Ñandú", "CREME BRULEE NANDU"),
        ("ΚΑΦΕΣ Ελλάδα", "καφές ελλαδα"),
        ("Ёлка", "елка"),
        ("Trà sữa Việt", "tra sua viet"),
        ("\uff21\uff22\uff23\u3000\uff11\uff12", "abc 12"),
        ("ﾃﾞｰﾀ", "データ"),
        ("ﬁne", "fine"),
        ("कील‍", "कील"),
        ("❤️", "❤"),
        ("soft\u00adener \u200fred\ufeff", "softener red"),
        ("กิน\u200bข้าว", "กิน ข้าว"),
        ("red\u00a0wine\u000bdry", "red wine dry"),
    ],
)
def test_spellings_of_one_text(one: str, other: str) -> None:
    assert cut(one) == cut(other)


@pytest.mark.parametrize("space", [letter for letter in map(chr, range(sys.maxunicode)) if letter.isspace()])
def test_words_end_where_those_of_a_vocabulary_are_counted(space: str) -> None:
    assert cut(f"red{space}wine") == f"red{space}wine".split() == ["red", "wine"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("กิน", "กัน"),
        ("मील", "मेल"),
        ("क़लम", "कलम"),
        ("が", "か"),
        ("ぱ", "ば"),
        ("ဂီတ", "ဂတ"),
        ("ກິນ", "ກັນ"),
        ("বিল", "বেল"),
        ("סֵפֶר", "סַפָּר"),
        ("عِلْم", "عَلَم"),
        ("🥑", "🥥"),
        ("🤣🥑", "🤣🥥"),
        ("\ue000", "\ue001"),
    ],
)
def test_words_that_marks_or_signs_tell_apart(one: str, other: str) -> None:
    assert cut(one) != cut(other)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=99))
def test_plain_english_is_cut_as_it_always_was(text: str) -> None:
    before = BertPreTokenizer().pre_tokenize_str(BertNormalizer(lowercase=True).normalize_str(text))
    assert cut(text) == [word for word, _ in before]


LETTERS = {
    "Thai": ("ทีวีจอแบน", "ผ้าใบสีขาว"),
    "Lao": ("ເກີບຜ້າໃບ", "ໂທລະພາບ"),
    "Khmer": ("ស្បែកជើង", "ទូរទស្សន៍"),
    "Burmese": ("ရုပ်မြင်", "ဖိနပ်"),
    "kana": ("すいはんじゃー", "コドモヨウナガグツ"),
    "kanji": ("電気炊飯器", "子供用長靴"),
    "Latin": ("sku123", "ref987"),
    "Devanagari": ("मोबाइल", "जूता"),
    "Hangul": ("텔레비전", "운동화"),
    "signs": ("🥑🤣", "🥥👟"),
    "marks": ("\u0e34", "\u0e31"),
}


@pytest.mark.parametrize("script", LETTERS)
def test_long_titles_without_spaces_differ_and_share_equal_parts(script: str) -> None:
    one, other = ((letters * 150)[:150] for letters in LETTERS[script])
    titles = [one, other, one[:120] + other]
    learned = learn_tokenizer(Counter(titles), 2000)
    ids = [learned.encode(title).ids for title in titles]
    assert 2 not in {*ids[0], *ids[1], *ids[2]}, "nothing of them is unknown"
    assert not {*ids[0]} & {*ids[1]}
    assert ids[2][0] == ids[0][0] and ids[2] != ids[0]


def test_an_unknown_letter_costs_its_piece_only() -> None:
    title = "ทีวีจอแบนขนาดใหญ่"
    ids = learn_tokenizer({title: 3}, 200).encode("ฮ" + title * 3).ids
    assert ids[0] == 2 and len(ids) > 2 and 2 not in ids[1:]


@pytest.mark.parametrize("title", ["ทีวีจอแบนขนาดใหญ่", "すいはんじゃーごはん", "คน"])
def test_letters_that_are_known_are_known_wherever_a_title_is_cut(title: str) -> None:
    learned = learn_tokenizer({title: 3}, 200)
    assert all(2 not in learned.encode(title[start:] * 9).ids for start in range(len(title)))


def test_where_words_have_spaces_a_vocabulary_has_the_forms_that_occur() -> None:
    assert sorted(learn_tokenizer({"ab": 3}, 8).get_vocab())[:3] == ["##b", "<missing>", "<other>"]


@given(st.text())
def test_no_word_is_too_long_and_words_are_cut_once_and_for_all(text: str) -> None:
    words = cut(text * 9)
    assert max(map(len, words), default=0) <= LONGEST_WORD
    assert [again for word in words for again in cut(word)] == words


@pytest.mark.parametrize("letters", ["กั", "ที่", "か\u3099", "कि", "क्ष", "सं", "س\u0650"])
def test_a_letter_keeps_its_marks_where_a_run_is_cut(letters: str) -> None:
    words = cut(letters * 300)
    assert len(words) > 1 and "".join(words) == normalizer().normalize_str(letters * 300)
    assert not any(unicodedata.category(word[0]).startswith("M") for word in words)


def test_a_heap_of_marks_is_cut_all_the_same() -> None:
    assert [len(word) for word in cut("ก" + "\u0e34" * 50)] == [20, 20, 11]


def test_words_between_punctuation() -> None:
    words = words_of("Crème-fraîche, 2% (aisle_17) กิน! 红茶 👟")
    assert words == ["creme", "fraiche", "2", "aisle_17", "กิน", "红", "茶"]
