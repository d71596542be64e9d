"""Plots of bars and curves as SVG inside the page, which use its colours, light or dark.

Importing Matplotlib would take longer than the whole verb takes on the demo's data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 540, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 26, 44
_COLOURS = ("var(--a)", "var(--b)", "var(--c)")
_LETTER = 7

STYLE = """
figure { margin: 1rem 0 1.8rem } figcaption { color: var(--soft); font-size: 13px }
svg { max-width: 100%; height: auto; display: block; overflow: visible }
svg text { fill: var(--soft); font-size: 11px }
svg line { stroke: var(--line) } svg .mark { stroke: var(--ink); stroke-dasharray: 4 3 }
svg .title { fill: var(--ink); font-size: 12px }
"""


def plot_bars(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    axis: str,
    mark: tuple[float, str] | None = None,
) -> str:
    """Draw stacked bars.

    Args:
        title: title of the plot.
        labels: labels of the bars.
        series: numbers of each series, one per bar, by name.
        axis: label of the axis below the bars.
        mark: position of a vertical line, in bars from the left, and its text.
    """
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    highest, ticks = _ticks(max(totals, default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    parts = [_frame(title, axis), *(_horizontal(tick / highest, _short(tick)) for tick in ticks)]
    if len(series) > 1:
        parts.append(_legend(list(series)))
    below = [0.0] * len(labels)
    for colour, (name, values) in zip(_COLOURS, series.items(), strict=False):
        for i, value in enumerate(values):
            if value:
                top = below[i] + value
                x, y, height = _LEFT + i * step, _y(top / highest), _y(below[i] / highest) - _y(top / highest)
                about = escape(f"{labels[i]}: {value:,}" + (f" {name}" if len(series) > 1 else ""))
                parts.append(
                    f'<rect x="{x + step * 0.08:.1f}" y="{y:.1f}" width="{step * 0.84:.1f}" '
                    f'height="{max(height, 0.6):.1f}" fill="{colour}"><title>{about}</title></rect>'
                )
                below[i] = top
    every = math.ceil(_LETTER * (max(map(len, labels), default=0) + 2) / step)
    # Label the last bar, and every n-th bar before it.
    named = range((len(labels) - 1) % every, len(labels), every)
    parts += [_label(_LEFT + (i + 0.5) * step, labels[i]) for i in named]
    if mark is not None:
        parts.append(_mark(_LEFT + mark[0] * step, mark[1]))
    return _svg(parts, title)


def plot_curve(
    title: str,
    points: Sequence[tuple[float, float]],
    axis: str,
    log_y: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Draw a curve over a logarithmic axis.

    Args:
        title: title of the plot.
        points: points of the curve: x of at least 1, and y, which is at least 1 with `log_y`, else a share.
        axis: label of the axis below the curve.
        log_y: whether the y axis is logarithmic.
        marks: values of x to mark, each with a text.
    """
    right, highest = (max(math.log10(max(p[i] for p in points)), 1e-9) for i in (0, 1))
    tens_x, tens_y = range(math.floor(right) + 1), range(math.floor(highest) + 1)
    parts = [_frame(title, axis)]
    if log_y:
        parts += [_horizontal(tens / highest, _short(10**tens)) for tens in tens_y]
    else:
        parts += [_horizontal(share / 4, f"{25 * share} %") for share in range(5)]

    def x_of(x: float) -> float:
        return _LEFT + math.log10(x) / right * (_WIDTH - _LEFT - _RIGHT)

    parts += [_label(x_of(10**tens), _short(10**tens)) for tens in tens_x]
    parts += [_mark(x_of(x), text, 14 * number) for number, (x, text) in enumerate(marks)]
    line = " ".join(f"{x_of(x):.1f},{_y(math.log10(y) / highest if log_y else y):.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="2.2"/>')
    return _svg(parts, title)


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _frame(title: str, axis: str) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return (
        f'<text class="title" x="{_LEFT}" y="14">{escape(title)}</text>'
        f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(axis)}</text>'
    )


def _legend(names: Sequence[str]) -> str:
    parts, x = [], _WIDTH - _RIGHT - 70 * len(names)
    for i, name in enumerate(names):
        parts.append(f'<rect x="{x + 70 * i}" y="5" width="10" height="10" fill="{_COLOURS[i]}"/>')
        parts.append(f'<text x="{x + 70 * i + 15}" y="14">{escape(name)}</text>')
    return "".join(parts)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _horizontal(share: float, text: str) -> str:
    y = _y(share)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _label(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>'


def _mark(x: float, text: str, lower: int = 0) -> str:
    to_the_left = x > _WIDTH * 0.66
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x + (-5 if to_the_left else 5):.1f}" y="{_TOP + 10 + lower}" '
        f'text-anchor="{"end" if to_the_left else "start"}">{escape(text)}</text>'
    )


def _ticks(highest: float) -> tuple[float, list[float]]:
    """Return the end of an axis that begins at 0, and round numbers on it."""
    if highest <= 0:
        return 1.0, [0.0]
    power = 10 ** math.floor(math.log10(highest))
    step = max(next(s * power for s in (0.2, 0.5, 1, 2) if highest / (s * power) <= 5), 1)
    count = math.ceil(highest / step)
    return step * count, [step * i for i in range(count + 1)]


def _short(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
