//! `gazectl doctor`: checks everything that gazed needs, and says what to do where something is missing.

use std::io::Write;

use anyhow::bail;
use zbus::blocking::fdo::DBusProxy;

use super::Output;
use crate::bus::names::BUS_NAME;
use crate::calibration::profile::{ProfileError, Profiles};
use crate::capture::camera::{self, CameraInfo};
use crate::client::Client;
use crate::config::Config;
use crate::disk::Folders;
use crate::nets::Weights;
use crate::tracking::Tracking;

/// Checks the camera, the configuration, the nets, the session bus, the service and the calibration
///
/// Changes nothing and does not switch the camera on. The exit code is 1 where something keeps gazed from working.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but not as well as it could, or not by itself.
    Note,
    /// Keeps gazed from working.
    Bad,
}

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    says: String,
}

impl Finding {
    fn new(what: &'static str, verdict: Verdict, says: impl ToString) -> Self {
        Self {
            what,
            verdict,
            says: says.to_string(),
        }
    }
}

pub fn run(_args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    let (config, folders) = configuration(&mut findings);
    match camera::describe_remote(&config.camera.name) {
        Some(Ok((camera, modes))) => findings.push(offer(&camera, &modes)),
        Some(Err(error)) => findings.push(Finding::new("camera", Verdict::Bad, error)),
        None => cameras(&camera::cameras(), &config.camera.name, &mut findings),
    }
    let weights_version = nets(&mut findings);
    service(&mut findings);
    if let (Some(folders), Some(version)) = (folders, weights_version) {
        let profiles = Profiles::in_folder(folders.profiles());
        findings.push(calibration(&profiles, &config.profile.name, &version));
    }
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Bad => "BAD ",
        };
        writeln!(out, "{mark} {}: {}", finding.what, finding.says)?;
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Bad)
        .count();
    if bad > 0 {
        out.finish()?;
        bail!(
            "{bad} of {} checks found something that keeps gazed from working; what to do stands above",
            findings.len()
        );
    }
    Ok(())
}

/// The configuration that the daemon would use; the defaults where there is a fault in it.
fn configuration(findings: &mut Vec<Finding>) -> (Config, Option<Folders>) {
    const WHAT: &str = "configuration";
    let folders = match Folders::of_user() {
        Ok(folders) => folders,
        Err(error) => {
            findings.push(Finding::new(WHAT, Verdict::Bad, error));
            return (Config::default(), None);
        }
    };
    let file = folders.config_file();
    let config = match Config::read_if_present(&file) {
        Ok(config) => {
            let says = if file.exists() {
                format!("{} is valid", file.display())
            } else {
                format!("the defaults; {} can change them", file.display())
            };
            findings.push(Finding::new(WHAT, Verdict::Good, says));
            config
        }
        Err(error) => {
            findings.push(Finding::new(WHAT, Verdict::Bad, error));
            Config::default()
        }
    };
    (config, Some(folders))
}

fn cameras(present: &[CameraInfo], wanted: &str, findings: &mut Vec<Finding>) {
    const WHAT: &str = "camera";
    let matching = camera::matching(present, wanted);
    if matching.is_empty() {
        findings.push(Finding::new(WHAT, Verdict::Bad, camera::none_found(present, wanted)));
    }
    for camera in matching {
        let finding = match &camera.problem {
            Some(problem) => Finding::new(WHAT, Verdict::Bad, problem),
            None => match camera::describe_modes(camera) {
                Ok(modes) => offer(camera, &modes),
                Err(error) => Finding::new(WHAT, Verdict::Bad, format!("{} cannot be asked: {error}", camera.name)),
            },
        };
        findings.push(finding);
    }
}

/// What gazed takes of all that a camera offers.
fn offer(camera: &CameraInfo, modes: &[String]) -> Finding {
    let CameraInfo { name, id, .. } = camera;
    match modes.last().filter(|line| line.starts_with("gazed chooses")) {
        Some(choice) => Finding::new("camera", Verdict::Good, format!("{name} [{id}]: {choice}")),
        None => {
            let offered = modes.join("; ");
            let says = format!("{name} offers no format that gazed can read ({offered})");
            Finding::new("camera", Verdict::Bad, says)
        }
    }
}

fn nets(findings: &mut Vec<Finding>) -> Option<String> {
    const WHAT: &str = "nets";
    let loaded = Tracking::new(&Weights::BuiltIn, false).map_err(|error| error.to_string());
    let version = Weights::BuiltIn.version().map_err(|error| error.to_string());
    match loaded.and(version) {
        Ok(version) => {
            findings.push(Finding::new(
                WHAT,
                Verdict::Good,
                format!("the built-in weights {version} load"),
            ));
            Some(version)
        }
        Err(reason) => {
            findings.push(Finding::new(WHAT, Verdict::Bad, reason));
            None
        }
    }
}

fn service(findings: &mut Vec<Finding>) {
    let client = match Client::connect() {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::new("session bus", Verdict::Bad, error));
            return;
        }
    };
    findings.push(Finding::new("session bus", Verdict::Good, "there is one"));
    let activatable = DBusProxy::new(client.connection())
        .and_then(|bus| bus.list_activatable_names().map_err(Into::into))
        .is_ok_and(|names| names.iter().any(|name| name.as_str() == BUS_NAME));
    findings.push(if activatable {
        Finding::new(
            "activation",
            Verdict::Good,
            "programs that ask for gaze start gazed by themselves",
        )
    } else {
        let says = "gazed is not started by itself: install it (`make install`), or run `gazed` before other programs";
        Finding::new("activation", Verdict::Note, says)
    });
    // A service that is not running is not started here: nobody has asked for gaze.
    let running = client.daemon_runs().unwrap_or(false);
    let finding = match running.then(|| {
        client
            .manager()
            .map(|manager| (manager.state(), manager.state_detail()))
    }) {
        None => Finding::new(
            "service",
            if activatable { Verdict::Good } else { Verdict::Note },
            "gazed is not running",
        ),
        Some(Ok((Ok(state), Ok(detail)))) if state == "error" || state == "no-camera" => {
            Finding::new("service", Verdict::Bad, detail)
        }
        Some(Ok((Ok(state), Ok(detail)))) => Finding::new("service", Verdict::Good, format!("{state}: {detail}")),
        Some(_) => Finding::new("service", Verdict::Bad, "gazed runs, but does not answer: restart it"),
    };
    findings.push(finding);
}

fn calibration(profiles: &Profiles, name: &str, weights_version: &str) -> Finding {
    const WHAT: &str = "calibration";
    match profiles.load(name, weights_version) {
        Ok(_) => Finding::new(WHAT, Verdict::Good, format!("the profile `{name}` can be used")),
        Err(ProfileError::NotFound { .. }) => {
            let says = format!("there is no profile `{name}` yet, so gaze is rough: run `gazectl calibrate`");
            Finding::new(WHAT, Verdict::Note, says)
        }
        Err(error) => Finding::new(WHAT, Verdict::Bad, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_a_forbidden_camera_are_bad_news() {
        let mut findings = Vec::new();
        cameras(&[], "", &mut findings);
        assert_eq!(findings[0].verdict, Verdict::Bad);
        assert!(findings[0].says.contains("plug one in"), "{findings:?}");

        let forbidden = CameraInfo {
            name: "Webcam".into(),
            id: "usb-1".into(),
            serial: None,
            device: "/nonexistent/video0".into(),
            problem: Some("no permission".into()),
        };
        let mut findings = Vec::new();
        cameras(std::slice::from_ref(&forbidden), "", &mut findings);
        assert_eq!(findings, [Finding::new("camera", Verdict::Bad, "no permission")]);

        let mut findings = Vec::new();
        cameras(&[forbidden], "another", &mut findings);
        assert!(findings[0].says.contains("Webcam [usb-1]"), "{findings:?}");
    }

    #[test]
    fn a_profile_is_missing_or_damaged_but_never_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let profiles = Profiles::in_folder(folder.path());
        assert_eq!(calibration(&profiles, "default", "w").verdict, Verdict::Note);
        std::fs::write(folder.path().join("default.toml"), "not a profile").expect("writes");
        assert_eq!(calibration(&profiles, "default", "w").verdict, Verdict::Bad);
    }

    #[test]
    fn the_built_in_nets_are_good() {
        let mut findings = Vec::new();
        assert!(nets(&mut findings).is_some());
        assert_eq!(findings[0].verdict, Verdict::Good);
    }
}
