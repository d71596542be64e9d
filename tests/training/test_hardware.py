import pytest
import torch

from m2trec_merlin.errors import ConfigError
from m2trec_merlin.training import hardware
from m2trec_merlin.training.hardware import choose_device, choose_precision

CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_asking_for_a_gpu_that_is_not_there() -> None:
    assert choose_device("auto") == CPU
    with pytest.raises(ConfigError, match="finds no CUDA device: use 'auto' or 'cpu'"):
        choose_device("cuda")


@pytest.mark.parametrize(("native", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bfloat16_only_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, native: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr(hardware, "_cpu_multiplies_bfloat16", lambda: native)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16


def test_the_question_to_torch_has_an_answer() -> None:
    assert hardware._cpu_multiplies_bfloat16() in (True, False)
