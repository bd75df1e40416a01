//! `gazectl bridge opentrack`: the head's pose over UDP, as opentrack's input "UDP over network" takes it: six
//! little-endian doubles, x, y, z in centimetres, then yaw, pitch, roll in degrees.

use super::{Datagrams, Feed};
use crate::bus::record::Record;
use crate::cli::session::SessionArgs;

/// Send the head's pose to opentrack (input "UDP over network") or whatever speaks its protocol
///
/// Angles are positive to the right, up, and tilted to the right. Of the position only the distance is known: z, in
/// centimetres from the camera; x and y are 0. opentrack's centre key makes the present pose the middle.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The machine that opentrack runs on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port
    #[arg(long, default_value_t = 4242)]
    port: u16,
    #[command(flatten)]
    session: SessionArgs,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let datagrams = Datagrams::to(&args.host, args.port)?;
    let mut feed = Feed::open(&args.session, "gazectl bridge opentrack")?;
    let mut pose = Pose::default();
    loop {
        // Without a head opentrack keeps what it has: a jump to zero would throw the view around.
        if let Some(packet) = pose.packet(&feed.next()?.record) {
            datagrams.send(&packet)?;
        }
    }
}

/// The last distance that was known, for heads seen without one.
#[derive(Debug, Default)]
struct Pose {
    z_cm: f64,
}

impl Pose {
    fn packet(&mut self, record: &Record) -> Option<[u8; 48]> {
        let head = record.head?;
        if let Some(distance_mm) = record.distance_mm {
            self.z_cm = distance_mm / 10.0;
        }
        // The record's signs are those of crate::geometry, where yaw and roll are positive to the person's left.
        let values = [0.0, 0.0, self.z_cm, -head.yaw_deg, head.pitch_deg, -head.roll_deg];
        let mut packet = [0; 48];
        for (place, value) in packet.chunks_exact_mut(8).zip(values) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::record::HeadAngles;

    fn doubles(packet: [u8; 48]) -> Vec<f64> {
        let double = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        packet.chunks_exact(8).map(double).collect()
    }

    #[test]
    fn a_packet_is_six_doubles_with_opentracks_signs() {
        let head = HeadAngles {
            yaw_deg: 10.0,
            pitch_deg: 4.0,
            roll_deg: -3.0,
        };
        let seen = Record {
            head: Some(head),
            distance_mm: Some(612.5),
            ..Record::default()
        };
        let mut pose = Pose::default();
        let packet = pose.packet(&seen).expect("a head");
        assert_eq!(doubles(packet), [0.0, 0.0, 61.25, -10.0, 4.0, 3.0]);
        let without_distance = Record {
            distance_mm: None,
            ..seen
        };
        let packet = pose.packet(&without_distance).expect("a head");
        assert_eq!(doubles(packet)[2], 61.25, "the last known distance");
        assert_eq!(pose.packet(&Record::default()), None);
    }
}
