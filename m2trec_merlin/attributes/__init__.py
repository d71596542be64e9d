"""Attributes of items and events, one module for each kind."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field as Setting
from pydantic import TypeAdapter

from m2trec_merlin.attributes.base import Attribute, Embedding
from m2trec_merlin.attributes.categorical import Categorical
from m2trec_merlin.attributes.multi_categorical import MultiCategorical
from m2trec_merlin.attributes.numeric import Numeric
from m2trec_merlin.attributes.raw_values import Fault
from m2trec_merlin.attributes.sentence import Sentence
from m2trec_merlin.attributes.text import Text
from m2trec_merlin.attributes.vector import Vector

__all__ = ["AnyAttribute", "Attribute", "Embedding", "Fault", "parse_attribute"]

#: All kinds of attributes. To add one, write a module and add its class here.
AnyAttribute = Annotated[
    Text | Categorical | MultiCategorical | Numeric | Vector | Sentence, Setting(discriminator="kind")
]


def parse_attribute(**settings: Any) -> Attribute:
    """Create an attribute from its settings.

    Raises:
        ValidationError: a setting is invalid, or unknown to this kind of attribute.
    """
    attribute: Attribute = TypeAdapter(AnyAttribute).validate_python(settings)
    return attribute
