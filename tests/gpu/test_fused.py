"""The fused kernel: its integers under Triton's interpreter, its machine code, a real device."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).resolve().parent
NAMES = (
    "ragged_rectangle",
    "triangle",
    "everything",
    "nothing",
    "deep",
    "overflow",
    "full_to_the_brim",
    "overflow_with_histogram",
    "too_many",
    "histogram",
    "more_blocks_than_copies",
    "usual_blocks",
    "whole_comparison",
)

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str]:
    """Outcome of all cases in a process of its own: the interpreter is chosen at import."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    code = [sys.executable, str(HERE / "fused_cases.py")]
    done = subprocess.run(code, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_all_cases_are_named_here(interpreted: dict[str, str]):
    """No case is forgotten in the list below."""
    assert set(interpreted) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_under_the_interpreter(interpreted: dict[str, str], name: str):
    """The kernel's own lines, run on the processor, give the plain integers."""
    assert interpreted[name] == "", interpreted[name]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_on_the_device(name: str, monkeypatch: pytest.MonkeyPatch):
    """The compiled kernel gives the plain integers."""
    monkeypatch.syspath_prepend(str(HERE))
    importlib.import_module("fused_cases").CASES[name]("cuda")


COMPILE = """
import re
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from frbench.counting.fused import BINNED, PLAIN
from frbench.counting.fused_kernel import search_tile

names = search_tile.arg_names
pointers = dict.fromkeys(names[:8], "*i32") | {"high": "*i8", "low": "*i8"}
numbers = dict.fromkeys(names[8:19], "i32")
for count, shape in ((False, PLAIN), (True, BINNED)):
    fixed = {"WIDTH": 512, "TRIANGLE": True, "COUNT": count, "ROWS": shape.rows,
             "COLUMNS": shape.columns, "STEP": 128}
    source = ASTSource(
        fn=search_tile,
        signature=pointers | numbers | dict.fromkeys(fixed, "constexpr"),
        constexprs={(names.index(name),): value for name, value in fixed.items()},
        attrs={(place,): [["tt.divisibility", 16]] for place in range(8)},
    )
    built = triton.compile(source, target=GPUTarget("cuda", 90, 32),
                           options={"num_warps": shape.warps, "num_stages": shape.stages})
    code = built.asm["ptx"]
    print(len(re.findall("wgmma.*s32.s8.s8", code)) > 0, built.metadata.shared <= 227 * 1024)
"""


@pytest.mark.slow
def test_compiles_to_int8_tensor_instructions():
    """Without a device too, the kernel compiles for one, to int8 products with int32 sums."""
    environment = {name: v for name, v in os.environ.items() if name != "TRITON_INTERPRET"}
    code = [sys.executable, "-c", COMPILE]
    done = subprocess.run(code, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 4
