"""The configuration: one YAML or TOML file, validated as a whole."""

from m2trec_merlin.config.loading import Config, load_config
from m2trec_merlin.config.sections import (
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    NextItemConfig,
    ServingConfig,
    SessionEncoderConfig,
    TrainingConfig,
)
from m2trec_merlin.config.variants import VARIANTS, apply_variant

__all__ = [
    "VARIANTS",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "ModelConfig",
    "NextItemConfig",
    "ServingConfig",
    "SessionEncoderConfig",
    "TrainingConfig",
    "apply_variant",
    "load_config",
]
