"""What a GPU would be waited for: operators whose result or shape only the device knows.

Unlike `pretended_gpu`, which sees what our code calls, this sees what torch itself calls: in gradients, in
optimisers, inside of functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

_KNOWN_TO_THE_DEVICE_ALONE = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
#: Are of a known shape where no index is a mask.
_INDEXING = {torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_}
#: Lack the tag. Of an embedding's sparse gradients, whose rows have to be added up.
_UNTAGGED = {torch.ops.aten._coalesce}


class AskingTheDevice(TorchDispatchMode):
    """Writes down what waits for the device, and counts all that is launched there.

    Attributes:
        questions: names of the operators that wait, in order.
        launched: how many operators were called, views apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[str] = []
        self.launched = 0

    def __torch_dispatch__(
        self,
        function: OpOverload,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        self.launched += not function.is_view
        if _waits(function, args, kwargs):
            self.questions.append(function.name())
        return function(*args, **kwargs)


def _waits(function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    if function.overloadpacket in _INDEXING:
        return any(isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1])
    if function.overloadpacket in _UNTAGGED:
        return True
    return bool(_KNOWN_TO_THE_DEVICE_ALONE & {*function.tags}) and kwargs.get("output_size") is None
