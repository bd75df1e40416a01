//! The shape of the head: a skull of rings, with the features of the face raised from it.
//!
//! The head frame is that of [`Person`]. A ring is an ellipse at one height y; a point is named by its angle `theta` on the
//! ring (0 straight ahead, positive to the person's left) and y. Features are bumps added towards -z, so a point keeps its
//! x and y and the front of the face is a height field.

use super::eyeball::Vec3;
use super::lids::Lids;
use super::person::{HairStyle, Person};

/// Height, half width, front z and back z of the rings, mm, for a face of average size.
const RINGS: [[f64; 4]; 19] = [
    [-118.0, 0.5, 68.0, 76.0],
    [-115.0, 24.0, 42.0, 105.0],
    [-108.0, 42.0, 20.0, 128.0],
    [-97.0, 57.0, 2.0, 147.0],
    [-80.0, 67.0, -10.0, 160.0],
    [-58.0, 72.0, -17.0, 167.0],
    [-32.0, 74.0, -18.5, 168.0],
    [-10.0, 73.5, -16.5, 168.0],
    [10.0, 72.0, -15.0, 166.0],
    [30.0, 69.5, -14.0, 160.0],
    [50.0, 66.0, -13.5, 148.0],
    [68.0, 61.0, -13.5, 132.0],
    [84.0, 54.0, -13.0, 112.0],
    [96.0, 46.0, -12.0, 96.0],
    [105.0, 37.0, -10.0, 80.0],
    [111.0, 28.0, -6.0, 66.0],
    [115.5, 19.0, 0.0, 54.0],
    [118.5, 10.0, 8.0, 44.0],
    [120.0, 0.5, 20.0, 30.0],
];

/// Height of the ridge of the nose over the face, (y, mm).
const NOSE_RIDGE: [[f64; 2]; 12] = [
    [-14.0, 0.0],
    [-7.0, 1.0],
    [0.0, 3.0],
    [10.0, 7.5],
    [20.0, 12.0],
    [29.0, 15.0],
    [36.0, 15.0],
    [41.0, 12.5],
    [46.0, 8.5],
    [50.0, 5.0],
    [54.0, 2.0],
    [59.0, 0.0],
];

/// Smooth curve through table rows, first column the place: Catmull-Rom with one-sided slopes at the ends.
fn curve<const N: usize>(table: &[[f64; N]], at: f64, column: usize) -> f64 {
    let last = table.len() - 1;
    let at = at.clamp(table[0][0], table[last][0]);
    let index = table.partition_point(|row| row[0] <= at).clamp(1, last) - 1;
    let slope = |index: usize| {
        let (a, b) = (index.saturating_sub(1), (index + 1).min(last));
        (table[b][column] - table[a][column]) / (table[b][0] - table[a][0])
    };
    let width = table[index + 1][0] - table[index][0];
    let t = (at - table[index][0]) / width;
    let (p, q) = (table[index][column], table[index + 1][column]);
    let (m, n) = (slope(index) * width, slope(index + 1) * width);
    let (t2, t3) = (t * t, t * t * t);
    p * (2.0 * t3 - 3.0 * t2 + 1.0) + m * (t3 - 2.0 * t2 + t) + q * (3.0 * t2 - 2.0 * t3) + n * (t3 - t2)
}

fn bump(x: f64, y: f64, centre: [f64; 2], sigma: [f64; 2]) -> f64 {
    let (u, v) = ((x - centre[0]) / sigma[0], (y - centre[1]) / sigma[1]);
    let square = u * u + v * v;
    if square > 18.0 { 0.0 } else { (-0.5 * square).exp() }
}

/// Maximum of two heights with a rounded seam `width` mm wide.
fn smooth_max(a: f64, b: f64, width: f64) -> f64 {
    let h = (width - (a - b).abs()).max(0.0) / width;
    a.max(b) + 0.25 * h * h * width
}

/// The lids lie on a paraboloid over the eyeball: how far from its centre it falls to the centre's depth in x and y, and its
/// height.
const LID_SURFACE_MM: [f64; 3] = [17.5, 15.5, 14.2];

/// Where the lips meet, average-face y.
pub(crate) const MOUTH_LINE_MM: f64 = 71.8;

#[derive(Clone, Debug)]
pub(crate) struct HeadShape {
    person: Person,
}

/// Range of y that the rings span, for a face of average length.
pub(crate) const TOP_MM: f64 = RINGS[0][0];
pub(crate) const BOTTOM_MM: f64 = RINGS[RINGS.len() - 1][0];

impl HeadShape {
    pub(crate) fn new(person: &Person) -> Self {
        Self { person: person.clone() }
    }

    pub(crate) fn eyeball_centre(&self, side: f64) -> Vec3 {
        Vec3::new(side * 0.5 * self.person.interpupillary_mm, 0.0, 0.0)
    }

    /// Face coordinates of an average face for a place on this one: the features are drawn there.
    pub(crate) fn average_from_face(&self, x: f64, y: f64) -> [f64; 2] {
        [x / self.person.face_width, y / self.person.face_length]
    }

    fn half_width(&self, y: f64) -> f64 {
        let y = y / self.person.face_length;
        let jaw = 1.0 + (self.person.jaw_width - 1.0) * ((y - 20.0) / 60.0).clamp(0.0, 1.0);
        curve(&RINGS, y, 1).max(0.3) * self.person.face_width * jaw
    }

    /// Angle on the ring at y where x is `x`; beyond the ring's width its side.
    pub(crate) fn theta(&self, x: f64, y: f64) -> f64 {
        (x / self.half_width(y)).clamp(-1.0, 1.0).asin()
    }

    /// The skull without features.
    fn ring_point(&self, theta: f64, y: f64) -> Vec3 {
        let average = y / self.person.face_length;
        let (front, back) = (curve(&RINGS, average, 2), curve(&RINGS, average, 3));
        let x = self.half_width(y) * theta.sin();
        Vec3::new(x, y, 0.5 * (front + back) - 0.5 * (back - front) * theta.cos())
    }

    /// A point of the face's surface, lids closed over the eyeballs.
    pub(crate) fn point(&self, theta: f64, y: f64) -> Vec3 {
        let mut point = self.ring_point(theta, y);
        // Features fade out towards the sides, where a height field has no grip.
        let fade = ((theta.cos() - 0.05) / 0.35).clamp(0.0, 1.0);
        point.z -= fade * self.features(point.x, y);
        let x = point.x.abs() - 0.5 * self.person.interpupillary_mm;
        let square = (x / LID_SURFACE_MM[0]).powi(2) + (y / LID_SURFACE_MM[1]).powi(2);
        if square < 6.0 && theta.cos() > 0.0 {
            point.z = -smooth_max(-point.z, LID_SURFACE_MM[2] * (1.0 - square), 6.0);
        }
        point
    }

    /// The surface above (x, y) on the front of the face.
    pub(crate) fn surface(&self, x: f64, y: f64) -> Vec3 {
        let mut point = self.point(self.theta(x, y), y);
        point.x = x;
        point
    }

    /// How far the features stand out of the skull at (x, y), mm.
    fn features(&self, x: f64, y: f64) -> f64 {
        let person = &self.person;
        let [x, y] = self.average_from_face(x, y);
        let side = x.abs();
        let nose_y = y / person.nose_length;
        let mouth = person.mouth_half_width_mm;
        // Brow ridge, sockets, temples, cheek bones.
        let mut height = 7.0 * bump(side, y, [29.0, -20.0], [19.0, 7.0]) * (0.75 + 0.25 * person.brow_ridge);
        height += 2.0 * bump(x, y, [0.0, -17.0], [10.0, 8.0]) * person.brow_ridge;
        height += 3.0 * bump(side, y, [49.0, 0.0], [9.0, 14.0]);
        height -= 5.5 * bump(side, y, [16.0, 0.0], [4.5, 6.0]);
        height -= 3.5 * bump(side, y, [66.0, -22.0], [14.0, 20.0]);
        height += (4.0 + 1.5 * person.cheek) * bump(side, y, [40.0, 27.0], [15.0, 13.0]);
        height += 3.0 * bump(side, y, [56.0, 18.0], [12.0, 10.0]);
        height -= (2.5 - person.cheek) * bump(side, y, [46.0, 62.0], [13.0, 17.0]);
        // Nose: ridge, wings, the groove beside the wings.
        let ridge = curve(&NOSE_RIDGE, nose_y, 1) * person.nose_height;
        let ridge_width = person.nose_width * (5.4 + 3.8 * ((nose_y - 4.0) / 36.0).clamp(0.0, 1.0).powf(1.5));
        let across = side / ridge_width;
        height += ridge * (-0.5 * across.powf(1.9)).exp();
        height += 3.5 * person.nose_height * bump(side, nose_y, [11.0, 8.0], [6.0, 14.0]);
        height += 7.5 * person.nose_width * bump(side, nose_y, [12.4 * person.nose_width, 45.0], [4.2, 4.6]);
        height += 9.5 * person.nose_height * bump(x, nose_y, [0.0, 41.0], [7.2 * person.nose_width, 6.2]);
        height -= 1.8 * bump(side, nose_y, [17.5 * person.nose_width, 44.0], [2.6, 5.0]);
        height -= 2.5 * bump(side, nose_y, [6.4 * person.nose_width, 51.5], [3.2, 1.8]);
        // The mouth stands on the arch of the teeth; lips, philtrum, corners.
        height += 6.5 * bump(x, y, [0.0, 71.0], [22.0, 17.0]);
        let lip = person.lip_fullness;
        let along = (1.0 - (side / (mouth + 1.5)).powi(2)).max(0.0).sqrt();
        height += 3.2 * lip * along * bump(0.0, y, [0.0, 67.5], [1.0, 2.9]);
        height += 3.8 * lip * along * bump(0.0, y, [0.0, 77.0], [1.0, 3.4]);
        height -= 2.6 * along * bump(0.0, y, [0.0, 71.8], [1.0, 1.3]);
        height -= 1.8 * bump(side, y, [mouth + 1.0, 72.0], [4.0, 4.0]);
        height -= 1.2 * bump(x, y, [0.0, 60.0], [2.6, 5.0]);
        height += 0.9 * bump(side, y, [4.5, 60.0], [2.2, 6.0]);
        height -= 3.2 * bump(x, y, [0.0, 86.5], [19.0, 4.0]);
        height += 5.5 * person.chin * bump(x, y, [0.0, 102.0], [15.0, 9.0]);
        // Fold from the nose to the corner of the mouth.
        let fold_x = 18.0 + 0.42 * (y - 48.0);
        height -= 1.6 * bump(side, 0.0, [fold_x, 0.0], [3.2, 1.0]) * bump(0.0, y, [0.0, 60.0], [1.0, 12.0]);
        height
    }

    /// The 22 landmarks of [`super::LANDMARK_NAMES`] in the head frame.
    pub(crate) fn landmarks(&self, lids: &[Lids; 2]) -> [Vec3; 22] {
        let person = &self.person;
        let face = |x: f64, y: f64| self.surface(x * person.face_width, y * person.face_length);
        let eye = |side: f64, at: [f64; 2]| self.surface(side * (0.5 * person.interpupillary_mm + at[0]), at[1]);
        let (outer, inner) = (person.eye.outer_mm, person.eye.inner_mm);
        let [left_upper, left_lower] = lids[0].landmark_points_mm();
        let [right_upper, right_lower] = lids[1].landmark_points_mm();
        let nose = person.nose_length;
        let wing = 11.5 * person.nose_width;
        let mouth = person.mouth_half_width_mm;
        let [brow_inner, brow_outer] = self.brow_ends();
        [
            eye(1.0, outer),
            eye(1.0, inner),
            eye(-1.0, inner),
            eye(-1.0, outer),
            eye(1.0, left_upper),
            eye(1.0, left_lower),
            eye(-1.0, right_upper),
            eye(-1.0, right_lower),
            face(0.0, 0.0),
            face(0.0, 41.5 * nose),
            face(wing, 50.0 * nose),
            face(-wing, 50.0 * nose),
            face(0.0, 54.0 * nose),
            face(mouth, 72.0),
            face(-mouth, 72.0),
            face(0.0, self.lip_edges(0.0)[0]),
            face(0.0, self.lip_edges(0.0)[1]),
            face(brow_outer[0], brow_outer[1]),
            face(brow_inner[0], brow_inner[1]),
            face(-brow_inner[0], brow_inner[1]),
            face(-brow_outer[0], brow_outer[1]),
            face(0.0, 114.5),
        ]
    }

    /// Upper and lower edge of the red of the lips at `x`, average-face coordinates.
    pub(crate) fn lip_edges(&self, x: f64) -> [f64; 2] {
        let lip = self.person.lip_fullness;
        let part = (x.abs() / self.person.mouth_half_width_mm).min(1.0);
        let dip = 0.9 * (-0.5 * (x / 3.0).powi(2)).exp();
        let upper = (1.0 - part.powf(1.6)) * (1.0 + 0.12 * (1.0 - ((part - 0.25) / 0.25).abs()).max(0.0));
        let lower = (1.0 - part.powf(2.2)).max(0.0).powf(0.8);
        [
            MOUTH_LINE_MM - 7.0 * lip * upper + dip,
            MOUTH_LINE_MM + 9.4 * lip * lower,
        ]
    }

    /// Inner and outer end of the brow, average-face coordinates.
    pub(crate) fn brow_ends(&self) -> [[f64; 2]; 2] {
        let drop = self.person.brow_drop_mm;
        [[12.0, -21.0 + drop], [50.0, -19.0 + drop]]
    }

    /// How thick the hair lies at a point of the skull, mm; negative where there is none.
    pub(crate) fn hair_mm(&self, theta: f64, y: f64) -> f64 {
        let person = &self.person;
        let y = y / person.face_length;
        let turned = theta.abs().to_degrees();
        // The hairline falls from the forehead over the temples to in front of the ears, and down behind them.
        let line = match person.hair_style {
            HairStyle::Bald => return -3.0,
            HairStyle::Short => curve(
                &[
                    [0.0, person.hairline_mm],
                    [25.0, person.hairline_mm + 1.0],
                    [45.0, person.hairline_mm + 12.0],
                    [60.0, -34.0],
                    [72.0, -14.0],
                    [84.0, 6.0],
                    [95.0, 8.0],
                    [110.0, 40.0],
                    [180.0, 70.0],
                ],
                turned,
                1,
            ),
            HairStyle::Long => curve(
                &[
                    [0.0, person.hairline_mm],
                    [25.0, person.hairline_mm + 2.0],
                    [45.0, person.hairline_mm + 18.0],
                    [56.0, -26.0],
                    [63.0, 20.0],
                    [68.0, 90.0],
                    [74.0, 158.0],
                    [180.0, 165.0],
                ],
                turned,
                1,
            ),
        };
        let thickness = match person.hair_style {
            HairStyle::Long => 15.0,
            _ => 9.0 + 5.0 * ((-y - 60.0) / 50.0).clamp(0.0, 1.0),
        };
        let inside = ((line - y) / 12.0).clamp(-1.0, 1.0);
        if inside <= 0.0 {
            3.0 * inside
        } else {
            thickness * (1.0 - (1.0 - inside).powi(2))
        }
    }

    /// A point of the hair's outer surface. Below the ears it hangs straight down instead of following the jaw inwards.
    pub(crate) fn hair_point(&self, theta: f64, y: f64) -> Vec3 {
        const EARS_MM: f64 = 35.0;
        let held = y.min(EARS_MM);
        let point = self.ring_point(theta, held);
        let centre = Vec3::new(0.0, (held * 0.6).min(20.0), 75.0);
        let outward = (point - centre).normalize();
        let mut hair = point + outward * self.hair_mm(theta, y);
        hair.y += y - held;
        hair
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::parameters::Parameters;

    fn shape() -> HeadShape {
        HeadShape::new(&Person::new(&Parameters::drawn(2)))
    }

    #[test]
    fn curves_pass_through_their_points() {
        for row in RINGS {
            assert!((curve(&RINGS, row[0], 1) - row[1]).abs() < 1e-9);
        }
    }

    #[test]
    fn the_nose_stands_out_and_the_eyes_are_covered() {
        let shape = shape();
        let (tip, cheek) = (shape.surface(0.0, 42.0), shape.surface(40.0, 42.0));
        assert!(tip.z < cheek.z - 15.0, "{} {}", tip.z, cheek.z);
        for side in [1.0, -1.0] {
            let centre = shape.eyeball_centre(side);
            assert!(shape.surface(centre.x, 0.0).z < -13.9);
        }
    }

    #[test]
    fn a_place_on_the_face_is_found_again() {
        let shape = shape();
        for (x, y) in [(0.0, 0.0), (30.0, -10.0), (-45.0, 40.0)] {
            let point = shape.point(shape.theta(x, y), y);
            assert!((point.x - x).abs() < 1e-9 && (point.z - shape.surface(x, y).z).abs() < 1e-9);
        }
    }
}
