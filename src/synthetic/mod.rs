//! The synthetic user: a person at a desk as a webcam sees them, as pure functions of a seed and of time.
//!
//! It stands in for a camera and a person in demos and tests, and its pictures and truth train the nets. Truth stands
//! beside each frame, never in it; the pictures go through the same face and eye stages as real ones.
//!
//! | module | job |
//! |---|---|
//! | `parameters`, `random` | what can be asked for; draws as pure functions of seed, purpose and index |
//! | `saccade`, `scanpath`, `fixational`, `blink`, `steering`, `head_motion` | movement in degrees and mm over time |
//! | `person`, `eyeball`, `lids`, `head_shape`, `skin` | the body |
//! | `body`, `eye_region`, `glasses`, `room`, `canvas`, `renderer`, `sensor` | the picture |
//!
//! Time is in seconds since the user's epoch; the epoch itself is the only thing that ties a world to a clock.

mod blink;
mod body;
mod canvas;
mod eye_region;
mod eyeball;
mod fixational;
mod glasses;
mod head_motion;
mod head_shape;
mod lids;
mod parameters;
mod person;
mod random;
mod renderer;
mod room;
mod saccade;
mod scanpath;
mod sensor;
mod skin;
mod steering;
mod truth;
mod user;

pub use head_motion::HeadPose;
pub use parameters::{Behaviour, EyeColour, Parameters, ParametersError};
pub use sensor::{Exposed, SensorError, SyntheticCamera};
pub use steering::{HeadMove, SHORTEST_REACTION_S};
pub use truth::{LANDMARK_NAMES, Movement, Truth};
pub use user::SyntheticUser;
