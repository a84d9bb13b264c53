"""Make the golden files: small, randomly initialised transformers with the vectors that PyTorch gives for one picture.

Ran with torch 2.13.0, transformers 5.24.0, safetensors 0.8.0, numpy 2.4.6 and Python 3.11. Neither torch nor
transformers is among ImgSim's requirements; to run it again:

    python3 -m venv /tmp/parity
    /tmp/parity/bin/pip install torch==2.13.0 transformers==5.24.0 safetensors==0.8.0 numpy==2.4.6
    /tmp/parity/bin/python tests/embeddings/make_golden.py tests/embeddings/golden

With `--full DIRECTORY` it makes networks of the real sizes instead, some 100 to 350 MB each, to compare once by hand.
Each NAME.safetensors is in the layout of the Hub, and NAME.npz beside it has `pictures`, uint8 (n, size, size, 3),
and `vectors`, the class token after the last norm, float32 (n, dim).
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import Dinov2Config, Dinov2Model, PreTrainedModel, ViTConfig, ViTModel

HALF = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def vit(dim: int, n_blocks: int, head_dim: int, size: int) -> PreTrainedModel:
    sizes = {
        "hidden_size": dim,
        "intermediate_size": 4 * dim,
        "num_hidden_layers": n_blocks,
        "initializer_range": dim**-0.5,
    }
    return ViTModel(ViTConfig(**sizes, num_attention_heads=dim // head_dim, image_size=size, patch_size=16))


def dinov2(dim: int, n_blocks: int, head_dim: int, size: int) -> PreTrainedModel:
    sizes = {"hidden_size": dim, "mlp_ratio": 4, "num_hidden_layers": n_blocks, "initializer_range": dim**-0.5}
    return Dinov2Model(Dinov2Config(**sizes, num_attention_heads=dim // head_dim, image_size=size, patch_size=14))


def make(path: Path, network: PreTrainedModel, size: int, normalisation: tuple[list[float], list[float]]) -> None:
    """Write one network, its picture and its vector."""
    generator = np.random.default_rng(7)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            # Fresh norms, biases and scales are all ones or zeros, which would hide a swap.
            if parameter.ndim == 1:
                parameter.add_(torch.from_numpy(generator.normal(0, 0.1, parameter.shape).astype(np.float32)))
            elif "embeddings." in name and "patch" not in name:
                parameter.copy_(torch.from_numpy(generator.normal(0, 0.5, parameter.shape).astype(np.float32)))
    brightest = np.array([[[[255, 120, 40]]], [[[30, 90, 200]]]])
    pictures = generator.integers(0, brightest, (2, size, size, 3), dtype=np.int64).astype(np.uint8)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in normalisation)
    pixels = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.no_grad():
        vectors = network.eval()(pixels).last_hidden_state[:, 0].numpy()
    # state_dict() has the names of this version of transformers; save_pretrained() writes those of the Hub.
    with tempfile.TemporaryDirectory() as scratch:
        network.save_pretrained(scratch)
        shutil.copyfile(Path(scratch, "model.safetensors"), path)
    np.savez(path.with_suffix(".npz"), pictures=pictures, vectors=vectors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true", help="networks of the real sizes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    if options.full:
        for name, dim in (("vit_b16", 768), ("vit_s16", 384), ("vit_tiny", 192)):
            make(options.folder / f"{name}.safetensors", vit(dim, 12, 64, 224), 224, HALF)
        for name, dim in (("dinov2_small", 384), ("dinov2_base", 768)):
            make(options.folder / f"{name}.safetensors", dinov2(dim, 12, 64, 518), 224, IMAGENET)
    else:
        make(options.folder / "vit.safetensors", vit(32, 2, 8, 64), 64, HALF)
        # Positions for 7 × 7 patches, used for 4 × 4.
        make(options.folder / "dinov2.safetensors", dinov2(32, 2, 8, 98), 56, IMAGENET)


if __name__ == "__main__":
    main()
