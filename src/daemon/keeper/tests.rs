//! What the keeper does when, on a clock of the test.

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
fn a_camera_that_falls_silent_is_told_of_until_it_sends_again() {
    let mut keeper = Keeper::new(false);
    keeper.fell_silent();
    assert_eq!(keeper.state().0, State::Idle, "there was none");
    keeper.set_wanted(true);
    keeper.decide(at_ms(0));
    keeper.opened(at_ms(1));
    keeper.saw(None);
    keeper.fell_silent();
    let (state, detail) = keeper.state();
    assert!(
        state == State::NoCamera && detail.contains("does not answer"),
        "{detail}"
    );
    assert!(keeper.camera_active(), "it is still open");
    keeper.saw(None);
    assert_eq!(keeper.state().0, State::Tracking);
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
fn a_camera_that_is_to_be_opened_in_another_way_is_closed_first() {
    let mut keeper = Keeper::new(false);
    keeper.reconfigure();
    assert_eq!(keeper.decide(at_ms(0)), None, "nothing is open");
    keeper.set_wanted(true);
    assert_eq!(keeper.decide(at_ms(1)), Some(Action::Open));
    keeper.opened(at_ms(2));
    keeper.saw(None);
    keeper.reconfigure();
    assert_eq!(keeper.decide(at_ms(3)), Some(Action::Close));
    keeper.ended(at_ms(4), None);
    assert_eq!(keeper.decide(at_ms(4)), Some(Action::Open));
    keeper.ended(at_ms(5), gone());
    assert_eq!(keeper.decide(at_ms(6)), None, "not yet");
    keeper.reconfigure();
    assert_eq!(
        keeper.decide(at_ms(6)),
        Some(Action::Open),
        "it may be another camera now"
    );
}

#[test]
fn advice_is_told_while_there_is_a_gaze_that_it_makes_better() {
    let mut keeper = Keeper::new(false);
    keeper.set_wanted(true);
    keeper.decide(at_ms(0));
    keeper.opened(at_ms(1));
    keeper.saw(None);
    keeper.advise(Some("Sit closer."));
    assert_eq!(keeper.state(), (State::Tracking, "Sit closer.".into()));
    keeper.saw(Some("No face is in view.".into()));
    assert_eq!(keeper.state(), (State::Lost, "No face is in view.".into()));
    keeper.saw(None);
    keeper.advise(None);
    assert_eq!(keeper.state(), (State::Tracking, "The gaze is tracked.".into()));
}

#[test]
fn a_sleeping_machine_has_no_camera_open() {
    let mut keeper = Keeper::new(false);
    keeper.set_wanted(true);
    keeper.decide(at_ms(0));
    keeper.opened(at_ms(1));
    keeper.saw(None);
    keeper.set_asleep(true);
    assert_eq!(keeper.decide(at_ms(2)), Some(Action::Close));
    assert_eq!(keeper.state().0, State::Paused);
    keeper.ended(at_ms(3), None);
    assert_eq!(keeper.decide(at_ms(3)), None);
    keeper.set_asleep(false);
    assert_eq!(keeper.decide(at_ms(4)), Some(Action::Open));
    assert_eq!(keeper.state().0, State::Starting);
}

#[test]
fn a_camera_that_slept_with_the_machine_is_opened_anew() {
    let mut keeper = Keeper::new(false);
    keeper.set_asleep(false);
    keeper.set_wanted(true);
    keeper.decide(at_ms(0));
    keeper.opened(at_ms(1));
    keeper.saw(None);
    keeper.set_asleep(false);
    assert_eq!(keeper.decide(at_ms(2)), None, "it was awake before");
    // Both are heard of only after waking up.
    keeper.set_asleep(true);
    keeper.set_asleep(false);
    assert_eq!(keeper.decide(at_ms(3)), Some(Action::Close));
    keeper.ended(at_ms(4), None);
    assert_eq!(keeper.decide(at_ms(4)), Some(Action::Open));
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
    assert_eq!(keeper.decide(at_ms(20)), None, "not unless the user wants it");
    keeper.set_pauses_when_locked(true);
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
