//! `gazectl bridge osc`: eyes and head as OSC 1.0 messages over UDP, one bundle a sample.

use anyhow::Context;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

use super::{Datagrams, Feed};
use crate::bus::record::{Flags, Record};
use crate::cli::session::SessionArgs;

/// Send eyes and head as OSC (Open Sound Control) messages over UDP
///
/// Each sample is a bundle of /gazed/valid T|F, /gazed/gaze ff, /gazed/forecast ff, /gazed/error-radius f,
/// /gazed/confidence f (the names and units of `gazectl watch --json`), /gazed/open ff (left, right: 0 or 1),
/// /gazed/head fff (yaw, pitch, roll in degrees) and /gazed/distance f (mm) where they are known, and
/// /tracking/eye/EyesClosedAmount f, which VRChat reads. Positions are left out while they are not valid.
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
    loop {
        let record = feed.next()?.record;
        let bytes = rosc::encoder::encode(&bundle(&record)).context("a sample cannot be written as OSC")?;
        datagrams.send(&bytes)?;
    }
}

fn bundle(record: &Record) -> OscPacket {
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
    OscPacket::Bundle(OscBundle {
        // The one time tag that stands for "now" (OSC 1.0, "Temporal Semantics and OSC Time Tags").
        timetag: OscTime {
            seconds: 0,
            fractional: 1,
        },
        content,
    })
}

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
        let bytes = rosc::encoder::encode(&bundle(record)).expect("plain numbers");
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
