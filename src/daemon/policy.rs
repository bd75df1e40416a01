//! Which programs may read the gaze: the user's policy, and asking the user.
//!
//! A program is known by its executable, not by the name it gives itself to clients' lists. Two scripts of one interpreter are
//! one program. The policy is about consent: a malicious program of the same user could run as another one, or rewrite the
//! configuration, and is kept out by a sandbox or not at all.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zbus::blocking::{Connection, MessageIterator};
use zbus::zvariant::Value;

use super::hub::Hub;
use crate::bus::error::{Error, Result};
use crate::config::{ClientsConfig, Policy};

/// What the policy says about a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Refused,
    /// Refused for now, and the user is to be asked: told once for each program.
    Ask,
}

#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    allowed: Vec<String>,
    /// The user's own tool, which came with the daemon.
    own_tool: Option<PathBuf>,
    asked: Mutex<BTreeSet<PathBuf>>,
}

impl Gate {
    pub fn new(config: &ClientsConfig) -> Self {
        let own = std::env::current_exe().ok();
        Self {
            policy: config.policy,
            allowed: config.allowed.clone(),
            own_tool: own.map(|own| own.with_file_name("gazectl")),
            asked: Mutex::default(),
        }
    }

    /// True where everyone may, so that nobody need be looked at.
    pub fn is_open(&self) -> bool {
        self.policy == Policy::Allow
    }

    /// `remembered` are the programs that the user allowed when asked.
    pub fn allows(&self, program: &Path, remembered: &BTreeSet<PathBuf>) -> bool {
        self.is_open()
            || self.own_tool.as_deref() == Some(program)
            || self.is_listed(program)
            || self.policy == Policy::Ask && remembered.contains(program)
    }

    pub fn verdict(&self, program: &Path, remembered: &BTreeSet<PathBuf>) -> Verdict {
        if self.allows(program, remembered) {
            return Verdict::Allowed;
        }
        match self.policy {
            Policy::Ask => {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                if asked.insert(program.to_owned()) {
                    Verdict::Ask
                } else {
                    Verdict::Refused
                }
            }
            Policy::Allow | Policy::List => Verdict::Refused,
        }
    }

    /// Listed by its whole path, or by the name of its executable.
    fn is_listed(&self, program: &Path) -> bool {
        self.allowed.iter().any(|allowed| {
            let allowed = Path::new(allowed);
            program == allowed || program.file_name() == Some(allowed.as_os_str())
        })
    }
}

/// The executable of a process, as the kernel tells it or, where it does not, as the process was called.
///
/// The kernel tells nothing of processes outside to a daemon in a user namespace of its own, as the user unit gives it one. What
/// a process was called anyone may read, but the process itself may have changed it.
///
/// A program that was replaced on disk while it ran reads as "PATH (deleted)" where the kernel tells, and is not what the user
/// allowed.
pub fn program_of(process_id: u32) -> std::io::Result<PathBuf> {
    match std::fs::read_link(format!("/proc/{process_id}/exe")) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let command_line = std::fs::read(format!("/proc/{process_id}/cmdline"))?;
            let called = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
            let path = std::env::var_os("PATH").unwrap_or_default();
            // gazectl lies beside the daemon, wherever a user has put both.
            let beside = std::env::current_exe().ok();
            let beside = beside.iter().filter_map(|own| Some(own.parent()?.to_owned()));
            resolve(OsStr::from_bytes(called), beside.chain(std::env::split_paths(&path))).ok_or(error)
        }
        told => told,
    }
}

/// The executable that a process was called by: a whole path, or a name in the first of these folders that has it. What is
/// relative to the caller's folder names none.
fn resolve(called: &OsStr, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let called = Path::new(called);
    let found = if called.is_absolute() {
        Some(called.to_owned())
    } else if called.parent() == Some(Path::new("")) {
        folders.find_map(|folder| Some(folder.join(called)).filter(|program| program.is_file()))
    } else {
        None
    };
    // The kernel tells paths without links, too.
    found?.canonicalize().ok()
}

/// The claims of programs that the policy keeps out, once it has changed.
pub fn refused_claims(hub: &Hub) -> Vec<u64> {
    let (gate, remembered) = (hub.gate(), hub.remembered().allowed);
    let mut refused = hub.lock().claims.processes();
    refused.retain(|(_, process_id)| {
        !gate.is_open() && !program_of(*process_id).is_ok_and(|program| gate.allows(&program, &remembered))
    });
    refused.into_iter().map(|(id, _)| id).collect()
}

/// Refuses a program that the policy keeps out, and asks the user where the policy says so.
pub fn authorize(hub: &Arc<Hub>, connection: &zbus::Connection, process_id: u32) -> Result<()> {
    let program = program_of(process_id)
        .map_err(|error| Error::NotAuthorized(format!("the calling program is not known: {error}")))?;
    let name = program.display();
    match hub.gate().verdict(&program, &hub.remembered().allowed) {
        Verdict::Allowed => Ok(()),
        Verdict::Refused => Err(Error::NotAuthorized(format!(
            "the user has not allowed {name} to read the gaze (clients.allowed in gazed's configuration)"
        ))),
        Verdict::Ask => {
            let (hub, connection) = (Arc::clone(hub), Connection::from(connection.clone()));
            let refusal =
                format!("the user is being asked whether {name} may read the gaze; try again when they have answered");
            let asking = std::thread::Builder::new()
                .name("ask".into())
                .spawn(move || ask(&hub, &connection, &program));
            if let Err(error) = asking {
                tracing::warn!(%error, "the user cannot be asked");
            }
            Err(Error::NotAuthorized(refusal))
        }
    }
}

/// Shows one notification, and remembers the answer if it is yes.
fn ask(hub: &Hub, connection: &Connection, program: &Path) {
    match answer(connection, program) {
        Ok(true) => {
            tracing::info!(program = %program.display(), "the user allowed a program to read the gaze");
            if let Err(error) = hub.remember(|remembered| {
                remembered.allowed.insert(program.to_owned());
            }) {
                tracing::warn!(error = format!("{error:#}"), "the answer cannot be remembered");
            }
        }
        Ok(false) => tracing::info!(program = %program.display(), "the user did not allow a program to read the gaze"),
        Err(error) => tracing::warn!(
            program = %program.display(), %error,
            "a program wants to read the gaze and nobody can be asked; list it in clients.allowed"
        ),
    }
}

/// The desktop notifications' object (Desktop Notifications Specification 1.2).
const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";

fn answer(connection: &Connection, program: &Path) -> zbus::Result<bool> {
    let rule = zbus::MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .interface(NOTIFICATIONS)?
        .path(NOTIFICATIONS_PATH)?
        .build();
    let signals = MessageIterator::for_match_rule(rule, connection, None)?;
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let hints: std::collections::HashMap<&str, Value<'_>> = [("urgency", Value::from(2_u8))].into();
    let reply = connection.call_method(
        Some(NOTIFICATIONS),
        NOTIFICATIONS_PATH,
        Some(NOTIFICATIONS),
        "Notify",
        &(
            "gazed",
            0_u32,
            "camera-web",
            format!("May {name} see where you look?"),
            format!(
                "{} asks for your gaze, which is tracked with the camera.",
                program.display()
            ),
            ["allow", "Allow", "refuse", "Keep out"].as_slice(),
            hints,
            0_i32,
        ),
    )?;
    let id: u32 = reply.body().deserialize()?;
    for signal in signals {
        let signal = signal?;
        let header = signal.header();
        // Any program may send such a signal, but only who shows the notification knows what the user answered.
        if header.sender() != reply.header().sender() {
            continue;
        }
        let body = signal.body();
        match header.member().map(|member| member.as_str()) {
            Some("ActionInvoked") => match body.deserialize::<(u32, &str)>() {
                Ok((invoked, action)) if invoked == id && action != "default" => return Ok(action == "allow"),
                _ => {}
            },
            Some("NotificationClosed") => match body.deserialize::<(u32, u32)>() {
                Ok((closed, _)) if closed == id => return Ok(false),
                _ => {}
            },
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(policy: Policy, allowed: &[&str]) -> Gate {
        Gate::new(&ClientsConfig {
            policy,
            allowed: allowed.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    #[test]
    fn a_list_lets_in_what_is_on_it_by_name_or_path() {
        let gate = gate(Policy::List, &["game", "/opt/reader/bin/reader"]);
        let nobody = BTreeSet::new();
        let verdict = |program: &str| gate.verdict(Path::new(program), &nobody);
        assert_eq!(verdict("/usr/bin/game"), Verdict::Allowed);
        assert_eq!(verdict("/opt/reader/bin/reader"), Verdict::Allowed);
        assert_eq!(verdict("/tmp/reader"), Verdict::Refused);
        assert_eq!(verdict("/usr/bin/game (deleted)"), Verdict::Refused);
    }

    #[test]
    fn the_user_is_asked_once_a_program() {
        let gate = gate(Policy::Ask, &[]);
        let (game, reader) = (Path::new("/usr/bin/game"), Path::new("/usr/bin/reader"));
        let mut remembered = BTreeSet::new();
        assert_eq!(gate.verdict(game, &remembered), Verdict::Ask);
        assert_eq!(gate.verdict(game, &remembered), Verdict::Refused);
        assert_eq!(gate.verdict(reader, &remembered), Verdict::Ask);
        remembered.insert(game.to_owned());
        assert_eq!(gate.verdict(game, &remembered), Verdict::Allowed);
    }

    #[test]
    fn a_program_is_found_by_what_it_was_called() {
        let folder = tempfile::tempdir().expect("a folder");
        // The temporary folder itself may be behind a link.
        let folder = folder.path().canonicalize().expect("it is there");
        let [first, second] = ["first", "second"].map(|name| folder.join(name));
        for (folder, name) in [(&first, "game"), (&second, "game"), (&second, "reader")] {
            std::fs::create_dir_all(folder).expect("a folder");
            std::fs::write(folder.join(name), "").expect("writes");
        }
        std::os::unix::fs::symlink(second.join("reader"), first.join("linked")).expect("a link");
        let found = |called: &Path| resolve(called.as_os_str(), [first.clone(), second.clone()].into_iter());
        assert_eq!(found(Path::new("game")), Some(first.join("game")));
        assert_eq!(found(Path::new("reader")), Some(second.join("reader")));
        assert_eq!(found(Path::new("linked")), Some(second.join("reader")));
        assert_eq!(found(&second.join("game")), Some(second.join("game")));
        for nothing in [
            "",
            ".",
            "..",
            "-sh",
            "./game",
            "first/game",
            "/nowhere/game",
            "game --now",
        ] {
            assert_eq!(found(Path::new(nothing)), None, "{nothing}");
        }
    }

    #[test]
    fn the_users_own_tool_needs_no_leave() {
        let tool = std::env::current_exe()
            .expect("a test program")
            .with_file_name("gazectl");
        assert_eq!(
            gate(Policy::List, &[]).verdict(&tool, &BTreeSet::new()),
            Verdict::Allowed
        );
        assert_eq!(
            gate(Policy::List, &[]).verdict(Path::new("/tmp/gazectl"), &BTreeSet::new()),
            Verdict::Refused
        );
    }
}
