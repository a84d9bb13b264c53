"""What an engineer writes in an afternoon: a folder's pictures to vectors in faiss, by PyTorch or ONNX Runtime.

    python -m venv peers && peers/bin/pip install torch==2.13.0 onnxruntime==1.31.1 onnx faiss-cpu==1.15.1 pillow numpy
    peers/bin/python benchmarks/afternoon_script.py FOLDER --runtime torch

Needs none of ImgSim, which `benchmarks.afternoon` compares with it. The network is a MobileNetV2 with drawn weights: it
takes the time that a trained one takes. Each picture is decoded by Pillow, resized, cropped and scaled, one after the
other, and put through the network in batches of 32, which uses all cores. Nothing is kept but the index: no
thumbnails, no hashes, no record of what was refused.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import torch
from PIL import Image
from torch import nn

Encode = Callable[[np.ndarray], np.ndarray]
DIM, SIZE, BATCH = 1280, 224, 32
# Expansion, channels, repeats and stride of each stage: M. Sandler et al., "MobileNetV2", 2018, table 2.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def convolution(n_in: int, n_out: int, size: int, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(n_out)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if act else []))


class Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        n = n_in * expansion
        expand = [convolution(n_in, n, 1)] if expansion > 1 else []
        self.steps = nn.Sequential(*expand, convolution(n, n, 3, stride, groups=n), convolution(n, n_out, 1, act=False))
        self.is_residual = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.steps(x) if self.is_residual else self.steps(x)


def mobilenet_v2() -> nn.Module:
    layers: list[nn.Module] = [convolution(3, 32, 3, 2)]
    n_in = 32
    for expansion, n_out, n_repeats, stride in STAGES:
        for repeat in range(n_repeats):
            layers.append(Block(n_in, n_out, stride if repeat == 0 else 1, expansion))
            n_in = n_out
    layers += [convolution(n_in, DIM, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers).eval()


def load_picture(path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    left, top = (picture.width - SIZE) // 2, (picture.height - SIZE) // 2
    pixels = np.asarray(picture.crop((left, top, left + SIZE, top + SIZE)), np.float32) / 255
    return ((pixels - MEAN) / STD).transpose(2, 0, 1)


def with_torch(model: nn.Module) -> Encode:
    def encode(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(batch)).numpy()

    return encode


def with_onnx(model: nn.Module) -> Encode:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/network.onnx"
        names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        torch.onnx.export(model, torch.zeros(1, 3, SIZE, SIZE), path, dynamo=False, **names)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"x": batch})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runtime", choices=["torch", "onnx"], default="torch")
    parser.add_argument("--runs", type=int, default=1, help="how often; if more than once, each after a line on stdin")
    options = parser.parse_args()
    torch.manual_seed(0)
    encode = (with_torch if options.runtime == "torch" else with_onnx)(mobilenet_v2())
    encode(np.zeros((BATCH, 3, SIZE, SIZE), np.float32))
    print("ready", flush=True)
    for _ in range(options.runs):
        if options.runs > 1:
            sys.stdin.readline()
        started = time.perf_counter()
        index, n = faiss.IndexFlatIP(DIM), 0
        paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
        for start in range(0, len(paths), BATCH):
            vectors = encode(np.stack([load_picture(path) for path in paths[start : start + BATCH]]))
            faiss.normalize_L2(vectors)
            index.add(vectors)
            n += len(vectors)
        print(json.dumps({"pictures": n, "seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
