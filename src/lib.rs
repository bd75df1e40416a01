//! gazed: a webcam eye tracker as a desktop service, and the client library for it.
//!
//! Two thin programs stand over this library: `gazed`, the daemon, and `gazectl`, the command line.
//!
//! # The one way from a frame to the bus
//!
//! ```text
//! Frame -> Face -> eye patches -> EyeState -> Features -> Prediction -> Estimate -> Forecast -> Record
//! capture  face    face           eyes        tracking    calibration   filter,     forecast    bus
//!                                                                       movement
//! ```
//!
//! [`pipeline::Pipeline`] walks all of it for one frame on one thread, with no clock and no I/O; [`tracking`] is its first
//! half, which the offline commands use too. In the [`daemon`], a capture thread and a publishing thread stand before and
//! behind it, each joined by a slot in which the newest value wins ([`latest`]): nobody queues, nobody waits for a slower
//! neighbour.
//!
//! # The rooms
//!
//! | room | job | knows nothing of |
//! |---|---|---|
//! | [`clock`], [`geometry`], [`outputs`], [`latest`] | time, spaces and their axes, monitors, the hand-over | everything else |
//! | [`bus`], [`client`] | names, the record, proxies; what a client program needs | cameras, nets, OpenCV |
//! | [`foveation`] | from a record to where a renderer must be sharp | how to draw, where records come from |
//! | `frame`, `capture` | a picture and its stamp; where pictures come from | faces, the bus |
//! | `synthetic` | a person and their webcam as pure functions of a seed and of time | how they are tracked |
//! | `nets`, `face`, `eyes`, `tracking` | from pixels to what is seen of the user | the screen's contents, the bus |
//! | `calibration` | from features, the look of the eyes' patches among them, to the screen; profiles | whole pictures, faces, time |
//! | `filter`, `movement`, `forecast` | smoothing, naming and continuing gaze, in degrees | screens, pictures |
//! | `pipeline` | the joints between the stages | threads, clocks, files |
//! | `daemon`, `config`, `disk`, `edid`, `stats` | threads, signals, claims on the camera, what is kept, what monitors say of themselves | how gaze is made |
//! | `cli` | `gazectl`, one file a subcommand | the daemon's insides: it talks over the bus |
//!
//! # What always holds
//!
//! - A frame is stamped once, in `capture`, with CLOCK_MONOTONIC at the middle of its exposure. Every later stage takes time
//!   as an argument; wall time never appears in the way.
//! - Left and right are the person's. Nothing is mirrored but the right eye's patch on its way into EyesNet.
//! - Absence is a variant ([`None`], `Absence`, a cleared flag), never NaN, -1 or a stale value.
//! - The camera is open only while somebody's started session, preview, recording or calibration wants it, and a claim ends
//!   with its owner's bus name.
//! - Nothing that a user, a file, a camera or a client supplies panics the daemon.
//! - The synthetic user takes the same way as a person: its truth stands beside the frames and never in them.
//!
//! # Features
//!
//! Without any feature the crate is the client library alone. `tracker` adds cameras, nets and the daemon; `tools` adds
//! `gazectl`; `pipewire` adds cameras behind PipeWire. The gates stand on the `mod` lines below, the last one on one in
//! `capture::camera`, and nowhere else.

pub mod bus;
pub mod client;
pub mod clock;
pub mod foveation;
pub mod geometry;
pub mod latest;
pub mod outputs;

#[cfg(feature = "tracker")]
pub mod calibration;
#[cfg(feature = "tracker")]
pub mod capture;
#[cfg(feature = "tools")]
pub mod cli;
#[cfg(feature = "tracker")]
pub mod config;
#[cfg(feature = "tracker")]
pub mod daemon;
#[cfg(feature = "tracker")]
pub mod disk;
#[cfg(feature = "tracker")]
pub mod edid;
#[cfg(feature = "tracker")]
pub mod eyes;
#[cfg(feature = "tracker")]
pub mod face;
#[cfg(feature = "tracker")]
pub mod filter;
#[cfg(feature = "tracker")]
pub mod forecast;
#[cfg(feature = "tracker")]
pub mod frame;
#[cfg(feature = "tracker")]
pub mod movement;
#[cfg(feature = "tracker")]
pub mod nets;
#[cfg(feature = "tracker")]
pub mod pipeline;
#[cfg(feature = "tracker")]
pub mod stats;
#[cfg(feature = "tracker")]
pub mod synthetic;
#[cfg(feature = "tracker")]
pub mod tracking;
