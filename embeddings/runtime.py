"""Run an exported network on the CPU with OpenVINO. The only module that imports OpenVINO, which it keeps from
phoning home.
"""

import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Importing openvino sends a usage event to Google Analytics, unless openvino_telemetry cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402

from embeddings.cores import available_cores  # noqa: E402
from embeddings.spatial import Grid, cut_at_locations  # noqa: E402
from embeddings.specs import Precision  # noqa: E402


class CpuNetwork:
    """An exported network, compiled for this machine's processor. Safe to share between threads; not across a fork.

    A picture is a batch of its own: its activations then stay in the processor's cache, which measured 1.4 times as
    fast as a batch of 64 (benchmarks/runtimes.py). A single picture gets all threads; of several, each thread takes
    one at a time.
    """

    def __init__(
        self, path: Path, *, n_threads: int | None = None, precision: Precision = "f32", locations: bool = False
    ) -> None:
        """Compile the network at once.

        path: the `.xml` file; its `.bin` lies beside it. n_threads: all cores by default.
        precision: "native" is what the runtime chooses for this processor, bf16 where there are instructions for it.
        locations: end where the network still has rows and columns, for `locations`.
        Raises RuntimeError if the files are no network, NoLocations.
        """
        self._n_threads = n_threads or available_cores()
        self._precision = precision
        self._core = openvino.Core()
        # A mapped file that is overwritten changes vectors, and one that is cut ends the process.
        self._core.set_property({"ENABLE_MMAP": False})
        self._network = self._core.read_model(path)
        self._network.reshape([1, *list(self._network.input(0).partial_shape)[1:]])
        self.input_size = int(self._network.input(0).shape[1])
        self._grid = cut_at_locations(self._network) if locations else Grid()
        self._shapes = [tuple(output.shape)[1:] for output in self._network.outputs]
        self._lock = threading.Lock()
        self._latency = self._requests(1)
        self._throughput: list[openvino.InferRequest] = []

    def run(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return one float32 array (n, width) for each output of the network, for uint8 images (n, s, s, 3)."""
        outputs = [np.empty((len(images), *shape), np.float32) for shape in self._shapes]
        # Callers take turns: one call alone keeps all threads busy.
        with self._lock:
            requests = self._requests_for(len(images))
            try:
                for index, image in enumerate(images):
                    request = requests[index % len(requests)]
                    if index >= len(requests):
                        _collect(request, index - len(requests), outputs)
                    request.get_input_tensor().data[0] = image
                    request.start_async()
            finally:
                for request in requests:
                    request.wait()
            for index in range(max(0, len(images) - len(requests)), len(images)):
                _collect(requests[index % len(requests)], index, outputs)
        return outputs

    def locations(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the spatial features, float32 (n, rows, columns, channels), of a network that ends in them."""
        return self._grid.laid_out(self.run(images)[0])

    def _requests_for(self, n_images: int) -> list[openvino.InferRequest]:
        if self._n_threads == 1 or n_images <= self._n_threads:
            return self._latency
        if not self._throughput:
            self._throughput = self._requests(self._n_threads)
        return self._throughput

    def _requests(self, n_streams: int) -> list[openvino.InferRequest]:
        options: dict[str, int | bool | str] = {
            "INFERENCE_NUM_THREADS": self._n_threads,
            "NUM_STREAMS": n_streams,
            # Pinned threads of several processes all sit on the first core: half the throughput with two workers.
            "ENABLE_CPU_PINNING": False,
        }
        if self._precision != "native":
            options["INFERENCE_PRECISION_HINT"] = self._precision
        compiled = self._core.compile_model(self._network, "CPU", options)
        return [compiled.create_infer_request() for _ in range(n_streams)]


def native_precision() -> str:
    """Return the name of this processor's own precision, such as "f32" or "bf16"."""
    return str(openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string())


def _collect(request: openvino.InferRequest, index: int, outputs: list[NDArray[np.float32]]) -> None:
    request.wait()
    for number, output in enumerate(outputs):
        output[index] = request.get_output_tensor(number).data[0]
