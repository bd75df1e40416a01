//! The surroundings of one eye, line of sight by line of sight: lids, lashes, white, iris and pupil.

use super::eyeball::{EyeHit, Eyeball, SeenIris, Vec3};
use super::head_shape::HeadShape;
use super::lids::Lids;
use super::person::{Colour, EyeShape, Person, mix};
use super::random::{Draws, Purpose};
use super::skin::{FaceMap, Light, Surface, dot, smooth_step, to_f32};

const STEP_MM: f64 = 0.5;
const HALF_WIDTH_MM: f64 = 28.0;
const HALF_HEIGHT_MM: f64 = 22.0;
const COLUMNS: usize = 113;
const ROWS: usize = 89;

/// The part of the face that is drawn here, an ellipse around (CENTRE_MM, 0): temple-ward x and y, mm.
pub(crate) const REACH_MM: [f64; 2] = [21.0, 15.5];
pub(crate) const CENTRE_MM: f64 = -1.0;

/// The face's surface around one eye: z and map coordinates over temple-ward x and y.
struct Patch {
    cells: Vec<[f32; 3]>,
}

impl Patch {
    fn new(shape: &HeadShape, map: &FaceMap, side: f64) -> Self {
        let centre = shape.eyeball_centre(side);
        let mut cells = Vec::with_capacity(ROWS * COLUMNS);
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let x = centre.x + side * (column as f64 * STEP_MM - HALF_WIDTH_MM);
                let y = row as f64 * STEP_MM - HALF_HEIGHT_MM;
                let theta = shape.theta(x, y);
                let [map_column, map_row] = map.locate(theta, y);
                cells.push([shape.surface(x, y).z as f32, map_column, map_row]);
            }
        }
        Self { cells }
    }

    fn at(&self, x: f64, y: f64) -> [f32; 3] {
        let column = ((x + HALF_WIDTH_MM) / STEP_MM).clamp(0.0, (COLUMNS - 2) as f64);
        let row = ((y + HALF_HEIGHT_MM) / STEP_MM).clamp(0.0, (ROWS - 2) as f64);
        let (c, r) = (column as usize, row as usize);
        let (u, v) = ((column - c as f64) as f32, (row - r as f64) as f32);
        let index = r * COLUMNS + c;
        let (a, b) = (&self.cells[index], &self.cells[index + 1]);
        let (d, e) = (&self.cells[index + COLUMNS], &self.cells[index + COLUMNS + 1]);
        std::array::from_fn(|i| {
            let top = a[i] + u * (b[i] - a[i]);
            let bottom = d[i] + u * (e[i] - d[i]);
            top + v * (bottom - top)
        })
    }
}

/// The margins of the lids, tabulated: they are asked for at every sample.
pub(crate) struct Margins {
    rows: [[f32; 2]; Self::COUNT],
    pub(crate) lids: Lids,
    drop_mm: f32,
}

impl Margins {
    const COUNT: usize = 96;
    const FROM_MM: f64 = -18.0;
    const PER_MM: f64 = (Self::COUNT - 1) as f64 / 36.0;

    pub(crate) fn new(lids: &Lids) -> Self {
        Self {
            rows: std::array::from_fn(|index| {
                lids.margins_mm(Self::FROM_MM + index as f64 / Self::PER_MM)
                    .map(|y| y as f32)
            }),
            lids: *lids,
            drop_mm: lids.upper_drop_mm() as f32,
        }
    }

    fn at(&self, x: f32) -> [f32; 2] {
        let place = ((x - Self::FROM_MM as f32) * Self::PER_MM as f32).clamp(0.0, (Self::COUNT - 2) as f32);
        let index = place as usize;
        let part = place - index as f32;
        std::array::from_fn(|i| self.rows[index][i] + part * (self.rows[index + 1][i] - self.rows[index][i]))
    }
}

/// What does not change between the samples of one picture; the head frame is the common one.
pub(crate) struct View<'a> {
    pub(crate) viewer: &'a Vec3,
    pub(crate) map: &'a FaceMap,
    pub(crate) light: &'a Light,
}

/// A place of the region.
pub(crate) struct Spot {
    /// Temple-ward and down from the eyeball's centre.
    at_mm: [f32; 2],
    /// In the head frame.
    z_mm: f64,
    /// In the face's map.
    map: [f32; 2],
    /// How much of what was drawn there before is replaced.
    pub(crate) weight: f32,
}

/// Draws one eye and its surroundings.
pub(crate) struct EyeRegion {
    side: f64,
    patch: Patch,
    /// Upper margin of the open eye that looks straight ahead: the fold of the lid is where it is whatever the lid does.
    rest: Margins,
    fibres: [f32; 256],
    lashes: [f32; 256],
    iris: Colour,
    iris_inner: Colour,
    skin: Colour,
}

/// A bump of height 1 at 0; beyond three widths it is left out.
fn bell(at: f32, width: f32) -> f32 {
    let part = at / width;
    if part.abs() > 3.0 { 0.0 } else { (-part * part).exp() }
}

fn ramp(from: f32, to: f32, at: f32) -> f32 {
    let t = ((at - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

impl EyeRegion {
    pub(crate) fn new(shape: &HeadShape, map: &FaceMap, person: &Person, seed: u64, side: f64) -> Self {
        let draws = &mut Draws::new(seed, Purpose::Iris, side as i64);
        let smooth = |draws: &mut Draws, steps: usize| -> [f32; 256] {
            let coarse: Vec<f64> = (0..256).map(|_| draws.normal()).collect();
            std::array::from_fn(|index| {
                let sum: f64 = (0..steps).map(|offset| coarse[(index + offset) % 256]).sum();
                (sum / (steps as f64).sqrt()).clamp(-2.0, 2.0) as f32
            })
        };
        Self {
            side,
            patch: Patch::new(shape, map, side),
            rest: Margins::new(&Lids::new(person.eye, 0.0, 0.0)),
            fibres: smooth(draws, 3),
            lashes: smooth(draws, 2),
            iris: person.iris,
            iris_inner: person.iris_inner,
            skin: person.skin,
        }
    }

    /// So that tests can tell the pupil from the iris in any shade.
    #[cfg(test)]
    pub(crate) fn make_iris_pale(&mut self) {
        (self.iris, self.iris_inner) = ([0.3; 3], [0.3; 3]);
    }

    /// Where a line of sight (head frame, `direction` of any length) meets the face; `None` outside the region. `near` is a
    /// spot close by, where one is known.
    pub(crate) fn locate(&self, viewer: &Vec3, direction: &Vec3, eye: &Eyeball, near: Option<&Spot>) -> Option<Spot> {
        // The surface is met where its depth and the line's agree; faces are flat enough for a few steps of that, and for
        // one from a neighbouring place.
        let (mut z, steps) = near.map_or((-11.0, 3), |near| (near.z_mm, 1));
        let (mut x, mut y, mut cell) = (0.0, 0.0, [0.0; 3]);
        for _ in 0..steps {
            let reach = (z - viewer.z) / direction.z;
            x = self.side * (viewer.x + reach * direction.x - eye.centre.x);
            y = viewer.y + reach * direction.y - eye.centre.y;
            cell = self.patch.at(x, y);
            z = f64::from(cell[0]);
        }
        let radius = ((x - CENTRE_MM) / REACH_MM[0]).powi(2) + (y / REACH_MM[1]).powi(2);
        (radius < 1.0).then(|| Spot {
            at_mm: [x as f32, y as f32],
            z_mm: z,
            map: [cell[1], cell[2]],
            weight: smooth_step(1.0, 0.72, radius) as f32,
        })
    }

    /// True where nothing finer than a pixel is to be seen: plain skin away from margins, lashes and folds.
    pub(crate) fn is_plain(&self, spot: &Spot, margins: &Margins) -> bool {
        let [x, y] = spot.at_mm;
        let shape = margins.lids.shape();
        let [upper, lower] = margins.at(x);
        let fold = upper.min(self.rest.at(x)[0] - shape.crease_mm as f32);
        y < fold - 3.5 || y > lower + 3.5 || x < shape.inner_mm[0] as f32 - 3.0 || x > shape.outer_mm[0] as f32 + 3.0
    }

    /// Colour seen along a line of sight that meets the face at `spot`.
    pub(crate) fn colour(
        &self,
        view: &View,
        spot: &Spot,
        direction: &Vec3,
        eye: &Eyeball,
        margins: &Margins,
    ) -> Colour {
        let shape = margins.lids.shape();
        let [x, y] = spot.at_mm;
        let [upper, lower] = margins.at(x);
        if x > shape.inner_mm[0] as f32 && x < shape.outer_mm[0] as f32 && y > upper && y < lower {
            self.inside(view, direction, eye, margins, [x, y], [upper, lower])
        } else {
            self.lid(view, margins, [x, y], [upper, lower], spot.map)
        }
    }

    fn inside(
        &self,
        view: &View,
        direction: &Vec3,
        eye: &Eyeball,
        margins: &Margins,
        [x, y]: [f32; 2],
        [upper, lower]: [f32; 2],
    ) -> Colour {
        let light = view.light;
        let shape = margins.lids.shape();
        let (below_upper, above_lower) = (y - upper, lower - y);
        // The upper lid and its lashes keep the light off the top of the eyeball, the corners lie deep.
        let from_inner = x - shape.inner_mm[0] as f32;
        let from_outer = shape.outer_mm[0] as f32 - x;
        let shadow = (0.36 + 0.64 * ramp(0.0, 3.4, below_upper))
            * (0.8 + 0.2 * ramp(0.0, 1.6, above_lower))
            * (0.7 + 0.3 * ramp(0.0, 5.0, from_inner))
            * (0.66 + 0.34 * ramp(0.0, 3.5, from_outer));
        let flesh = [
            0.62 * self.skin[0] + 0.2,
            0.5 * self.skin[1] + 0.07,
            0.5 * self.skin[2] + 0.07,
        ];
        let surface = |normal: [f32; 3], albedo: Colour, gloss: f32| Surface {
            normal,
            albedo,
            openness: shadow,
            lit: shadow,
            gloss,
        };
        let tissue = |normal: [f32; 3]| light.on(&surface(normal, flesh, 0.25));
        let hit = eye.trace(view.viewer, &direction.normalize());
        let seen = match hit {
            None => tissue(light.front),
            Some(EyeHit::Sclera { normal, from_axis_mm }) => {
                let normal = to_f32(&normal);
                let corner = 1.0 - ramp(2.0, 7.0, from_inner.min(from_outer));
                // The darker the skin, the longer the exposure: a white as bright as on light skin would burn out.
                let bright = 0.8 + 0.5 * self.skin[1];
                let white =
                    mix([0.42, 0.375, 0.35], [0.39, 0.275, 0.235], 0.75 * corner).map(|channel| channel * bright);
                let limbus = 1.0
                    - ramp(
                        eye.limbus_radius_mm() as f32,
                        eye.limbus_radius_mm() as f32 + 0.9,
                        from_axis_mm as f32,
                    );
                let white = mix(white, white.map(|channel| 0.62 * channel), limbus);
                light.on(&surface(normal, white, 0.2))
            }
            Some(EyeHit::Iris(seen)) => self.iris(shape, eye, &seen, direction, light, shadow),
        };
        // Caruncle at the inner corner, the wet rim of the lower lid.
        let caruncle = 1.0 - ramp(2.6, 5.0, from_inner + 0.35 * (y - shape.inner_mm[1] as f32).abs());
        let seen = mix(seen, tissue(light.front), caruncle);
        let rim = 1.0 - ramp(0.25, 0.75, above_lower);
        mix(seen, tissue([0.0, -0.6, -0.8]).map(|channel| 1.15 * channel), 0.8 * rim)
    }

    /// `shadow` is the part of the light that the lids and the socket let through.
    fn iris(
        &self,
        shape: &EyeShape,
        eye: &Eyeball,
        seen: &SeenIris,
        direction: &Vec3,
        light: &Light,
        shadow: f32,
    ) -> Colour {
        let SeenIris {
            at_mm: [u, v],
            normal,
            cornea_radius_mm,
        } = *seen;
        let radius = u.hypot(v);
        let part = (radius / shape.iris_radius_mm) as f32;
        let angle = ((v.atan2(u) / std::f64::consts::TAU + 1.0) * 256.0) as usize;
        let fibre = self.fibres[angle & 255];
        let collarette = bell(part - 0.52, 0.16);
        let ring = ramp(0.82, 1.0, part);
        let mut colour = mix(self.iris_inner, self.iris, ramp(0.35, 0.8, part));
        colour = colour.map(|channel| channel * (1.0 + 0.22 * fibre + 0.25 * collarette) * (1.0 - 0.62 * ring));
        let pupil = 1.0
            - ramp(
                shape.pupil_radius_mm as f32 - 0.1,
                shape.pupil_radius_mm as f32 + 0.1,
                radius as f32,
            );
        colour = mix(colour, [0.004, 0.004, 0.004], pupil);
        let axis = to_f32(&eye.axis());
        let normal = to_f32(&normal);
        let mut lit = light.on(&Surface {
            normal: axis,
            albedo: colour,
            openness: shadow,
            lit: shadow,
            gloss: 0.0,
        });
        // The white shines through the edge of the cornea: the limbus is soft.
        let edge = ramp(
            0.9 * shape.iris_radius_mm as f32,
            1.01 * shape.iris_radius_mm as f32,
            cornea_radius_mm as f32,
        );
        let white = light.on(&Surface {
            normal,
            albedo: [0.36, 0.33, 0.32],
            openness: shadow,
            lit: shadow,
            gloss: 0.0,
        });
        lit = mix(lit, white, edge);
        // Reflections on the wet cornea: the key light as a small bright spot, the screen as a faint patch.
        let along = to_f32(&direction.normalize());
        let twice = 2.0 * dot(along, normal);
        let mirrored = [
            along[0] - twice * normal[0],
            along[1] - twice * normal[1],
            along[2] - twice * normal[2],
        ];
        let lamp = ramp(0.985, 0.992, dot(mirrored, light.towards)) * shadow;
        let screen = ramp(0.90, 0.93, dot(mirrored, light.front)) * shadow;
        std::array::from_fn(|i| lit[i] + 0.75 * light.key[i] * lamp + 0.12 * light.screen[i] * screen)
    }

    fn lid(
        &self,
        view: &View,
        margins: &Margins,
        [x, y]: [f32; 2],
        [upper, lower]: [f32; 2],
        place: [f32; 2],
    ) -> Colour {
        let shape = margins.lids.shape();
        let mut surface = view.map.at(place);
        let width = (shape.outer_mm[0] - shape.inner_mm[0]) as f32;
        let s = (x - shape.inner_mm[0] as f32) / width;
        let inside = ramp(-0.06, 0.1, s) * ramp(1.12, 0.94, s);
        let closed = margins.lids.closure() as f32;
        let above = upper - y;
        let below = y - lower;
        let lash = self.lashes[((s.clamp(0.0, 1.0) * 230.0) as usize).min(255)];
        let mut dark = 0.0;
        if above > -0.2 {
            // Root of the upper lashes, longer towards the temple; then the fold of the lid, which smooths out as the lid falls.
            let length = 0.75 + 0.75 * s.clamp(0.0, 1.0);
            dark += inside * shape.lash_strength * (0.72 + 0.2 * lash) * bell(above, length) * (1.0 - 0.2 * closed);
            let rest = self.rest.at(x)[0];
            let fold = rest - y - shape.crease_mm as f32 * (0.35 + 0.65 * ramp(0.0, 0.3, s) * ramp(1.15, 0.6, s));
            let depth = 0.62 / (1.0 + (margins.drop_mm.max(0.0) / 3.0).powi(2));
            let ends = ramp(-0.1, 0.12, s) * ramp(1.25, 0.95, s);
            dark += ends * depth * (bell(fold, 0.75) + 0.35 * bell(fold - 1.2, 1.6));
            surface.openness *= 1.0 - 0.15 * ends * bell(fold - 0.5, 3.0);
        }
        if below > -0.2 {
            let rim = bell(below, 0.55) * inside;
            surface.albedo = mix(
                surface.albedo,
                [
                    surface.albedo[0] * 1.02,
                    surface.albedo[1] * 0.85,
                    surface.albedo[2] * 0.85,
                ],
                rim,
            );
            dark += 0.22 * inside * shape.lash_strength * (0.8 + 0.4 * lash) * bell(below - 1.1, 0.8);
            // Closed, the upper lashes hang over the lower lid.
            let hanging = closed * inside * shape.lash_strength;
            dark += hanging * (0.68 + 0.25 * lash) * bell(below - 0.5, 1.4);
            surface.openness *= 1.0 - 0.12 * inside * bell(below - 4.5, 1.6);
        }
        dark += 0.45 * closed * inside * bell(above.max(below), 0.7);
        // The corners are folds of skin.
        let corner = |at: [f64; 2]| bell((x - at[0] as f32).hypot(y - at[1] as f32), 1.6);
        dark += 0.2 * corner(shape.inner_mm) + 0.16 * corner(shape.outer_mm);
        let keep = 1.0 - dark.clamp(0.0, 0.93);
        surface.albedo = surface.albedo.map(|channel| channel * keep);
        surface.gloss *= keep;
        view.light.on(&surface)
    }
}
