"""Names, order and shapes of a model's weights: files that were stored must go on fitting."""

import pytest

from m2trec_merlin.model.m2trec import build_model
from tests.worlds.encoded import tiny_catalogue, tiny_config

#: Optimisers keep their state by the order of the parameters, so the order counts, too.
SESSION_ENCODER = """
    heads.0.body.session_encoder.project.bias [16]
    heads.0.body.session_encoder.positions.weight [6, 16]
    heads.0.body.session_encoder.norm.weight [16]
    heads.0.body.session_encoder.norm.bias [16]
    heads.0.body.session_encoder.layers.0.qkv.weight [48, 16]
    heads.0.body.session_encoder.layers.0.qkv.bias [48]
    heads.0.body.session_encoder.layers.0.out.weight [16, 16]
    heads.0.body.session_encoder.layers.0.out.bias [16]
    heads.0.body.session_encoder.layers.0.attention_norm.weight [16]
    heads.0.body.session_encoder.layers.0.attention_norm.bias [16]
    heads.0.body.session_encoder.layers.0.feedforward.0.weight [32, 16]
    heads.0.body.session_encoder.layers.0.feedforward.0.bias [32]
    heads.0.body.session_encoder.layers.0.feedforward.3.weight [16, 32]
    heads.0.body.session_encoder.layers.0.feedforward.3.bias [16]
    heads.0.body.session_encoder.layers.0.feedforward_norm.weight [16]
    heads.0.body.session_encoder.layers.0.feedforward_norm.bias [16]
    heads.0.body.session_encoder.merge.weight [16, 32]
    heads.0.body.session_encoder.merge.bias [16]
"""
WEIGHTS = {
    "m2trec": f"""
        heads.0.body.inputs.item_encoder.encoders.0.embedding.weight [40, 8]
        heads.0.body.inputs.item_encoder.encoders.0.pairs.weight [64, 8]
        heads.0.body.inputs.item_encoder.encoders.1.embedding.weight [8, 8]
        heads.0.body.inputs.item_encoder.encoders.2.embedding.weight [9, 8]
        heads.0.body.inputs.item_encoder.encoders.4.projection.weight [3, 3]
        heads.0.body.inputs.item_encoder.encoders.4.projection.bias [3]
        heads.0.body.inputs.item_encoder.popularity.title__weights [40, 1]
        heads.0.body.inputs.item_encoder.popularity.category__weights [8, 1]
        heads.0.body.inputs.item_encoder.popularity.tags__weights [9, 1]
        heads.0.body.inputs.item_encoder.popularity.price__weights [1, 1]
        heads.0.body.inputs.item_encoder.popularity.image__weights [3, 1]
        heads.0.body.inputs.item_encoder.popularity.title__pairs__weights [64, 1]
        heads.0.body.inputs.item_encoder.popularity.constant []
        heads.0.body.session_encoder.project.weight [16, 28]
        {SESSION_ENCODER.strip()}
        heads.0.prediction_task_dict.next_item.scorer.repeat_biases [6]
        heads.0.prediction_task_dict.next_item.scorer.log_scale []
        heads.0.prediction_task_dict.next_item.scorer.session_items.distance_biases [6]
        heads.0.prediction_task_dict.next_item.scorer.session_items.sharpness []
        heads.0.prediction_task_dict.next_item.scorer.session_items.encoder_weight []
        heads.0.prediction_task_dict.next_item.scorer.session_items.ask.weight [16, 16]
        heads.0.prediction_task_dict.next_item.scorer.project.weight [16, 28]
        heads.0.prediction_task_dict.next_item.scorer.project.bias [16]
        heads.0.prediction_task_dict.next_item.scorer.residual.weight [25, 16]
        heads.0.prediction_task_dict.next_item.scorer.popularity.weight []
        heads.0.prediction_task_dict.next_item.scorer.popularity.log_prior_weight []
        heads.0.prediction_task_dict.next_item.scorer.popularity.surplus.weight [1, 28]
        heads.0.prediction_task_dict.next_category.output.weight [8, 16]
        heads.0.prediction_task_dict.next_category.output.bias [8]
    """,
    "mutrec_id": f"""
        heads.0.body.inputs.item_encoder.encoders.0.embedding.weight [27, 16]
        heads.0.body.session_encoder.project.weight [16, 16]
        {SESSION_ENCODER.strip()}
        heads.0.prediction_task_dict.next_item.scorer.repeat_biases [6]
        heads.0.prediction_task_dict.next_item.scorer.weight.weight [25, 16]
        heads.0.prediction_task_dict.next_item.scorer.bias.weight [25, 1]
        heads.0.prediction_task_dict.next_category.output.weight [8, 16]
        heads.0.prediction_task_dict.next_category.output.bias [8]
    """,
}


@pytest.mark.parametrize("variant", WEIGHTS)
def test_weights_have_the_names_that_stored_models_have(variant: str) -> None:
    model = build_model(tiny_config(session={"layers": 1}).with_variant(variant), tiny_catalogue())
    found = [f"{name} {list(weights.shape)}" for name, weights in model.state_dict().items()]
    assert found == [line.strip() for line in WEIGHTS[variant].strip().splitlines()]
