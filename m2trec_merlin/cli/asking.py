"""The verb `recommend`: ask a running server for recommendations for a session given on the command line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from m2trec_merlin.cli.terminal import console
from m2trec_merlin.config import Config, ServingConfig
from m2trec_merlin.errors import ArtifactError, CommandLineError
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
        config: the configuration of the server: its address, unless `address` is given, and whether it uses
            TLS; None if only the address is known.
        session: item ids, or attributes as JSON.
        address: HOST:PORT of the server.
        tls: files for TLS: trusted certificates, the client's certificate and its key.
        filters: filters in the form of `parse_filters`.
        candidates: item ids, or attributes as JSON; empty for all items.
        options: further options of `RecommendationClient.recommend`.

    Raises:
        CommandLineError: an item, a candidate, a filter or the address cannot be read.
    """
    from m2trec_merlin.cli.recommendations import print_recommendations
    from m2trec_merlin.serving.client import RecommendationClient, Tls
    from m2trec_merlin.serving.client.connection import fault_of
    from m2trec_merlin.serving.server.grpc_endpoint import GrpcEndpoint

    # Bytes of an argument that are not UTF-8 could be neither sent nor shown.
    session, listed = (
        [os.fsencode(text).decode(errors="replace") for text in texts] for texts in (session, candidates)
    )
    items, ranked = ([parse_session_item(text) for text in texts] for texts in (session, listed))
    conditions = parse_filters(filters)
    if address is not None and (fault := fault_of(address)):
        raise CommandLineError(f"--{fault}")
    serving = ServingConfig() if config is None else config.serving
    own = GrpcEndpoint.of(serving).local(serving.grpc_port)
    encryption = Tls(*tls) if any(tls) or serving.tls else None
    with RecommendationClient(own if address is None else address, tls=encryption) as client:
        answer = client.recommend(items, filters=conditions or None, candidates=ranked or None, **options)
    titles = {} if config is None else known_titles(config, session)
    print_recommendations(console, items, answer, titles)


def parse_session_item(text: str) -> str | dict[str, Any]:
    """Parse one item of a session: a JSON object of raw attributes, or else an id.

    Raises:
        CommandLineError: the text begins like a JSON object but is none.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        attributes: dict[str, Any] = json.loads(text, object_pairs_hook=object_of)
    except ValueError as error:
        raise CommandLineError(f"item {text}: not valid JSON ({error})") from None
    return attributes


def parse_filters(filters: Sequence[str]) -> dict[str, Any]:
    """Parse filters: COLUMN=VALUE (several are alternatives), COLUMN!=VALUE, COLUMN>=NUMBER, COLUMN<=NUMBER.

    Whole numbers become integers. Other values are sent as text: the server knows the decimal mark.

    Raises:
        CommandLineError: a filter has another form, or a column has both values and bounds, or a bound twice.
    """
    values: dict[str, list[str | int]] = {}
    bounds: dict[str, dict[str, str | int]] = {}
    unwanted: dict[str, list[str | int]] = {}
    for text in filters:
        parts = re.fullmatch(r"(.+?)(<=|>=|!=|=)(.*)", text, re.DOTALL)
        if parts is None:
            expected = "COLUMN=VALUE, as in department=produce, or COLUMN>=NUMBER or COLUMN<=NUMBER"
            raise CommandLineError(f"--filter {text}: expected {expected}")
        column, sign, value = parts.groups()
        if sign in ("=", "!="):
            (values if sign == "=" else unwanted).setdefault(column, []).append(_sent(value))
            continue
        if all(number_in(value, decimal) is None for decimal in ".,"):
            raise CommandLineError(f"--filter {text}: expected a number behind {sign}")
        bound = "min" if sign == ">=" else "max"
        if column in bounds and bound in bounds[column]:
            raise CommandLineError(f"--filter {text}: {column} has a bound {sign} already")
        bounds.setdefault(column, {})[bound] = _sent(value)
    if both := values.keys() & (bounds.keys() | unwanted.keys()):
        raise CommandLineError(
            f"--filter {', '.join(sorted(both))}: give either values or bounds of a column"
        )
    conditions: dict[str, dict[str, Any]] = {name: {**bounds.get(name, {})} for name in [*bounds, *unwanted]}
    for name, others in unwanted.items():
        conditions[name]["not"] = others
    return {**values, **conditions}


def _sent(value: str) -> str | int:
    """Return a whole number in JSON notation as an int, and any other text unchanged."""
    return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value


def known_titles(config: Config, item_ids: Sequence[str]) -> dict[str, str]:
    """Look up titles in this run's exported catalogue, as it is now; empty if it is not on this machine."""
    from m2trec_merlin.serving.runtime.catalogue.item_table import current_titles

    try:
        return current_titles(Run(config).triton, item_ids)
    except ArtifactError:
        return {}
