"""A GPU that is pretended: computed on the CPU, but tensors remember on which side they were made.

A tensor is on the device if it was brought there, made of such tensors, or made with their `device`, which
claims to be CUDA, so that the branches for GPUs are taken. What torch would refuse there fails here: an
operation on tensors of both sides. Numbers without dimensions may come from anywhere, and so may an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_INDEXING = {"__getitem__", "__setitem__"}
_SIZES = {"size", "dim", "numel", "__len__"}
#: What tensors of the device say of their place.
_PLACE: dict[Any, Any] = {
    torch.Tensor.device.__get__: torch.device("cuda", 0),  # type: ignore[attr-defined]
    torch.Tensor.is_cuda.__get__: True,  # type: ignore[attr-defined]
}
#: What waits for the device, as the host asks it for a number or a size.
_QUESTIONS = {"item", "tolist", "nonzero", "unique", "__bool__", "__int__", "__float__", "masked_select"}


class PretendedGpu(TorchFunctionMode):
    """Fails where tensors of both sides meet; remembers what waited for the device.

    Attributes:
        questions: names of functions that waited, in order.
        brought: names of functions that brought tensors of the host there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[str] = []
        self.brought: list[str] = []

    def bring(self, *things: nn.Module | Tensor) -> None:
        """Put modules and tensors on the device."""
        for thing in things:
            tensors = [thing] if isinstance(thing, Tensor) else [*thing.parameters(), *thing.buffers()]
            for tensor in tensors:
                tensor.on_gpu = True  # type: ignore[attr-defined]

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        if function in _PLACE:
            return _PLACE[function] if on_gpu(args[0]) else function(*args)
        if name in _SIZES:
            return function(*args, **kwargs)
        given = list(tensors_in(args[:1] if name in _INDEXING else [*args, *kwargs.values()]))
        there = [tensor for tensor in given if on_gpu(tensor)]
        here = [tensor for tensor in given if not on_gpu(tensor) and tensor.dim()]
        goes = any(
            isinstance(value, torch.device) and value.type == "cuda" for value in [*args, *kwargs.values()]
        )
        if there and here and not (name == "__get__" or goes):
            raise RuntimeError(f"{name}: tensors of the device and of the host, {tuple(here[0].shape)}")
        if goes and any(not on_gpu(tensor) for tensor in given):
            self.brought.append(name)
        if there and (name in _QUESTIONS or (name == "repeat_interleave" and "output_size" not in kwargs)):
            self.questions.append(name)
        result = function(*map(_on_cpu, args), **{key: _on_cpu(value) for key, value in kwargs.items()})
        leaves = name in ("cpu", "numpy")
        result = result.detach() if leaves and isinstance(result, Tensor) else result
        for tensor in tensors_in(result):
            tensor.on_gpu = (bool(there) or goes) and not leaves  # type: ignore[attr-defined]
        return result


def _is_gpu(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == "cuda"


def _on_cpu(value: Any) -> Any:
    return torch.device("cpu") if isinstance(value, torch.device) else value


def on_gpu(tensor: Tensor) -> bool:
    """Tell on which side a tensor is."""
    return bool(getattr(tensor, "on_gpu", False))


def tensors_in(things: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested sequences and mappings."""
    if isinstance(things, Tensor):
        yield things
    elif isinstance(things, Mapping):
        yield from tensors_in(list(things.values()))
    elif isinstance(things, list | tuple):
        for thing in things:
            yield from tensors_in(thing)
