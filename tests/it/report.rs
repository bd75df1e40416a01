//! `gazectl report`: one page of a recording, a calibration or a session.

use std::fs;

use crate::cli::{Said, assert_fails, run, without_bus};
use crate::desk::Desk;

fn report(desk: &Desk, page: &str, arguments: &[&str]) -> Said {
    let page = desk.path(page).display().to_string();
    run(&mut desk.gazectl(&[&["report", &page], arguments].concat()))
}

/// The page stands alone: nothing is loaded from elsewhere.
fn page(desk: &Desk, name: &str) -> String {
    let text = fs::read_to_string(desk.path(name)).expect("a page");
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    for outside in ["http:", "https:", "src=", "href=", "<script"] {
        assert!(!text.contains(outside), "{outside}");
    }
    text
}

#[test]
fn a_recording_a_calibration_and_a_session_each_make_a_page() {
    let desk = Desk::new();
    let made = desk.path("made").display().to_string();
    let source = "synthetic:seed=5,width=320,height=240";
    let said = run(&mut desk.gazectl(&["synthesize", &made, "--seconds", "20", "--source", source]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let held_out = report(&desk, "recording.html", &[&made]);
    let said = &held_out;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stdout.starts_with("accuracy ") && said.stdout.contains("RMS-S2S"),
        "{}",
        said.stdout
    );
    let recording = page(&desk, "recording.html");
    for word in [
        "data loss",
        "of 600 frames",
        "latency",
        "p99",
        "precision, SD",
        "marker-end",
    ] {
        assert!(recording.contains(word), "no {word}");
    }

    let said = run(&mut desk.gazectl(&["calibrate", "--recording", &made, "--yes", "--profile", "rec"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(report(&desk, "profile.html", &["--profile", "rec"]).code, Some(0));
    assert!(page(&desk, "profile.html").contains("made from the other points"));
    // With the frames it was made from a calibration looks better than without them.
    let accuracy = |said: &Said| -> f64 {
        let number = said.stdout.split_whitespace().nth(1).expect("a number");
        number.parse().expect("a number")
    };
    let own = report(&desk, "own.html", &[&made, "--profile", "rec"]);
    assert!(accuracy(&own) < accuracy(&held_out), "{}", own.stdout);

    {
        let _gazed = desk.start_gazed("synthetic:seed=3,fps=15");
        let watched = run(&mut desk.gazectl(&["watch", "--json", "--seconds", "5"]));
        fs::write(desk.path("watched.jsonl"), watched.stdout).expect("writes");
    }
    let watched = desk.path("watched.jsonl").display().to_string();
    let said = report(&desk, "session.html", &[&watched]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(page(&desk, "session.html").contains("from the middle of the exposure to the client"));
}

#[test]
fn what_cannot_be_reported_on_is_refused_with_what_to_do() {
    let desk = Desk::new();
    let page = desk.path("page.html").display().to_string();
    let empty = desk.empty_recording(1);
    let empty = empty.trim_start_matches("recording:");
    assert_eq!(
        run(&mut without_bus(&["report", &page])).code,
        Some(2),
        "nothing is named"
    );
    assert_fails(&["report", &page, "/nonexistent"], &["cannot be read"]);
    assert_fails(&["report", &page, empty], &["has a target", "target_x_px"]);
    let text = desk.path("text");
    fs::write(&text, "hello\n").expect("writes");
    let text = text.display().to_string();
    assert_fails(&["report", &page, &text], &["line 1", "gazectl watch --json"]);
    assert_fails(
        &["report", &page, &text, "--profile", "x"],
        &["--profile goes with a recording"],
    );
    let said = report(&desk, "page.html", &["--profile", "nobody"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("there is no profile 'nobody'"), "{}", said.stderr);
    assert!(!desk.path("page.html").exists());
}
