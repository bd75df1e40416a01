//! The screen by parts, as reports tell accuracy.

use crate::geometry::ScreenPoint;

/// The screen's regions, a side: enough to see which part is bad, few enough for nine points.
pub const REGIONS: usize = 3;

/// A mean of each region, rows from the top; `None` where no point lies in it.
pub type ByRegion = [[Option<f64>; REGIONS]; REGIONS];

/// Means of what was measured at points. What lies beyond an edge belongs to the region beside it.
pub fn mean_by_region(measured: impl Iterator<Item = (ScreenPoint, f64)>) -> ByRegion {
    let mut sums = [[(0.0, 0_u32); REGIONS]; REGIONS];
    let index = |at: f64| ((at * REGIONS as f64) as usize).min(REGIONS - 1);
    for (at, value) in measured {
        let (sum, count) = &mut sums[index(at.y)][index(at.x)];
        *sum += value;
        *count += 1;
    }
    sums.map(|row| row.map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))))
}
