//! `gazectl synthesize`: pictures and truth of the synthetic user as a recording, as fast as they can be made.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Output, tell};
use crate::capture::SourceSpec;
use crate::capture::recording::{Facts, Picture, Writer};
use crate::clock::Timestamp;
use crate::geometry::PointPx;
use crate::synthetic::{LANDMARK_NAMES, Parameters, SyntheticCamera, SyntheticUser, Truth};

/// Write pictures and truth of the synthetic user as a recording: the pictures that the daemon would have seen
#[derive(Debug, clap::Args)]
#[command(after_help = Parameters::help())]
pub struct Args {
    /// Folder for the recording; made where it does not exist
    out: PathBuf,
    /// Length of the recording
    #[arg(long, value_name = "S", value_parser = super::duration)]
    seconds: Duration,
    /// `synthetic` or `synthetic:key=value,...`
    #[arg(long, value_name = "SOURCE", default_value = "synthetic", value_parser = synthetic)]
    source: Source,
}

#[derive(Clone, Debug)]
struct Source {
    spec: SourceSpec,
    parameters: Parameters,
}

/// Reads a source that can be synthesized.
fn synthetic(text: &str) -> anyhow::Result<Source> {
    let spec: SourceSpec = text.parse()?;
    let SourceSpec::Synthetic(parameters) = &spec else {
        bail!("it cannot be synthesized; use --source synthetic[:key=value,...]");
    };
    let parameters = parameters.parse()?;
    Ok(Source { spec, parameters })
}

pub fn run(args: &Args, out: &mut Output) -> anyhow::Result<()> {
    let Source { spec, parameters } = &args.source;
    // Stamps of a recording begin at zero: the world's epoch is its start.
    let user = Arc::new(SyntheticUser::new(parameters.clone(), Timestamp::from_nanos(0)));
    let frames = (args.seconds.as_secs_f64() * user.parameters().frame_rate_hz)
        .round()
        .max(1.0) as u64;
    let facts = Facts {
        source: Some(format!("{spec} (synthetic user)")),
        ..Facts::of_setup(&user.setup())
    };
    let mut writer = Writer::create(&args.out, &facts)?;
    let mut truths = TruthWriter::create(&args.out)?;
    let screen = user.setup().screen;
    let mut camera = SyntheticCamera::new(Arc::clone(&user));
    let mut progress = Progress::new(frames);
    for index in 0..frames {
        let truth = user.parameters().present.then(|| user.truth_at(camera.captured(index)));
        let exposed = camera.expose(index)?;
        let target_px = truth.as_ref().and_then(|truth| truth.target).map(|target| {
            [
                target.x * f64::from(screen.width_px),
                target.y * f64::from(screen.height_px),
            ]
        });
        let file = writer.add(Picture::Jpeg(exposed.jpeg), exposed.captured, target_px, None)?;
        truths.add(&file, truth.as_ref())?;
        progress.show(index + 1);
    }
    writer.finish()?;
    writeln!(out, "{frames} frames in {}", args.out.display())?;
    Ok(())
}

/// Writes `truth.csv`.
struct TruthWriter {
    list: csv::Writer<std::fs::File>,
    columns: usize,
}

impl TruthWriter {
    fn create(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("truth.csv");
        let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut list = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        let mut header: Vec<String> = [
            "file",
            "gaze_x",
            "gaze_y",
            "left_pupil_x_px",
            "left_pupil_y_px",
            "right_pupil_x_px",
            "right_pupil_y_px",
            "left_openness",
            "right_openness",
            "movement",
        ]
        .map(String::from)
        .to_vec();
        header.extend(
            LANDMARK_NAMES
                .iter()
                .flat_map(|name| [format!("{name}_x_px"), format!("{name}_y_px")]),
        );
        for name in [
            "head_yaw_deg",
            "head_pitch_deg",
            "head_roll_deg",
            "head_x_mm",
            "head_y_mm",
            "head_z_mm",
        ] {
            header.push(name.into());
        }
        for side in ["left", "right"] {
            header.extend([format!("{side}_gaze_yaw_deg"), format!("{side}_gaze_pitch_deg")]);
        }
        list.write_record(&header)?;
        Ok(Self {
            list,
            columns: header.len(),
        })
    }

    /// Of an empty room nothing is true: with no `truth` the other columns stay empty. A row is in the file once this
    /// returns, so that what was stopped ends with a whole one.
    fn add(&mut self, file: &str, truth: Option<&Truth>) -> anyhow::Result<()> {
        let mut record = vec![file.to_owned()];
        if let Some(truth) = truth {
            record.extend(Self::fields(truth));
        }
        record.resize(self.columns, String::new());
        self.list.write_record(&record)?;
        self.list.flush().context("cannot write truth.csv")
    }

    fn fields(truth: &Truth) -> Vec<String> {
        let mut record = Vec::new();
        let point = |record: &mut Vec<String>, at: &PointPx| {
            record.extend([format!("{:.4}", at.x), format!("{:.4}", at.y)]);
        };
        record.extend([format!("{:.6}", truth.gaze.x), format!("{:.6}", truth.gaze.y)]);
        truth.pupils.iter().for_each(|at| point(&mut record, at));
        record.extend(truth.openness.map(|openness| format!("{openness:.4}")));
        record.push(truth.movement.name().into());
        truth.landmarks.iter().for_each(|at| point(&mut record, at));
        let head = &truth.head;
        for angle_rad in [head.yaw_rad, head.pitch_rad, head.roll_rad] {
            record.push(format!("{:.4}", angle_rad.to_degrees()));
        }
        record.extend(head.position_mm.map(|mm| format!("{mm:.3}")));
        for (yaw_rad, pitch_rad) in truth.gaze_angles_rad {
            record.extend([yaw_rad, pitch_rad].map(|angle_rad| format!("{:.4}", angle_rad.to_degrees())));
        }
        record
    }
}

/// How far it is, where a person looks on.
struct Progress {
    frames: u64,
    shown_percent: Option<u64>,
}

impl Progress {
    fn new(frames: u64) -> Self {
        Self {
            frames,
            shown_percent: std::io::stderr().is_terminal().then_some(u64::MAX),
        }
    }

    fn show(&mut self, done: u64) {
        let percent = 100 * done / self.frames;
        if self.shown_percent.is_some_and(|shown| shown != percent) {
            self.shown_percent = Some(percent);
            tell(format_args!(
                "\r{percent:3} %{}",
                if done == self.frames { "\n" } else { "" }
            ));
        }
    }
}
