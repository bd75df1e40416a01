//! The surface of the face as a map over (theta, y): normals, colours and hollows, and how light falls on it.

use super::eyeball::Vec3;
use super::head_shape::{BOTTOM_MM, HeadShape, MOUTH_LINE_MM, TOP_MM};
use super::person::{Colour, Person, mix};
use super::random::{Draws, Purpose};

const COLUMNS: usize = 340;
const ROWS: usize = 360;
/// The map covers the ring's front between these angles.
pub(crate) const WIDEST_RAD: f64 = 1.78;

/// Light in the head frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Light {
    /// Unit vector towards the key light.
    pub(crate) towards: [f32; 3],
    pub(crate) up: [f32; 3],
    /// Towards the camera and the screen below it.
    pub(crate) front: [f32; 3],
    pub(crate) key: Colour,
    pub(crate) sky: Colour,
    pub(crate) ground: Colour,
    pub(crate) screen: Colour,
}

/// One place of a surface, as light sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surface {
    pub(crate) normal: [f32; 3],
    pub(crate) albedo: Colour,
    /// 1 free, 0 in a deep hollow.
    pub(crate) openness: f32,
    /// 1 where the key light reaches, 0 in the shadow of another part of the face.
    pub(crate) lit: f32,
    pub(crate) gloss: f32,
}

pub(crate) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn to_f32(v: &Vec3) -> [f32; 3] {
    [v.x as f32, v.y as f32, v.z as f32]
}

impl Light {
    /// Light that leaves the surface towards the camera. Skin scatters light beneath its surface, red farthest: the edge of
    /// its shadows is soft and red, which wrapped cosines imitate.
    pub(crate) fn on(&self, surface: &Surface) -> Colour {
        const WRAP: [f32; 3] = [0.32, 0.18, 0.12];
        let toward = dot(surface.normal, self.towards);
        let up = 0.5 + 0.5 * dot(surface.normal, self.up);
        let facing = dot(surface.normal, self.front).max(0.0);
        let half = [
            self.towards[0] + self.front[0],
            self.towards[1] + self.front[1],
            self.towards[2] + self.front[2],
        ];
        let length = dot(half, half).sqrt().max(1e-3);
        let mirror = (dot(surface.normal, half) / length).max(0.0);
        let mirror = mirror * mirror;
        let mirror = mirror * mirror;
        let mirror = mirror * mirror;
        let shine = surface.gloss * (mirror * mirror + 0.35 * mirror) * toward.clamp(0.0, 0.4) * surface.lit;
        std::array::from_fn(|channel| {
            let wrap = WRAP[channel];
            let direct = ((toward + wrap) / (1.0 + wrap)).max(0.0) * surface.lit;
            let ambient = self.ground[channel] + (self.sky[channel] - self.ground[channel]) * up;
            let diffuse = self.key[channel] * direct * (0.6 + 0.4 * surface.openness)
                + (ambient + self.screen[channel] * facing) * surface.openness;
            surface.albedo[channel] * diffuse + self.key[channel] * shine
        })
    }
}

/// Smooth noise over the plane, -1..1, that repeats every 64 cells.
pub(crate) struct PlaneNoise {
    lattice: Vec<f32>,
}

impl PlaneNoise {
    pub(crate) fn new(draws: &mut Draws) -> Self {
        Self {
            lattice: (0..64 * 64).map(|_| draws.between(-1.0, 1.0) as f32).collect(),
        }
    }

    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let (fx, fy) = (x.floor(), y.floor());
        let (column, row) = (fx as i32, fy as i32);
        let (u, v) = (x - fx, y - fy);
        let (u, v) = (u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v));
        let cell = |dx: i32, dy: i32| self.lattice[(((row + dy) & 63) * 64 + ((column + dx) & 63)) as usize];
        let top = cell(0, 0) + u * (cell(1, 0) - cell(0, 0));
        let bottom = cell(0, 1) + u * (cell(1, 1) - cell(0, 1));
        top + v * (bottom - top)
    }
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may be the larger.
pub(crate) fn smooth_step(from: f64, to: f64, at: f64) -> f64 {
    let t = ((at - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The face's map.
pub(crate) struct FaceMap {
    places: Vec<Surface>,
    top_mm: f64,
    rows_per_mm: f64,
}

impl FaceMap {
    /// `towards` is the direction to the key light in the frame of the head at rest, for the shadows on the face.
    pub(crate) fn new(shape: &HeadShape, person: &Person, seed: u64, towards: &Vec3) -> Self {
        let top_mm = TOP_MM * person.face_length;
        let bottom_mm = BOTTOM_MM * person.face_length;
        let rows_per_mm = (ROWS - 1) as f64 / (bottom_mm - top_mm);
        let angle = |column: usize| WIDEST_RAD * (2.0 * column as f64 / (COLUMNS - 1) as f64 - 1.0);
        let points: Vec<Vec3> = (0..ROWS * COLUMNS)
            .map(|index| {
                let (row, column) = (index / COLUMNS, index % COLUMNS);
                shape.point(angle(column), top_mm + row as f64 / rows_per_mm)
            })
            .collect();
        let at = |row: usize, column: usize| &points[row * COLUMNS + column];
        let small = hollows(&points, 5);
        let large = hollows(&points, 16);
        let mut draws = Draws::new(seed, Purpose::Texture, 0);
        let painter = Painter {
            person,
            shape,
            noise: PlaneNoise::new(&mut draws),
        };
        let mut places = Vec::with_capacity(points.len());
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let across = at(row, (column + 1).min(COLUMNS - 1)) - at(row, column.saturating_sub(1));
                let down = at((row + 1).min(ROWS - 1), column) - at(row.saturating_sub(1), column);
                let normal = down.cross(&across).try_normalize(1e-12).unwrap_or(-Vec3::z());
                let index = row * COLUMNS + column;
                let point = &points[index];
                let hollow = 0.16 * small[index].max(-0.6) + 0.045 * large[index].max(-1.0);
                let (albedo, gloss) = painter.paint(point);
                places.push(Surface {
                    normal: to_f32(&normal),
                    albedo,
                    openness: (1.0 - hollow).clamp(0.3, 1.08) as f32,
                    lit: lit(shape, point, &normal, towards),
                    gloss,
                });
            }
        }
        Self {
            places,
            top_mm,
            rows_per_mm,
        }
    }

    /// Map coordinates of a ring angle and a height.
    pub(crate) fn locate(&self, theta: f64, y: f64) -> [f32; 2] {
        [
            (0.5 * (theta / WIDEST_RAD + 1.0) * (COLUMNS - 1) as f64) as f32,
            ((y - self.top_mm) * self.rows_per_mm) as f32,
        ]
    }

    /// The surface at map coordinates, bilinear.
    #[inline]
    pub(crate) fn at(&self, [column, row]: [f32; 2]) -> Surface {
        let column = column.clamp(0.0, (COLUMNS - 2) as f32);
        let row = row.clamp(0.0, (ROWS - 2) as f32);
        let (c, r) = (column as usize, row as usize);
        let (u, v) = (column - c as f32, row - r as f32);
        let index = r * COLUMNS + c;
        let corners = [
            (&self.places[index], (1.0 - u) * (1.0 - v)),
            (&self.places[index + 1], u * (1.0 - v)),
            (&self.places[index + COLUMNS], (1.0 - u) * v),
            (&self.places[index + COLUMNS + 1], u * v),
        ];
        let mut mixed = Surface::default();
        for (place, weight) in corners {
            for channel in 0..3 {
                mixed.normal[channel] += weight * place.normal[channel];
                mixed.albedo[channel] += weight * place.albedo[channel];
            }
            mixed.openness += weight * place.openness;
            mixed.lit += weight * place.lit;
            mixed.gloss += weight * place.gloss;
        }
        mixed
    }
}

/// How much deeper each point lies than the mean of its neighbourhood, `radius` map cells wide.
fn hollows(points: &[Vec3], radius: usize) -> Vec<f64> {
    let blur = |values: &[f64], length: usize, stride: usize, lines: usize, line_stride: usize| {
        let mut blurred = vec![0.0; values.len()];
        for line in 0..lines {
            let start = line * line_stride;
            for index in 0..length {
                let (from, to) = (index.saturating_sub(radius), (index + radius).min(length - 1));
                let sum: f64 = (from..=to).map(|at| values[start + at * stride]).sum();
                blurred[start + index * stride] = sum / (to - from + 1) as f64;
            }
        }
        blurred
    };
    let depth: Vec<f64> = points.iter().map(|point| point.z).collect();
    let rows = blur(&depth, COLUMNS, 1, ROWS, COLUMNS);
    let both = blur(&rows, ROWS, COLUMNS, COLUMNS, 1);
    depth.iter().zip(both).map(|(depth, mean)| depth - mean).collect()
}

/// Follows the ray to the key light over the face and finds how freely it passes.
fn lit(shape: &HeadShape, point: &Vec3, normal: &Vec3, towards: &Vec3) -> f32 {
    if point.z > 40.0 || normal.dot(towards) < -0.3 {
        return 1.0;
    }
    let mut clearance = f64::MAX;
    for step in 1..14 {
        let reach = 3.0 * f64::from(step);
        let at = point + normal * 1.0 + towards * reach;
        if at.z > 20.0 || at.z < -45.0 {
            break;
        }
        // The shadow's edge softens with distance from what casts it.
        clearance = clearance.min((shape.surface(at.x, at.y).z - at.z) / (0.12 * reach + 1.0));
    }
    smooth_step(-1.2, 0.8, clearance) as f32
}

struct Painter<'a> {
    person: &'a Person,
    shape: &'a HeadShape,
    noise: PlaneNoise,
}

fn spot(x: f64, y: f64, centre: [f64; 2], sigma: [f64; 2]) -> f32 {
    let (u, v) = ((x - centre[0]) / sigma[0], (y - centre[1]) / sigma[1]);
    (-0.5 * (u * u + v * v)).exp() as f32
}

impl Painter<'_> {
    /// Colour and gloss of the skin at a point of the head frame.
    fn paint(&self, point: &Vec3) -> (Colour, f32) {
        let person = self.person;
        let [x, y] = self.shape.average_from_face(point.x, point.y);
        let side = x.abs();
        let noise = |scale: f64, shift: f64| {
            let across = point.x / scale + shift + 0.21 * point.z / scale;
            self.noise.at(across as f32, (point.y / scale) as f32)
        };
        let mottle =
            0.05 * noise(13.0, 7.0) + 0.035 * noise(5.0, 31.0) + 0.05 * noise(1.3, 3.0) + 0.02 * noise(0.8, 50.0);
        let mut colour = person.skin.map(|channel| channel * (1.0 + mottle));
        let red = [colour[0] * 1.02, colour[1] * 0.72, colour[2] * 0.7];
        let flush = 0.45 * spot(side, y, [41.0, 33.0], [14.0, 12.0])
            + 0.5 * spot(x, y, [0.0, 42.0], [11.0, 8.0])
            + 0.15 * spot(x, y, [0.0, 104.0], [14.0, 9.0]);
        colour = mix(colour, red, flush.min(0.7));
        let shade = |colour: Colour, by: f32| {
            [
                colour[0] * (1.0 - 0.8 * by),
                colour[1] * (1.0 - by),
                colour[2] * (1.0 - 0.9 * by),
            ]
        };
        let eye_x = (point.x.abs() - 0.5 * person.interpupillary_mm, point.y);
        colour = shade(
            colour,
            (0.16 + 0.1 * person.age) * spot(eye_x.0, eye_x.1, [-4.0, 12.0], [11.0, 4.5]),
        );
        colour = shade(colour, 0.18 * spot(eye_x.0, eye_x.1, [-2.0, -6.0], [15.0, 6.0]));
        // The fold beside the mouth, lines of the forehead.
        let fold = side - (18.0 + 0.42 * (y - 48.0));
        colour = shade(colour, 0.2 * person.age * spot(fold, y, [0.0, 60.0], [1.5, 9.0]));
        let wave = (y * 0.8 + 0.6 * f64::from(noise(9.0, 1.0))).sin().max(0.0).powi(6) as f32;
        colour = shade(colour, 0.08 * person.age * wave * spot(x, y, [0.0, -47.0], [32.0, 9.0]));
        colour = self.beard(colour, x, y, noise(1.1, 17.0));
        let mut gloss =
            0.16 * (0.6 + spot(x, y, [0.0, 30.0], [9.0, 18.0]) + 0.7 * spot(x, y, [0.0, -45.0], [28.0, 12.0]));
        let lips = self.lips(x, y);
        colour = mix(
            colour,
            person.lips.map(|channel| channel * (1.0 + 0.12 * noise(1.6, 40.0))),
            lips,
        );
        gloss += 0.12 * lips;
        let parting = spot(0.0, y, [0.0, MOUTH_LINE_MM], [1.0, 0.75])
            * (smooth_step(1.02, 0.9, side / person.mouth_half_width_mm) as f32);
        colour = shade(colour, 0.78 * parting);
        let nose = person.nose_length;
        let nostril = spot(side, y, [6.4 * person.nose_width, 51.0 * nose], [2.9, 1.5]);
        colour = shade(colour, 0.85 * nostril);
        colour = shade(
            colour,
            0.3 * spot(side, y, [16.5 * person.nose_width, 45.0 * nose], [1.6, 5.0]),
        );
        let brow = self.brow(x, y, point);
        colour = mix(colour, person.brows, brow);
        gloss *= 1.0 - brow;
        (colour.map(|channel| channel.clamp(0.002, 0.95)), gloss)
    }

    fn lips(&self, x: f64, y: f64) -> f32 {
        let [upper, lower] = self.shape.lip_edges(x);
        let ends = smooth_step(1.0, 0.94, x.abs() / self.person.mouth_half_width_mm);
        (smooth_step(upper - 0.6, upper + 0.6, y) * smooth_step(lower + 0.8, lower - 0.8, y) * ends) as f32
    }

    fn beard(&self, colour: Colour, x: f64, y: f64, noise: f32) -> Colour {
        let side = x.abs();
        let jaw = smooth_step(52.0, 68.0, y + 0.35 * (side - 30.0).max(0.0)) * smooth_step(80.0, 50.0, side - 0.25 * y);
        let moustache = f64::from(spot(x, y, [0.0, 61.0], [19.0, 4.5]));
        let amount = self.person.beard * (jaw.max(moustache) as f32) * (0.8 + 0.5 * noise);
        mix(
            colour,
            mix(self.person.hair, [0.03, 0.03, 0.033], 0.4),
            amount.clamp(0.0, 0.85),
        )
    }

    /// How much of the skin the hairs of the brow cover.
    fn brow(&self, x: f64, y: f64, point: &Vec3) -> f32 {
        let person = self.person;
        let [inner, outer] = self.shape.brow_ends();
        let s = (x.abs() - inner[0]) / (outer[0] - inner[0]);
        if !(-0.1..=1.1).contains(&s) {
            return 0.0;
        }
        let part = s.clamp(0.0, 1.0);
        let arch = person.brow_arch_mm * (std::f64::consts::PI * part.powf(1.25)).sin();
        let middle = inner[1] + part * (outer[1] - inner[1]) - arch;
        let half = (3.7 * (1.0 - 0.72 * part.powf(1.4)) * person.brow_thickness).max(0.8);
        // Hairs run outwards and up at the inner end, and along the brow farther out.
        let along = 0.5 * point.x.abs() + (1.0 - part) * 0.8 * point.y;
        let hairs = self.noise.at(
            (along * 0.7 + 11.0) as f32,
            ((point.y - 0.3 * point.x.abs()) * 1.3) as f32,
        );
        let ends = smooth_step(-0.08, 0.08, s) * smooth_step(1.06, 0.85, s);
        let across = smooth_step(half + 1.0, half - 1.4, (y - middle).abs());
        (person.brow_strength * (ends * across) as f32 * (0.88 + 0.16 * hairs)).clamp(0.0, 0.97)
    }
}
