"""When the present fixation began, as a distribution, many tracks at a time: the same arithmetic as src/filter/runs.rs.

Bayesian online change-point detection (Adams and MacKay, arXiv:0710.3742, 2007) with a constant gaze that drifts a little
between changes, Gaussian noise of the measured size, and jumps of exponentially distributed length.
"""

import numpy as np

RUNS = 32
DRIFT_DEG2_S = 0.3
CHANGES_S = 4.0
AGAIN = 0.5
JUMP_DEG = 3.0
MAX_AGE_S = 1.0
LEAST_EVIDENCE = 1e-25
# What is told about the runs, beside the mean and the place left.
STATE = ("first", "second", "few", "age", "age_before", "spread", "surprise")


def run(t, x, sd, fresh):
    """Mean, place left and state; `sd` is the noise known before each sample. Shapes (B, N, ...)."""
    b, n = t.shape
    f = np.float32
    mean, left = np.zeros((b, RUNS, 2), f), np.zeros((b, RUNS, 2), f)
    variance, weight = np.ones((b, RUNS), f), np.zeros((b, RUNS), f)
    age, before = np.zeros((b, RUNS), f), np.zeros((b, RUNS), f)
    out = {k: np.zeros((b, n, 2), f) for k in ("run_mean", "run_left")}
    out.update({k: np.zeros((b, n), f) for k in STATE})
    last_t = t[:, 0]
    share = lambda w, v: (w[:, :, None] * v).sum(1) if v.ndim == 3 else (w * v).sum(1)
    for k in range(n):
        s = x[:, k].astype(f)
        noise = np.square(sd[:, k]).astype(f)[:, None]
        dt = np.maximum(np.nan_to_num(t[:, k] - last_t), 0).astype(f)[:, None]
        last_t = t[:, k]
        variance = variance + DRIFT_DEG2_S * dt
        age = age + dt
        off = s[:, None] - mean
        square = (off * off).sum(2)
        total = noise + variance
        stays = np.exp(-0.5 * square / total) / (2 * np.pi * total)
        length = np.sqrt(square + total)
        jumps = np.exp(-length / JUMP_DEG) / (2 * np.pi * JUMP_DEG * length)
        hazard = np.repeat(1 - np.exp(-CHANGES_S * dt), RUNS, 1)
        hazard[:, 0] = np.maximum(hazard[:, 0], AGAIN)
        change = weight * hazard * jumps
        stay = weight * (1 - hazard) * stays
        changed = change.sum(1)
        from_ = change / np.maximum(changed, 1e-30)[:, None]
        gain = variance / total
        moved = mean + gain[:, :, None] * off
        kept = variance * (1 - gain)

        def shift(new, old):
            """Every run is one sample longer; the two longest become one."""
            w = stay[:, -2:] / np.maximum(stay[:, -2:].sum(1), 1e-30)[:, None]
            merged = share(w, old[:, -2:])
            return np.concatenate([new[:, None], old[:, :-2], merged[:, None]], 1)

        fresh_left, fresh_before = share(from_, mean), share(from_, age)
        nothing = np.zeros(b, f)
        mean, variance = shift(s, moved), shift(noise[:, 0], kept)
        # A merged pair without weight has no variance of its own.
        variance = np.where(variance > 0, variance, noise)
        left, age, before = shift(fresh_left, left), shift(nothing, age), shift(fresh_before, before)
        weight = np.concatenate([changed[:, None], stay[:, :-2], stay[:, -2:].sum(1)[:, None]], 1)
        evidence = weight.sum(1)
        anew = fresh[:, k] | ~(evidence > LEAST_EVIDENCE)
        weight[anew], mean[anew, 0], left[anew, 0] = 0.0, s[anew], s[anew]
        weight[anew, 0], variance[anew, 0], age[anew, 0], before[anew, 0] = 1.0, noise[anew, 0], 0.0, 0.0
        evidence[anew] = 1.0
        weight = weight / weight.sum(1)[:, None]
        middle = share(weight, mean)
        out["run_mean"][:, k], out["run_left"][:, k] = middle, share(weight, left)
        out["first"][:, k], out["second"][:, k] = weight[:, 0], weight[:, 1]
        out["few"][:, k] = weight[:, 2:5].sum(1)
        out["age"][:, k], out["age_before"][:, k] = share(weight, age), share(weight, before)
        apart = mean - middle[:, None]
        out["spread"][:, k] = np.sqrt(share(weight, (apart * apart).sum(2)) / noise[:, 0])
        # What was expected of the noise alone has a density of 1 / (2 pi noise).
        out["surprise"][:, k] = np.clip(-np.log(evidence * 2 * np.pi * noise[:, 0]), -2.0, 20.0)
    return out
