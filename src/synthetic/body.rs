//! Meshes of the face, hair, ears, neck and trunk.

use std::f64::consts::PI;

use super::eyeball::Vec3;
use super::head_shape::{BOTTOM_MM, HeadShape, TOP_MM};
use super::person::{Colour, HairStyle, Person};
use super::random::{Draws, Purpose};
use super::skin::{FaceMap, PlaneNoise, WIDEST_RAD};

/// How a mesh is shaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// Carries map coordinates of the [`FaceMap`].
    Face,
    /// Carries the shade, theta and y for the strands, and the thickness.
    Hair,
    /// Carries its lit colour.
    Plain,
}

pub(crate) struct Vertex {
    pub(crate) at: Vec3,
    pub(crate) normal: Vec3,
    pub(crate) albedo: Colour,
    /// Of hair: its thickness, mm; of skin and cloth: 1 free, 0 in a deep hollow.
    pub(crate) openness: f32,
    pub(crate) map: [f32; 2],
    /// 0 turns with the head, 1 stays upright with the trunk.
    pub(crate) trunk: f64,
}

pub(crate) struct Mesh {
    pub(crate) material: Material,
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) triangles: Vec<[u32; 3]>,
}

/// A mesh over a grid of `columns` x `rows` vertices, seen from outside when columns run to the person's left and rows down.
fn grid(material: Material, columns: usize, rows: usize, mut vertex: impl FnMut(f64, f64) -> Vertex) -> Mesh {
    let mut vertices = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            vertices.push(vertex(
                column as f64 / (columns - 1) as f64,
                row as f64 / (rows - 1) as f64,
            ));
        }
    }
    let mut triangles = Vec::with_capacity(2 * columns * rows);
    for row in 0..rows - 1 {
        for column in 0..columns - 1 {
            let a = (row * columns + column) as u32;
            let (b, c) = (a + 1, a + columns as u32);
            triangles.push([a, b, c]);
            triangles.push([b, c + 1, c]);
        }
    }
    for row in 0..rows {
        for column in 0..columns {
            let at = |row: usize, column: usize| vertices[row * columns + column].at;
            let across = at(row, (column + 1).min(columns - 1)) - at(row, column.saturating_sub(1));
            let down = at((row + 1).min(rows - 1), column) - at(row.saturating_sub(1), column);
            vertices[row * columns + column].normal = down.cross(&across).try_normalize(1e-9).unwrap_or(-Vec3::z());
        }
    }
    Mesh {
        material,
        vertices,
        triangles,
    }
}

fn plain(at: Vec3, albedo: Colour, openness: f32, trunk: f64) -> Vertex {
    Vertex {
        at,
        normal: Vec3::zeros(),
        albedo,
        openness,
        map: [0.0; 2],
        trunk,
    }
}

/// All meshes of one person, in the head frame.
pub(crate) fn meshes(person: &Person, shape: &HeadShape, map: &FaceMap, seed: u64) -> Vec<Mesh> {
    let mut meshes = vec![
        face(person, shape, map),
        hair(person, shape),
        neck(person),
        trunk(person, seed),
    ];
    for side in [1.0, -1.0] {
        meshes.push(ear(person, side));
    }
    meshes
}

fn face(person: &Person, shape: &HeadShape, map: &FaceMap) -> Mesh {
    let (top, bottom) = (TOP_MM * person.face_length, BOTTOM_MM * person.face_length);
    grid(Material::Face, 61, 73, |column, row| {
        // Vertices stand closer where the nose and the eyes are.
        let across = 2.0 * column - 1.0;
        let theta = WIDEST_RAD * (0.45 * across + 0.55 * across.powi(3));
        let y = top + (bottom - top) * row;
        let mut vertex = plain(shape.point(theta, y), person.skin, 1.0, 0.0);
        vertex.map = map.locate(theta, y);
        vertex
    })
}

fn hair(person: &Person, shape: &HeadShape) -> Mesh {
    let top = TOP_MM * person.face_length;
    let mut mesh = grid(Material::Hair, 73, 49, |column, row| {
        let theta = PI * (2.0 * column - 1.0);
        let y = top + (162.0 - top) * row.powf(1.2);
        let mut vertex = plain(shape.hair_point(theta, y), person.hair, 0.0, 0.0);
        vertex.map = [theta as f32, y as f32];
        vertex.openness = shape.hair_mm(theta, y) as f32;
        vertex
    });
    if person.hair_style == HairStyle::Long {
        // Behind the neck it is seen from its inside.
        let inside: Vec<[u32; 3]> = mesh.triangles.iter().map(|[a, b, c]| [*a, *c, *b]).collect();
        mesh.triangles.extend(inside);
    }
    // Where no hair is, nothing needs drawing.
    let vertices = &mesh.vertices;
    mesh.triangles
        .retain(|corners| corners.iter().any(|corner| vertices[*corner as usize].openness > -2.0));
    mesh
}

fn neck(person: &Person) -> Mesh {
    grid(Material::Plain, 33, 13, |column, row| {
        let theta = 1.8 * (2.0 * column - 1.0);
        let y = 70.0 + 120.0 * row;
        let radius = 54.0 - 5.0 * (PI * row).sin() + 26.0 * (row - 0.75).max(0.0);
        let at = Vec3::new(
            radius * theta.sin(),
            y,
            82.0 - 0.95 * radius * theta.cos() + 12.0 * (1.0 - row),
        );
        let throat = 0.06 * (-0.5 * (theta / 0.25).powi(2)).exp() as f32;
        let colour = person.skin.map(|channel| channel * (0.9 + throat));
        plain(at, colour, (0.32 + 0.6 * row) as f32, 0.85 * row)
    })
}

fn trunk(person: &Person, seed: u64) -> Mesh {
    let draws = &mut Draws::new(seed, Purpose::Clothes, 0);
    let noise = PlaneNoise::new(draws);
    let (stripe, collar) = (draws.chance(0.25), draws.between(0.55, 1.1) as f32);
    let shoulders = draws.between(190.0, 235.0);
    grid(Material::Plain, 57, 33, |column, row| {
        let theta = 1.9 * (2.0 * column - 1.0);
        let y = 150.0 + 330.0 * row.powf(1.25);
        let out = (row / 0.42).min(1.0);
        let width = 49.0 + (shoulders - 49.0) * (1.0 - (1.0 - out).powf(2.0));
        let depth = 46.0 + 74.0 * out.powf(0.8);
        let at = Vec3::new(width * theta.sin(), y, 95.0 - depth * theta.cos());
        let fold = 0.16 * noise.at((at.x / 38.0) as f32, (at.y / 55.0) as f32)
            + 0.08 * noise.at((at.x / 15.0) as f32, (at.y / 30.0) as f32);
        let mut shade = 1.0 + fold;
        if row < 0.1 {
            shade *= collar;
        }
        if stripe && (y / 24.0).sin() > 0.5 {
            shade *= 0.5;
        }
        plain(
            at,
            person.shirt.map(|channel| channel * shade),
            (0.55 + 0.5 * out) as f32,
            1.0,
        )
    })
}

/// The shell of the ear: a flattened ellipsoid that stands off the head at its back, its hollow painted dark.
fn ear(person: &Person, side: f64) -> Mesh {
    let centre = Vec3::new(side * 72.0 * person.face_width, 12.0 * person.face_length, 88.0);
    let (sin, cos) = (side * 0.55_f64).sin_cos();
    grid(Material::Plain, 21, 17, |column, row| {
        let (across, down) = (PI * (1.3 * column - 0.65), PI * (row - 0.5));
        let round = Vec3::new(across.sin() * down.cos(), down.sin(), -across.cos() * down.cos());
        // In the ear's own frame: thickness, height, depth; then turned outwards about the vertical.
        let lobe = 1.0 - 0.25 * round.y.max(0.0);
        let own = Vec3::new(5.5 * round.x, 31.0 * round.y, 17.0 * lobe * round.z);
        let at = centre
            + Vec3::new(
                cos * own.x - sin * own.z * 0.9 + side * 4.0,
                own.y,
                sin * own.x + cos * own.z,
            );
        let hollow = (-((round.z + 0.35).powi(2) + (round.y + 0.05).powi(2)) * 5.0).exp() as f32;
        let red = [person.skin[0] * 0.95, person.skin[1] * 0.76, person.skin[2] * 0.74];
        plain(at, red.map(|channel| channel * (1.0 - 0.55 * hollow)), 0.8, 0.0)
    })
}
