"""The training loop: AdamW with cosine decay, averaged weights, progress, checkpoints.

A batch is drawn from the number of its step alone, so that processes beside this one can draw those to come; the steps
themselves run on a GPU where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

#: Runs the net being trained on pictures of any type of numbers.
Forward = Callable[[Tensor], Tensor]
#: Tensors by name.
Batch = dict[str, Tensor]

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
EMA_DECAY = 0.997
SAVE_EVERY_S = 60.0
#: On a CPU the convolutions run in bfloat16, twice as fast, for this share of the steps, then in full precision.
HALF_PRECISION_SHARE = 0.85


@dataclass
class Task:
    """What a net is trained for: the batch of a step, its loss with numbers to show, and a sentence on how good the net is.

    `data` is a key of all that the batches are drawn from.
    """

    draw: Callable[[int], Batch]
    loss: Callable[[Forward, Batch], tuple[Tensor, dict[str, Tensor]]]
    validate: Callable[[nn.Module], str]
    data: str = ""


@dataclass
class Course:
    """How long and how fast: steps, checkpoint file, peak learning rate, processes that draw beside this one.

    `facts` are what else decides the outcome, as the seed does: a checkpoint with others is of another training.
    """

    steps: int
    checkpoint: Path
    learning_rate: float = LEARNING_RATE
    workers: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


class _Draws(Dataset):
    def __init__(self, draw: Callable[[int], Batch]) -> None:
        self.draw = draw

    def __getitem__(self, step: int) -> Batch:
        return self.draw(step)


def _batches(task: Task, course: Course, first: int) -> DataLoader:
    """The batches of the steps from `first` on, in their order."""
    beside: dict[str, Any] = {"multiprocessing_context": "fork", "prefetch_factor": 4} if course.workers else {}
    return DataLoader(_Draws(task.draw), batch_size=None, sampler=range(first, course.steps), num_workers=course.workers,
                      pin_memory=torch.cuda.is_available(), worker_init_fn=_alone, **beside)


def _alone(_: int) -> None:
    """A process that draws uses one core."""
    torch.set_num_threads(1)


def fit(net: nn.Module, task: Task, course: Course) -> nn.Module:
    """Trains `net` in place and gives the averaged net. Resumes from the checkpoint, if that is of this training."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    steps = course.steps
    net.to(device=device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), course.learning_rate, weight_decay=WEIGHT_DECAY, fused=device == "cuda")
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, course.learning_rate, total_steps=steps, pct_start=0.05, div_factor=10, final_div_factor=1000
    )
    first = 0
    facts = {"steps": steps, "learning rate": course.learning_rate, "data": task.data, **course.facts}
    if course.checkpoint.exists():
        state = torch.load(course.checkpoint, map_location=device, weights_only=True)
        known = state.get("facts", {})
        other = [name for name in facts if known.get(name) != facts[name]]
        if other:
            print(f"{course.checkpoint.name} is of a training with another {', '.join(other)}: beginning anew", flush=True)
        else:
            net.load_state_dict(state["net"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
            schedule.load_state_dict(state["schedule"])
            first = state["step"]
            print(f"resumed at step {first}", flush=True)

    def save(done: int) -> None:
        # Replaced when complete: a training that is killed here leaves the checkpoint before.
        part = course.checkpoint.with_suffix(".part")
        torch.save({"facts": facts, "step": done, "net": net.state_dict(), "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}, part)
        part.replace(course.checkpoint)

    def forward(x: Tensor) -> Tensor:
        half = device == "cpu" and n < HALF_PRECISION_SHARE * steps
        with torch.autocast(device, torch.bfloat16, enabled=half):
            features = net.features(x.float())
        return net.answer(features.float())

    sums: dict[str, Tensor] = {}
    count = 0
    begin = saved = time.monotonic()
    net.train()
    for n, batch in enumerate(_batches(task, course, first), first):
        loss, numbers = task.loss(forward, {name: t.to(device, non_blocking=True) for name, t in batch.items()})
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        count += 1
        for k, v in {"loss": loss.detach(), **numbers}.items():
            sums[k] = sums.get(k, 0.0) + v
        if (n + 1) % max(steps // 20, 1) == 0 or n + 1 == steps:
            shown = " ".join(f"{k} {float(v) / count:.4f}" for k, v in sums.items())
            print(f"step {n + 1}/{steps} {time.monotonic() - begin:.0f} s  {shown}", flush=True)
            if (n + 1) % max(steps // 4, 1) == 0 or n + 1 == steps:
                average.eval()
                print("  validation: " + task.validate(average.module.cpu()), flush=True)
                average.module.to(device)
            sums, count = {}, 0
        if time.monotonic() - saved > SAVE_EVERY_S or n + 1 == steps:
            save(n + 1)
            saved = time.monotonic()
    average.eval()
    return average.module.cpu()
