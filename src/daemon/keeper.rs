//! Decides when the camera is opened, closed and tried again, and what `State` says. No threads, no devices, no clock.
//!
//! The supervisor tells what happened and when, asks [`Keeper::decide`] what to do, and wakes up again at
//! [`Keeper::wake_at`].

use std::time::Duration;

use crate::capture::CaptureError;
use crate::clock::Timestamp;

/// The property `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody wants gaze; the camera is closed.
    Idle,
    /// The camera is being opened, or has not sent a picture yet.
    Starting,
    Tracking,
    /// Pictures come, but no gaze can be had from them.
    Lost,
    /// The user's privacy switch is on.
    Paused,
    /// The camera is gone, busy or stalled; it is tried again.
    NoCamera,
    /// The camera cannot work as configured; it is tried again.
    Error,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting => "starting",
            Self::Tracking => "tracking",
            Self::Lost => "lost",
            Self::Paused => "paused",
            Self::NoCamera => "no-camera",
            Self::Error => "error",
        }
    }
}

/// What the supervisor is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Open,
    Close,
}

#[derive(Clone, Debug, PartialEq)]
enum Device {
    Closed,
    Opening {
        since: Timestamp,
    },
    Open {
        since: Timestamp,
    },
    /// Told to close; it still has to say that it did.
    Closing {
        since: Timestamp,
    },
    /// It failed; the reason stays until a picture comes again.
    Failed {
        retry_at: Timestamp,
    },
    /// A recording came to its end. It plays again for the next client.
    Finished,
}

/// Why there is no picture at present.
#[derive(Clone, Debug, PartialEq)]
struct Failure {
    state: State,
    reason: String,
}

#[derive(Clone, Debug)]
pub struct Keeper {
    wanted: bool,
    paused: bool,
    locked: bool,
    /// The user wants no tracking while the session is locked.
    pauses_when_locked: bool,
    asleep: bool,
    /// What was configured of the camera has changed since it was opened.
    outdated: bool,
    device: Device,
    failure: Option<Failure>,
    /// Failures in a row.
    failures: u32,
    /// `None` until the opened camera's first picture has been looked at; then why there is no gaze, if there is none.
    sight: Option<Option<String>>,
    /// What would make the gaze better that there is.
    advice: Option<&'static str>,
}

impl Keeper {
    /// The wait after a first failure; it doubles with every further one.
    const FIRST_RETRY: Duration = Duration::from_millis(250);
    /// The longest wait, so that pictures come again within three seconds of a camera's return.
    const LONGEST_RETRY: Duration = Duration::from_secs(2);
    /// No driver takes so long to open or close.
    const STUCK_AFTER: Duration = Duration::from_secs(20);
    /// A camera that ran this long and fails is tried again at once, as if it had never failed.
    const PROVEN_AFTER: Duration = Duration::from_secs(5);

    pub fn new(paused: bool) -> Self {
        Self {
            wanted: false,
            paused,
            locked: false,
            pauses_when_locked: false,
            asleep: false,
            outdated: false,
            device: Device::Closed,
            failure: None,
            failures: 0,
            sight: None,
            advice: None,
        }
    }

    /// At least one client wants the camera, or none does.
    pub fn set_wanted(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// The privacy switch.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The desktop session is locked.
    pub fn set_locked(&mut self, locked: bool) {
        self.locked = locked;
    }

    /// Whether a locked session pauses tracking.
    pub fn set_pauses_when_locked(&mut self, pauses: bool) {
        self.pauses_when_locked = pauses;
    }

    pub fn pauses_when_locked(&self) -> bool {
        self.pauses_when_locked
    }

    /// The machine is about to sleep, or sleeps; not any more once it is awake. A camera that was not closed in time is opened
    /// anew then: of the time that it slept through nobody knows.
    pub fn set_asleep(&mut self, asleep: bool) {
        self.outdated |= self.asleep && !asleep;
        self.asleep = asleep;
    }

    /// The camera is to be opened in another way than before: one that runs is closed and opened again.
    pub fn reconfigure(&mut self) {
        self.outdated = true;
    }

    fn locked_out(&self) -> bool {
        self.locked && self.pauses_when_locked
    }

    fn should_run(&self) -> bool {
        self.wanted && !self.paused && !self.asleep && !self.locked_out()
    }

    /// The camera was opened.
    pub fn opened(&mut self, now: Timestamp) {
        if matches!(self.device, Device::Opening { .. }) {
            self.device = Device::Open { since: now };
        }
    }

    /// A picture was looked at: `None` where it gave a gaze, else why not, a sentence for people.
    pub fn saw(&mut self, absence: Option<String>) {
        if matches!(self.device, Device::Open { .. }) {
            self.sight = Some(absence);
            self.failure = None;
        }
    }

    /// What the user could do for a better gaze, a sentence for people: told while the gaze is tracked.
    pub fn advise(&mut self, advice: Option<&'static str>) {
        self.advice = advice;
    }

    pub fn advice(&self) -> Option<&'static str> {
        self.advice
    }

    /// The open camera does not answer: no picture comes, and it cannot be closed either until it does.
    pub fn fell_silent(&mut self) {
        if matches!(self.device, Device::Open { .. }) {
            self.failure = Some(Failure {
                state: State::NoCamera,
                reason: "The camera has stopped in the middle of its pictures and does not answer.".into(),
            });
        }
    }

    /// The camera is closed: because it was told to (`None`), or by itself.
    pub fn ended(&mut self, now: Timestamp, error: Option<CaptureError>) {
        let asked = matches!(self.device, Device::Closing { .. });
        let proven = matches!(self.device, Device::Open { since } if now.saturating_since(since) >= Self::PROVEN_AFTER);
        self.sight = None;
        self.device = match error {
            Some(CaptureError::Finished) => Device::Finished,
            Some(error) if !asked => {
                self.failures = if proven { 1 } else { self.failures.saturating_add(1) };
                let state = match error {
                    CaptureError::Unusable(_) => State::Error,
                    _ => State::NoCamera,
                };
                self.failure = Some(Failure {
                    state,
                    reason: error.to_string(),
                });
                let doublings = self.failures.saturating_sub(1).min(8);
                let wait = (Self::FIRST_RETRY * 2_u32.pow(doublings)).min(Self::LONGEST_RETRY);
                Device::Failed { retry_at: now + wait }
            }
            _ => Device::Closed,
        };
    }

    /// What to do now, if anything. The action counts as begun once it has been returned.
    pub fn decide(&mut self, now: Timestamp) -> Option<Action> {
        let should_run = self.should_run();
        let outdated = std::mem::take(&mut self.outdated);
        match self.device {
            Device::Opening { .. } | Device::Open { .. } if !should_run || outdated => {
                self.device = Device::Closing { since: now };
                self.forget_failures();
                self.sight = None;
                Some(Action::Close)
            }
            Device::Closed if should_run => self.open(now),
            Device::Failed { retry_at } if should_run && (now >= retry_at || outdated) => self.open(now),
            Device::Failed { .. } | Device::Finished if !should_run => {
                self.device = Device::Closed;
                self.forget_failures();
                None
            }
            _ => None,
        }
    }

    fn open(&mut self, now: Timestamp) -> Option<Action> {
        self.device = Device::Opening { since: now };
        Some(Action::Open)
    }

    fn forget_failures(&mut self) {
        self.failures = 0;
        self.failure = None;
    }

    /// When [`Keeper::decide`] must be asked again even if nothing happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.device {
            Device::Failed { retry_at } if self.should_run() => Some(retry_at),
            _ => None,
        }
    }

    /// The property `CameraActive`.
    pub fn camera_active(&self) -> bool {
        let device = &self.device;
        matches!(
            device,
            Device::Opening { .. } | Device::Open { .. } | Device::Closing { .. }
        )
    }

    /// The device neither opens nor closes: only ending the process gets it back.
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        match self.device {
            Device::Opening { since } | Device::Closing { since } => now.saturating_since(since) >= Self::STUCK_AFTER,
            _ => false,
        }
    }

    /// The properties `State` and `StateDetail`.
    pub fn state(&self) -> (State, String) {
        if self.paused {
            let detail = "Paused by the user. The camera stays closed until tracking is resumed.";
            return (State::Paused, detail.into());
        }
        if self.locked_out() {
            let detail = "Paused while the session is locked. The camera is closed.";
            return (State::Paused, detail.into());
        }
        if self.asleep {
            let detail = "Paused while the machine sleeps. The camera is closed.";
            return (State::Paused, detail.into());
        }
        if !self.wanted {
            return (State::Idle, "No program asks for gaze. The camera is closed.".into());
        }
        if self.device == Device::Finished {
            return (State::NoCamera, "The recording is over.".into());
        }
        if let Some(failure) = &self.failure {
            return (failure.state, failure.reason.clone());
        }
        match &self.sight {
            None => (State::Starting, "Waiting for the camera's first picture.".into()),
            Some(None) => (State::Tracking, self.advice.unwrap_or("The gaze is tracked.").into()),
            Some(Some(absence)) => (State::Lost, absence.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
