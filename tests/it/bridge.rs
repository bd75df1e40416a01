//! The bridges as the software behind them meets them: real packets, from a daemon that looks at the synthetic user.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use gazed::bus::record::{Flags, Record};
use rosc::{OscPacket, OscType};
use tungstenite::Message;

use crate::desk::{Desk, PATIENCE, Running, eventually};

/// Slow enough for a busy machine.
const SOURCE: &str = "synthetic:fps=15";

fn receiver() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let port = socket.local_addr().expect("an address").port();
    (socket, port.to_string())
}

fn bridge(desk: &Desk, arguments: &[&str]) -> Running {
    let mut command = desk.gazectl(&["bridge"]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("gazectl starts"))
}

/// What a command that fails says.
fn failure(mut command: Command, code: i32) -> String {
    let output = command.output().expect("gazectl starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn opentrack_receives_six_doubles_a_sample() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(SOURCE);
    let (socket, port) = receiver();
    let _bridge = bridge(&desk, &["opentrack", "--port", &port]);
    let mut poses = Vec::new();
    let mut packet = [0; 512];
    while poses.len() < 15 {
        let length = socket.recv(&mut packet).expect("packets come");
        assert_eq!(length, 48);
        let doubles = packet[..48].chunks_exact(8);
        let pose: Vec<f64> = doubles
            .map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")))
            .collect();
        poses.push(pose);
    }
    for pose in &poses {
        assert_eq!(pose[..2], [0.0, 0.0]);
        assert!((20.0..150.0).contains(&pose[2]), "somebody at a desk: {pose:?}");
        assert!(
            pose[3..].iter().all(|angle| angle.abs() < 45.0),
            "facing the screen: {pose:?}"
        );
    }
    assert!(poses.windows(2).any(|pair| pair[0] != pair[1]), "a living head moves");
    let clients = desk.client().manager().expect("a proxy").clients().expect("a property");
    assert_eq!(clients[0].0, "gazectl bridge opentrack");
}

#[test]
fn osc_receives_the_eyes() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(SOURCE);
    let (socket, port) = receiver();
    let _bridge = bridge(&desk, &["osc", "--host", "127.0.0.1", "--port", &port]);
    let mut packet = [0; 2048];
    let mut opened = false;
    let (mut looked, mut turned) = (false, false);
    for _ in 0..300 {
        let length = socket.recv(&mut packet).expect("packets come");
        let Ok((_, OscPacket::Bundle(bundle))) = rosc::decoder::decode_udp(&packet[..length]) else {
            panic!("no OSC bundle");
        };
        for message in bundle.content {
            let OscPacket::Message(message) = message else {
                panic!("messages only")
            };
            match (message.addr.as_str(), message.args.as_slice()) {
                ("/gazed/gaze", [OscType::Float(x), OscType::Float(y)]) => {
                    assert!(x.is_finite() && y.is_finite());
                    looked = true;
                }
                ("/tracking/eye/CenterPitchYaw", [OscType::Float(pitch), OscType::Float(yaw)]) => {
                    assert!(pitch.abs() < 90.0 && yaw.abs() < 90.0, "{pitch}, {yaw}");
                    turned = true;
                }
                ("/tracking/eye/EyesClosedAmount", [OscType::Float(closed)]) => opened |= *closed == 0.0,
                _ => {}
            }
        }
        if looked && turned && opened {
            return;
        }
    }
    panic!("no gaze ({looked}, {turned}) or no open eyes ({opened}) in 300 samples");
}

#[test]
fn json_lines_are_records() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(SOURCE);
    let mut bridge = bridge(&desk, &["json", "--rate", "10"]);
    let lines = BufReader::new(bridge.0.stdout.take().expect("piped")).lines();
    let records: Vec<Record> = lines
        .take(5)
        .map(|line| serde_json::from_str(&line.expect("text")).expect("a record"))
        .collect();
    assert!(records.windows(2).all(|pair| pair[0].captured_ns < pair[1].captured_ns));
}

/// A connected client, and the port.
fn websocket(
    bridge: &mut Running,
) -> (
    tungstenite::WebSocket<std::net::TcpStream>,
    BufReader<std::process::ChildStderr>,
    String,
) {
    let mut said = BufReader::new(bridge.0.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("text");
    let address = line
        .trim()
        .strip_prefix("listening on ws://")
        .expect("an address")
        .to_owned();
    let stream = std::net::TcpStream::connect(&address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let (socket, _) = tungstenite::client(format!("ws://{address}/"), stream).expect("a WebSocket");
    (socket, said, address)
}

#[test]
fn the_websocket_carries_records_to_programs_and_refuses_strange_pages() {
    let desk = Desk::new();
    let _gazed = desk.start_gazed(SOURCE);
    let manager = desk.client().manager().expect("a proxy");
    let mut bridge = bridge(
        &desk,
        &["websocket", "--port", "0", "--allow-origin", "http://localhost:8000"],
    );
    let (mut socket, _said, address) = websocket(&mut bridge);
    let mut valid = 0;
    for _ in 0..300 {
        let Message::Text(text) = socket.read().expect("messages come") else {
            continue;
        };
        let record: Record = serde_json::from_str(&text).expect("a record");
        valid += u32::from(record.flags.contains(Flags::VALID));
        if valid == 3 {
            break;
        }
    }
    assert_eq!(valid, 3);
    socket
        .send(Message::Ping(b"hello".as_slice().into()))
        .expect("it is read");
    while !matches!(socket.read().expect("messages come"), Message::Pong(_)) {}
    assert_eq!(manager.clients().expect("a property").len(), 1);

    let from_a_page = |origin: &str| {
        use tungstenite::client::IntoClientRequest;
        let mut request = format!("ws://{address}/").into_client_request().expect("an address");
        let origin = origin.parse().expect("a header");
        request.headers_mut().insert("Origin", origin);
        let stream = std::net::TcpStream::connect(&address).expect("it listens");
        tungstenite::client(request, stream).map_err(Box::new)
    };
    let refusal = from_a_page("https://example.org").expect_err("a strange page was let in");
    assert!(
        matches!(&*refusal, tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response)) if response.status() == 403),
        "{refusal:?}"
    );
    drop(from_a_page("http://localhost:8000").expect("the user allowed it"));

    drop(socket);
    eventually("the camera closes when the last one leaves", || {
        !manager.camera_active().expect("a property")
    });
}

#[test]
fn the_pointer_is_left_alone_unless_asked() {
    let desk = Desk::new();
    let said = failure(desk.gazectl(&["bridge", "pointer"]), 2);
    assert!(said.contains("--enable"), "{said}");
    if std::fs::OpenOptions::new().write(true).open("/dev/uinput").is_ok() {
        eprintln!("skipped: this user may use /dev/uinput, and the test must not move the pointer");
        return;
    }
    let said = failure(desk.gazectl(&["bridge", "pointer", "--enable"]), 1);
    assert!(
        said.contains("/dev/uinput") && (said.contains("modprobe") || said.contains("udev")),
        "{said}"
    );
}

#[test]
fn a_bridge_that_cannot_work_says_why() {
    let desk = Desk::new();
    let said = failure(desk.gazectl(&["bridge", "opentrack", "--host", "no such host"]), 1);
    assert!(said.contains("no such host"), "{said}");
    let said = failure(desk.gazectl(&["bridge", "osc", "--port", "70000"]), 2);
    assert!(said.contains("--port"), "{said}");
    let said = failure(desk.gazectl(&["bridge", "opentrack"]), 1);
    assert!(said.contains("gazed is not running"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let said = failure(desk.gazectl(&["bridge", "websocket", "--port", &port]), 1);
    assert!(said.contains("choose another --port"), "{said}");
    let said = failure(desk.gazectl(&["bridge", "json", "--horizon-ms", "500"]), 2);
    assert!(said.contains("from 0 to 200"), "{said}");
}
