//! Whole sessions of synthetic people, frame by frame and no faster than they can be rendered: each calibrates on nine points,
//! looks around, and is scored against the truth.
//!
//! `cargo run --release --example sessions -- --help` says what can be measured; the frames take the daemon's one way, so
//! what is printed is what a client would get.

mod score;
mod world;

use std::error::Error;

use clap::Parser;
use gazed::calibration::drift::{BEFORE_CLICK, Click, Drift};
use gazed::calibration::gathering::{Gathering, gather};
use gazed::calibration::{Features, Mapping};
use gazed::geometry::ScreenPoint;
use gazed::synthetic::{HeadMove, Parameters};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use score::{Score, median};
use world::World;

#[derive(Debug, Parser)]
#[command(about = "Measures whole sessions of synthetic people")]
struct Args {
    /// The people: a seed each
    #[arg(long, value_delimiter = ',', default_value = "801,802,803,804,805,806,807,808")]
    seeds: Vec<u64>,
    /// More parameters of the synthetic user, as in `synthetic:...`
    #[arg(long, default_value = "", value_name = "KEY=VALUE,...")]
    with: String,
    /// How long each person looks around
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Afterwards, move the head 10 cm aside, turn it 15 degrees, and look around for as long again
    #[arg(long, conflicts_with = "slide_mm")]
    moved: bool,
    /// Do not move the head at the end of the calibration
    #[arg(long)]
    still: bool,
    /// Slide down in the chair by so much while looking around, and click every 20 seconds
    #[arg(long, value_name = "MM")]
    slide_mm: Option<f64>,
}

/// Where the user looks while calibrating, as `gazectl calibrate` asks.
const POINTS: [(f64, f64); 9] = [
    (0.5, 0.5),
    (0.1, 0.1),
    (0.9, 0.9),
    (0.1, 0.9),
    (0.9, 0.1),
    (0.1, 0.5),
    (0.9, 0.5),
    (0.5, 0.1),
    (0.5, 0.9),
];
/// Time that the eyes need to reach a new point and to rest on it, and during which they are then believed.
const ARRIVAL_S: f64 = 0.7;
const REST_S: f64 = 1.0;
/// Then the head moves while the eyes stay on a point, as `gazectl calibrate` asks as well: degrees to the left and up, mm to
/// the left and down.
const POSTURES: [((f64, f64), [f64; 4]); 10] = [
    ((0.42, 0.47), [18.0, 0.0, 0.0, 0.0]),
    ((0.58, 0.47), [-18.0, 0.0, 0.0, 0.0]),
    ((0.46, 0.56), [0.0, 11.0, 0.0, 0.0]),
    ((0.54, 0.56), [0.0, -11.0, 0.0, 0.0]),
    ((0.46, 0.38), [0.0, 0.0, 0.0, 45.0]),
    ((0.34, 0.42), [12.0, 0.0, 80.0, 0.0]),
    ((0.66, 0.42), [-12.0, 0.0, -80.0, 0.0]),
    ((0.56, 0.63), [0.0, 0.0, 0.0, 45.0]),
    ((0.55, 0.39), [12.0, 0.0, 80.0, 0.0]),
    ((0.45, 0.62), [-12.0, 0.0, -80.0, 0.0]),
];
/// Time that the eyes need to reach the point and the head to have moved.
const MOVE_S: f64 = 1.2;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (mut all, mut moved) = (Score::default(), Score::default());
    let (mut medians, mut grown, mut claimed) = (Vec::new(), Vec::new(), Vec::new());
    for seed in &args.seeds {
        let mut parameters: Parameters = format!("seed={seed},{}", args.with).trim_end_matches(',').parse()?;
        parameters.slide_mm_per_minute = 0.0;
        let mut world = World::new(parameters.clone(), 0.0)?;
        let (mapping, held_out_deg) = match calibrate(&mut world, args.still)? {
            Ok(fitted) => fitted,
            Err(reason) => {
                println!("{seed}: not calibrated: {reason}");
                continue;
            }
        };
        let begun_s = world.now_s();
        if let Some(slide_mm) = args.slide_mm {
            parameters.slide_mm_per_minute = slide_mm * 60.0 / args.seconds;
            slide(&parameters, begun_s, args.seconds, &mapping, *seed)?;
            continue;
        }
        world.set_mapping(mapping.clone());
        world.release();
        let score = look_around(&mut world, args.seconds)?;
        let (median_deg, p95_deg) = score.error_deg();
        print!(
            "{seed}: median {median_deg:.2} 95 % {p95_deg:.2} deg, held out {held_out_deg:.2}, mean in fixations {:.2}",
            score.of_fixations_deg()
        );
        medians.push(median_deg);
        claimed.push(held_out_deg / score.of_fixations_deg());
        all.join(score);
        if args.moved {
            let side = if seed % 2 == 0 { 1.0 } else { -1.0 };
            let from = (parameters.head_x_mm, parameters.head_yaw_deg);
            parameters.head_x_mm += 100.0 * side;
            // One half of the people turns back towards the screen, the other away from it.
            parameters.head_yaw_deg += if seed % 4 < 2 { 15.0 } else { -15.0 } * side;
            let mut world = World::new(parameters.clone(), begun_s)?;
            world.set_mapping(mapping);
            let score = look_around(&mut world, args.seconds)?;
            let (after_deg, p95_deg) = score.error_deg();
            print!(
                "; moved from {:.0} mm, {:.0} deg to {:.0}, {:.0}: {after_deg:.2} {p95_deg:.2}",
                from.0, from.1, parameters.head_x_mm, parameters.head_yaw_deg
            );
            grown.push(after_deg - median_deg);
            moved.join(score);
        }
        println!();
    }
    if medians.is_empty() {
        return Ok(());
    }
    println!("all: {all}");
    println!(
        "  median over people {:.2} deg; held-out error / mean error in fixations {:.2} (median over people)",
        median(&mut medians),
        median(&mut claimed)
    );
    if args.moved {
        println!("moved: {moved}");
        println!("  grown by {:.2} deg (median over people)", median(&mut grown));
    }
    Ok(())
}

/// A map and its held-out error in degrees, or why there is none.
type Calibrated = Result<(Mapping, f64), String>;

fn calibrate(world: &mut World, still: bool) -> Result<Calibrated, Box<dyn Error>> {
    let mut gathering = Gathering::default();
    let postures: &[_] = if still { &[] } else { &POSTURES };
    let points = POINTS.iter().map(|point| (*point, [0.0; 4], ARRIVAL_S));
    let moved = postures.iter().map(|(point, pose)| (*point, *pose, MOVE_S));
    for ((x, y), [yaw_deg, pitch_deg, left_mm, down_mm], arrival_s) in points.chain(moved) {
        let point = ScreenPoint::new(x, y);
        world.look_at(point);
        world.move_head(HeadMove {
            yaw_rad: yaw_deg.to_radians(),
            pitch_rad: pitch_deg.to_radians(),
            left_mm,
            down_mm,
        });
        let shown_s = world.now_s();
        let mut frames = Vec::new();
        while world.now_s() < shown_s + arrival_s + REST_S {
            let look = world.step()?;
            if look.time_s >= shown_s + arrival_s {
                frames.push(look.features);
            }
        }
        // A tool would show the point again; a person who is scored has one chance.
        match gather(frames.iter(), &world.setup()) {
            Ok(frames) => gathering.add(point, frames)?,
            Err(reason) => eprintln!("point {x}, {y} is missing: {reason}"),
        }
    }
    world.move_head(HeadMove::default());
    Ok(match gathering.fit(&world.setup()) {
        Ok(fitted) => Ok((fitted.mapping.clone(), fitted.quality.error_deg)),
        Err(error) => Err(error.to_string()),
    })
}

fn look_around(world: &mut World, seconds: f64) -> Result<Score, Box<dyn Error>> {
    let mut score = Score::default();
    let end_s = world.now_s() + seconds;
    // The first second is that of filters and of the way to the first fixation.
    let begin_s = world.now_s() + 1.0;
    while world.now_s() < end_s {
        let look = world.step()?;
        if look.time_s >= begin_s {
            score.add(&look);
        }
    }
    Ok(score)
}

/// Seconds between two clicks.
const BETWEEN_CLICKS_S: f64 = 20.0;
/// Scatter of a click about what is looked at, SD of each axis; the eye arrives up to so long before it.
const CLICK_SD_PX: f64 = 30.0;
const LONGEST_WAIT_S: f64 = 0.3;

/// The same slide with and without clicks; one line for each tenth of it.
fn slide(
    parameters: &Parameters,
    begun_s: f64,
    seconds: f64,
    mapping: &Mapping,
    seed: u64,
) -> Result<(), Box<dyn Error>> {
    for clicks in [false, true] {
        let mut world = World::new(parameters.clone(), begun_s)?;
        world.set_mapping(mapping.clone());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drift = Drift::default();
        let mut tenths = vec![Score::default(); 10];
        let (mut next_s, mut click): (f64, Option<(ScreenPoint, Option<f64>)>) = (begun_s + BETWEEN_CLICKS_S, None);
        let mut recent: Vec<(f64, Features)> = Vec::new();
        while world.now_s() < begun_s + seconds {
            if click.is_none() && world.now_s() >= next_s {
                let point = ScreenPoint::new(rng.random_range(0.05..0.95), rng.random_range(0.05..0.95));
                world.look_at(point);
                click = Some((point, None));
                next_s += BETWEEN_CLICKS_S;
            }
            let look = world.step()?;
            let tenth = ((look.time_s - begun_s) / seconds * 10.0) as usize;
            tenths[tenth.min(9)].add(&look);
            if let Ok(features) = look.features {
                recent.push((look.time_s, features));
            }
            if let Some((point, due_s)) = click {
                let due_s = due_s.or_else(|| {
                    look.has_arrived(point)
                        .then(|| look.time_s + rng.random_range(0.0..LONGEST_WAIT_S))
                });
                click = Some((point, due_s));
                if due_s.is_some_and(|due_s| look.time_s >= due_s) {
                    if clicks {
                        let frames: Vec<Features> = recent
                            .iter()
                            .filter(|(time_s, _)| *time_s >= look.time_s - BEFORE_CLICK.as_secs_f64())
                            .map(|(_, features)| *features)
                            .collect();
                        let at = scattered(point, &mut rng);
                        if let Ok(click) = Click::new(world.mapping(), at, &frames, &world.setup())
                            && let Some(shift) = drift.add(click, &world.mapping().doubts())
                        {
                            world.set_drift(shift);
                        }
                    }
                    world.release();
                    click = None;
                    recent.clear();
                }
            }
        }
        let medians: Vec<String> = tenths
            .iter()
            .map(|score| format!("{:.2}", score.error_deg().0))
            .collect();
        let kind = if clicks { "with clicks" } else { "no clicks  " };
        println!("{seed}: {kind} median of each tenth {} deg", medians.join(" "));
    }
    Ok(())
}

/// A click beside a point, by Box and Muller's method.
fn scattered(point: ScreenPoint, rng: &mut ChaCha8Rng) -> ScreenPoint {
    let radius = CLICK_SD_PX * (-2.0 * rng.random_range(f64::EPSILON..1.0).ln()).sqrt();
    let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
    ScreenPoint::new(
        point.x + radius * angle.cos() / 1920.0,
        point.y + radius * angle.sin() / 1080.0,
    )
}
