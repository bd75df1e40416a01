//! Finds faces anywhere in the picture, while none is tracked.

use opencv::core::{Mat, Size};
use opencv::imgproc::{INTER_AREA, INTER_LINEAR, resize};
use opencv::prelude::*;

use super::FaceError;
use super::crop::{CropError, as_mat};
use super::points::FaceFrame;
use crate::frame::GrayImage;
use crate::geometry::PointPx;
use crate::nets::{Net, NetName, Weights};

const INPUT_WIDTH: usize = 160;
const INPUT_HEIGHT: usize = 120;
const STRIDE: usize = 8;
const COLUMNS: usize = INPUT_WIDTH / STRIDE;
const ROWS: usize = INPUT_HEIGHT / STRIDE;
const CELLS: usize = COLUMNS * ROWS;
/// Channels of the answer: score, centre x, centre y, size, cosine and sine of the roll.
const CHANNELS: usize = 6;
/// Size in input pixels whose logarithm the net gives as zero.
const REFERENCE_SIZE_PX: f32 = 32.0;

/// A face that the finder believes to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub frame: FaceFrame,
    /// 0..1.
    pub score: f32,
}

pub struct Finder {
    net: Net,
    small: Mat,
    candidates: Vec<Candidate>,
}

impl Finder {
    /// Scores below this are no faces. The landmark net confirms every candidate, so the finder may be generous.
    const LEAST_SCORE: f32 = 0.3;
    /// How many candidates are worth confirming in one picture.
    const MOST: usize = 4;

    pub fn new(weights: &Weights) -> Result<Self, FaceError> {
        let net = weights.load(NetName::Finder, &[1, 1, INPUT_HEIGHT, INPUT_WIDTH], CHANNELS * CELLS)?;
        Ok(Self {
            net,
            small: Mat::default(),
            candidates: Vec::with_capacity(CELLS),
        })
    }

    /// The faces in the picture, the largest (and so nearest) first.
    pub fn find(&mut self, image: &GrayImage) -> Result<&[Candidate], FaceError> {
        let placement = self.fill_input(image)?;
        let answer = self.net.run()?;
        self.candidates.clear();
        for cell in 0..CELLS {
            if let Some(candidate) = peak(answer, cell) {
                self.candidates.push(Candidate {
                    frame: placement.to_picture(candidate.frame),
                    ..candidate
                });
            }
        }
        keep_distinct(&mut self.candidates);
        self.candidates.truncate(Self::MOST);
        self.candidates
            .sort_by(|a, b| b.frame.size_px.total_cmp(&a.frame.size_px));
        Ok(&self.candidates)
    }

    /// Scales the whole picture into the middle of the net's input; what it does not cover is black.
    fn fill_input(&mut self, image: &GrayImage) -> Result<Placement, CropError> {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let scale = (INPUT_WIDTH as f32 / width).min(INPUT_HEIGHT as f32 / height);
        let small_width = ((width * scale).round() as usize).clamp(1, INPUT_WIDTH);
        let small_height = ((height * scale).round() as usize).clamp(1, INPUT_HEIGHT);
        let size = Size::new(small_width as i32, small_height as i32);
        let interpolation = if scale < 1.0 { INTER_AREA } else { INTER_LINEAR };
        resize(&as_mat(image)?, &mut self.small, size, 0.0, 0.0, interpolation)?;

        let (left, top) = ((INPUT_WIDTH - small_width) / 2, (INPUT_HEIGHT - small_height) / 2);
        let input = self.net.input();
        input.fill(0.0);
        for (y, row) in self.small.data_bytes()?.chunks_exact(small_width).enumerate() {
            let start = (top + y) * INPUT_WIDTH + left;
            for (to, from) in input[start..start + small_width].iter_mut().zip(row) {
                *to = f32::from(*from);
            }
        }
        Ok(Placement {
            scale_x: small_width as f32 / width,
            scale_y: small_height as f32 / height,
            left,
            top,
        })
    }
}

/// How the picture lies in the net's input.
struct Placement {
    scale_x: f32,
    scale_y: f32,
    left: usize,
    top: usize,
}

impl Placement {
    fn to_picture(&self, frame: FaceFrame) -> FaceFrame {
        FaceFrame {
            centre: PointPx::new(
                (frame.centre.x - self.left as f32 + 0.5) / self.scale_x - 0.5,
                (frame.centre.y - self.top as f32 + 0.5) / self.scale_y - 0.5,
            ),
            size_px: frame.size_px / self.scale_x,
            roll_rad: frame.roll_rad,
        }
    }
}

/// The candidate of one cell, in input pixels, where its score is high enough and no neighbour's is higher.
fn peak(answer: &[f32], cell: usize) -> Option<Candidate> {
    let logit = answer[cell];
    let score = 1.0 / (1.0 + (-logit).exp());
    if score.is_nan() || score < Finder::LEAST_SCORE {
        return None;
    }
    let (row, column) = (cell / COLUMNS, cell % COLUMNS);
    for y in row.saturating_sub(1)..=(row + 1).min(ROWS - 1) {
        for x in column.saturating_sub(1)..=(column + 1).min(COLUMNS - 1) {
            if answer[y * COLUMNS + x] > logit {
                return None;
            }
        }
    }
    let channel = |index: usize| answer[index * CELLS + cell];
    let centre_of = |index: usize| (STRIDE * index) as f32 + 0.5 * (STRIDE as f32 - 1.0);
    let frame = FaceFrame {
        centre: PointPx::new(
            centre_of(column) + STRIDE as f32 * channel(1),
            centre_of(row) + STRIDE as f32 * channel(2),
        ),
        size_px: REFERENCE_SIZE_PX * channel(3).clamp(-3.0, 3.0).exp(),
        roll_rad: channel(5).atan2(channel(4)),
    };
    frame.centre.is_finite().then_some(Candidate { frame, score })
}

/// Sorts by score and drops what lies within half a face of a better one.
fn keep_distinct(candidates: &mut Vec<Candidate>) {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept = 0;
    for index in 0..candidates.len() {
        let candidate = candidates[index];
        let near = |other: &Candidate| {
            other.frame.centre.distance(candidate.frame.centre) < 0.25 * (other.frame.size_px + candidate.frame.size_px)
        };
        if !candidates[..kept].iter().any(near) {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_with(cells: &[(usize, f32)]) -> Vec<f32> {
        let mut answer = vec![-9.0; CELLS];
        answer.resize(CHANNELS * CELLS, 0.0);
        answer[4 * CELLS..5 * CELLS].fill(1.0);
        for (cell, logit) in cells {
            answer[*cell] = *logit;
        }
        answer
    }

    #[test]
    fn only_the_highest_of_neighbouring_cells_is_a_candidate() {
        let cell = 7 * COLUMNS + 10;
        let answer = answer_with(&[(cell, 3.0), (cell + 1, 2.0), (cell + COLUMNS, 2.5)]);
        let found: Vec<_> = (0..CELLS).filter_map(|cell| peak(&answer, cell)).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].frame.centre, PointPx::new(83.5, 59.5));
        assert_eq!(found[0].frame.size_px, REFERENCE_SIZE_PX);
    }

    #[test]
    fn nothing_is_found_in_not_a_number() {
        let answer = vec![f32::NAN; CHANNELS * CELLS];
        assert!((0..CELLS).all(|cell| peak(&answer, cell).is_none()));
    }

    #[test]
    fn overlapping_candidates_leave_the_best() {
        let candidate = |x: f32, score: f32| Candidate {
            frame: FaceFrame {
                centre: PointPx::new(x, 50.0),
                size_px: 40.0,
                roll_rad: 0.0,
            },
            score,
        };
        let mut found = vec![candidate(10.0, 0.5), candidate(18.0, 0.9), candidate(90.0, 0.6)];
        keep_distinct(&mut found);
        assert_eq!(found, vec![candidate(18.0, 0.9), candidate(90.0, 0.6)]);
    }
}
