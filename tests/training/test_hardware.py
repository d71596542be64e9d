from pathlib import Path

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


@pytest.mark.parametrize(
    ("native", "events", "precision"),
    [(True, 2048, torch.bfloat16), (True, 2047, torch.float32), (False, 1 << 20, torch.float32)],
)
def test_auto_takes_bfloat16_only_where_it_is_native_and_steps_are_long(
    monkeypatch: pytest.MonkeyPatch, native: bool, events: int, precision: torch.dtype
) -> None:
    monkeypatch.setattr(hardware, "_cpu_multiplies_bfloat16", lambda: native)
    assert choose_precision("auto", CPU, events) == precision
    assert choose_precision("float32", CPU, events) == torch.float32
    assert choose_precision("bfloat16", CPU, events) == torch.bfloat16


@pytest.mark.parametrize(("avx512", "amx"), [(True, True), (True, False), (False, True), (False, False)])
def test_either_instruction_multiplies_bfloat16(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert hardware._cpu_multiplies_bfloat16() is (avx512 or amx)


def test_a_torch_without_these_questions_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cpu", object())
    assert hardware._cpu_multiplies_bfloat16() is False


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="needs Linux's list of instructions")
def test_torch_s_answer_is_that_of_the_machine() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    assert hardware._cpu_multiplies_bfloat16() is bool({"avx512_bf16", "amx_tile"} & set(flags))
