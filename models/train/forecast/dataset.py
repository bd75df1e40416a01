"""Training samples: many simulated webcams over GazeCom, gaze60 as it is and varied, each with the gate's state.

People differ in how fast and how far their eyes move, so much of both is stretched a little in time and space.

Everything is kept in flat arrays, so that a window is a slice: row r looks back on rows r, r-1, ... of its own track.
"""

import functools
import multiprocessing

import numpy as np

from . import data
from . import gate
from . import runs
from .net import prepare

SLOTS = 24
HORIZONS_S = np.array([0.0, 0.01, 0.02, 0.033, 0.05, 0.067, 0.083, 0.1, 0.15, 0.2])
# Sets: what a row comes from, for weighting and for reports.
GAZECOM, GAZE60_A, GAZE60_B, GAZE60_MIX, CLEAN60 = range(5)
# Copies made at once: enough that tracks of similar length go through the gate together.
BATCH = 5
# What training needs of every row.
TRAINED = ("x", "truth", "cls", "flight", "set", "rate", "nominal", "index", "seen", "basis", "axis", "side")


def other_person(rng, spread):
    """Factors of time and of space."""
    return np.exp(rng.normal(0, spread, 2))


def coloured(rng, n, sd, rho):
    """First-order autoregressive noise of the given SD on each axis."""
    white = rng.normal(0, 1, (n, 2))
    out = np.empty((n, 2))
    out[0] = white[0]
    c = np.sqrt(1 - rho * rho)
    for i in range(1, n):
        out[i] = rho * out[i - 1] + c * white[i]
    return sd * out


def drop(rng, t, x, rate):
    """Takes out single samples and short runs, as blinks and lost faces do."""
    keep = rng.random(len(t)) > rng.choice([0.0, 0.0, 0.02, 0.1])
    for _ in range(rng.poisson(len(t) / rate * rng.choice([0.0, 0.1, 0.3]))):
        a = rng.integers(0, max(len(t) - 1, 1))
        keep[a : a + rng.integers(1, max(int(0.4 * rate), 2))] = False
    return t[keep], x[keep]


def simulated(clips, rng, copies):
    """Random webcams over clean recordings: (t, x, truth, gain, rotation, set, nominal)."""
    for truth in clips:
        for c in range(copies):
            nominal = rng.random() < 0.6
            if nominal:
                rate = rng.choice([15.0, 15.0, 30.0, 30.0, 30.0, 60.0, 60.0, 60.0, 120.0])
                seen = truth.changed(*other_person(rng, 0.08)) if rng.random() < 0.5 else truth
                t, x, k = data.webcam(seen, rate, rng, offset=rng.random() / rate)
                yield t[k], x[k], seen, 1.0, GAZECOM, rate, True
                continue
            seen = truth.changed(*other_person(rng, 0.15))
            rate = np.exp(rng.uniform(np.log(12), np.log(130)))
            noise = np.exp(rng.uniform(np.log(0.1), np.log(2.0)))
            exposure = rng.uniform(0.003, min(0.03, 0.9 / rate))
            t, x, k = data.webcam(
                seen, rate, rng, noise=0.0, exposure=exposure, offset=rng.random() / rate,
                jitter=rng.choice([0.0, 0.0, 0.05, 0.15]),
            )
            t, x = t[k], x[k]
            if len(t) < 30:
                continue
            gain = np.exp(rng.uniform(np.log(0.7), np.log(1.4)))
            rho = rng.choice([0.0, 0.0, rng.uniform(0.2, 0.8)])
            x = x * gain + coloured(rng, len(t), noise * rng.uniform(0.3, 1), rho) + rng.normal(0, noise, x.shape) * (
                1.0 if rho == 0 else 0.5
            )
            t, x = drop(rng, t, x, rate)
            yield t, x, seen, gain, GAZECOM, rate, False


def build(gazecom, gaze60, seed, copies, workers):
    """Flat arrays of every track, made by so many processes; the same whatever their number."""
    jobs = [(seed, i, min(BATCH, copies - i)) for i in range(0, copies, BATCH)]
    make = functools.partial(part, gazecom, gaze60)
    if workers > 1:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            parts = list(pool.imap(make, jobs))
    else:
        parts = list(map(make, jobs))
    return {k: np.concatenate([v.pop(k) for v in parts]) for k in TRAINED}


def part(gazecom, gaze60, job):
    """A batch of copies of GazeCom, and gaze60: in the first as it is, in all varied."""
    seed, first, copies = job
    rng = np.random.default_rng([seed, first])
    tracks = [v for v in simulated(gazecom, rng, copies) if len(v[0]) >= 30]
    pairs = {}
    for person, name, t, xy, present, truth, start in gaze60:
        use = present & (t >= start - 3.0)
        kind = GAZE60_A if name == "A" else GAZE60_B
        if first == 0:
            tracks.append((t[use], xy[use], truth, 1.0, kind, 60.0, True))
        time, space = other_person(rng, 0.08)
        tracks.append((t[use] * time, xy[use] * space, truth.changed(time, space), 1.0, kind, 60.0 / time, False))
        pairs.setdefault(person, []).append((t, xy, present, truth, start))
    for person, both in pairs.items():
        t, truth, start = both[0][0], both[0][3], both[0][4]
        for _ in range(2):
            w = rng.uniform(-0.2, 1.2)
            xy = both[0][1] * w + both[-1][1] * (1 - w)
            use = both[0][2] & both[-1][2] & (t >= start - 3.0)
            step = rng.choice([1, 1, 2, 3])
            gain = np.exp(rng.uniform(np.log(0.7), np.log(1.3)))
            a, b = drop(rng, t[use][::step], xy[use][::step] * gain, 60.0 / step)
            tracks.append((a, b, truth, gain, GAZE60_MIX, 60.0 / step, False))
    made = prepare(flatten(tracks))
    return {k: made[k] for k in TRAINED}


def protocol(gazecom, gaze60, seed):
    """What forecasts are judged on: every GazeCom clip at four rates, gaze60 A and B as they are."""
    rng = np.random.default_rng(seed)
    tracks = []
    for truth in gazecom:
        for rate in (15.0, 30.0, 60.0, 120.0):
            t, x, k = data.webcam(truth, rate, rng)
            if k.sum() >= 2:
                tracks.append((t[k], x[k], truth, 1.0, GAZECOM, rate, True))
    for person, name, t, xy, present, truth, start in gaze60:
        use = present & (t >= start)
        tracks.append((t[use], xy[use], truth, 1.0, GAZE60_A if name == "A" else GAZE60_B, 60.0, True))
    return flatten(tracks)


def flatten(tracks):
    """Runs the gate over (t, x, truth, gain, set, rate, nominal) tracks and joins them into flat arrays."""
    tracks.sort(key=lambda v: len(v[0]))
    cols = {k: [] for k in ("t", "x", "mean", "left", "weight", "since", "sd", "slow_sd", "place", "jumped_deg", "jumps", "run_mean", "run_left", *runs.STATE, "index", "truth", "cls", "flight", "set", "rate", "nominal", "track")}
    for i in range(0, len(tracks), 256):
        part = tracks[i : i + 256]
        t, x = gate.pad([(v[0], v[1]) for v in part])
        o = gate.run(t, x, **gate.PARAMETERS)
        o.update(runs.run(t, x, o["sd_before"], o["fresh"]))
        for j, (a, b, truth, gain, kind, rate, nominal) in enumerate(part):
            n = len(a)
            start = np.maximum.accumulate(np.where(o["fresh"][j, :n], np.arange(n), 0))
            cols["t"].append(a - a[0]); cols["x"].append(b)
            for k in ("mean", "left", "weight", "sd", "slow_sd", "place", "jumped_deg", "jumps", "run_mean", "run_left", *runs.STATE):
                cols[k].append(o[k][j, :n])
            cols["since"].append(a - o["since"][j, :n])
            cols["index"].append(np.arange(n) - start)
            tr, cl, fl = [], [], []
            for h in HORIZONS_S:
                c, f, now, then, known = data.classes(truth, a, h)
                tr.append(np.where(known[:, None], then * gain, np.nan)); cl.append(c); fl.append(f)
            cols["truth"].append(np.stack(tr, 1)); cols["cls"].append(np.stack(cl, 1)); cols["flight"].append(np.stack(fl, 1))
            cols["set"].append(np.full(n, kind)); cols["rate"].append(np.full(n, rate))
            cols["nominal"].append(np.full(n, nominal)); cols["track"].append(np.full(n, i + j))
    kinds = dict(t=np.float64, index=np.int32, cls=np.int8, flight=bool, set=np.int8, nominal=bool, track=np.int32)
    return {k: np.concatenate(v).astype(kinds.get(k, np.float32)) for k, v in cols.items()}


def split():
    """GazeCom truths and gaze60 tracks by part: train, validation, test; no person is in two of them."""
    g, s = data.load_gazecom(), data.load_gaze60()
    parts = zip(data.person_split([v[0] for v in g]), data.person_split([v[0] for v in s]))
    return [([v[2] for v in g if v[0] in a], [v for v in s if v[0] in b]) for a, b in parts]
