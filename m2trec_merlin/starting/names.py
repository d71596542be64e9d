"""Tell what the name of a column hints at, in English and German."""

from __future__ import annotations

import re

#: Words by subject. They match the start of a word in the name; with ~, anywhere, as in Verkaufspreis.
_WORDS = {
    "session": "sess visit(?!or) basket cart(?!on) order invoice transaction receipt trip utrip sitzung"
    " bestell warenkorb bon(?!us) beleg",
    "user": "user customer client cust(?![a-z]) member visitor household account cookie device person uid"
    " login kunde",
    "venue": "store shop(?!p) branch outlet register terminal kasse filiale markt(?![a-z])",
    "time": "time date(?!i) day when created clicked ts(?![a-z]) tst(?![a-z])"
    " at(?![a-z]) epoch unix ~stamp ~zeit ~datum erdat budat bldat",
    "span": "to(?![a-z]) per(?![a-z]) until since on(?![a-z]) lead(?![a-z]) delay duration",
    "change": "~updat ~modif changed edited ~ge(ä|ae)ndert ~aktualisiert",
    "hour": "hour(?![ls]) hr(?![a-z]) time.?of.?day ^time$ ^zeit$ ~stunde(?!n) ~uhrzeit ~tageszeit erzet",
    "place": "pos(?![a-z]) position seq step rank index idx sort order number nr(?![a-z]) event"
    " reihen schritt",
    "event": "event action aktion behaviou?r",
    "sort": "type kind status",
    "opinion": "rating ^rate(?![a-z]) stars overall score like vote",
    "item": "item product sku stock.?code article asin isbn movie track song book artikel produkt",
    "quantity": "cost msrp weight height width leng depth size volume rating score stock(?!.?code) qty amount"
    " count(?!r) num(?=[^a-z]+[a-z]) reviews discount margin age(?![a-z]) year pages duration minutes breite"
    " tiefe jahr ~price ~preis ~gewicht ~menge ~anzahl ~quantity",
    "sum": "total value sum(?![a-z]) ~wert ~betrag ~summe(?!r)",
    "category": "categor subcat subclass cat(?![a-z]) cats(?![a-z]) depart dept aisle class group genre"
    " section level type segment family ~kategorie ~abteilung ~gruppe",
    "code": "id(?![a-z]) no(?![a-z]) nr(?![a-z]) code key(?![a-z]) isbn asin sku ean(?![a-z]) gtin"
    " upc(?![a-z]) barcode strichcode brand manufact vendor colou?r zip plz seller merchant supplier"
    " publisher author artist ~nummer ~[^a-z]number$",
    "title": "title name label headline titel bezeichnung produkt$ product$ ~name",
}
_PATTERNS = {
    subject: re.compile("|".join(w[1:] if w.startswith("~") else f"(?<![a-z]){w}" for w in words.split()))
    for subject, words in _WORDS.items()
}


def speaks_of(name: str, *subjects: str) -> bool:
    """Tell whether the name of a column hints at one of the subjects of `_WORDS`."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return any(_PATTERNS[subject].search(plain) for subject in subjects)
