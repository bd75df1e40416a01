//! Real recordings, where they are there: `$GAZED_DATA`, or `../shared/data` beside the checkout. They are no part of the
//! project; without them these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A data set of `$GAZED_DATA`, or `None` with a word about it.
fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GAZED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {} (set GAZED_DATA)", folder.display());
    None
}

fn gazectl(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gazectl"))
        .args(arguments)
        .output()
        .expect("gazectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The person in these pictures was never trained on.
#[test]
fn a_stranger_in_real_pictures_is_tracked_with_both_eyes_in_their_places() {
    let Some(folder) = data("webcam_one_person") else {
        return;
    };
    let printed = gazectl(&["track", &folder.to_string_lossy(), "--json"]);
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let tracked: Vec<&Value> = lines.iter().filter(|line| line["tracked"] == true).collect();
    assert!(
        tracked.len() as f64 >= 0.97 * lines.len() as f64,
        "{} of {}",
        tracked.len(),
        lines.len()
    );

    let feature_counts: Vec<usize> = tracked
        .iter()
        .map(|line| line["features"].as_array().expect("features").len())
        .collect();
    assert!(
        feature_counts
            .iter()
            .all(|count| *count == feature_counts[0] && *count > 0)
    );
    for line in tracked {
        let x = |value: &Value| value[0].as_f64().expect("a number");
        let landmarks = &line["landmarks_px"];
        // The picture's right is the person's left, and every pupil lies between the corners of its own eye.
        let across = [
            &landmarks["right_outer"],
            &line["right"]["pupil_px"],
            &landmarks["right_inner"],
            &landmarks["left_inner"],
            &line["left"]["pupil_px"],
            &landmarks["left_outer"],
        ]
        .map(x);
        assert!(across.is_sorted(), "{}: {across:?}", line["file"]);
    }
}

#[test]
fn calibrated_on_64_real_frames_of_a_block_the_others_are_predicted() {
    let Some(folder) = data("webcam_one_person") else {
        return;
    };
    let printed = gazectl(&[
        "evaluate",
        &folder.to_string_lossy(),
        "--calibration-frames",
        "64",
        "--by-block",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    let number = |key: &str| report[key].as_f64().expect("a number");
    assert!(number("tracked") >= 0.97 * number("frames"), "{report}");
    assert!(
        number("median_px") <= 0.3 * number("centre_baseline_median_px"),
        "{report}"
    );
}
