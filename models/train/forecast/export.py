"""Writes the trained net as ONNX: one row in, shares, offset and radius out; checks it against ONNX Runtime.

    python -m models.train.forecast.export forecast.pt
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import evaluate, gate, runs
from . import net as N
from ..export import halve
from ..manifest import update
from ..provenance import training_commit


OUT = Path(__file__).resolve().parents[2] / "forecast.onnx"


class Exported(nn.Module):
    """Both towers side by side in one chain of dense layers: half the operations, and the time goes into those."""

    def __init__(self, net):
        super().__init__()
        layers = []
        for body, spread in zip(net.body, net.spread):
            if not isinstance(body, nn.Linear):
                layers.append(nn.SiLU())
                continue
            if layers:
                weight = torch.block_diag(body.weight, spread.weight)
            else:
                weight = torch.cat([body.weight, spread.weight])
            both = nn.Linear(weight.shape[1], weight.shape[0])
            both.weight = nn.Parameter(weight)
            both.bias = nn.Parameter(torch.cat([body.bias, spread.bias]))
            layers.append(both)
        self.layers = nn.Sequential(*layers)

    def forward(self, row):
        return self.layers(row)


def write_golden(trained):
    """A made-up scan path with a gap, and what gate and net make of it: Rust must say the same."""
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.uniform(0.012, 0.022, 160))
    t[100:] += 0.4
    place = np.repeat(rng.uniform(-10, 10, (8, 2)), 20, 0)
    x = np.round(place + rng.normal(0, 0.4, place.shape), 6)
    t = np.round(t, 6)
    o = gate.run(t[None], x[None], **gate.PARAMETERS)
    o.update(runs.run(t[None], x[None], o["sd_before"], o["fresh"]))
    o = {k: v[0] for k, v in o.items()}
    start = np.maximum.accumulate(np.where(o["fresh"], np.arange(len(t)), 0))
    d = {**o, "t": t, "x": x, "since": t - o["since"], "index": np.arange(len(t)) - start}
    d = N.tensors(N.prepare(d))
    d["x"] = d["x"].float()
    at = {h: evaluate.predict(trained, d, h) for h in (0.0, 0.05)}
    table = np.column_stack([t, x, at[0.0][0], at[0.05][0], at[0.05][1]])
    np.savetxt(
        OUT.parent / "golden" / "forecast.csv", table, fmt="%.6f", delimiter=",", comments="",
        header="t_s,x_deg,y_deg,x_now_deg,y_now_deg,x_50ms_deg,y_50ms_deg,radius_50ms_deg",
    )


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    a = p.parse_args()
    trained = N.load(a.model)
    with torch.no_grad():
        for weights in trained.parameters():
            if weights.ndim == 2:
                weights.copy_(weights.half().float())
    net = Exported(trained).eval()
    rows = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (1, N.FEATURES)).astype(np.float32))
    torch.onnx.export(net, (rows,), str(OUT), input_names=["history"], output_names=["answer"], opset_version=13, dynamo=False)
    halve(OUT)
    import onnxruntime

    got = onnxruntime.InferenceSession(str(OUT), providers=["CPUExecutionProvider"]).run(None, {"history": rows.numpy()})[0]
    with torch.no_grad():
        worst = float(np.abs(got - trained(rows).numpy()).max())
    if worst > 1e-4:
        raise SystemExit(f"ONNX Runtime differs from PyTorch by {worst}")
    digest = hashlib.sha256(OUT.read_bytes()).hexdigest()
    update("forecast", digest, training_commit())
    write_golden(trained)
    print(f"{OUT.name}: input {N.FEATURES}, sha256 {digest}, differs from PyTorch by at most {worst:.1e}")


if __name__ == "__main__":
    main()
