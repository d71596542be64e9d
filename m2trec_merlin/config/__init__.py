"""The configuration: one YAML or TOML file, validated as a whole."""

from m2trec_merlin.config.evaluation import EvaluationConfig
from m2trec_merlin.config.loading import load_config, parse_overrides, restore_config, serving_of
from m2trec_merlin.config.model import ModelConfig, NextItemConfig, SessionEncoderConfig
from m2trec_merlin.config.preprocessing import PreprocessingConfig
from m2trec_merlin.config.serving import ServingConfig
from m2trec_merlin.config.settings import Config
from m2trec_merlin.config.training import TrainingConfig
from m2trec_merlin.config.variants import M2TREC, VARIANTS

__all__ = [
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
]
