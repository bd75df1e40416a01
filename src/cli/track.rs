//! `gazectl track`: what the nets see in every frame of a recording, one JSON object a line.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Output;
use crate::calibration::basis;
use crate::capture::recording::Recording;
use crate::eyes::{EyeState, Eyes};
use crate::face::Face;
use crate::face::points::Landmark;
use crate::geometry::PointPx;
use crate::nets::Weights;
use crate::tracking::{Seen, Tracking};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the recording
    recording: PathBuf,
    /// Print one JSON object a frame (the only format there is)
    #[arg(long)]
    json: bool,
    /// Folder of other weights than the built-in ones
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let weights = args.models.clone().map_or(Weights::BuiltIn, Weights::Folder);
    let recording = Recording::open(&args.recording)?;
    let setup = recording.setup().unwrap_or_default();
    let mut tracking = Tracking::new(&weights, recording.facts().stills)?;
    for (row, frame) in recording.frames() {
        let mut line = match frame {
            Ok(frame) => describe(&tracking.see(&frame, &setup)?),
            Err(error) => json!({"tracked": false, "reason": error.to_string(), "confidence": 0.0}),
        };
        line["file"] = json!(row.file);
        line["timestamp_ns"] = json!(row.timestamp.as_nanos());
        out.json_line(&line)?;
    }
    Ok(())
}

/// One frame as a JSON object, but for its name and time.
fn describe(seen: &Seen) -> Value {
    match seen {
        Seen::Gaze(sighting) => {
            let mut line = face_and_eyes(&sighting.face, &sighting.eyes);
            line["tracked"] = json!(true);
            line["confidence"] = json!(sighting.confidence);
            line["features"] = json!(sighting.features.values);
            line["eyes_mm"] = json!(sighting.features.eyes_mm);
            line["appearance"] = json!(sighting.features.appearance);
            line["basis"] = json!(basis(&sighting.features));
            line
        }
        Seen::Nothing(absence, None) => json!({"tracked": false, "reason": absence.as_str(), "confidence": 0.0}),
        Seen::Nothing(absence, Some((face, eyes))) => {
            let mut line = face_and_eyes(face, eyes);
            line["tracked"] = json!(false);
            line["reason"] = json!(absence.as_str());
            line["confidence"] = json!(face.confidence.min(eyes.confidence()));
            line
        }
    }
}

fn face_and_eyes(face: &Face, eyes: &Eyes) -> Value {
    let xy = |point: PointPx| json!([point.x, point.y]);
    let eye = |eye: &EyeState| json!({"pupil_px": xy(eye.pupil), "openness": eye.openness});
    let [yaw, pitch, roll] = face.head.angles_rad().map(f64::to_degrees);
    let landmark = |landmark: Landmark| xy(face.landmarks.get(landmark));
    json!({
        "face_px": face_box(face),
        "left": eye(&eyes.left),
        "right": eye(&eyes.right),
        // EyesNet sees the corners of the eyes in more detail than the landmark net.
        "landmarks_px": {
            "left_outer": xy(eyes.left.outer_corner),
            "left_inner": xy(eyes.left.inner_corner),
            "right_inner": xy(eyes.right.inner_corner),
            "right_outer": xy(eyes.right.outer_corner),
            "nose_tip": landmark(Landmark::NoseTip),
            "mouth_left": landmark(Landmark::MouthLeft),
            "mouth_right": landmark(Landmark::MouthRight),
        },
        "head": {"pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll},
    })
}

/// The upright box `[x, y, width, height]` around all landmarks.
fn face_box(face: &Face) -> [f32; 4] {
    let points = &face.landmarks.0;
    let least = |of: fn(&PointPx) -> f32| points.iter().map(of).fold(f32::INFINITY, f32::min);
    let most = |of: fn(&PointPx) -> f32| points.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
    let (left, top) = (least(|point| point.x), least(|point| point.y));
    [left, top, most(|point| point.x) - left, most(|point| point.y) - top]
}
