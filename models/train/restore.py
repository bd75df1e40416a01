"""Takes the weights of a net back from its ONNX file, so that a training can go on where the cache is gone.

Batch norms were folded into the convolutions before them when the net was exported. Each is put back with the mean and
variance that its convolution has on training crops, and with a gain and a bias that undo them: the net answers as before,
and a training finds the activations normalised as it expects them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from .export import HALF


def _tensors(path: Path) -> tuple[dict[str, Tensor], list[tuple[Tensor, Tensor]]]:
    """The named weights, and kernel and bias of each folded convolution in their order."""
    graph = onnx.load(str(path)).graph
    stored = {i.name.removesuffix(HALF): torch.from_numpy(numpy_helper.to_array(i).astype(np.float32)) for i in graph.initializer}
    named = {name.removeprefix("net."): tensor for name, tensor in stored.items() if name.startswith("net.")}
    convolutions = [node.input for node in graph.node if node.op_type == "Conv"]
    folded = [(stored[i[1]], stored[i[2]]) for i in convolutions if not i[1].startswith("net.")]
    return named, folded


def from_onnx(path: Path, net: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Fills the fresh `net` with the weights in `path`; `batches` are crops as it is trained on."""
    named, folded = _tensors(path)
    pairs = [(block[0], block[1]) for block in net.modules()
             if isinstance(block, nn.Sequential) and len(block) == 3 and isinstance(block[1], nn.BatchNorm2d)]
    if len(pairs) != len(folded):
        raise SystemExit(f"{path} has {len(folded)} convolutions with batch norms, the net {len(pairs)}")
    known = net.state_dict()
    known.update({name: tensor for name, tensor in named.items() if name in known})
    net.load_state_dict(known)
    seen: list[list[Tensor]] = [[] for _ in pairs]
    with torch.no_grad():
        for (convolution, norm), (kernel, bias), outputs in zip(pairs, folded, seen):
            convolution.weight.copy_(kernel)
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
            norm.weight.fill_(1.0)
            norm.bias.copy_(bias)
            convolution.register_forward_hook(lambda _, __, out, outputs=outputs: outputs.append(out.detach()))
        net.eval()
        for batch in batches:
            net(batch)
        for (convolution, norm), outputs in zip(pairs, seen):
            convolution._forward_hooks.clear()
            every = torch.cat(outputs).transpose(0, 1).flatten(1)
            mean, variance = every.mean(1), every.var(1)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_(torch.sqrt(variance + norm.eps))
            norm.bias.add_(mean)
    return net
