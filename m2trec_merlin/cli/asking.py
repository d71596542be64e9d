"""The verb `recommend`: a session as it is typed, asked of a running server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from m2trec_merlin.cli.terminal import console
from m2trec_merlin.config import Config, ServingConfig
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.runtime.request_json import object_of
from m2trec_merlin.spelling import number_in


def run_recommend(
    config: Config | None,
    session: Sequence[str],
    address: str | None,
    tls: Sequence[Path | None],
    filters: Sequence[str],
    candidates: Sequence[str],
    **options: Any,
) -> None:
    """Ask a running server and print its answer.

    Args:
        config: gives the server's address, unless `address` does, and whether it takes TLS; None where
            the address is all that is known.
        session: item ids, or attributes as JSON.
        address: HOST:PORT of the server.
        tls: files for TLS: whom to trust, the client's certificate and key.
        filters: as `parse_filters` takes them.
        candidates: item ids, or attributes as JSON; none for all items.
        options: others of `RecommendationClient.recommend`.
    """
    from m2trec_merlin.cli.recommendations import print_recommendations
    from m2trec_merlin.serving.client import RecommendationClient, Tls
    from m2trec_merlin.serving.server.door import Door

    # Bytes of an argument that are no UTF-8 could neither be sent nor shown.
    session, listed = (
        [os.fsencode(text).decode(errors="replace") for text in texts] for texts in (session, candidates)
    )
    items = [parse_session_item(text) for text in session]
    serving = ServingConfig() if config is None else config.serving
    own = Door.of(serving).local(serving.grpc_port)
    encryption = Tls(*tls) if any(tls) or serving.tls else None
    with RecommendationClient(own if address is None else address, tls=encryption) as client:
        answer = client.recommend(
            items,
            filters=parse_filters(filters) or None,
            candidates=[parse_session_item(text) for text in listed] or None,
            **options,
        )
    titles = {} if config is None else known_titles(config, session)
    print_recommendations(console, items, answer, titles)


def parse_session_item(text: str) -> str | dict[str, Any]:
    """Read one item: an id as it stands, or a JSON object of raw attributes.

    Raises:
        ConfigError: it begins like an object but is none.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        attributes: dict[str, Any] = json.loads(text, object_pairs_hook=object_of)
    except ValueError as error:
        raise ConfigError(f"item {text}: not valid JSON ({error})") from None
    return attributes


def parse_filters(filters: Sequence[str]) -> dict[str, Any]:
    """Read filters: COLUMN=VALUE, several being alternatives, COLUMN!=VALUE, COLUMN>=NUMBER, COLUMN<=NUMBER.

    Whole numbers are sent as such, and all else as it stands: the server knows what begins a fraction.

    Raises:
        ConfigError: one is of another form, or a column has both a value and a bound, or a bound twice.
    """
    values: dict[str, list[str | int]] = {}
    bounds: dict[str, dict[str, str | int]] = {}
    unwanted: dict[str, list[str | int]] = {}
    for text in filters:
        parts = re.fullmatch(r"(.+?)(<=|>=|!=|=)(.*)", text, re.DOTALL)
        if parts is None:
            expected = "COLUMN=VALUE, as in department=produce, or COLUMN>=NUMBER or COLUMN<=NUMBER"
            raise ConfigError(f"--filter {text}: expected {expected}")
        column, sign, value = parts.groups()
        if sign in ("=", "!="):
            (values if sign == "=" else unwanted).setdefault(column, []).append(_sent(value))
            continue
        if all(number_in(value, decimal) is None for decimal in ".,"):
            raise ConfigError(f"--filter {text}: expected a number behind {sign}")
        bound = "min" if sign == ">=" else "max"
        if column in bounds and bound in bounds[column]:
            raise ConfigError(f"--filter {text}: {column} has a bound {sign} already")
        bounds.setdefault(column, {})[bound] = _sent(value)
    if both := values.keys() & (bounds.keys() | unwanted.keys()):
        raise ConfigError(f"--filter {', '.join(sorted(both))}: give either values or bounds of a column")
    conditions: dict[str, dict[str, Any]] = {name: {**bounds.get(name, {})} for name in [*bounds, *unwanted]}
    for name, others in unwanted.items():
        conditions[name]["not"] = others
    return {**values, **conditions}


def _sent(value: str) -> str | int:
    """Return a whole number that is written as JSON writes it; any other text as it is."""
    return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value


def known_titles(config: Config, item_ids: Sequence[str]) -> dict[str, str]:
    """Look titles up in this run's catalogue, for printing; empty where the catalogue is elsewhere."""
    from m2trec_merlin.catalogue import Catalogue

    try:
        catalogue = Catalogue.load(Run(config).catalogue)
    except ArtifactError:
        return {}
    titles = catalogue.display()["title"].astype(str).to_numpy()
    rows = catalogue.rows_of(item_ids)
    return {i: titles[row - 1] for i, row in zip(item_ids, rows, strict=True) if row}
