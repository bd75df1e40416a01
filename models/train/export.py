"""Exports trained weights as ONNX, checks them, and writes golden pairs and the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn

from . import nets, provenance
from .data import cache_root

MODELS = Path(__file__).resolve().parent.parent
OPSET = 13
#: Weights of tensors with as many numbers are stored in half precision.
HALVED_FROM = 512
#: At the end of the names of such tensors.
HALF = ".half"
HW = {"finder": nets.FINDER_HW, "landmarks": nets.LANDMARKS_HW, "eyes": nets.EYES_HW}


class Folded(nn.Module):
    """The net with a batch of one and every shape fixed."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.net(picture)


def halve(path: Path) -> None:
    """Stores the large weights of an ONNX file in half precision; they are widened again when it is loaded.

    Rounding changes a weight by at most 2^-11 of itself, which moves no point by a hundredth of a pixel.
    """
    model = onnx.load(str(path))
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= HALVED_FROM:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values, f"{name}{HALF}"))
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def to_onnx(net: nn.Module, inputs: dict[str, tuple[int, ...]], output: str, path: Path) -> None:
    """Writes `net` and checks ONNX Runtime against PyTorch on noise."""
    net.eval()
    generator = torch.Generator().manual_seed(0)
    example = tuple(torch.rand(shape, generator=generator) * 255 for shape in inputs.values())
    torch.onnx.export(net, example, str(path), input_names=list(inputs), output_names=[output],
                      opset_version=OPSET, dynamo=False, do_constant_folding=True)
    onnx.checker.check_model(onnx.load(str(path)))
    run = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = net(*example).numpy()
    got = run.run(None, {k: e.numpy() for k, e in zip(inputs, example)})[0]
    worst = float(np.abs(got - expected).max())
    if worst > 2e-3:
        raise SystemExit(f"{path.name}: ONNX Runtime differs from PyTorch by {worst}")
    print(f"{path.name}: {path.stat().st_size} bytes, differs from PyTorch by at most {worst:.2g}")


def golden_picture(hw: tuple[int, int]) -> np.ndarray:
    """A drawn face-like pattern of whole gray levels: no person is in it."""
    h, w = hw
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    u, v = (x - (w - 1) / 2) / h, (y - (h - 1) / 2) / h
    p = 90 + 60 * u + 30 * v
    p = np.where((u / 0.33) ** 2 + (v / 0.45) ** 2 < 1, 170 + 40 * v, p)
    for side in (-1, 1):
        p = np.where(((u - side * 0.13) / 0.07) ** 2 + ((v + 0.08) / 0.04) ** 2 < 1, 225, p)
        p = np.where((u - side * 0.14) ** 2 + (v + 0.08) ** 2 < 0.0012, 40, p)
        p = np.where((abs(u - side * 0.13) < 0.08) & (abs(v + 0.16) < 0.012), 60, p)
    p = np.where((abs(u) < 0.1) & (abs(v - 0.24) < 0.02), 100, p)
    p = np.where((abs(u) < 0.03) & (abs(v - 0.08) < 0.03), 140, p)
    return np.floor(p + 6 * np.sin(x * 1.7) * np.cos(y * 1.3)).clip(0, 255).astype(np.float32)


def write_golden(name: str, path: Path) -> None:
    """Golden input and output of one net as little-endian f32 files, inputs drawn, and their shapes."""
    folder = MODELS / "golden"
    folder.mkdir(exist_ok=True)
    run = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = golden_picture(HW[name])[None, None]
    out = run.run(None, {run.get_inputs()[0].name: picture})[0]
    picture.astype("<f4").tofile(folder / f"{name}_input.f32")
    out.astype("<f4").tofile(folder / f"{name}_output.f32")
    shapes_path = folder / "shapes.json"
    shapes = json.loads(shapes_path.read_text()) if shapes_path.exists() else {}
    shapes[name] = {"input": list(picture.shape), "output": list(out.shape)}
    shapes_path.write_text(json.dumps(shapes, indent=2, sort_keys=True) + "\n")


def export(name: str, tag: str = "") -> None:
    """Writes models/NAME.onnx from the cache, its golden pair and its part of the manifest."""
    net = nets.build(name)
    weights = cache_root() / f"{name}{tag}.pt"
    net.load_state_dict(torch.load(weights, weights_only=True))
    path = MODELS / f"{name}.onnx"
    to_onnx(Folded(net), {"picture": (1, 1, *HW[name])}, "out", path)
    halve(path)
    write_golden(name, path)
    from .augment import Augment
    from .manifest import update

    Augment(name).store(MODELS / "train" / "pipelines" / f"{name}.json")

    record = provenance.read(weights)
    update(name, hashlib.sha256(path.read_bytes()).hexdigest(), provenance.training_commit(record), record)
