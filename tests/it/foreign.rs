//! Clients that this project did not write: what they see is what is published, and they can use it.

use std::process::{Command, Stdio};

use zbus::blocking::fdo::IntrospectableProxy;

use crate::desk::{Desk, Running};

/// The published description, as it stands in the source.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bus/org.gazed.Gaze1.xml");

/// The interfaces of this project in an introspection answer, each with its lines.
fn own_interfaces(xml: &str) -> String {
    let mut own = String::new();
    let mut inside = false;
    for line in xml.lines() {
        // Deeper ones belong to the objects below, which describe themselves.
        inside |= line.starts_with("  <interface name=\"org.gazed.");
        if inside {
            own += line;
            own.push('\n');
        }
        inside &= !line.contains("</interface>");
    }
    own
}

#[test]
fn the_published_interfaces_are_the_ones_served() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed("synthetic");
    let client = desk.client();
    let session = client
        .session(&gazed::bus::options::SessionOptions::default())
        .expect("a session");
    let calibration = client.calibration(None, None).expect("a calibration");
    let mut served = String::from(
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
    );
    for path in [
        "/org/gazed/Gaze1",
        session.proxy().inner().path(),
        calibration.inner().path(),
    ] {
        let object = IntrospectableProxy::builder(client.connection())
            .destination("org.gazed.Gaze1")
            .and_then(|builder| builder.path(path))
            .and_then(|builder| builder.build())
            .expect("a proxy");
        served += &own_interfaces(&object.introspect().expect("answers"));
    }
    served += "</node>\n";
    if std::env::var_os("GAZED_PUBLISH_INTERFACES").is_some() {
        std::fs::write(PUBLISHED, &served).expect("writes");
    }
    let published = std::fs::read_to_string(PUBLISHED).expect("the published description");
    for (line, (served, published)) in served.lines().zip(published.lines()).enumerate() {
        let line = line + 1;
        assert_eq!(
            served, published,
            "{PUBLISHED}, line {line}; GAZED_PUBLISH_INTERFACES=1 writes it anew"
        );
    }
    assert_eq!(served.lines().count(), published.lines().count());
}

fn is_installed(program: &str, argument: &str) -> bool {
    let tried = Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Runs a program to its end; what it printed.
fn printed(mut command: Command) -> String {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it is installed");
    let mut running = Running(child);
    let stdout = running.0.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || std::io::read_to_string(stdout));
    let (status, said) = running.ended();
    assert!(status.success(), "{said}");
    reader.join().expect("no panic").expect("text")
}

#[test]
fn busctl_and_gdbus_can_use_it() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    let (name, path) = ("org.gazed.Gaze1", "/org/gazed/Gaze1");
    if is_installed("busctl", "--version") {
        let mut command = desk.command("busctl");
        command.args(["--user", "get-property", name, path, "org.gazed.Gaze1.Manager", "State"]);
        assert_eq!(printed(command).trim(), "s \"idle\"");
    } else {
        eprintln!("skipped: busctl is not installed");
    }
    if is_installed("gdbus", "help") {
        let mut command = desk.command("gdbus");
        command.args(["call", "--session", "-d", name, "-o", path]);
        command.args(["-m", "org.gazed.Gaze1.Manager.CreateSession", "{'horizon-ms': <25.0>}"]);
        let answer = printed(command);
        assert!(answer.contains("/org/gazed/Gaze1/session/"), "{answer}");
        let mut command = desk.command("gdbus");
        command.args(["introspect", "--session", "-d", name, "-o", path]);
        assert!(printed(command).contains("CreateSession"));
    } else {
        eprintln!("skipped: gdbus is not installed");
    }
}

#[test]
fn the_python_examples_receive() {
    if !Command::new("python3")
        .args(["-c", "import jeepney"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: python3 with jeepney is not installed");
        return;
    }
    let desk = Desk::new();
    let _gazed = desk.start_gazed(&desk.empty_recording(60));
    for (example, expected) in [
        ("watch.py", "nobody in sight\nnobody in sight\n"),
        ("stream.py", "1 0 nobody in sight\n1 1 nobody in sight\n"),
    ] {
        let mut command = desk.command("python3");
        command
            .arg(format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR")))
            .arg("2");
        assert_eq!(printed(command), expected, "{example}");
    }
}
