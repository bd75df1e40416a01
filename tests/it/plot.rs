//! `gazectl plot`: every kind of input becomes a picture that shows it.

use std::fmt::Write as _;
use std::fs;

use crate::cli::{assert_fails, run, without_bus};
use crate::desk::Desk;

/// A second of gaze, its jump in the middle, as samples with the truth beside them.
fn samples() -> String {
    let mut text = String::from("t_s,x_deg,y_deg,confidence,truth_x_deg,truth_y_deg\n");
    for n in 0..120_i32 {
        let (truth, noise) = (if n < 60 { -5.0 } else { 5.0 }, f64::from(n % 3 - 1) * 0.2);
        let _ = writeln!(
            text,
            "{:.4},{:.3},{:.3},1,{truth},2",
            f64::from(n) / 60.0,
            truth + noise,
            2.0 - noise
        );
    }
    text
}

/// How many pixels of a picture have a colour.
fn count(picture: &image::RgbImage, colour: [u8; 3]) -> usize {
    picture.pixels().filter(|pixel| pixel.0 == colour).count()
}

const TRUTH: [u8; 3] = [70, 130, 200];
const GAZE: [u8; 3] = [200, 70, 40];
const FORECAST: [u8; 3] = [120, 60, 170];

#[test]
fn samples_and_forecasts_become_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    fs::write(path("samples.csv"), samples()).expect("writes");
    let plot = |input: &str, picture: &str, options: &[&str]| {
        let said = run(without_bus(&["plot", &path(input), &path(picture)]).args(options));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(
            said.stdout.starts_with("120 samples in 2.0 s, 120 of them with gaze"),
            "{}",
            said.stdout
        );
        said.stdout
    };
    let said = plot("samples.csv", "samples.png", &[]);
    assert!(said.contains("50 ms ahead off by"), "{said}");
    let picture = image::open(path("samples.png")).expect("a picture").to_rgb8();
    for (name, colour) in [("truth", TRUTH), ("gaze", GAZE), ("forecast", FORECAST)] {
        assert!(count(&picture, colour) > 500, "{name}: {}", count(&picture, colour));
    }
    // Two dwells of the same length, left and right of the middle: both sides of the map are warm.
    let (left, right): (Vec<_>, Vec<_>) = picture
        .enumerate_pixels()
        .filter(|(_, y, pixel)| *y > 640 && pixel.0[0] > 240 && pixel.0[2] < 140)
        .map(|(x, ..)| x)
        .partition(|x| *x < 515);
    assert!(left.len() > 200 && right.len() > 200, "{} {}", left.len(), right.len());

    let forecast = run(&mut without_bus(&[
        "forecast",
        "--horizon-ms",
        "80",
        &path("samples.csv"),
    ]));
    fs::write(path("forecast.csv"), forecast.stdout).expect("writes");
    plot("forecast.csv", "forecast.svg", &["--horizon-ms", "80"]);
    for (options, complaint) in [
        (&[][..], "give the --horizon-ms"),
        (&["--horizon-ms", "80", "--method", "hold"], "--method does not apply"),
        (
            &["--horizon-ms", "80", "--profile", "desk"],
            "--profile goes with a recording",
        ),
    ] {
        let (input, picture) = (path("forecast.csv"), path("never.svg"));
        assert_fails(&[&["plot", &*input, &*picture], options].concat(), &[complaint]);
    }
    let drawing = fs::read_to_string(path("forecast.svg")).expect("a drawing");
    assert!(drawing.contains("<svg") && drawing.contains("heat map and scan path"));
    assert!(drawing.contains("80 ms"), "the horizon that was told");
    assert!(
        !drawing.contains("where it really looked"),
        "a forecast's file knows no truth"
    );
}

#[test]
fn what_was_watched_and_what_was_recorded_become_pictures() {
    let desk = Desk::new();
    let path = |name: &str| desk.path(name).to_str().expect("text").to_owned();
    {
        let _gazed = desk.start_gazed("synthetic:seed=3,fps=15");
        let watched = run(&mut desk.gazectl(&["watch", "--json", "--seconds", "4"]));
        fs::write(path("watched.jsonl"), watched.stdout).expect("writes");
    }
    let said = run(&mut desk.gazectl(&["plot", &path("watched.jsonl"), &path("watched.png")]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let picture = image::open(path("watched.png")).expect("a picture").to_rgb8();
    assert!(count(&picture, TRUTH) > 300 && count(&picture, GAZE) > 300);

    let source = "synthetic:seed=3,width=320,height=240";
    let said = run(&mut desk.gazectl(&["synthesize", &path("made"), "--seconds", "3", "--source", source]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    // One gaze among the others is no number.
    let truth = fs::read_to_string(path("made/truth.csv")).expect("the truth");
    let spoilt = truth.lines().map(|line| match line.split(',').collect::<Vec<_>>()[..] {
        [file @ "frames/000040.jpg", _, ref rest @ ..] => format!("{file},NaN,{}\n", rest.join(",")),
        _ => format!("{line}\n"),
    });
    fs::write(path("made/truth.csv"), spoilt.collect::<String>()).expect("writes");
    let said = run(&mut desk.gazectl(&[
        "plot",
        &path("made"),
        &path("made.png"),
        "--from",
        "1",
        "--seconds",
        "1",
    ]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stdout.contains("samples in 1.0 s") && !said.stdout.contains("NaN"),
        "{}",
        said.stdout
    );
    let picture = image::open(path("made.png")).expect("a picture").to_rgb8();
    assert!(count(&picture, TRUTH) > 300 && count(&picture, GAZE) > 300);
    let late = run(&mut desk.gazectl(&["plot", &path("made"), &path("late.png"), "--from", "9"]));
    assert_eq!(late.code, Some(1));
    assert!(late.stderr.contains("is shorter"), "{}", late.stderr);
    let empty = desk.empty_recording(1);
    let said = run(&mut desk.gazectl(&["plot", empty.trim_start_matches("recording:"), &path("empty.png")]));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("in none of the 30 frames"), "{}", said.stderr);
    assert!(!desk.path("empty.png").exists() && !desk.path("late.png").exists());
}
