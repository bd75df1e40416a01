//! The newest samples in a ring of fixed size.

use super::Vector;

/// How many samples the learned forecast looks back on; no filter here needs more.
pub const CAPACITY: usize = 24;

/// One sample: when (seconds on the owner's time axis) and where (degrees).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub t_s: f64,
    pub at: Vector,
}

/// The newest [`CAPACITY`] samples, newest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    ring: [Sample; CAPACITY],
    newest: usize,
    len: usize,
}

impl History {
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends a sample, dropping the oldest when full. Times must not go back; the owner sees to that.
    pub fn push(&mut self, sample: Sample) {
        self.newest = (self.newest + 1) % CAPACITY;
        self.ring[self.newest] = sample;
        self.len = (self.len + 1).min(CAPACITY);
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sample `back` places before the newest one.
    pub fn get(&self, back: usize) -> Option<Sample> {
        (back < self.len).then(|| self.ring[(self.newest + CAPACITY - back) % CAPACITY])
    }

    pub fn newest(&self) -> Option<Sample> {
        self.get(0)
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        (0..self.len).filter_map(|back| self.get(back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_sample_falls_out() {
        let mut history = History::default();
        assert_eq!(history.newest(), None);
        for i in 0..CAPACITY + 3 {
            history.push(Sample {
                t_s: i as f64,
                at: Vector::new(i as f64, 0.0),
            });
        }
        let times: Vec<f64> = history.iter().map(|sample| sample.t_s).collect();
        assert_eq!(times.len(), CAPACITY);
        assert_eq!(times[0], (CAPACITY + 2) as f64);
        assert_eq!(times[CAPACITY - 1], 3.0);
        assert_eq!(history.get(CAPACITY), None);
    }
}
