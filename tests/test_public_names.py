"""What other programs may import, and would miss if it went away."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "m2trec_merlin"

PUBLIC = {
    "": {"LocalRecommender", "evaluate", "load"},
    "attributes": {"AnyAttribute", "Attribute", "Embedding", "Fault", "parse_attribute"},
    "config": {
        "M2TREC",
        "VARIANTS",
        "Config",
        "EvaluationConfig",
        "ModelConfig",
        "NextItemConfig",
        "PreprocessingConfig",
        "ServingConfig",
        "SessionEncoderConfig",
        "TrainingConfig",
        "load_config",
        "parse_overrides",
        "restore_config",
        "serving_of",
    },
    "data": {"SPLITS", "ValidData", "prepare_data", "summarise_data", "validate"},
    "baselines": {
        "BASELINES",
        "FrequentCategories",
        "Popularity",
        "PredictedCategories",
        "build_baseline",
    },
    "frames": {"Column", "EncodeTexts", "Frame", "Frames", "frames_of", "library"},
    "tracking": {"TRACKERS", "Recording", "recordings"},
    "readers": {"DEFAULT_SOURCE", "PATHS", "AnyData", "DataSettings", "Origin", "Source"},
    "runs": {"VERBS", "HeldOut", "Run", "RunFolder", "Step", "Verb"},
    "serving.client": {
        "AsyncRecommendationClient",
        "Explanation",
        "RecommendationClient",
        "Recommendations",
        "RequestOptions",
        "SessionItem",
        "Tls",
    },
    "serving.runtime.steps": {"PredictStep", "PreprocessStep", "Tensors", "answer_by_both"},
    "serving.runtime.options": {
        "OPTIONS",
        "Draft",
        "Option",
        "apply_options",
        "check_options",
        "needs_of",
        "options_schema",
        "without_effect",
    },
}
#: The entrances that pages show, in modules that list no names.
ENTRANCES = [
    ("serving.export.run", "export"),
    ("serving.server.process", "TritonServer"),
    ("evaluation.ranking", "evaluate"),
    ("evaluation.measurements", "summarise"),
    ("evaluation.lists", "RankedLists"),
    ("scores", "ItemScorer"),
    ("scores", "CategoryScorer"),
    ("catalogue", "Catalogue"),
    ("sessions", "Sessions"),
    ("encoded", "EncodedColumn"),
    ("model.m2trec", "M2TRec"),
    ("model.storage", "load_model"),
]


@pytest.mark.parametrize(("package", "names"), PUBLIC.items(), ids=list(PUBLIC))
def test_a_package_offers_these_names(package: str, names: set[str]) -> None:
    module = import_module(f"m2trec_merlin.{package}".removesuffix("."))
    assert set(module.__all__) == names
    assert not [name for name in names if not hasattr(module, name)]


@pytest.mark.parametrize(("module", "name"), ENTRANCES, ids=lambda part: part)
def test_entrances_are_there_and_described(module: str, name: str) -> None:
    entrance = getattr(import_module(f"m2trec_merlin.{module}"), name)
    assert entrance.__module__ == f"m2trec_merlin.{module}"
    assert entrance.__doc__


def test_every_list_of_names_is_held() -> None:
    listing = set()
    for path in ROOT.rglob("*.py"):
        names = [
            target.id
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        if "__all__" in names:
            listing.add(
                ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")
            )
    assert listing == set(PUBLIC)
