//! `gazectl bridge osc`: eyes and head as OSC 1.0 messages over UDP, one bundle a sample.

use anyhow::Context;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

use super::{Datagrams, Feed};
use crate::bus::record::{Flags, Record};
use crate::cli::session::SessionArgs;
use crate::client::Client;
use crate::geometry::{Screen, ScreenPoint};

/// Send eyes and head as OSC (Open Sound Control) messages over UDP
///
/// Each sample is a bundle of /gazed/valid T|F, /gazed/gaze ff, /gazed/forecast ff, /gazed/error-radius f,
/// /gazed/confidence f (the names and units of `gazectl watch --json`), /gazed/open ff (left, right: 0 or 1),
/// /gazed/head fff (yaw, pitch, roll in degrees) and /gazed/distance f (mm) where they are known, and
/// what VRChat reads: /tracking/eye/EyesClosedAmount f and /tracking/eye/CenterPitchYaw ff (degrees, down and right of where
/// the head faces). Positions are left out while they are not valid.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The machine that receives
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port
    #[arg(long, default_value_t = 9000)]
    port: u16,
    #[command(flatten)]
    session: SessionArgs,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let datagrams = Datagrams::to(&args.host, args.port)?;
    let mut feed = Feed::open(&args.session, "gazectl bridge osc")?;
    let screen = args.session.screen(&Client::connect()?)?;
    loop {
        let record = feed.next()?.record;
        let bytes = rosc::encoder::encode(&bundle(&record, &screen)).context("a sample cannot be written as OSC")?;
        datagrams.send(&bytes)?;
    }
}

fn bundle(record: &Record, screen: &Screen) -> OscPacket {
    let open = |flag| if record.flags.contains(flag) { 1.0 } else { 0.0 };
    let (left, right) = (open(Flags::LEFT_OPEN), open(Flags::RIGHT_OPEN));
    let mut content = vec![message("/gazed/valid", [OscType::Bool(record.is_valid())])];
    let mut numbers = |address: &str, values: &[f64]| {
        content.push(message(
            address,
            values.iter().map(|value| OscType::Float(*value as f32)),
        ));
    };
    if record.is_valid() {
        numbers("/gazed/gaze", &[record.gaze_x, record.gaze_y]);
        numbers("/gazed/forecast", &[record.forecast_x, record.forecast_y]);
    }
    numbers("/gazed/error-radius", &[record.error_radius]);
    numbers("/gazed/confidence", &[record.confidence]);
    if let Some(head) = record.head {
        numbers("/gazed/head", &[head.yaw_deg, head.pitch_deg, head.roll_deg]);
    }
    if let Some(distance_mm) = record.distance_mm {
        numbers("/gazed/distance", &[distance_mm]);
    }
    // Closed eyes and no eyes look the same in the flags: without a head nobody is there to blink.
    if record.head.is_some() {
        numbers("/gazed/open", &[left, right]);
        numbers("/tracking/eye/EyesClosedAmount", &[1.0 - 0.5 * (left + right)]);
    }
    if let Some(angles) = eyes_in_head(record, screen) {
        numbers("/tracking/eye/CenterPitchYaw", &angles);
    }
    OscPacket::Bundle(OscBundle {
        // The one time tag that stands for "now" (OSC 1.0, "Temporal Semantics and OSC Time Tags").
        timetag: OscTime {
            seconds: 0,
            fractional: 1,
        },
        content,
    })
}

/// How far the eyes are turned down and to the right in the head, in degrees: the gaze as seen from straight in front of the
/// screen's middle, less the head's own turn.
fn eyes_in_head(record: &Record, screen: &Screen) -> Option<[f64; 2]> {
    let head = record.head.filter(|_| record.is_valid())?;
    let distance_mm = record.distance_mm.filter(|mm| *mm > 0.0).unwrap_or(USUAL_DISTANCE_MM);
    let gaze = screen.visual_angle(ScreenPoint::new(record.gaze_x, record.gaze_y), distance_mm);
    // The head's signs are those of crate::geometry: yaw to the person's left, pitch up.
    Some([gaze.y_deg + head.pitch_deg, gaze.x_deg + head.yaw_deg])
}

/// Where the distance of the eyes is not known: an arm's length.
const USUAL_DISTANCE_MM: f64 = 600.0;

fn message(address: &str, arguments: impl IntoIterator<Item = OscType>) -> OscPacket {
    OscPacket::Message(OscMessage {
        addr: address.to_owned(),
        args: arguments.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::record::HeadAngles;

    fn sent(record: &Record) -> Vec<(String, Vec<OscType>)> {
        let bytes = rosc::encoder::encode(&bundle(record, &Screen::default())).expect("plain numbers");
        let (rest, packet) = rosc::decoder::decode_udp(&bytes).expect("OSC");
        assert!(rest.is_empty());
        let OscPacket::Bundle(bundle) = packet else {
            panic!("a bundle")
        };
        let messages = bundle.content.into_iter().map(|packet| match packet {
            OscPacket::Message(message) => (message.addr, message.args),
            OscPacket::Bundle(_) => panic!("messages only"),
        });
        messages.collect()
    }

    #[test]
    fn eyes_that_stay_on_the_screen_turn_against_the_head() {
        let looking = |x: f64, y: f64, yaw_deg: f64, pitch_deg: f64| {
            let record = Record {
                gaze_x: x,
                gaze_y: y,
                flags: Flags::VALID,
                distance_mm: Some(600.0),
                head: Some(HeadAngles {
                    yaw_deg,
                    pitch_deg,
                    roll_deg: 0.0,
                }),
                ..Record::default()
            };
            eyes_in_head(&record, &Screen::default()).expect("a valid gaze")
        };
        assert_eq!(looking(0.5, 0.5, 0.0, 0.0), [0.0, 0.0]);
        let [down, right] = looking(1.0, 1.0, 0.0, 0.0);
        assert!(
            (13.0..15.0).contains(&down) && (23.0..25.0).contains(&right),
            "{down}, {right}"
        );
        assert_eq!(
            looking(0.5, 0.5, 10.0, 0.0),
            [0.0, 10.0],
            "the head to the left, the eyes to the right"
        );
        assert_eq!(looking(0.5, 0.5, 0.0, 10.0), [10.0, 0.0], "the head up, the eyes down");
        assert_eq!(eyes_in_head(&Record::default(), &Screen::default()), None);
    }

    #[test]
    fn a_wink_is_half_closed_and_positions_need_a_valid_gaze() {
        let wink = Record {
            gaze_x: 0.25,
            gaze_y: 0.5,
            flags: Flags::VALID | Flags::LEFT_OPEN,
            head: Some(HeadAngles::default()),
            ..Record::default()
        };
        let messages = sent(&wink);
        let of = |address: &str| {
            messages
                .iter()
                .find(|(addr, _)| addr == address)
                .map(|(_, args)| args.clone())
        };
        assert_eq!(of("/gazed/gaze"), Some(vec![OscType::Float(0.25), OscType::Float(0.5)]));
        assert_eq!(of("/tracking/eye/EyesClosedAmount"), Some(vec![OscType::Float(0.5)]));
        assert_eq!(of("/gazed/distance"), None);
        let lost = sent(&Record::default());
        let addresses: Vec<&str> = lost.iter().map(|(address, _)| address.as_str()).collect();
        assert_eq!(addresses, ["/gazed/valid", "/gazed/error-radius", "/gazed/confidence"]);
        assert_eq!(lost[0].1, [OscType::Bool(false)]);
    }
}
