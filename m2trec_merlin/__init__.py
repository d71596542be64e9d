"""Session-based recommendation from item metadata: M2TRec as an NVIDIA Merlin pipeline.

    import m2trec_merlin as m2trec

    recommender = m2trec.load("runs/my_shop")
    recommender.recommend(["4711", {"title": "oat milk"}], top_k=10)

Each name is imported on first use; see docs/library.md.
"""

from typing import TYPE_CHECKING

from m2trec_merlin.version import __version__ as __version__

if TYPE_CHECKING:
    from m2trec_merlin.library.local import LocalRecommender, load
    from m2trec_merlin.library.measuring import evaluate

__all__ = ["LocalRecommender", "evaluate", "load"]


def __getattr__(name: str) -> object:
    if name == "evaluate":
        from m2trec_merlin.library.measuring import evaluate

        return evaluate
    if name in __all__:
        from m2trec_merlin.library import local

        return getattr(local, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
