//! What both eyes look like, in few numbers that the light changes little.

use serde::{Deserialize, Serialize};

use crate::eyes::{PATCH_HEIGHT, PATCH_WIDTH};

/// Cells of one eye: the patch without its uppermost and lowest rows, in squares of three by three pixels.
const COLUMNS: usize = PATCH_WIDTH / CELL_PX;
const ROWS: usize = 8;
const CELL_PX: usize = 3;
const FIRST_ROW_PX: usize = (PATCH_HEIGHT - ROWS * CELL_PX) / 2;
const CELLS: usize = COLUMNS * ROWS;
/// Numbers of both eyes' cells, and of one appearance: the same cells normalised in two ways.
const BOTH: usize = 2 * CELLS;
const LEN: usize = 2 * BOTH;

/// Both eyes as gray cells with the local brightness and contrast taken out, once of small surroundings (fine) and once of
/// larger ones (wide), each eye's cells with mean zero and together of length 1/sqrt(2), so that two appearances are at
/// most 2 apart in either.
///
/// Local contrast normalisation (Jarrett et al., 2009) is what makes a calibration outlive a change of light: raw gray
/// values do not. The smaller the surroundings the less a change of light matters, but the more of the eye's shape is lost
/// with it; which is better depends on the person and the light, so the fit chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Appearance([i8; LEN]);

/// A text that is no appearance: it must be 1024 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an eye's appearance must be {} hexadecimal digits", 2 * LEN)]
pub struct AppearanceError;

impl Appearance {
    /// Eyes that were not looked at: equally far from every real appearance.
    pub const NONE: Self = Self([0; LEN]);

    /// A cell's value of this much is stored as 127.
    const FULL: f32 = 0.5;
    /// Standard deviation of the Gaussian that weighs the surroundings, in cells: as wide as the iris, and twice that.
    const FINE: f32 = 1.33;
    const WIDE: f32 = 2.5;
    /// Gray levels of local contrast below which a cell counts as flat: the noise of a good camera.
    const FLAT: f32 = 2.0;

    /// Describes the patches of the left and the right eye, each of `PATCH_WIDTH` x `PATCH_HEIGHT` gray values (0..=255) in
    /// the form of a left eye.
    pub fn new(left: &[f32], right: &[f32]) -> Self {
        let mut values = [0; LEN];
        let eyes = [cells(left), cells(right)];
        let ways = [Self::FINE, Self::WIDE]
            .into_iter()
            .flat_map(|sd| eyes.iter().map(move |cells| (cells, sd)));
        for ((cells, sd), values) in ways.zip(values.chunks_exact_mut(CELLS)) {
            let cells = normalised(cells, sd, Self::FLAT);
            let scale = 127.0 / Self::FULL;
            for (value, cell) in values.iter_mut().zip(cells) {
                *value = (cell * scale).round().clamp(-127.0, 127.0) as i8;
            }
        }
        Self(values)
    }

    /// Squared distance of two appearances, fine and wide, each 0..=4: 0 alike, about 2 unrelated, 4 opposite.
    pub fn distances_squared(&self, other: &Self) -> [f64; 2] {
        let unit = f64::from(Self::FULL) / 127.0;
        [0, 1].map(|way| {
            let part = way * BOTH..(way + 1) * BOTH;
            let pairs = self.0[part.clone()].iter().zip(&other.0[part]);
            let squares = pairs.map(|(a, b)| {
                let difference = i32::from(*a) - i32::from(*b);
                difference * difference
            });
            f64::from(squares.sum::<i32>()) * unit * unit
        })
    }
}

impl From<Appearance> for String {
    fn from(appearance: Appearance) -> Self {
        use std::fmt::Write;
        appearance
            .0
            .iter()
            .fold(Self::with_capacity(2 * LEN), |mut text, value| {
                // Writing into a string cannot fail.
                let _ = write!(text, "{:02x}", value.cast_unsigned());
                text
            })
    }
}

impl TryFrom<String> for Appearance {
    type Error = AppearanceError;

    fn try_from(text: String) -> Result<Self, AppearanceError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * LEN {
            return Err(AppearanceError);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(AppearanceError);
        let mut values = [0; LEN];
        for (value, pair) in values.iter_mut().zip(digits.chunks_exact(2)) {
            let byte = 16 * digit(pair[0])? + digit(pair[1])?;
            *value = (byte as u8).cast_signed();
        }
        Ok(Self(values))
    }
}

/// Mean gray values of the cells.
fn cells(patch: &[f32]) -> [f32; CELLS] {
    let mut cells = [0.0; CELLS];
    for (row, line) in patch
        .chunks_exact(PATCH_WIDTH)
        .skip(FIRST_ROW_PX)
        .take(ROWS * CELL_PX)
        .enumerate()
    {
        for (column, three) in line.chunks_exact(CELL_PX).enumerate() {
            cells[row / CELL_PX * COLUMNS + column] += three.iter().sum::<f32>() / (CELL_PX * CELL_PX) as f32;
        }
    }
    cells
}

/// Takes out the local mean and standard deviation, then the whole mean and length.
fn normalised(cells: &[f32; CELLS], sd: f32, flat: f32) -> [f32; CELLS] {
    let kernel = Kernel::new(sd);
    let local_mean = kernel.blurred(cells);
    let mut values: [f32; CELLS] = std::array::from_fn(|index| cells[index] - local_mean[index]);
    let local_variance = kernel.blurred(&values.map(|value| value * value));
    for (value, variance) in values.iter_mut().zip(local_variance) {
        *value /= variance.max(0.0).sqrt() + flat;
    }
    let mean = values.iter().sum::<f32>() / CELLS as f32;
    let length = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>().sqrt();
    let scale = std::f32::consts::FRAC_1_SQRT_2 / length.max(1.0);
    values.map(|value| (value - mean) * scale)
}

/// The weights of a Gaussian from the middle outwards, to three standard deviations of the wider one.
struct Kernel([f32; 8]);

impl Kernel {
    fn new(sd: f32) -> Self {
        let weights: [f32; 8] = std::array::from_fn(|k| (-0.5 * (k as f32 / sd).powi(2)).exp());
        let sum = 2.0 * weights.iter().sum::<f32>() - weights[0];
        Self(weights.map(|weight| weight / sum))
    }

    /// Rows, then columns; the border is replicated.
    fn blurred(&self, cells: &[f32; CELLS]) -> [f32; CELLS] {
        let along = |from: &[f32; CELLS], length: usize, place: &dyn Fn(usize, usize) -> usize| {
            let mut to = [0.0; CELLS];
            for line in 0..CELLS / length {
                for at in 0..length {
                    let pair = |k: usize| {
                        from[place(line, at.saturating_sub(k))] + from[place(line, (at + k).min(length - 1))]
                    };
                    let sides: f32 = (1..self.0.len()).map(|k| self.0[k] * pair(k)).sum();
                    to[place(line, at)] = self.0[0] * from[place(line, at)] + sides;
                }
            }
            to
        };
        let rows = along(cells, COLUMNS, &|line, at| line * COLUMNS + at);
        along(&rows, ROWS, &|line, at| at * COLUMNS + line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A dark disc at a place of an eye of some brightness and contrast, lit from one side.
    fn eye(x: f32, brightness: f32, contrast: f32, slope: f32) -> Vec<f32> {
        let pixel = |index: usize| {
            let (column, row) = ((index % PATCH_WIDTH) as f32, (index / PATCH_WIDTH) as f32);
            let inside = (column - x).hypot(row - 15.5) < 6.0;
            brightness + slope * (column - 23.5) + if inside { -contrast } else { contrast }
        };
        (0..PATCH_WIDTH * PATCH_HEIGHT).map(pixel).collect()
    }

    fn both(x: f32, brightness: f32, contrast: f32, slope: f32) -> Appearance {
        let patch = eye(x, brightness, contrast, slope);
        Appearance::new(&patch, &patch)
    }

    #[test]
    fn light_changes_it_less_than_the_gaze_does() {
        let straight = both(23.5, 120.0, 40.0, 0.0);
        let elsewhere = both(26.5, 120.0, 40.0, 0.0).distances_squared(&straight);
        for (brightness, contrast, slope) in [(200.0, 40.0, 0.0), (60.0, 25.0, 0.0), (120.0, 40.0, 1.5)] {
            let in_other_light = both(23.5, brightness, contrast, slope).distances_squared(&straight);
            for (light, gaze) in in_other_light.iter().zip(&elsewhere) {
                assert!(*light < 0.5 * gaze, "{in_other_light:?} beside {elsewhere:?}");
            }
        }
    }

    #[test]
    fn eyes_that_moved_further_look_further_apart() {
        for way in 0..2 {
            let from = |x: f32| both(x, 120.0, 40.0, 0.0).distances_squared(&both(20.0, 120.0, 40.0, 0.0))[way];
            assert!(from(20.0) < from(21.0) && from(21.0) < from(23.0) && from(23.0) < from(27.0));
            assert!(from(27.0) > 0.1, "{}", from(27.0));
        }
    }

    #[test]
    fn flat_patches_give_numbers() {
        let flat = vec![80.0; PATCH_WIDTH * PATCH_HEIGHT];
        assert_eq!(Appearance::new(&flat, &flat), Appearance::NONE);
    }

    proptest! {
        #[test]
        fn texts_give_the_same_appearance_back(values in proptest::collection::vec(any::<i8>(), LEN)) {
            let mut all = [0; LEN];
            all.copy_from_slice(&values);
            let appearance = Appearance(all);
            prop_assert_eq!(Appearance::try_from(String::from(appearance)), Ok(appearance));
        }

        #[test]
        fn other_texts_are_refused(text in ".{0,1200}") {
            let fits = text.len() == 2 * LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert_eq!(Appearance::try_from(text).is_ok(), fits);
        }
    }
}
