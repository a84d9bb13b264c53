"""Measure CPU runtimes on one installed encoder: OpenVINO (which ImgSim uses), LiteRT and ONNX Runtime.

    python manage.py install_encoder mobilenet_v2
    pip install ai-edge-litert==2.3.0 onnxruntime==1.31.1 tf2onnx==1.17.0
    python benchmarks/runtimes.py var/encoders/mobilenet_v2 [--seconds 2] [--rounds 3]

The packages in the second line are not among ImgSim's requirements; a runtime that is not installed is left out.

Every case runs in processes of its own, either one with two threads or two with one thread each, that start together.
The cases are interleaved over the rounds and the table gives medians: pictures a second of all processes together, CPU
milliseconds a picture, seconds from the start of a fresh process to its first vector, and the peak memory of one.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZE = 224
BATCHES = (1, 8, 64)
SHARES = ((2, 1), (1, 2))  # processes, threads of each
RUNTIMES = {
    "openvino f32, pictures one by one": ("openvino", ".xml"),
    "openvino f32": ("openvino", ".xml"),
    "openvino bf16, pictures one by one": ("openvino", ".xml"),
    "openvino bf16": ("openvino", ".xml"),
    "litert f32": ("ai_edge_litert", ".tflite"),
    "onnxruntime f32": ("onnxruntime", ".onnx"),
}
FORMATS = {".xml": "openvino", ".tflite": "litert", ".onnx": "onnx"}

Run = Callable[[Any], Any]


def open_openvino(path: str, n_threads: int, batch: int, precision: str, one_by_one: bool) -> Run:
    sys.path.insert(0, str(ROOT))
    if one_by_one:
        from embeddings.runtime import CpuNetwork

        return CpuNetwork(Path(path), n_threads=n_threads, precision="f32" if precision == "f32" else "native").run
    # Keeps OpenVINO from sending usage statistics.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    core = openvino.Core()
    network = core.read_model(path)
    network.reshape([batch, SIZE, SIZE, 3])
    options = {"INFERENCE_NUM_THREADS": n_threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    compiled = core.compile_model(network, "CPU", options | {"INFERENCE_PRECISION_HINT": precision})
    request = compiled.create_infer_request()
    return lambda images: request.infer([images], share_inputs=True)[0]


def open_litert(path: str, n_threads: int, batch: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=n_threads)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, [batch, SIZE, SIZE, 3])
    interpreter.allocate_tensors()

    def run(images: Any) -> Any:
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


def open_onnxruntime(path: str, n_threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    return lambda images: session.run(None, {source: images})[0]


def open_runtime(name: str, path: str, n_threads: int, batch: int) -> Run:
    if name.startswith("openvino"):
        return open_openvino(path, n_threads, batch, name.split()[1].rstrip(","), name.endswith("one by one"))
    if name.startswith("litert"):
        return open_litert(path, n_threads, batch)
    return open_onnxruntime(path, n_threads)


def work(name: str, path: str, n_threads: int, batch: int, seconds: float, started: float) -> None:
    """Load, say ready, wait for a line, encode for `seconds`, print one JSON object."""
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (batch, SIZE, SIZE, 3), dtype=np.uint8)
    run = open_runtime(name, path, n_threads, batch)
    run(images)
    cold = time.time() - started
    run(images)
    print("ready", flush=True)
    sys.stdin.readline()
    n_images, cpu, begin = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        run(images)
        n_images += batch
    passed = time.perf_counter() - begin
    figures = {
        "images_per_s": n_images / passed,
        "cpu_ms": 1000 * (time.process_time() - cpu) / n_images,
        "cold_s": cold,
        "memory_mb": peak_memory_mb(),
    }
    print(json.dumps(figures), flush=True)


def peak_memory_mb() -> float:
    """Return this process's own peak: ru_maxrss would count what its parent had when it forked."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def measure(name: str, path: Path, n_processes: int, n_threads: int, batch: int, seconds: float) -> dict[str, float]:
    workers = []
    for _ in range(n_processes):
        case = [name, str(path), str(n_threads), str(batch), str(seconds), str(time.time())]
        command = [sys.executable, __file__, "--work", *case]
        workers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for worker in workers:
        if worker.stdout is None or worker.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not start")
    outputs = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        outputs.append(json.loads(worker.communicate()[0]))
    figures = {key: statistics.mean(output[key] for output in outputs) for key in outputs[0]}
    return figures | {"images_per_s": sum(output["images_per_s"] for output in outputs)}


def export(folder: Path, target: Path, suffixes: set[str]) -> None:
    """Export the encoder's Keras network to the other runtimes' formats."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import keras
    import numpy as np

    network = keras.saving.load_model(next(folder.glob("*.keras")))
    # The export to ONNX refuses a network that was never called.
    network(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    for suffix in sorted(suffixes):
        network.export(str(target / f"network{suffix}"), format=FORMATS[suffix], verbose=False)


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        case = sys.argv[2:]
        work(case[0], case[1], int(case[2]), int(case[3]), float(case[4]), float(case[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of an installed encoder")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--exports", type=Path, default=Path("build/runtimes"), help="where exported networks are kept")
    arguments = parser.parse_args()
    names = [name for name, (module, _) in RUNTIMES.items() if find_spec(module)]
    target = arguments.exports / arguments.folder.name
    missing = {RUNTIMES[name][1] for name in names} - {path.suffix for path in target.glob("network.*")}
    if missing:
        target.mkdir(parents=True, exist_ok=True)
        export(arguments.folder, target, missing)
    results: dict[tuple[str, tuple[int, int], int], list[dict[str, float]]] = defaultdict(list)
    for _, share, batch, name in product(range(arguments.rounds), SHARES, BATCHES, names):
        path = target / f"network{RUNTIMES[name][1]}"
        results[name, share, batch].append(measure(name, path, *share, batch, arguments.seconds))
    print(f"{arguments.folder.name}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print("| runtime | processes × threads | batch | images/s | CPU ms/image | cold start s | memory MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (name, (n_processes, n_threads), batch), runs in sorted(results.items(), key=lambda item: item[0][1:]):
        m = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        shown = f"{m['images_per_s']:.0f} | {m['cpu_ms']:.2f} | {m['cold_s']:.2f} | {m['memory_mb']:.0f}"
        print(f"| {name} | {n_processes} × {n_threads} | {batch} | {shown} |")


if __name__ == "__main__":
    main()
