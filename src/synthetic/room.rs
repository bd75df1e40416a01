//! The room behind the user: a wall with a few blurred things on it, different for every seed.

use super::parameters::Parameters;
use super::person::{Colour, mix};
use super::random::{Draws, Purpose};
use super::skin::{PlaneNoise, smooth_step};

struct Thing {
    /// Left, top, right, bottom in parts of the picture's width; y from the picture's middle.
    edges: [f64; 4],
    colour: Colour,
    /// A second colour for stripes (books, blinds).
    stripes: Option<(Colour, f64)>,
    blur: f64,
    glow: f32,
}

/// The room's colours, linear RGB before exposure, row by row.
pub(crate) fn paint(parameters: &Parameters) -> Vec<Colour> {
    let (width, height) = (parameters.width_px as usize, parameters.height_px as usize);
    let draws = &mut Draws::new(parameters.seed, Purpose::Room, 0);
    let noise = PlaneNoise::new(draws);
    let base = draws.between(0.08, 0.42);
    let wall: Colour = std::array::from_fn(|_| (base * draws.between(0.82, 1.1)) as f32);
    let side = if parameters.light_azimuth_deg > 0.0 { 1.0 } else { -1.0 };
    let things: Vec<Thing> = (0..draws.between(3.0, 8.0) as usize).map(|_| thing(draws)).collect();
    let mut picture = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let x = column as f64 / width as f64 - 0.5;
            let y = (row as f64 - 0.5 * height as f64) / width as f64;
            let grain = |scale: f64, shift: f64| noise.at((x * scale + shift) as f32, (y * scale) as f32);
            let texture = 1.0 + 0.03 * grain(40.0, 0.0) + 0.05 * grain(5.0, 9.0);
            let mut colour = wall.map(|channel| channel * texture);
            for thing in &things {
                thing.over(&mut colour, x, y);
            }
            // Brighter towards the lamp or window, darker in the corners of the room.
            let fall = (0.75 + 0.5 * side * x - 0.25 * y) as f32;
            picture.push(colour.map(|channel| channel * fall));
        }
    }
    picture
}

fn thing(draws: &mut Draws) -> Thing {
    let (x, y) = (draws.between(-0.6, 0.6), draws.between(-0.45, 0.3));
    let (w, h) = (draws.between(0.05, 0.3), draws.between(0.06, 0.4));
    let brightness = draws.between(0.02, 0.5);
    let any = |draws: &mut Draws| -> Colour { std::array::from_fn(|_| (brightness * draws.between(0.4, 1.2)) as f32) };
    let colour = any(draws);
    let other = any(draws);
    Thing {
        edges: [x - w, y - h, x + w, y + h],
        colour,
        stripes: draws.chance(0.5).then(|| (other, draws.between(20.0, 90.0))),
        blur: draws.between(0.003, 0.02),
        glow: if draws.chance(0.12) { 2.5 } else { 1.0 },
    }
}

impl Thing {
    fn over(&self, colour: &mut Colour, x: f64, y: f64) {
        let [left, top, right, bottom] = self.edges;
        let inside = |low: f64, high: f64, at: f64| {
            smooth_step(low - self.blur, low + self.blur, at) * smooth_step(high + self.blur, high - self.blur, at)
        };
        let cover = inside(left, right, x) * inside(top, bottom, y);
        if cover <= 0.0 {
            return;
        }
        let own = match self.stripes {
            Some((other, count)) => mix(
                self.colour,
                other,
                (0.5 + 0.5 * (count * x + 3.0 * (count * 0.37 * x).sin()).sin()) as f32,
            ),
            None => self.colour,
        };
        *colour = mix(*colour, own.map(|channel| channel * self.glow), cover as f32);
    }
}
