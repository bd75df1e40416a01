"""Recordings, simulated webcams, truth and movement classes for the forecast net.

A *recording* is (t [s], xy [deg, Nx2], valid [N], person); a *track* is what a forecaster is fed, with a truth function
beside it. GazeCom is 250 Hz EyeLink data turned into webcam tracks; gaze60 is a 60 Hz camera-based estimate beside an
infrared reference and is used as it is, after a robust affine fit on its first 30 s.
"""

import copy

import numpy as np

from ..data import data_root

GAZECOM_DEG = np.array([40.0, 22.5])
EXPOSURE_S = 0.010
NOISE_DEG = 0.5
CALIBRATION_S = 30.0


class Truth:
    """A clean signal by linear interpolation, with no answer near lost stretches."""

    def __init__(self, t, xy, valid, margin_s=0.0):
        self.t, self.xy = t, np.where(np.isfinite(xy), xy, 0.0)
        bad = np.concatenate([[0], np.cumsum(~valid)])
        lo = np.searchsorted(t, t - margin_s - 1e-9, "left")
        hi = np.searchsorted(t, t + margin_s + 1e-9, "right")
        self.ok = bad[hi] == bad[lo]
        dt = np.diff(t)
        self.step = np.median(dt)
        v = np.linalg.norm(np.diff(self.xy, axis=0), axis=1) / np.maximum(dt, 1e-6)
        self.speed = v
        self.speed[~(self.ok[1:] & self.ok[:-1])] = 0.0
        # Integral of the signal, for exposure averaging.
        area = 0.5 * (self.xy[1:] + self.xy[:-1]) * dt[:, None]
        self.cum = np.concatenate([np.zeros((1, 2)), np.cumsum(area, 0)])
        self.badcum = np.concatenate([[0], np.cumsum(~self.ok)])

    def changed(self, time, space):
        """The same movements, so many times as long and as large."""
        other = copy.copy(self)
        other.t, other.step, other.xy = self.t * time, self.step * time, self.xy * space
        other.speed, other.cum = self.speed * (space / time), self.cum * (space * time)
        return other

    def index(self, q):
        return np.clip(np.searchsorted(self.t, q, "right") - 1, 0, len(self.t) - 2)

    def at(self, q):
        """Position at q and whether it is known there."""
        i = self.index(q)
        w = ((q - self.t[i]) / (self.t[i + 1] - self.t[i]))[:, None]
        inside = (q >= self.t[0]) & (q <= self.t[-1]) & (self.t[i + 1] - self.t[i] < 3.0 * self.step)
        return self.xy[i] * (1 - w) + self.xy[i + 1] * w, inside & self.ok[i] & self.ok[i + 1]

    def integral(self, q):
        i = self.index(q)
        w = (q - self.t[i])[:, None]
        x, _ = self.at(q)
        return self.cum[i] + 0.5 * (self.xy[i] + x) * w

    def mean(self, q, width):
        """Average over the exposure [q - width/2, q + width/2], and whether all of it is known."""
        a, b = q - width / 2, q + width / 2
        known = self.at(a)[1] & self.at(b)[1] & (self.badcum[self.index(b) + 1] == self.badcum[self.index(a)])
        return (self.integral(b) - self.integral(a)) / width, known

    def peak_speed(self, a, b):
        """The largest sample-to-sample speed of the intervals that overlap [a, b]."""
        i, j = self.index(a), self.index(np.maximum(b - 1e-9, a))
        width = int((j - i).max()) + 1 if len(i) else 1
        out = np.zeros(len(a))
        for k in range(width):
            inside = i + k <= j
            out = np.where(inside, np.maximum(out, self.speed[np.minimum(i + k, len(self.speed) - 1)]), out)
        return out


FIXATION, SACCADE, PURSUIT = 0, 1, 2
CLASSES = ["fixation", "saccade", "pursuit"]


def classes(truth, t, horizon):
    """(class, in flight, truth at t, truth at t + horizon, known) of every time in t."""
    now, k0 = truth.at(t)
    then, k1 = truth.at(t + horizon)
    a, b = truth.index(t), truth.index(t + horizon)
    known = k0 & k1 & (truth.badcum[b + 1] == truth.badcum[a])
    moved = np.linalg.norm(then - now, axis=1)
    peak = truth.peak_speed(t, t + horizon)
    cls = np.where(moved < 0.5, FIXATION, np.where(peak > 40.0, SACCADE, PURSUIT))
    # In flight: the eye is already faster than a saccade's threshold just before t.
    begun = truth.peak_speed(t - truth.step, t) > 40.0
    return cls, (cls == SACCADE) & begun, now, then, known


def load_gazecom():
    """List of (person, clip, Truth); stretches labelled B or lost, and 40 ms around them, give no truth."""
    z = np.load(data_root() / "gazecom250/train.npz")
    out = []
    for key in z.files:
        if not key.endswith("_xy"):
            continue
        raw, label = z[key], z[key[:-3] + "_label"]
        valid = (raw != -32768).all(1) & (label != ord("B"))
        t = np.arange(len(raw)) / 250.0
        person, clip = key[:-3].split("_", 1)
        out.append((person, clip, Truth(t, raw * 1e-4 * GAZECOM_DEG, valid, 0.040)))
    return out


def huber_affine(est, ref, rounds=20, delta=1.0):
    """Affine map est -> ref by reweighted least squares, Huber with `delta` degrees on the 2-D residual."""
    a = np.column_stack([est, np.ones(len(est))])
    w = np.ones(len(est))
    m = None
    for _ in range(rounds):
        s = np.sqrt(w)[:, None]
        m, *_ = np.linalg.lstsq(a * s, ref * s, rcond=None)
        r = np.linalg.norm(a @ m - ref, axis=1)
        w = np.where(r > delta, delta / np.maximum(r, 1e-9), 1.0)
    return m


def load_gaze60():
    """List of (person, estimate 'A' or 'B', t, xy calibrated, sample present, Truth, scored from this time on)."""
    z = np.load(data_root() / "gaze60/train.npz")
    out = []
    for person in z.files:
        d = z[person].astype(np.float64)
        t = d[:, 0] * 1e-3
        ref = d[:, 5:7]
        valid = np.isfinite(ref).all(1)
        for name, col in (("A", 1), ("B", 3)):
            est = d[:, col : col + 2]
            present = np.isfinite(est).all(1)
            fit = valid & present & (t < t[0] + CALIBRATION_S)
            if fit.sum() < 100:
                continue
            m = huber_affine(est[fit], ref[fit])
            xy = np.column_stack([est, np.ones(len(est))]) @ m
            out.append((person, name, t, xy, present, Truth(t, ref, valid), t[0] + CALIBRATION_S))
    return out


def webcam(truth, rate, rng, noise=NOISE_DEG, exposure=EXPOSURE_S, offset=0.0, jitter=0.0):
    """Times (middle of the exposure), samples and whether each is present, of a webcam that watches `truth`."""
    t = np.arange(truth.t[0] + exposure / 2 + offset, truth.t[-1] - exposure / 2, 1.0 / rate)
    if jitter > 0:
        t = t + np.clip(rng.normal(0, jitter, len(t)), -0.4, 0.4) / rate
        t = t[(t > truth.t[0] + exposure / 2) & (t < truth.t[-1] - exposure / 2)]
    x, known = truth.mean(t, exposure)
    return t, x + rng.normal(0, noise, x.shape), known


def person_split(people, seed=7):
    """60 % training, 20 % validation, 20 % test, by person."""
    people = sorted(set(people))
    order = np.random.default_rng(seed).permutation(len(people))
    a, b = int(round(0.6 * len(people))), int(round(0.8 * len(people)))
    pick = lambda ix: {people[i] for i in ix}
    return pick(order[:a]), pick(order[a:b]), pick(order[b:])
