"""Pictures are decoded the same everywhere, and none that takes too much ends more than the process that decodes it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from embeddings.images import RefusedImage, isolation, prepare, prepare_query, preparing_query, processes
from tests.pictures import png_bytes
from tests.running import ROOT

PNG = png_bytes(300, 200, seed=1)
# What stands in for a decoder's library that something unforeseen has got into.
BEGIN = (
    "import os, sys, time; from embeddings.images import decoding, isolation, serving\n"
    "isolation.MAX_CPU_SECONDS = 1; serving._load_libraries = lambda: None\n"
)
SERVE = "\nserving.serve(int(sys.argv[1]))"
TROUBLES = {
    "computes without end": "def decoded(*_, **__):\n while True: pass",
    "takes memory without end": "def decoded(*_, **__):\n taken = []\n while True: taken.append(bytearray(2**20))",
    "crashes": "def decoded(*_, **__): os.abort()",
    "says nothing": "def decoded(*_, **__): time.sleep(600)",
}


@pytest.fixture(autouse=True)
def decode_here_again() -> Iterator[None]:
    yield
    isolation.decode_here()


def process_ids() -> list[int]:
    """Return the processes that decode for this one and are idle."""
    assert isolation._processes
    return [process._process.pid for process in isolation._processes._idle]


def n_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_pictures_are_the_same_wherever_they_are_decoded() -> None:
    here = prepare(PNG, input_size=64)
    isolation.decode_in_processes(1)
    apart = prepare(PNG, input_size=64)
    assert np.array_equal(apart.input, here.input)
    assert {**vars(apart), "input": None} == {**vars(here), "input": None}


def test_refusals_are_the_same_wherever_they_are_met() -> None:
    isolation.decode_in_processes(1)
    with pytest.raises(RefusedImage) as refused:
        prepare(PNG[:-50], input_size=64)
    assert refused.value.code == "truncated"
    (first,) = process_ids()
    prepare(PNG, input_size=64)
    assert process_ids() == [first]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_picture_that_takes_too_much_is_refused_and_its_process_replaced(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = processes._CODE
    monkeypatch.setattr(processes, "MAX_SECONDS", 60.0 if trouble != "says nothing" else 5.0)
    monkeypatch.setattr(processes, "_CODE", f"{BEGIN}{TROUBLES[trouble]}\ndecoding.decoded = decoded{SERVE}")
    isolation.decode_in_processes(1)
    with pytest.raises(RefusedImage) as refused:
        prepare(PNG, input_size=64)
    assert refused.value.code == "too_costly"
    monkeypatch.setattr(processes, "_CODE", good)
    assert prepare(PNG, input_size=64).size == (300, 200)


def test_an_idle_process_that_is_killed_is_missed_by_nobody() -> None:
    isolation.decode_in_processes(1)
    isolation.warm_up()
    before = n_descriptors()
    for _ in range(3):
        (idle,) = process_ids()
        os.kill(idle, signal.SIGKILL)
        os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)
        assert prepare(PNG, input_size=64).size == (300, 200)
    assert n_descriptors() == before


def test_more_askers_than_processes_take_turns() -> None:
    isolation.decode_in_processes(2)
    isolation.warm_up()
    begun = set(process_ids())
    contents = [png_bytes(40 + seed, 50, seed=seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        sizes = list(threads.map(lambda content: prepare(content, input_size=32).size, contents))
    assert sizes == [(40 + seed, 50) for seed in range(24)]
    assert set(process_ids()) == begun
    assert len(begun) == 2


def test_a_decode_whose_result_nobody_wants_leaves_its_process_to_the_next() -> None:
    isolation.decode_in_processes(1)
    isolation.warm_up()
    begun = process_ids()
    for content in (PNG, PNG[:-50]):
        with preparing_query(content, input_size=64):
            assert process_ids() == []
        assert process_ids() == begun
    with preparing_query(PNG, input_size=64) as prepared:
        apart = prepared()
        assert process_ids() == begun
    isolation.decode_here()
    assert np.array_equal(apart.input, prepare(PNG, input_size=64).input)


def test_a_preview_that_is_decoded_once_more_waits_for_no_second_process() -> None:
    isolation.decode_in_processes(1)
    large = prepare_query(png_bytes(1200, 900, seed=1), input_size=64)
    assert large.preview
    assert len(process_ids()) == 1


def test_a_process_is_begun_where_many_files_are_open() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    try:
        with ExitStack() as held:
            for _ in range(1_100):
                held.enter_context(open(os.devnull, "rb"))  # noqa: PTH123 -- as a client's connection is
            isolation.decode_in_processes(1)
            assert prepare(PNG, input_size=64).input is not None
            assert len(process_ids()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_they_end_with_the_process_that_they_decode_for() -> None:
    code = "from embeddings.images import isolation; isolation.decode_in_processes(1); isolation.warm_up(); "
    code += "print(isolation._processes._idle[0]._process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    else:
        pytest.fail("it goes on")


def test_without_processes_pictures_are_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.sys, "executable", "/nowhere/python")
    isolation.decode_in_processes(1)
    assert prepare(PNG, input_size=64).size == (300, 200)
    assert prepare_query(PNG, input_size=64).preview


def under_limits(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that decodes under limits; it has the bytes of a white PNG of 36 megapixels."""
    begin = (
        "import io, resource\nfrom PIL import Image\nfrom embeddings.images import RefusedImage, isolation, prepare\n"
        "white = io.BytesIO(); Image.new('RGB', (6000, 6000), 'white').save(white, 'PNG'); white = white.getvalue()\n"
        "small = io.BytesIO(); Image.new('RGB', (60, 60), 'teal').save(small, 'PNG'); small = small.getvalue()\n"
        "prepare(small, input_size=32)\n"
    )
    return subprocess.run([sys.executable, "-c", begin + code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_under_limits_a_picture_that_takes_too_much_memory_is_refused() -> None:
    done = under_limits(
        "isolation.MAX_BYTES = 60_000_000; isolation.decode_under_limits()\n"
        "try: prepare(white, input_size=32)\n"
        "except RefusedImage as refused: print(refused.code)\n"
        "print(prepare(small, input_size=32).size, resource.getrlimit(resource.RLIMIT_AS)[0])\n"
    )
    assert done.stdout.split("\n")[:2] == ["too_costly", "(60, 60) -1"], done.stderr


def test_under_limits_a_picture_that_computes_without_end_ends_the_process() -> None:
    done = under_limits(
        "from embeddings.images import decoding\nisolation.MAX_CPU_SECONDS = 1; isolation.decode_under_limits()\n"
        "def endless(*_, **__):\n while True: pass\n"
        "decoding.decoded = endless\nprepare(small, input_size=32)\n"
    )
    assert done.returncode == -signal.SIGXCPU


def test_limits_hold_only_while_somebody_decodes() -> None:
    done = under_limits(
        "from concurrent.futures import ThreadPoolExecutor\nisolation.decode_under_limits()\n"
        "with ThreadPoolExecutor(4) as threads: list(threads.map(lambda _: prepare(small, input_size=9), range(99)))\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0])\n"
    )
    assert done.stdout.split() == ["-1", "-1"], done.stderr
