"""Clients that ask a running server for recommendations over gRPC, one call at a time or with asyncio."""

from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.serving.client.aio import AsyncRecommendationClient
from m2trec_merlin.serving.client.answers import Recommendations
from m2trec_merlin.serving.client.connection import Tls
from m2trec_merlin.serving.client.options import RequestOptions
from m2trec_merlin.serving.client.requests import SessionItem
from m2trec_merlin.serving.client.sync import RecommendationClient

__all__ = [
    "AsyncRecommendationClient",
    "Explanation",
    "RecommendationClient",
    "Recommendations",
    "RequestOptions",
    "SessionItem",
    "Tls",
]
