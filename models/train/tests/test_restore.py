"""A net comes back from its ONNX file as it was, also from one in half precision."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch
from torch import nn

from models.train import nets, restore
from models.train.export import Folded, halve, to_onnx


def trained() -> nn.Module:
    """An eye net whose batch norms have seen something."""
    torch.manual_seed(4)
    net = nets.build("eyes")
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.3)
            nn.init.normal_(norm.running_mean, 0, 0.3)
            nn.init.uniform_(norm.running_var, 0.3, 2)
    return net.eval()


class Restore(unittest.TestCase):
    def test_answers_and_activations_are_as_before(self) -> None:
        net = trained()
        pictures = torch.rand((64, 1, *nets.EYES_HW)) * 255
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "eyes.onnx"
            to_onnx(Folded(net), {"picture": (1, 1, *nets.EYES_HW)}, "out", path)
            size = path.stat().st_size
            back = restore.from_onnx(path, nets.build("eyes"), [pictures]).eval()
            halve(path)
            self.assertLess(path.stat().st_size, 0.6 * size)
            halved = restore.from_onnx(path, nets.build("eyes"), [pictures]).eval()
        with torch.no_grad():
            expected = net(pictures)
            self.assertLess(float((back(pictures) - expected).abs().max()), 1e-3)
            self.assertLess(float((halved(pictures) - expected).abs().max()), 0.05)
            # Normalised by the batch itself, as in training, the answers are nearly the same too.
            self.assertLess(float((back.train()(pictures) - expected).abs().max()), 0.1)


if __name__ == "__main__":
    unittest.main()
