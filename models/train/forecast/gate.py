"""The gated mean and its noise meter, many tracks at a time: the same arithmetic as src/filter/gated.rs and noise.rs.

A track is (t [s], xy [deg, Nx2]) of the samples that are there. Rows of a batch are tracks, columns samples.
"""

import numpy as np

RESET_GAP_S = 0.300
WINDOW = 48
MEDIAN_PER_SD = 1.6651092223153956
PRIOR_SD, PRIOR_SAMPLES, FLOOR_SD = 0.5, 8.0, 0.02
PARAMETERS = dict(jump_sd=3.3, step_sd=3.0, memory_s=0.12)
# Time constants of what is remembered across fixations: where the gaze has been, and how much it has jumped.
PLACE_S = 5.0
ACTIVITY_S = 2.0


def pad(tracks):
    n = max(len(t) for t, _ in tracks)
    t = np.full((len(tracks), n), np.nan)
    x = np.zeros((len(tracks), n, 2))
    for i, (a, b) in enumerate(tracks):
        t[i, : len(a)], x[i, : len(a)] = a, b
    return t, x


def starts(t):
    """Where samples come after a gap so long that nothing before it counts."""
    fresh = np.zeros(t.shape, bool)
    fresh[:, 0] = True
    with np.errstate(invalid="ignore"):
        fresh[:, 1:] = np.diff(t, axis=1) > RESET_GAP_S
    return fresh


def noise_sd(t, x, lag=1):
    """Noise on each axis from differences over `lag` samples, known *before* every sample, and after it."""
    b, n = t.shape
    length = np.zeros((b, n), np.float32)
    length[:, lag:] = np.linalg.norm(x[:, lag:] - x[:, :-lag], axis=2)
    fresh = starts(t)
    for back in range(1, lag):
        fresh[:, back:] |= starts(t)[:, :-back]
    after = np.full((b, n), PRIOR_SD)
    ring = np.full((b, WINDOW), np.inf, np.float32)
    count = np.zeros(b, int)
    rows = np.arange(b)
    for k in range(n):
        push = ~fresh[:, k] & np.isfinite(t[:, k])
        ring[rows[push], count[push] % WINDOW] = length[push, k]
        count += push
        m = np.minimum(count, WINDOW)
        s = np.sort(ring, axis=1)
        med = np.where(m > 0, s[rows, np.minimum(m // 2, WINDOW - 1)], 0.0) / MEDIAN_PER_SD
        blend = (med * m + PRIOR_SD * PRIOR_SAMPLES) / (m + PRIOR_SAMPLES)
        after[:, k] = np.maximum(np.where(m == WINDOW, med, blend), FLOOR_SD)
    before = np.concatenate([np.full((b, 1), PRIOR_SD), after[:, :-1]], 1)
    return before, after, fresh


def run(t, x, jump_sd, step_sd, memory_s):
    """Mean, weight, place left at the last restart, time of the last restart; shapes (B, N, ...)."""
    b, n = t.shape
    before, after, fresh = noise_sd(t, x)
    mean, weight = np.zeros((b, 2)), np.zeros(b)
    left, since = np.zeros((b, 2)), np.zeros(b)
    last, last_dev = np.zeros((b, 2)), np.zeros((b, 2))
    out = {k: np.zeros((b, n, 2)) for k in ("mean", "left")}
    out.update({k: np.zeros((b, n)) for k in ("weight", "since")})
    out["sd"], out["sd_before"] = after, before
    out["slow_sd"] = noise_sd(t, x, lag=2)[1]
    place, place_weight = np.zeros((b, 2)), np.zeros(b)
    jumped_deg, jumps = np.zeros(b), np.zeros(b)
    out["place"] = np.zeros((b, n, 2))
    out.update({k: np.zeros((b, n)) for k in ("jumped_deg", "jumps")})
    out["fresh"] = fresh
    last_t = t[:, 0]
    for k in range(n):
        s, sd = x[:, k], before[:, k]
        w = np.maximum(weight, 1e-9)
        dev = s - mean
        both = 0.5 * (dev + last_dev)
        jumped = np.hypot(*dev.T) > jump_sd * sd * np.sqrt(1 + 1 / w)
        stepped = (weight > 2.0) & (np.hypot(*both.T) > step_sd * sd * np.sqrt(0.5 + 1 / w))
        restart = jumped | stepped
        dt = np.nan_to_num(t[:, k] - last_t)
        grown = weight * np.exp(-np.maximum(dt, 0) / memory_s) + 1.0
        f, r = fresh[:, k], restart
        left = np.where(f[:, None], s, np.where(r[:, None], mean, left))
        since = np.where(f | r, t[:, k], since)
        keep = mean + dev / grown[:, None]
        mean = np.where(f[:, None] | (r & jumped)[:, None], s, np.where(r[:, None], 0.5 * (s + last), keep))
        weight = np.where(f | (r & jumped), 1.0, np.where(r, 2.0, grown))
        last_dev = np.where((f | r)[:, None], 0.0, dev)
        last, last_t = s, t[:, k]
        place_weight = place_weight * np.exp(-np.maximum(dt, 0) / PLACE_S) + 1.0
        place = place + (s - place) / place_weight[:, None]
        fade = np.exp(-np.maximum(dt, 0) / ACTIVITY_S)
        jump = r & ~f
        jumped_deg = jumped_deg * fade + np.where(jump, np.hypot(*(mean - left).T), 0.0)
        jumps = jumps * fade + jump
        out["place"][:, k], out["jumped_deg"][:, k], out["jumps"][:, k] = place, jumped_deg, jumps
        out["mean"][:, k], out["weight"][:, k] = mean, weight
        out["left"][:, k], out["since"][:, k] = left, since
    return out
