//! Light that reaches the sensor: the room, the body as meshes, the eyes line of sight by line of sight.

use super::body::{Material, Mesh, meshes};
use super::canvas::{Canvas, Corner};
use super::eye_region::{CENTRE_MM, EyeRegion, Margins, REACH_MM, View};
use super::eyeball::Vec3;
use super::glasses::Glasses;
use super::person::{Colour, mix};
use super::random::{Draws, Purpose};
use super::room;
use super::skin::{FaceMap, Light, PlaneNoise, Surface, dot, to_f32};
use super::user::{Moment, SIDES, SyntheticUser};

/// Instants of one exposure, where something moves.
pub(crate) const INSTANTS: usize = 8;

pub(crate) struct Renderer {
    canvas: Canvas,
    room: Vec<Colour>,
    corners: Vec<Corner>,
    meshes: Vec<Mesh>,
    map: FaceMap,
    eyes: [EyeRegion; 2],
    strands: PlaneNoise,
    /// In camera space, towards the light.
    light: Light,
    glasses: Option<Glasses>,
    rest_mm: Vec3,
    present: bool,
}

impl Renderer {
    pub(crate) fn new(user: &SyntheticUser) -> Self {
        let parameters = user.parameters();
        let (person, shape) = (user.person(), user.shape());
        let seed = parameters.seed;
        let (azimuth, elevation) = (
            parameters.light_azimuth_deg.to_radians(),
            parameters.light_elevation_deg.to_radians(),
        );
        let towards = Vec3::from(crate::geometry::gaze_direction(azimuth, elevation));
        let level = parameters.light as f32;
        // A lamp is warmer, a window cooler than the room's light.
        let warm = Draws::new(seed, Purpose::Room, 1).between(-0.08, 0.12) as f32;
        let tint = |strength: f32, warm: f32| [strength * (1.0 + warm), strength, strength * (1.0 - warm)];
        let light = Light {
            towards: to_f32(&towards),
            up: [0.0, -1.0, 0.0],
            front: [0.0, 0.1, -0.995],
            key: tint(0.95 * level, warm),
            sky: tint(0.42 * level, 0.02),
            ground: tint(0.2 * level, 0.06),
            // The monitor shines whatever the room does.
            screen: tint(0.1 + 0.1 * level, -0.04),
        };
        let rest = super::head_motion::HeadPose {
            yaw_rad: parameters.head_yaw_deg.to_radians(),
            pitch_rad: parameters.head_pitch_deg.to_radians(),
            roll_rad: parameters.head_roll_deg.to_radians(),
            position_mm: [parameters.head_x_mm, parameters.head_y_mm, parameters.distance_mm],
        };
        let map = FaceMap::new(shape, person, seed, &(rest.rotation().transpose() * towards));
        let (width, height) = (parameters.width_px as usize, parameters.height_px as usize);
        let room: Vec<Colour> = room::paint(parameters)
            .into_iter()
            .map(|colour| colour.map(|channel| channel * level))
            .collect();
        let mut canvas = Canvas::new(width, height, parameters.focal_px(), user.principal_point_px());
        canvas.light.copy_from_slice(&room);
        Self {
            canvas,
            room,
            corners: Vec::new(),
            meshes: meshes(person, shape, &map, seed),
            eyes: SIDES.map(|side| EyeRegion::new(shape, &map, person, seed, side)),
            map,
            strands: PlaneNoise::new(&mut Draws::new(seed, Purpose::Texture, 1)),
            light,
            glasses: parameters
                .glasses
                .then(|| Glasses::new(seed, person.interpupillary_mm, 75.5 * person.face_width)),
            rest_mm: rest.position(),
            present: parameters.present,
        }
    }

    /// Light on a part of a body that is turned by `body_from_camera`'s inverse.
    fn light_in(&self, camera_from_head: &nalgebra::Matrix3<f64>) -> Light {
        let turned = |v: [f32; 3]| {
            let v = Vec3::new(f64::from(v[0]), f64::from(v[1]), f64::from(v[2]));
            to_f32(&(camera_from_head.transpose() * v))
        };
        Light {
            towards: turned(self.light.towards),
            up: turned(self.light.up),
            front: turned(self.light.front),
            ..self.light
        }
    }

    /// The empty room, row by row.
    pub(crate) fn room(&self) -> &[Colour] {
        &self.room
    }

    /// The picture of one exposure, linear RGB. `instants` are spread evenly over it; all of the body but the eyes and lids
    /// is taken from the middle one.
    pub(crate) fn render(&mut self, instants: &[Moment; INSTANTS]) -> &Canvas {
        if self.present {
            self.canvas.light.copy_from_slice(&self.room);
            let middle = &instants[INSTANTS / 2];
            self.canvas.depth.clear();
            let head_light = self.light_in(&middle.camera_from_head);
            for index in 0..self.meshes.len() {
                self.draw_mesh(index, middle, &head_light);
            }
            for index in 0..2 {
                self.draw_eye(index, instants, &head_light);
            }
            self.draw_glasses(middle, &head_light);
        }
        &self.canvas
    }

    fn draw_mesh(&mut self, index: usize, moment: &Moment, light: &Light) {
        let mesh = &self.meshes[index];
        // The trunk makes two thirds of the head's sway along.
        let trunk_mm = self.rest_mm + (moment.head.position() - self.rest_mm) * 0.65;
        let head_mm = moment.head.position();
        self.corners.clear();
        for vertex in &mesh.vertices {
            let mut at = moment.camera_from_head * vertex.at + head_mm;
            if vertex.trunk > 0.0 {
                at += (vertex.at + trunk_mm - at) * vertex.trunk;
            }
            let carried = match mesh.material {
                Material::Face => [vertex.map[0], vertex.map[1], 0.0, 0.0],
                Material::Hair => {
                    let normal = to_f32(&vertex.normal);
                    let toward = (0.35 + 0.65 * dot(normal, light.towards)).max(0.0);
                    let up = 0.5 + 0.5 * dot(normal, light.up);
                    let shade = light.key[1] * toward + light.ground[1] + (light.sky[1] - light.ground[1]) * up;
                    [shade, vertex.map[0], vertex.map[1], vertex.openness]
                }
                Material::Plain => {
                    let lit = if vertex.trunk > 0.4 { &self.light } else { light };
                    let [red, green, blue] = lit.on(&Surface {
                        normal: to_f32(&vertex.normal),
                        albedo: vertex.albedo,
                        openness: vertex.openness,
                        lit: 0.4 + 0.6 * vertex.openness,
                        gloss: 0.02,
                    });
                    [red, green, blue, 0.0]
                }
            };
            let [x, y, depth] = self.canvas.project(&at);
            self.corners.push(Corner {
                x: x as f32,
                y: y as f32,
                inverse_depth: if depth > 50.0 { (1.0 / depth) as f32 } else { 0.0 },
                carried,
            });
        }
        let (corners, map, strands) = (&self.corners, &self.map, &self.strands);
        let Canvas {
            light: picture, depth, ..
        } = &mut self.canvas;
        let hair = mesh.vertices[0].albedo;
        for triangle in &mesh.triangles {
            let corners = triangle.map(|corner| &corners[corner as usize]);
            match mesh.material {
                Material::Face => depth.triangle(corners, |pixel, carried| {
                    picture[pixel] = light.on(&map.at([carried[0], carried[1]]));
                    true
                }),
                Material::Plain => depth.triangle(corners, |pixel, carried| {
                    picture[pixel] = [carried[0], carried[1], carried[2]];
                    true
                }),
                Material::Hair => depth.triangle(corners, |pixel, [shade, theta, y, thickness]| {
                    let strand = strands.at(theta * 34.0, y * 0.035) + 0.6 * strands.at(theta * 90.0 + 7.0, y * 0.06);
                    if thickness + 1.5 * strand < 0.0 {
                        return false;
                    }
                    let gleam = (1.0 + 0.45 * strand).max(0.1) * shade;
                    picture[pixel] = hair.map(|channel| (channel + 0.012) * gleam);
                    true
                }),
            }
        }
    }

    fn draw_glasses(&mut self, moment: &Moment, light: &Light) {
        let Some(glasses) = &self.glasses else { return };
        let canvas = &mut self.canvas;
        let head_from_camera = moment.camera_from_head.transpose();
        for rim in glasses.rims() {
            let outline: Vec<[f64; 3]> = rim.iter().map(|point| canvas.project_head(moment, point)).collect();
            let (columns, rows) = canvas.pixel_box(&outline, 1.0);
            for row in rows {
                for column in columns.clone() {
                    let direction = head_from_camera * canvas.ray(column as f64, row as f64);
                    let pixel = &mut canvas.light[row * canvas.width + column];
                    if let Some(seen) = glasses.through_lens(&moment.viewer, &direction, *pixel, light) {
                        *pixel = seen;
                    }
                }
            }
        }
        let colour = glasses.frame_colour(light);
        for stroke in glasses.strokes() {
            let points: Vec<[f64; 3]> = stroke
                .points
                .iter()
                .map(|point| canvas.project_head(moment, point))
                .collect();
            canvas.draw_line(&points, stroke.thickness_mm, stroke.closed, colour);
        }
    }

    fn draw_eye(&mut self, index: usize, instants: &[Moment; INSTANTS], light: &Light) {
        let canvas = &mut self.canvas;
        let middle = &instants[INSTANTS / 2];
        let still = is_still(instants, index);
        let margins = instants.each_ref().map(|instant| {
            let shown = if still { middle } else { instant };
            Margins::new(&shown.lids[index])
        });
        let region = &self.eyes[index];
        let view = View {
            viewer: &middle.viewer,
            map: &self.map,
            light,
        };
        let centre = middle.eyes[index].centre;
        let side = SIDES[index];
        // Pixels around the region's ellipse, as it lies in the plane of the corneas.
        let outline: [[f64; 3]; 24] = std::array::from_fn(|step| {
            let (sin, cos) = (step as f64 * std::f64::consts::TAU / 24.0).sin_cos();
            let at = Vec3::new(
                side * (CENTRE_MM + 1.05 * REACH_MM[0] * cos),
                1.05 * REACH_MM[1] * sin,
                -8.0,
            );
            canvas.project_head(middle, &(centre + at))
        });
        let depth_mm = canvas.project_head(middle, &centre)[2];
        if depth_mm < 60.0 {
            return;
        }
        let (columns, rows) = canvas.pixel_box(&outline, 0.0);
        let samples = samples_per_side(canvas.px_per_mm(depth_mm));
        let head_from_camera = middle.camera_from_head.transpose();
        // What is nearer than this in front of the eye (the nose, seen from the side) hides it.
        let hiding = (1.0 / (depth_mm - 24.0)) as f32;
        for row in rows {
            for column in columns.clone() {
                let pixel = row * canvas.width + column;
                if canvas.depth.at(pixel) > hiding {
                    continue;
                }
                let direction = head_from_camera * canvas.ray(column as f64, row as f64);
                let spot = region.locate(view.viewer, &direction, &middle.eyes[index], None);
                let plain = spot
                    .as_ref()
                    .is_none_or(|spot| region.is_plain(spot, &margins[INSTANTS / 2]));
                if plain {
                    if let Some(spot) = spot {
                        let own = region.colour(&view, &spot, &direction, &middle.eyes[index], &margins[INSTANTS / 2]);
                        canvas.light[pixel] = mix(canvas.light[pixel], own, spot.weight);
                    }
                    continue;
                }
                let offset = |k: usize| (k as f64 + 0.5) / samples as f64 - 0.5;
                let (mut sum, mut cover) = ([0.0_f32; 3], 0.0_f32);
                for sample in 0..samples * samples {
                    let (i, j) = (sample % samples, sample / samples);
                    let direction = head_from_camera * canvas.ray(column as f64 + offset(i), row as f64 + offset(j));
                    // Neighbouring samples see different instants of the exposure.
                    let instant = if still {
                        INSTANTS / 2
                    } else {
                        (5 * sample + 3 * row + column) % INSTANTS
                    };
                    let eye = &instants[instant].eyes[index];
                    if let Some(spot) = region.locate(view.viewer, &direction, eye, spot.as_ref()) {
                        let colour = region.colour(&view, &spot, &direction, eye, &margins[instant]);
                        for channel in 0..3 {
                            sum[channel] += spot.weight * colour[channel];
                        }
                        cover += spot.weight;
                    }
                }
                if cover > 0.0 {
                    let own = sum.map(|channel| channel / cover);
                    let part = cover / (samples * samples) as f32;
                    canvas.light[pixel] = mix(canvas.light[pixel], own, part);
                }
            }
        }
    }
}

/// Samples along each side of a pixel around the eyes. At one pixel a mm a degree of gaze moves the pupil by a fifth of a
/// pixel, and a lid's margin is thinner than that.
fn samples_per_side(px_per_mm: f64) -> usize {
    if px_per_mm < 1.2 {
        4
    } else if px_per_mm < 2.4 {
        3
    } else {
        2
    }
}

/// True where nothing about the eye moves by more than a hundredth of a pixel during the exposure.
fn is_still(instants: &[Moment; INSTANTS], index: usize) -> bool {
    let first = &instants[0];
    instants.iter().all(|instant| {
        let turned = (instant.eyes[index].axis() - first.eyes[index].axis()).norm();
        let closing = (instant.lids[index].closure() - first.lids[index].closure()).abs();
        turned < 1e-3 && closing < 2e-3
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::geometry::ScreenPoint;

    /// Centre of what is dark around `truth`; edges count in part.
    fn dark_centroid(canvas: &Canvas, truth: crate::geometry::PointPx, reach_px: f32) -> [f32; 2] {
        let (mut sum, mut moments) = (0.0, [0.0; 2]);
        for row in 0..canvas.height {
            for column in 0..canvas.width {
                let (x, y) = (column as f32, row as f32);
                if (x - truth.x).hypot(y - truth.y) < reach_px {
                    // The screen's reflection lies on the pupil and is still darker than the iris.
                    let weight = ((0.06 - canvas.light[row * canvas.width + column][1]) / 0.03).clamp(0.0, 1.0);
                    sum += weight;
                    moments[0] += weight * x;
                    moments[1] += weight * y;
                }
            }
        }
        moments.map(|moment| moment / sum)
    }

    #[test]
    fn pupils_are_drawn_where_the_truth_says() {
        let text = "seed=6,width=1280,height=960,distance_mm=450,eye_opening_mm=14,blink_rate=0,eye_colour=gray,\
                    pupil_mm=4,glasses=no,light=1,light_azimuth_deg=70,light_elevation_deg=80,skin=2";
        let user = SyntheticUser::new(text.parse().expect("known keys"), Timestamp::from_nanos(0));
        let mut renderer = Renderer::new(&user);
        for eye in &mut renderer.eyes {
            eye.make_iris_pale();
        }
        for (index, (x, y)) in [(0.5, 0.3), (0.05, 0.2), (0.95, 0.2), (0.2, 0.8), (0.8, 0.7)]
            .into_iter()
            .enumerate()
        {
            let start_s = 10.0 * index as f64;
            user.look_at(
                ScreenPoint::new(x, y),
                Timestamp::from_nanos(0).offset_by_seconds(start_s),
            );
            let time_s = start_s + 2.0;
            let truth = user.truth_at_seconds(time_s);
            let canvas = renderer.render(&[user.moment(time_s); INSTANTS]);
            for (eye, pupil) in truth.pupils.into_iter().enumerate() {
                let [seen_x, seen_y] = dark_centroid(canvas, pupil, 7.0);
                let off = (seen_x - pupil.x).hypot(seen_y - pupil.y);
                // In pixels of this picture, which has 2.7 times as many a mm as 640x480 at 60 cm.
                assert!(
                    off < 0.2,
                    "eye {eye} at ({x}, {y}): drawn at ({seen_x}, {seen_y}), truth {pupil:?}"
                );
            }
        }
    }
}
