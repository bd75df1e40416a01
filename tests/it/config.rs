//! The configuration from outside: what is wrong in it is said before anything is started.

use std::fs;
use std::path::Path;
use std::process::Output;

use gazed::bus::options::SessionOptions;

use crate::desk::Desk;

fn gazed_with(desk: &Desk, config: &str) -> Output {
    let file = desk.path("config.toml");
    fs::write(&file, config).expect("a file");
    desk.gazed("synthetic")
        .arg("--config")
        .arg(&file)
        .output()
        .expect("gazed runs")
}

fn assert_refused(output: &Output, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing from: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let desk = Desk::new();
    let refused = gazed_with(&desk, "[camera]\nfield_of_veiw_deg = 60\n");
    assert_refused(
        &refused,
        &[
            "config.toml",
            "`camera.field_of_veiw_deg`",
            "did you mean `camera.field_of_view_deg`?",
        ],
    );
    let refused = gazed_with(&desk, "[screne]\nsize_px = [1, 1]\n");
    assert_refused(
        &refused,
        &["unknown key `screne.size_px`", "did you mean `screen.size_px`?"],
    );
}

#[test]
fn wrong_values_and_broken_files_are_refused() {
    let desk = Desk::new();
    assert_refused(
        &gazed_with(&desk, "[camera]\nfield_of_view_deg = 400\n"),
        &["camera.field_of_view_deg = 400"],
    );
    assert_refused(
        &gazed_with(&desk, "[camera]\nframe_rate_hz = 'fast'\n"),
        &["line 2", "fast"],
    );
    assert_refused(&gazed_with(&desk, "[camera\n"), &["config.toml", "line 1"]);
    let missing = desk
        .gazed("synthetic")
        .arg("--config")
        .arg(desk.path("absent"))
        .output()
        .expect("gazed runs");
    assert_refused(&missing, &["cannot read the configuration", "absent"]);
}

#[test]
fn the_users_own_file_is_found_under_xdg_config_home() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("config/gazed")).expect("a folder");
    fs::write(desk.path("config/gazed/config.toml"), "[profile]\nname = '../up'\n").expect("a file");
    let output = desk.gazed("synthetic").output().expect("gazed runs");
    assert_refused(&output, &["config/gazed/config.toml", "profile.name = \"../up\""]);
}

#[test]
fn a_source_that_does_not_exist_is_wrong_usage() {
    let desk = Desk::new();
    let output = desk.gazed("webcam").output().expect("gazed runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("recording:PATH"), "{said}");
}

#[test]
fn missing_and_corrupt_weights_are_refused_by_both_programs() {
    let desk = Desk::new();
    let recording = desk.empty_recording(1);
    let recording = recording.trim_start_matches("recording:");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let folder = desk.path("models");
    fs::create_dir(&folder).expect("a folder");
    let models = folder.to_str().expect("text");
    let daemon_refuses = |parts: &[&str]| {
        let daemon = desk.gazed("synthetic").args(["--models", models]).output();
        assert_refused(&daemon.expect("gazed runs"), parts);
    };
    let both_refuse = |parts: &[&str]| {
        daemon_refuses(parts);
        let tool = desk
            .gazectl(&["track", "--json", recording, "--models", models])
            .output();
        assert_refused(&tool.expect("gazectl runs"), parts);
    };
    both_refuse(&["cannot read", "manifest.toml", "leave it out to use the built-in ones"]);
    for file in fs::read_dir(&shipped)
        .expect("the weights")
        .map(|entry| entry.expect("a file").path())
    {
        if file
            .extension()
            .is_some_and(|extension| extension == "onnx" || extension == "toml")
        {
            fs::copy(&file, folder.join(file.file_name().expect("a name"))).expect("copies");
        }
    }
    let eyes = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path());
    let eyes = eyes.filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    for path in eyes {
        let whole = fs::read(&path).expect("weights");
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(&path, damaged).expect("writes");
        daemon_refuses(&["do not match their manifest", "corrupt or of another version"]);
        fs::write(&path, &whole).expect("writes");
    }
    fs::write(folder.join("manifest.toml"), "nets = 3").expect("writes");
    both_refuse(&["not a valid manifest"]);
}

#[test]
fn without_a_camera_the_list_says_what_to_do() {
    let desk = Desk::new();
    let output = desk.gazectl(&["cameras"]).output().expect("gazectl runs");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    if !std::path::Path::new("/dev/video0").exists() {
        assert!(
            said.contains("Plug one in") && said.contains("--source synthetic"),
            "{said}"
        );
    }
    let output = desk.gazectl(&["cameras", "--json"]).output().expect("gazectl runs");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let camera: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(camera["name"].is_string() && camera["id"].is_string());
    }
}

#[test]
fn without_a_camera_the_daemon_waits_and_says_so() {
    if std::path::Path::new("/dev/video0").exists() {
        eprintln!("skipped: this machine has a camera, which a test must not switch on");
        return;
    }
    let desk = Desk::new();
    let _gazed = desk.start_gazed("camera");
    let client = desk.client();
    let session = client.session(&SessionOptions::default()).expect("a session");
    session.start().expect("starts");
    let manager = client.manager().expect("a proxy");
    crate::desk::eventually("the state is no-camera", || {
        manager.state().expect("a property") == "no-camera"
    });
    assert!(
        manager
            .state_detail()
            .expect("a property")
            .contains("plug one in, or use --source synthetic")
    );
}

/// With PipeWire built in, it does not run here; without, that is what is said.
#[test]
fn a_camera_behind_pipewire_that_cannot_be_had_is_explained() {
    let desk = Desk::new();
    let mut command = desk.gazed("camera:pipewire:Front");
    command
        .env("XDG_RUNTIME_DIR", desk.home.path())
        .stderr(std::process::Stdio::null());
    let _gazed = crate::desk::Running(command.spawn().expect("gazed starts"));
    let client = desk.client();
    crate::desk::eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let session = client.session(&SessionOptions::default()).expect("a session");
    session.start().expect("starts");
    let manager = client.manager().expect("a proxy");
    crate::desk::eventually("it says what is missing", || {
        let detail = manager.state_detail().expect("a property");
        detail.contains("PipeWire does not answer") || detail.contains("built with PipeWire")
    });

    let folder = desk.path("config/gazed");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), "[camera]\nname = \"pipewire:Front\"\n").expect("writes");
    let mut doctor = desk.gazectl(&["doctor"]);
    let said = crate::cli::run(doctor.env("XDG_RUNTIME_DIR", desk.home.path()));
    let camera = said.stdout.lines().find(|line| line.contains("camera"));
    assert!(camera.is_some_and(|line| line.contains("PipeWire")), "{}", said.stdout);
}
