//! The example renderer on an X server without a screen: sharp where the user looks, coarse far away.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use image::{Rgb, RgbImage};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};

use crate::desk::{Desk, Running, eventually};
use crate::outputs::x_server;

const SIZE: (u16, u16) = (1280, 720);
/// The blocks of the coarsest part.
const BLOCK: u32 = 4;

/// Cargo builds the examples together with the tests, beside the programs.
fn example() -> Option<PathBuf> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_gazed"));
    let example = program.parent()?.join("examples/foveated");
    if !example.exists() {
        eprintln!("skipped: the example is not built (cargo build --example foveated)");
    }
    example.exists().then_some(example)
}

fn screenshot(display: &str) -> RgbImage {
    let (x, screen) = x11rb::connect(Some(display)).expect("the server answers");
    let root = x.setup().roots[screen].root;
    let (width, height) = SIZE;
    let picture = x.get_image(ImageFormat::Z_PIXMAP, root, 0, 0, width, height, !0);
    let data = picture.expect("sent").reply().expect("a picture").data;
    let mut pixels = data.chunks_exact(4).map(|bgrx| Rgb([bgrx[2], bgrx[1], bgrx[0]]));
    RgbImage::from_fn(width.into(), height.into(), |_, _| {
        pixels.next().expect("four bytes a pixel")
    })
}

/// The share of blocks within `radius` of a place whose pixels are not all alike.
fn detail(picture: &RgbImage, (at_x, at_y): (f64, f64), radius: f64) -> f64 {
    let (width, height) = picture.dimensions();
    let (at_x, at_y) = (at_x * f64::from(width), at_y * f64::from(height));
    let (mut blocks, mut varied) = (0, 0);
    for top in (0..height - BLOCK).step_by(BLOCK as usize) {
        for left in (0..width - BLOCK).step_by(BLOCK as usize) {
            if (f64::from(left) - at_x).hypot(f64::from(top) - at_y) < radius {
                let first = picture.get_pixel(left, top);
                let alike = (0..BLOCK * BLOCK).all(|n| picture.get_pixel(left + n % BLOCK, top + n / BLOCK) == first);
                blocks += 1;
                varied += u32::from(!alike);
            }
        }
    }
    f64::from(varied) / f64::from(blocks.max(1))
}

#[test]
fn the_example_is_sharp_at_the_gaze_and_coarse_far_away() {
    let Some(example) = example() else { return };
    let Some((_server, display)) = x_server(&format!("{}x{}", SIZE.0, SIZE.1)) else {
        return;
    };
    let desk = Desk::new();
    let _gazed = desk.start_gazed("synthetic:seed=5,fps=20,head_sway_mm=0,blink_rate=0");
    let calibrated = desk
        .gazectl(&["calibrate", "--points", "9", "--terminal", "--yes"])
        .output()
        .expect("gazectl starts");
    assert!(
        calibrated.status.success(),
        "{}",
        String::from_utf8_lossy(&calibrated.stderr)
    );
    let client = desk.client();
    let looks_at = (0.2, 0.3);
    let truth = client.truth().expect("a proxy");
    truth.look_at(looks_at.0, looks_at.1).expect("answers");

    let mut command = desk.command(example.to_str().expect("text"));
    command
        .args(["--report", "--window"])
        .env("DISPLAY", &display)
        .stdout(Stdio::piped());
    let mut foveated = Running(command.spawn().expect("the example starts"));
    let mut lines = BufReader::new(foveated.0.stdout.take().expect("piped")).lines();
    let mut saved_percent = || {
        let line = lines.next().expect("a line a frame").expect("text");
        // Read on, so that the example never waits for this test.
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(line.contains("% of the pixels saved"), "{line}");
        let known = !line.ends_with("no gaze yet");
        (words[2].parse::<f64>().expect("a number"), known)
    };
    // Everything is sharp until the gaze is known.
    let (first, known) = saved_percent();
    assert!(known || first == 0.0, "{first}");
    // Both in one picture: near the gaze nearly every block has detail, far from it none has.
    let (near, far) = (looks_at, (0.95, 0.92));
    let mut seen = Vec::new();
    eventually("sharp at the gaze and coarse far away", || {
        let (saved, known) = saved_percent();
        let picture = screenshot(&display);
        let shares = [detail(&picture, near, 40.0), detail(&picture, far, 60.0)];
        seen = vec![saved, shares[0], shares[1]];
        let holds = known && shares[0] > 0.95 && shares[1] == 0.0;
        if holds && let Some(path) = std::env::var_os("GAZED_SCREENSHOT") {
            picture.save(path).expect("writes");
        }
        holds
    });
    assert!(seen[0] > 20.0, "pixels are saved: {seen:?}");
    truth.look_at(far.0, far.1).expect("answers");
    eventually("the sharp part follows the gaze", || {
        saved_percent();
        detail(&screenshot(&display), far, 40.0) > 0.95
    });
}
