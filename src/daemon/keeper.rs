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
    device: Device,
    failure: Option<Failure>,
    /// Failures in a row.
    failures: u32,
    /// `None` until the opened camera's first picture has been looked at; then why there is no gaze, if there is none.
    sight: Option<Option<String>>,
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
            device: Device::Closed,
            failure: None,
            failures: 0,
            sight: None,
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

    /// The desktop session is locked, and the user wants no tracking then.
    pub fn set_locked(&mut self, locked: bool) {
        self.locked = locked;
    }

    fn should_run(&self) -> bool {
        self.wanted && !self.paused && !self.locked
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
        match self.device {
            Device::Opening { .. } | Device::Open { .. } if !should_run => {
                self.device = Device::Closing { since: now };
                self.forget_failures();
                self.sight = None;
                Some(Action::Close)
            }
            Device::Closed if should_run => self.open(now),
            Device::Failed { retry_at } if should_run && now >= retry_at => self.open(now),
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
        if self.locked {
            let detail = "Paused while the session is locked. The camera is closed.";
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
            Some(None) => (State::Tracking, "The gaze is tracked.".into()),
            Some(Some(absence)) => (State::Lost, absence.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn gone() -> Option<CaptureError> {
        Some(CaptureError::Unavailable("the camera was unplugged".into()))
    }

    #[test]
    fn the_camera_is_open_exactly_while_wanted() {
        let mut keeper = Keeper::new(false);
        assert_eq!(keeper.decide(at_ms(0)), None);
        assert_eq!(keeper.state().0, State::Idle);
        keeper.set_wanted(true);
        assert_eq!(keeper.decide(at_ms(1)), Some(Action::Open));
        assert_eq!(keeper.state().0, State::Starting);
        keeper.opened(at_ms(2));
        keeper.saw(None);
        assert_eq!(keeper.state().0, State::Tracking);
        keeper.saw(Some("No face is in view.".into()));
        assert_eq!(keeper.state(), (State::Lost, "No face is in view.".into()));
        keeper.set_wanted(false);
        assert_eq!(keeper.decide(at_ms(3)), Some(Action::Close));
        assert!(keeper.camera_active(), "until it says that it is closed");
        keeper.ended(at_ms(4), None);
        assert!(!keeper.camera_active());
        assert_eq!(keeper.decide(at_ms(5)), None);
    }

    #[test]
    fn a_client_that_comes_while_the_camera_closes_gets_it_opened_again() {
        let mut keeper = Keeper::new(false);
        keeper.set_wanted(true);
        keeper.decide(at_ms(0));
        keeper.set_wanted(false);
        assert_eq!(keeper.decide(at_ms(1)), Some(Action::Close));
        keeper.set_wanted(true);
        assert_eq!(keeper.decide(at_ms(2)), None, "two cameras at once would be busy");
        keeper.ended(at_ms(3), None);
        assert_eq!(keeper.decide(at_ms(3)), Some(Action::Open));
    }

    #[test]
    fn a_device_that_never_opens_or_closes_is_stuck() {
        let mut keeper = Keeper::new(false);
        assert!(!keeper.is_stuck(at_ms(1_000_000)));
        keeper.set_wanted(true);
        keeper.decide(at_ms(0));
        assert!(!keeper.is_stuck(at_ms(19_999)) && keeper.is_stuck(at_ms(20_000)));
        keeper.opened(at_ms(20_000));
        assert!(!keeper.is_stuck(at_ms(1_000_000)));
        keeper.set_wanted(false);
        keeper.decide(at_ms(1_000_000));
        assert!(keeper.is_stuck(at_ms(1_020_000)));
        keeper.ended(at_ms(1_020_001), None);
        assert!(!keeper.is_stuck(at_ms(1_020_001)));
    }

    #[test]
    fn pausing_wins_over_clients() {
        let mut keeper = Keeper::new(true);
        keeper.set_wanted(true);
        assert_eq!(keeper.decide(at_ms(0)), None);
        assert_eq!(keeper.state().0, State::Paused);
        keeper.set_paused(false);
        assert_eq!(keeper.decide(at_ms(1)), Some(Action::Open));
        keeper.opened(at_ms(2));
        keeper.saw(None);
        keeper.set_paused(true);
        assert_eq!(keeper.decide(at_ms(3)), Some(Action::Close));
        assert_eq!(keeper.state().0, State::Paused);
        keeper.ended(at_ms(4), None);
        keeper.set_locked(true);
        keeper.set_paused(false);
        assert_eq!(keeper.decide(at_ms(5)), None, "the screen is locked");
        assert_eq!(keeper.state().0, State::Paused);
        keeper.set_locked(false);
        assert_eq!(keeper.decide(at_ms(6)), Some(Action::Open));
    }

    /// An unplugged camera that comes back after `away`: how long after its return it is opened.
    fn delay_after_return(away: Duration) -> Duration {
        let mut keeper = Keeper::new(false);
        keeper.set_wanted(true);
        let mut now = at_ms(1_000);
        assert_eq!(keeper.decide(now), Some(Action::Open));
        keeper.opened(now);
        keeper.saw(None);
        now = at_ms(20_000);
        let returns = now + away;
        keeper.ended(now, gone());
        loop {
            assert_eq!(keeper.state(), (State::NoCamera, "the camera was unplugged".into()));
            let wake = keeper.wake_at().expect("it tries again by itself");
            assert!(wake > now);
            assert_eq!(keeper.decide(wake - Duration::from_nanos(1)), None);
            now = wake;
            assert_eq!(keeper.decide(now), Some(Action::Open));
            assert_eq!(keeper.state().0, State::NoCamera, "trying again is no news");
            if now >= returns {
                keeper.opened(now);
                keeper.saw(None);
                assert_eq!(keeper.state().0, State::Tracking);
                return now.saturating_since(returns);
            }
            keeper.ended(now, gone());
        }
    }

    #[test]
    fn an_unusable_camera_is_an_error_and_tried_again() {
        let mut keeper = Keeper::new(false);
        keeper.set_wanted(true);
        keeper.decide(at_ms(0));
        keeper.ended(
            at_ms(1),
            Some(CaptureError::Unusable("no camera is named \"x\"".into())),
        );
        assert_eq!(keeper.state(), (State::Error, "no camera is named \"x\"".into()));
        assert!(keeper.wake_at().is_some());
        keeper.set_wanted(false);
        assert_eq!(keeper.decide(at_ms(2)), None);
        assert_eq!(keeper.wake_at(), None, "nobody waits");
        keeper.set_wanted(true);
        assert_eq!(
            keeper.decide(at_ms(3)),
            Some(Action::Open),
            "a new client need not wait"
        );
    }

    #[test]
    fn a_recording_plays_once_for_each_time_it_is_wanted() {
        let mut keeper = Keeper::new(false);
        keeper.set_wanted(true);
        keeper.decide(at_ms(0));
        keeper.opened(at_ms(0));
        keeper.ended(at_ms(1), Some(CaptureError::Finished));
        assert_eq!(keeper.decide(at_ms(60_000)), None);
        assert_eq!(keeper.state().1, "The recording is over.");
        keeper.set_wanted(false);
        assert_eq!(keeper.decide(at_ms(60_001)), None);
        keeper.set_wanted(true);
        assert_eq!(keeper.decide(at_ms(60_002)), Some(Action::Open));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Wanted(bool),
        Paused(bool),
        /// The device does what it was told last: opens, sends a picture or ends.
        Goes,
        Fails,
        Waits(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            any::<bool>().prop_map(Op::Wanted),
            any::<bool>().prop_map(Op::Paused),
            Just(Op::Goes),
            Just(Op::Fails),
            (0..5_000_u64).prop_map(Op::Waits),
        ];
        proptest::collection::vec(op, 0..60)
    }

    proptest! {
        #[test]
        fn a_camera_that_returns_is_opened_within_the_longest_retry(away_ms in 0..100_000_u64) {
            prop_assert!(delay_after_return(Duration::from_millis(away_ms)) <= Keeper::LONGEST_RETRY);
        }

        /// A device played by the book: never two at once, never open when it must not be once it has obeyed.
        #[test]
        fn whatever_happens_the_camera_follows_the_clients(ops in ops()) {
            let mut keeper = Keeper::new(false);
            let (mut wanted, mut paused, mut now) = (false, false, at_ms(0));
            let (mut running, mut told_to_close) = (false, false);
            for op in ops {
                match op {
                    Op::Wanted(value) => { wanted = value; keeper.set_wanted(value) }
                    Op::Paused(value) => { paused = value; keeper.set_paused(value) }
                    Op::Goes if running && told_to_close => { running = false; keeper.ended(now, None) }
                    Op::Goes if running => { keeper.opened(now); keeper.saw(None) }
                    Op::Fails if running => { running = false; keeper.ended(now, gone()) }
                    Op::Waits(ms) => now = now + Duration::from_millis(ms),
                    Op::Goes | Op::Fails => {}
                }
                match keeper.decide(now) {
                    Some(Action::Open) => {
                        prop_assert!(!running && wanted && !paused);
                        (running, told_to_close) = (true, false);
                    }
                    Some(Action::Close) => {
                        prop_assert!(running && !told_to_close);
                        told_to_close = true;
                    }
                    None => {}
                }
                prop_assert_eq!(keeper.camera_active(), running);
                prop_assert!(!running || told_to_close || (wanted && !paused));
                prop_assert!(running || !wanted || paused || keeper.wake_at().is_some());
            }
        }
    }
}
