"""Scores a net on people it has not seen, by set, horizon and movement class, as ratios to holding the last sample.

    python -m models.train.forecast.evaluate forecast.pt [--part validation|test]
"""

import argparse

import numpy as np
import torch

from . import dataset
from . import net as N

SETS = [("A", 1, 60), ("B", 2, 60), ("gc15", 0, 15), ("gc30", 0, 30), ("gc60", 0, 60), ("gc120", 0, 120)]


def predict(model, d, horizon_s):
    out, radius = [], []
    with torch.no_grad():
        for rows in torch.arange(len(d["t"])).split(20000):
            answer = model(N.seen(d, rows, torch.full((len(rows),), float(horizon_s))))
            out.append(d["x"][rows] + N.turned(d, rows, N.move(answer, d["basis"][rows])))
            radius.append(N.radius(answer))
    return torch.cat(out).numpy(), torch.cat(radius).numpy()


def scores(d, f50, radius, select, hi=4):
    truth = d["truth"][select, hi].numpy()
    ok = np.isfinite(truth).all(1)
    e = np.linalg.norm(f50[select] - truth, axis=1)
    h = np.linalg.norm(d["x"][select].numpy() - truth, axis=1)
    cls, fl = d["cls"][select, hi].numpy(), d["flight"][select, hi].numpy()
    r = lambda m: e[m].mean() / h[m].mean() if m.sum() > 20 else np.nan
    parts = [r(ok & (cls == c)) for c in range(3)] + [r(ok & fl)]
    text = f"{r(ok):.3f} fix {parts[0]:.3f} sac {parts[1]:.3f} pur {parts[2]:.3f} flight {parts[3]:.3f}"
    if radius is not None:
        inside = e <= radius[select]
        cover = inside[ok].mean()
        const = np.quantile(e[ok], cover)
        text += f" | in {cover:.3f}/" + "/".join(f"{inside[ok & (cls == c)].mean():.2f}" for c in range(3))
        text += f" radius {radius[select][ok].mean():.2f} const {const:.2f} = {radius[select][ok].mean() / const:.2f}"
    return text


def s2s(d, f, select, n_ok):
    """RMS between consecutive outputs of one track, both in a fixation at 50 ms."""
    i = np.flatnonzero(select)
    i = i[(i > 0)]
    # Not across gaps, after which everything starts anew.
    i = i[d["index"][i].numpy() >= 1]
    fx = n_ok & (d["cls"][:, 4].numpy() == 0)
    i = i[fx[i] & fx[i - 1]]
    return np.sqrt(((f[i] - f[i - 1]) ** 2).sum(1).mean())


def report(d, model_predict):
    known = np.isfinite(d["truth"][:, 4].numpy()).all(1)
    f0, _ = model_predict(0.0)
    res = {h: model_predict(h) for h in (0.02, 0.033, 0.05, 0.1)}
    hs = {0.02: 2, 0.033: 3, 0.05: 4, 0.1: 7}
    for name, kind, rate in SETS:
        sel = ((d["set"] == kind) & (d["rate"] == rate)).numpy()
        truth0 = d["truth"][:, 0].numpy()
        ok0 = sel & np.isfinite(truth0).all(1)
        e0 = np.linalg.norm(f0 - truth0, axis=1)[ok0].mean()
        print(f"{name:5s} 50: {scores(d, *res[0.05], sel)} e0 {e0:.3f} s2s {s2s(d, f0, sel, known):.3f} {s2s(d, res[0.05][0], sel, known):.3f}")
        for h in (0.02, 0.033, 0.1):
            print(f"      {int(h*1000):3d}: {scores(d, *res[h], sel, hs[h])}")


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--part", default="validation", choices=["validation", "test"])
    a = p.parse_args()
    torch.set_num_threads(1)
    part = dataset.split()[1 if a.part == "validation" else 2]
    arrays = dataset.protocol(part[0], part[1], 99)
    d = N.tensors(N.prepare(arrays))
    m = N.load(a.model)
    report(d, lambda h: predict(m, d, h))
