"""Shares and counts as people write them."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, and a verb that agrees with it: "1 row", "2 rows", "1 item has".

    Args:
        count: the count.
        one: the words after 1.
        many: the words after any other count; by default those after 1 with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def percent(part: float, whole: float = 1.0) -> str:
    """Return a share as text, never rounded to none or all: "12 %", "0.4 %", "under 0.1 %"."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "under 0.1 %"
    if 99.9 < share < 100:
        return "over 99.9 %"
    return f"{share:.0f} %" if 10 <= share <= 99 or share == round(share) else f"{share:.1f} %"
