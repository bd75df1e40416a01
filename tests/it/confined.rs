//! What the daemon opens while it works: no network, and no file but its own.
//!
//! `/proc` shows what is open at the moments that are looked at; where strace is installed, it shows every single opening.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::bus::{next, session};
use crate::cli::run;
use crate::desk::{Desk, Running, eventually};

const SOURCE: &str = "synthetic:seed=3,width=320,height=240,fps=20,blink_rate=0";

/// Everything that makes the daemon write or talk: clients by both ways, a calibration that is saved, the privacy switch.
fn work(desk: &Desk, mut look: impl FnMut(&str)) {
    let client = desk.client();
    let mut watching = session(&client);
    let stream = watching.open_stream().expect("a stream");
    watching.start().expect("starts");
    next(&mut watching);
    look("while it tracks");
    let said = run(&mut desk.gazectl(&["calibrate", "--yes", "--terminal", "--points", "5", "--profile", "desk"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    look("after a calibration");
    let control = client.control().expect("a proxy");
    control.pause().expect("pauses");
    control.resume().expect("resumes");
    next(&mut watching);
    look("after a pause");
    drop(stream);
}

fn tracked_process(desk: &Desk) -> u32 {
    let bus = zbus::blocking::fdo::DBusProxy::new(desk.client().connection()).expect("a bus");
    let name = zbus::names::BusName::try_from("org.gazed.Gaze1").expect("a name");
    bus.get_connection_unix_process_id(name).expect("gazed is there")
}

/// Sockets of a process that are neither of AF_UNIX nor of AF_NETLINK, and files open for writing outside `own`.
fn foreign(process: u32, own: &Path) -> Vec<String> {
    let folder = PathBuf::from(format!("/proc/{process}"));
    let inodes = |table: &str, column: usize| -> BTreeSet<String> {
        let text = fs::read_to_string(folder.join("net").join(table)).unwrap_or_default();
        let rows = text.lines().skip(1);
        rows.filter_map(|row| Some(row.split_whitespace().nth(column)?.to_owned()))
            .collect()
    };
    let mut sockets = inodes("unix", 6);
    sockets.extend(inodes("netlink", 9));
    assert!(!sockets.is_empty(), "the bus itself is one");
    let mut found = Vec::new();
    for descriptor in fs::read_dir(folder.join("fd")).expect("the process runs").flatten() {
        let number = descriptor.file_name().to_string_lossy().into_owned();
        // One that was closed in the meantime.
        let Ok(target) = fs::read_link(descriptor.path()) else {
            continue;
        };
        let name = target.display().to_string();
        if let Some(inode) = name.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            if !sockets.contains(inode) {
                found.push(name);
            }
        // The standard streams are what the process was started with.
        } else if !matches!(number.as_str(), "0" | "1" | "2") && target.starts_with("/") && !target.starts_with(own) {
            let info = fs::read_to_string(folder.join("fdinfo").join(&number)).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = flags
                .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
                .unwrap_or(0);
            let written = flags & 0o3 != 0;
            if written && target != Path::new("/dev/null") && !name.starts_with("/memfd:") {
                found.push(format!("{name}, open for writing"));
            }
        }
    }
    found
}

#[test]
fn nothing_of_the_network_and_no_foreign_file_is_open_while_it_works() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(SOURCE);
    work(&desk, |when| {
        assert_eq!(foreign(gazed.0.id(), desk.home.path()), Vec::<String>::new(), "{when}");
    });
}

/// One opening or change of a file that strace saw, and whether it can change anything.
#[derive(Debug)]
struct Opening {
    call: String,
    path: String,
    changes: bool,
}

/// `1234 openat(AT_FDCWD, "/etc/x", O_RDONLY|O_CLOEXEC) = 3`; `None` for what failed or is no call with a path.
fn opening(line: &str) -> Option<Opening> {
    let call = line.split_once(' ')?.1.trim_start();
    let (name, arguments) = call.split_once('(')?;
    let result = arguments.rsplit(" = ").next()?;
    let path = arguments.split('"').nth(1)?;
    let changes = !name.starts_with("open")
        || ["O_WRONLY", "O_RDWR", "O_CREAT"]
            .iter()
            .any(|flag| arguments.contains(flag));
    (!result.starts_with('-')).then(|| Opening {
        call: call.to_owned(),
        path: path.to_owned(),
        changes,
    })
}

#[test]
fn every_socket_is_local_and_every_file_its_own_or_the_systems() {
    let desk = Desk::new();
    let trace = desk.path("trace");
    let probe = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let mut command = desk.command("strace");
    command
        .args(["-f", "--seccomp-bpf", "-qq", "-s", "4096", "-o"])
        .arg(&trace)
        .args(["-e", "signal=none", "-e"])
        .arg(
            "trace=socket,socketpair,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,\
             linkat,symlink,symlinkat,truncate,chmod,fchmodat",
        )
        .arg(env!("CARGO_BIN_EXE_gazed"))
        .args(["--source", SOURCE])
        .stderr(Stdio::null());
    let strace = Running(command.spawn().expect("strace starts"));
    let client = desk.client();
    eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
    let gazed = rustix::process::Pid::from_raw(tracked_process(&desk) as i32).expect("a process");
    work(&desk, |_| ());
    rustix::process::kill_process(gazed, Signal::TERM).expect("it runs");
    strace.ended();

    let trace = fs::read_to_string(&trace).expect("a trace");
    let sockets: Vec<&str> = trace.lines().filter(|line| line.contains(" socket")).collect();
    assert!(!sockets.is_empty(), "the bus itself is one");
    for line in sockets {
        assert!(
            line.contains("AF_UNIX") || line.contains("AF_NETLINK") || line.contains("resumed"),
            "{line}"
        );
    }
    let own = ["data/gazed", "state/gazed"].map(|folder| desk.path(folder));
    let config = desk.path("config/gazed");
    let openings: Vec<Opening> = trace.lines().filter_map(opening).collect();
    assert!(
        openings
            .iter()
            .any(|opening| opening.changes && opening.path.contains("profiles")),
        "the calibration is saved"
    );
    // Libraries and their cache, the kernel's tables, the user database that the bus' credentials are looked up in, the time
    // zone, the machine's identity, cameras; and what the linker looks for beside the program under `cargo test`.
    let system = [
        "/lib",
        "/usr/lib",
        "/usr/share",
        "/usr/local/lib",
        "/etc",
        "/proc",
        "/sys",
        "/dev/video",
        "/dev/null",
        "/dev/urandom",
    ];
    let beside = Path::new(env!("CARGO_BIN_EXE_gazed"))
        .parent()
        .expect("a folder")
        .to_owned();
    for opening in &openings {
        let path = Path::new(&opening.path);
        let allowed = own
            .iter()
            .any(|folder| path.starts_with(folder) || folder.starts_with(path))
            || !opening.changes
                && (path.starts_with(&config)
                    || path.starts_with(&beside)
                    || path.starts_with(desk.path("drm"))
                    || system.iter().any(|folder| path.starts_with(folder)))
            || path == Path::new("/dev/null");
        assert!(allowed, "{}", opening.call);
    }
}
