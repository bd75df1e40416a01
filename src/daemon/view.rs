//! How well the camera sees the user: what would help, in words for people.

use crate::calibration::Departure;
use crate::clock::Timestamp;
use crate::face::Face;
use crate::face::points::Landmark;
use crate::frame::GrayImage;
use crate::geometry::PointPx;

/// What is known about the newest picture; all unknown while there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    pub face_visible: bool,
    /// Mean of the whole picture, 0..1.
    pub brightness: Option<f64>,
    /// Mean of the face, 0..1: before a window it is dark where the picture is not.
    face_brightness: Option<f64>,
    /// From the eyes to the screen.
    pub distance_mm: Option<f64>,
    /// Part of the face is beyond the picture's edge.
    cut_off: bool,
    /// Share of the eyes' surroundings that is burnt out, 0..1.
    glare: f64,
}

impl View {
    /// Darker pictures than this are mostly noise.
    const DARK: f64 = 0.12;
    /// Brighter ones have burnt out.
    const BRIGHT: f64 = 0.92;
    /// Further away an eye is too small in a webcam's picture, nearer the face does not fit into it.
    const FAR_MM: f64 = 1000.0;
    const NEAR_MM: f64 = 300.0;
    /// A light reflected by the cornea alone covers less than one percent of an eye's surroundings; in lenses it covers more.
    const GLARE: f64 = 0.05;
    /// Sensors give hardly more where they are saturated.
    const BURNT_OUT: u8 = 250;

    pub fn of(image: &GrayImage, face: Option<&Face>, distance_mm: Option<f64>) -> Self {
        Self {
            face_visible: face.is_some(),
            brightness: Some(f64::from(image.mean_brightness()) / 255.0),
            face_brightness: face.and_then(|face| mean_within(image, &face.landmarks.0)),
            distance_mm,
            cut_off: face.is_some_and(|face| is_cut_off(image, &face.landmarks.0)),
            glare: face.map_or(0.0, |face| glare(image, &face.landmarks.0)),
        }
    }

    /// What would help the camera; empty where nothing would.
    pub fn advice(&self) -> &'static str {
        let Some(brightness) = self.brightness else {
            return "The camera has not sent a picture yet.";
        };
        if brightness.min(self.face_brightness.unwrap_or(brightness)) < Self::DARK {
            return "It is too dark: put more light on the face.";
        }
        if brightness > Self::BRIGHT {
            return "It is too bright: turn the camera away from the light.";
        }
        if !self.face_visible {
            return "No face is in view: sit in front of the camera.";
        }
        if self.cut_off {
            return "The face is cut off: move to the middle of the picture, or turn the camera to you.";
        }
        if self.glare > Self::GLARE {
            return "Light is reflected in front of the eyes: turn the lamp or the screen's brightness down, or tilt the glasses.";
        }
        match self.distance_mm {
            Some(distance) if distance > Self::FAR_MM => "Sit closer to the camera.",
            Some(distance) if distance < Self::NEAR_MM => "Sit further from the camera.",
            _ => "",
        }
    }
}

/// Whether the user sits as when they calibrated: told once it has been so for a while, for a glance aside is over before
/// anybody has read of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seat {
    told: Option<Departure>,
    /// Since when it has been otherwise than told.
    otherwise: Option<Timestamp>,
}

impl Seat {
    const AFTER_S: f64 = 2.0;

    /// Takes what a frame showed.
    pub fn push(&mut self, captured: Timestamp, departure: Option<Departure>) {
        if departure == self.told {
            self.otherwise = None;
        } else if captured.seconds_since(*self.otherwise.get_or_insert(captured)) >= Self::AFTER_S {
            *self = Self {
                told: departure,
                otherwise: None,
            };
        }
    }

    /// What is to be done, where the user sits elsewhere.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self.told? {
            Departure::Left => "You sit further left than when you calibrated: move to the right, or calibrate again.",
            Departure::Right => "You sit further right than when you calibrated: move to the left, or calibrate again.",
            Departure::Up => "You sit higher than when you calibrated: sit lower, or calibrate again.",
            Departure::Down => "You sit lower than when you calibrated: sit up, or calibrate again.",
            Departure::Nearer => "You sit closer than when you calibrated: sit further back, or calibrate again.",
            Departure::Further => "You sit further back than when you calibrated: sit closer, or calibrate again.",
            Departure::Turned => {
                "Your head is turned otherwise than when you calibrated: face the screen as then, or calibrate again."
            }
        })
    }
}

/// A landmark lies at the picture's edge or beyond it.
fn is_cut_off(image: &GrayImage, landmarks: &[PointPx]) -> bool {
    let (right, bottom) = (image.width() as f32 - 2.0, image.height() as f32 - 2.0);
    landmarks
        .iter()
        .any(|point| !((1.0..=right).contains(&point.x) && (1.0..=bottom).contains(&point.y)))
}

/// Mean brightness of the upright rectangle around all landmarks; `None` where nothing of it is in the picture.
fn mean_within(image: &GrayImage, landmarks: &[PointPx]) -> Option<f64> {
    // Every fourth pixel of every fourth row tells as much as all of them.
    const STEP: usize = 4;
    let range = |of: fn(&PointPx) -> f32, size: u32| {
        let low = landmarks.iter().map(of).fold(f32::INFINITY, f32::min);
        let high = landmarks.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
        // A cast takes what is before the first pixel to it.
        let end = (high as u32).min(size);
        (low as u32).min(end)..end
    };
    let (columns, rows) = (range(|p| p.x, image.width()), range(|p| p.y, image.height()));
    let (mut sum, mut count) = (0_u64, 0_u64);
    for y in rows.step_by(STEP) {
        for value in image.row(y)[columns.start as usize..columns.end as usize]
            .iter()
            .step_by(STEP)
        {
            (sum, count) = (sum + u64::from(*value), count + 1);
        }
    }
    (count > 0).then(|| sum as f64 / count as f64 / 255.0)
}

/// The share of burnt out pixels in a box around each eye, the larger of both.
fn glare(image: &GrayImage, landmarks: &[PointPx]) -> f64 {
    let at = |landmark: Landmark| landmarks.get(landmark as usize).copied().unwrap_or_default();
    let eyes = [
        (Landmark::LeftOuter, Landmark::LeftInner),
        (Landmark::RightOuter, Landmark::RightInner),
    ];
    let shares = eyes.map(|(outer, inner)| {
        let (middle, half_width) = (at(outer).midpoint(at(inner)), 0.6 * at(outer).distance(at(inner)));
        let range = |centre: f32, half: f32, size: u32| {
            // A cast takes what is before the first pixel to it.
            let end = ((centre + half) as u32).saturating_add(1).min(size);
            ((centre - half) as u32).min(end)..end
        };
        let columns = range(middle.x, half_width, image.width());
        let rows = range(middle.y, 0.6 * half_width, image.height());
        let all = columns.len() * rows.len();
        let burnt_out = rows.map(|y| {
            let row = &image.row(y)[columns.start as usize..columns.end as usize];
            row.iter().filter(|value| **value >= View::BURNT_OUT).count()
        });
        burnt_out.sum::<usize>() as f64 / all.max(1) as f64
    });
    shares[0].max(shares[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face's landmarks with the eyes 40 px wide.
    fn landmarks(x: f32) -> Vec<PointPx> {
        let mut points = vec![PointPx::new(x, 150.0); crate::face::points::COUNT];
        for (landmark, offset) in [
            (Landmark::RightOuter, -70.0),
            (Landmark::RightInner, -30.0),
            (Landmark::LeftInner, 30.0),
            (Landmark::LeftOuter, 70.0),
        ] {
            points[landmark as usize] = PointPx::new(x + offset, 120.0);
        }
        points
    }

    fn picture(light: impl Fn(u32, u32) -> u8) -> GrayImage {
        let pixels: Vec<u8> = (0..240)
            .flat_map(|y| (0..320).map(move |x| (x, y)))
            .map(|(x, y)| light(x, y))
            .collect();
        GrayImage::new(320, 240, pixels).expect("the right size")
    }

    #[test]
    fn sitting_elsewhere_is_told_after_a_while_and_taken_back_after_another() {
        let mut seat = Seat::default();
        let mut advice = |ms: u64, departure| {
            seat.push(Timestamp::from_nanos(ms * 1_000_000), departure);
            seat.advice()
        };
        assert_eq!(advice(0, Some(Departure::Further)), None);
        assert_eq!(advice(1_900, Some(Departure::Further)), None);
        assert_eq!(advice(1_950, None), None, "it was only for a moment");
        assert_eq!(advice(2_000, Some(Departure::Further)), None);
        let told = advice(4_000, Some(Departure::Further)).expect("it has been so for two seconds");
        assert!(told.contains("sit closer"), "{told}");
        assert_eq!(advice(5_000, None), Some(told));
        assert_eq!(advice(7_000, None), None);
    }

    #[test]
    fn a_glint_on_the_cornea_is_no_glare_and_a_lamp_in_the_lens_is() {
        let spot = |size: u32| {
            picture(move |x, y| {
                let (x, y) = (x.abs_diff(210), y.abs_diff(120));
                if x < size && y < size { 255 } else { 110 }
            })
        };
        let share = |size| glare(&spot(size), &landmarks(160.0));
        assert!(share(2) > 0.0 && share(2) < View::GLARE, "{}", share(2));
        assert!(share(7) > View::GLARE, "{}", share(7));
        assert_eq!(glare(&spot(7), &landmarks(1e9)), 0.0, "no eye, no glare");
    }

    #[test]
    fn the_face_alone_decides_whether_it_is_dark() {
        let backlit = picture(|x, y| {
            if x.abs_diff(160) < 90 && y.abs_diff(130) < 40 {
                20
            } else {
                200
            }
        });
        let mean = mean_within(&backlit, &landmarks(160.0)).expect("in the picture");
        assert!((mean - 20.0 / 255.0).abs() < 0.01, "{mean}");
        assert_eq!(mean_within(&backlit, &landmarks(1e9)), None);
        assert_eq!(mean_within(&backlit, &[]), None);
    }

    #[test]
    fn each_fault_has_its_advice() {
        let fine = View {
            face_visible: true,
            brightness: Some(0.5),
            distance_mm: Some(600.0),
            ..View::default()
        };
        assert_eq!(fine.advice(), "");
        assert!(
            !is_cut_off(&picture(|_, _| 0), &landmarks(160.0)) && is_cut_off(&picture(|_, _| 0), &landmarks(300.0))
        );
        for (view, word) in [
            (View::default(), "not sent"),
            (
                View {
                    brightness: Some(0.05),
                    ..fine
                },
                "too dark",
            ),
            (
                View {
                    brightness: Some(0.97),
                    ..fine
                },
                "too bright",
            ),
            (
                View {
                    face_visible: false,
                    ..fine
                },
                "No face",
            ),
            (View { cut_off: true, ..fine }, "cut off"),
            (View { glare: 0.2, ..fine }, "reflected"),
            (
                View {
                    distance_mm: Some(1400.0),
                    ..fine
                },
                "closer",
            ),
            (
                View {
                    distance_mm: Some(200.0),
                    ..fine
                },
                "further",
            ),
        ] {
            assert!(view.advice().contains(word), "{}", view.advice());
        }
    }
}
