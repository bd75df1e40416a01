"""A training draws the same batches however many processes draw them, and goes on where it was stopped."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from models.train import loop
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


def trained(workers: int, checkpoint: Path, stopped_at: int | None = None, rate: float = 0.05, data: str = "",
            facts: dict[str, int] = {}) -> Tensor:
    def drawn(step: int) -> Batch:
        if step == stopped_at:
            raise Stopped
        return draw(step)

    torch.manual_seed(3)
    net = fit(Line(), Task(drawn, loss, lambda _: "", data), Course(STEPS, checkpoint, rate, workers, facts))
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Loop(unittest.TestCase):
    def test_processes_beside_draw_the_same_in_the_same_order(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            alone, helped = (trained(n, Path(folder) / f"{n}.pt") for n in (0, 2))
        self.assertTrue(torch.equal(alone, helped), f"{alone} {helped}")

    @mock.patch.object(loop, "SAVE_EVERY_S", 0.0)
    def test_goes_on_from_the_checkpoint(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            whole = trained(0, Path(folder) / "whole.pt")
            with self.assertRaises(Stopped):
                trained(0, Path(folder) / "half.pt", stopped_at=STEPS // 2)
            # One that is resumed draws none of the steps before.
            self.assertTrue(torch.equal(trained(0, Path(folder) / "half.pt", stopped_at=3), whole))
            self.assertEqual(sorted(p.name for p in Path(folder).iterdir()), ["half.pt", "whole.pt"])

    @mock.patch.object(loop, "SAVE_EVERY_S", 0.0)
    def test_begins_anew_where_the_checkpoint_is_of_another_training(self) -> None:
        for other in ({"rate": 0.02}, {"data": "other photographs"}, {"facts": {"seed": 2}}):
            with tempfile.TemporaryDirectory() as folder:
                fresh = trained(0, Path(folder) / "fresh.pt", **other)
                trained(0, Path(folder) / "used.pt")
                self.assertTrue(torch.equal(trained(0, Path(folder) / "used.pt", **other), fresh), other)


if __name__ == "__main__":
    unittest.main()
