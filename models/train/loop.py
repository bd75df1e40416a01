"""The training loop: AdamW with cosine decay, averaged weights, progress, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

#: Runs the net being trained on a batch.
Forward = Callable[[Tensor], Tensor]
#: One step: given the net as a function and the step's number, the loss and numbers to show.
Step = Callable[[Forward, int], tuple[Tensor, dict[str, float]]]

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
EMA_DECAY = 0.997
SAVE_EVERY_S = 60.0
#: The convolutions run in bfloat16, twice as fast, for this share of the steps, then in full precision.
HALF_PRECISION_SHARE = 0.85


def fit(net: nn.Module, step: Step, steps: int, checkpoint: Path, validate: Callable[[nn.Module], str],
        learning_rate: float = LEARNING_RATE, resume: bool = True) -> nn.Module:
    """Trains `net` in place for `steps` and gives the averaged net. Resumes from `checkpoint`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net.to(device=device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.05, div_factor=10, final_div_factor=1000
    )
    first = 0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["steps"] == steps:
            net.load_state_dict(state["net"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
            schedule.load_state_dict(state["schedule"])
            first = state["step"]
            print(f"resumed at step {first}", flush=True)

    def save(done: int) -> None:
        torch.save({"steps": steps, "step": done, "net": net.state_dict(), "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}, checkpoint)

    def forward(x: Tensor) -> Tensor:
        half = n < HALF_PRECISION_SHARE * steps
        with torch.autocast(device, torch.bfloat16, enabled=half):
            features = net.features(x.to(device))
        return net.answer(features.float()).cpu()

    sums: dict[str, float] = {}
    count = 0
    begin = saved = time.monotonic()
    net.train()
    for n in range(first, steps):
        loss, numbers = step(forward, n)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        count += 1
        for k, v in {"loss": loss.item(), **numbers}.items():
            sums[k] = sums.get(k, 0.0) + v
        if (n + 1) % max(steps // 20, 1) == 0 or n + 1 == steps:
            shown = " ".join(f"{k} {v / count:.4f}" for k, v in sums.items())
            print(f"step {n + 1}/{steps} {time.monotonic() - begin:.0f} s  {shown}", flush=True)
            if (n + 1) % max(steps // 4, 1) == 0 or n + 1 == steps:
                average.eval()
                print("  validation: " + validate(average.module.cpu()), flush=True)
                average.module.to(device)
            sums, count = {}, 0
        if time.monotonic() - saved > SAVE_EVERY_S or n + 1 == steps:
            save(n + 1)
            saved = time.monotonic()
    average.eval()
    return average.module.cpu()
