//! Calibrations, profiles and drift over the bus, as other programs ask for them.

use std::collections::HashMap;

use gazed::clock::{Clock, MonotonicClock};
use rustix::process::Signal;

use crate::bus::{assert_ends_cleanly, camera_is_open, next, refusal, session};
use crate::desk::{Desk, eventually};

#[test]
fn recentering_needs_a_gaze_and_a_point_on_the_screen() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let control = client.control().expect("a proxy");
    assert_eq!(
        refusal(control.recenter(1.5, 0.5, 0)),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    assert_eq!(
        refusal(control.recenter(f64::NAN, 0.5, 0)),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    assert_eq!(
        refusal(control.recenter(0.5, 0.5, u64::MAX)),
        "org.gazed.Gaze1.Error.NotNow"
    );
}

#[test]
fn a_drifted_gaze_is_put_right_by_one_look_and_slowly_by_clicks() {
    let desk = Desk::new();
    let folder = desk.path("config/gazed");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), "[profile]\nlearn_from_clicks = true\n").expect("writes");
    let _gazed = desk.start_gazed("synthetic:fps=20,head_sway_mm=0,blink_rate=0");
    let client = desk.client();
    let (control, truth) = (client.control().expect("a proxy"), client.truth().expect("a proxy"));
    truth.look_at(0.5, 0.5).expect("answers");
    let mut session = session(&client);
    session.start().expect("starts");
    // Not calibrated, the geometric gaze is degrees off: a drift as good as any.
    let mut gaze = |frames: usize| {
        let begun = MonotonicClock.now().as_nanos();
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        while xs.len() < frames {
            let record = next(&mut session).record;
            if record.is_valid() && record.captured_ns > begun {
                xs.push(record.gaze_x);
                ys.push(record.gaze_y);
            }
        }
        // The first ones are filtered together with what was before.
        let middle = |mut values: Vec<f64>| {
            values.drain(..frames / 2);
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        [middle(xs), middle(ys)]
    };
    let away = |gaze: [f64; 2]| (gaze[0] - 0.5).hypot((gaze[1] - 0.5) * 9.0 / 16.0);
    let before = gaze(20);
    // Clicks where the user looks, once they agree, bring the gaze nearer, a little each.
    let clicked_at = [before[0] + 0.06, before[1]];
    let mut learnt = 0;
    eventually("twelve clicks are taken", || {
        let now = MonotonicClock.now().as_nanos();
        // On a busy machine too few pictures may have come before one.
        let taken = control.add_sample(clicked_at[0].clamp(0.0, 1.0), clicked_at[1].clamp(0.0, 1.0), now);
        learnt += u32::from(taken.is_ok());
        learnt == 12
    });
    let after = gaze(20);
    let moved = after[0] - before[0];
    assert!((0.01..0.08).contains(&moved), "clicks moved the gaze by {moved} widths");

    eventually("the gaze is recentred", || {
        let output = desk.gazectl(&["recenter"]).output().expect("gazectl starts");
        let said = String::from_utf8_lossy(&output.stderr);
        // A busy machine may have missed the pictures, and says so.
        assert!(output.status.success() || said.contains("pictures"), "{said}");
        output.status.success()
    });
    truth.look_at(0.5, 0.5).expect("answers");
    let after = gaze(20);
    assert!(away(after) < 0.04, "{after:?}, before {before:?}");
}

#[test]
fn clicks_teach_nothing_unless_the_user_wants_it() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let control = desk.client().control().expect("a proxy");
    let refused = control.add_sample(0.5, 0.5, 1);
    assert!(
        matches!(&refused, Err(error) if error.to_string().contains("learn_from_clicks")),
        "{refused:?}"
    );
    assert_eq!(refusal(refused), "org.gazed.Gaze1.Error.NotNow");
    assert_eq!(
        refusal(control.add_sample(0.5, f64::INFINITY, 1)),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
}

#[test]
fn profiles_are_refused_by_name() {
    let desk = Desk::new();
    let profiles = desk.path("data/gazed/profiles");
    std::fs::create_dir_all(&profiles).expect("a folder");
    std::fs::write(profiles.join("broken.toml"), "format = ").expect("writes");
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let client = desk.client();
    let control = client.control().expect("a proxy");
    assert_eq!(control.profiles().expect("a property"), ["broken"]);
    assert_eq!(
        refusal(control.use_profile("nobody")),
        "org.gazed.Gaze1.Error.NoSuchProfile"
    );
    assert_eq!(
        refusal(control.use_profile("../../etc/passwd")),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    assert_eq!(refusal(control.use_profile("broken")), "org.gazed.Gaze1.Error.Failed");
    assert_eq!(
        refusal(control.delete_profile("nobody")),
        "org.gazed.Gaze1.Error.NoSuchProfile"
    );
    control.delete_profile("broken").expect("deletes");
    assert!(std::fs::read_dir(&profiles).expect("a folder").next().is_none());
    assert_ends_cleanly(gazed);
}

#[test]
fn a_damaged_profile_costs_the_calibration_and_not_the_service() {
    let desk = Desk::new();
    let profiles = desk.path("data/gazed/profiles");
    std::fs::create_dir_all(&profiles).expect("a folder");
    std::fs::write(profiles.join("default.toml"), "format = 1\nname = 7").expect("writes");
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let manager = desk.client().manager().expect("a proxy");
    assert_eq!(manager.profile().expect("a property"), "");
    assert!(manager.calibration().expect("a property").is_empty());
    gazed.signal(Signal::TERM);
    let (status, said) = gazed.ended();
    assert!(status.success() && said.contains("default.toml is damaged"), "{said}");
    let kept = std::fs::read_to_string(profiles.join("default.toml")).expect("still there");
    assert_eq!(kept, "format = 1\nname = 7", "nothing is lost");
}

#[test]
fn one_calibration_at_a_time_and_it_ends_with_its_owner() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let (client, other) = (desk.client(), desk.client());
    let manager = other.manager().expect("a proxy");
    let calibration = client.calibration(None, None).expect("begins");
    eventually("the camera is open", || camera_is_open(&manager));
    assert_eq!(manager.clients().expect("a property")[0].2, "calibration");
    let control = other.control().expect("a proxy");
    assert_eq!(
        refusal(control.begin_calibration(HashMap::new())),
        "org.gazed.Gaze1.Error.NotNow"
    );
    assert_eq!(refusal(calibration.fit()), "org.gazed.Gaze1.Error.NotNow");
    assert_eq!(refusal(calibration.commit("new")), "org.gazed.Gaze1.Error.NotNow");
    assert_eq!(
        refusal(calibration.commit("../new")),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    assert_eq!(
        refusal(calibration.add_target(2.0, 0.5, 0, 1)),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    assert_eq!(
        refusal(calibration.add_target(0.5, 0.5, 5, 5)),
        "org.gazed.Gaze1.Error.InvalidArgument"
    );
    let (accepted, reason) = calibration.add_target(0.5, 0.5, 1, 2).expect("answers");
    assert!(!accepted && reason.contains("pictures"), "{reason}");
    eventually("somebody should sit down", || {
        calibration.advice().expect("a property").contains("No face")
    });
    assert!(!calibration.face_visible().expect("a property"));
    drop((calibration, client));
    eventually("the camera is closed", || !camera_is_open(&manager));
    let again = other.calibration(None, None).expect("the first one was aborted");
    again.abort().expect("aborts");
    eventually("the camera is closed", || !camera_is_open(&manager));
}
