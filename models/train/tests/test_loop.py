"""A training draws the same batches however many processes draw them, and goes on where it was stopped."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch
from torch import Tensor, nn

from models.train.loop import Batch, Course, Task, fit

STEPS = 40


class Line(nn.Module):
    """A line, in the two parts that the loop asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv2d(1, 1, 1)

    def features(self, x: Tensor) -> Tensor:
        return self.line(x)

    def answer(self, features: Tensor) -> Tensor:
        return features.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))


def draw(step: int) -> Batch:
    x = torch.rand((8, 1, 1, 1), generator=torch.Generator().manual_seed(step))
    return {"x": x, "wanted": 3 * x.flatten(1) + step / STEPS}


def loss(forward, b: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    return ((forward(b["x"]) - b["wanted"]) ** 2).mean(), {}


class Stopped(Exception):
    pass


def trained(workers: int, checkpoint: Path, stopped_at: int | None = None) -> Tensor:
    def drawn(step: int) -> Batch:
        if step == stopped_at:
            raise Stopped
        return draw(step)

    torch.manual_seed(3)
    net = fit(Line(), Task(drawn, loss, lambda _: ""), Course(STEPS, checkpoint, 0.05, workers))
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Loop(unittest.TestCase):
    def test_processes_beside_draw_the_same_in_the_same_order(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            alone, helped = (trained(n, Path(folder) / f"{n}.pt") for n in (0, 2))
        self.assertTrue(torch.equal(alone, helped), f"{alone} {helped}")

    def test_goes_on_from_the_checkpoint(self) -> None:
        from models.train import loop

        saved, loop.SAVE_EVERY_S = loop.SAVE_EVERY_S, 0.0
        try:
            with tempfile.TemporaryDirectory() as folder:
                whole = trained(0, Path(folder) / "whole.pt")
                with self.assertRaises(Stopped):
                    trained(0, Path(folder) / "half.pt", stopped_at=STEPS // 2)
                self.assertTrue(torch.equal(trained(0, Path(folder) / "half.pt"), whole))
        finally:
            loop.SAVE_EVERY_S = saved


if __name__ == "__main__":
    unittest.main()
