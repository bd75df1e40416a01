//! What the daemon's threads and the bus interfaces share, behind one lock.
//!
//! Whoever changes something that the supervisor has to act on does so through [`Hub::change`], which wakes it up. Nothing
//! blocks while it holds the lock: no device, no bus.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::claims::{Claims, Client, Purpose};
use super::exits::Exits;
use super::keeper::{Action, Keeper};
use super::live::Shown;
use super::memory::{Memory, Remembered};
use super::pacing::Pacer;
use super::policy::Gate;
use super::readers::FrameReader;
use crate::bus::error::{Error, Result};
use crate::bus::options::SessionOptions;
use crate::bus::proxies::ClientFacts;
use crate::clock::{Clock, MonotonicClock, Timestamp};
use crate::outputs::{Layout, Placement};
use crate::stats::Stats;

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM or SIGINT.
    Asked,
    /// No client for as long as the configuration allows.
    Unused,
    /// The connection to the bus was lost.
    BusGone,
    /// A thread of the daemon panicked: a bug, which the log has told.
    Broken,
}

/// The manager's properties that tell of their changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub state: String,
    pub state_detail: String,
    pub camera_active: bool,
    pub camera_name: String,
    pub clients: Vec<ClientFacts>,
    /// `None` without a calibration.
    pub calibrated: Option<Shown>,
    pub layout: Arc<Layout>,
}

/// A session, as the tracker sees it.
#[derive(Debug)]
pub struct Outlet {
    pub options: SessionOptions,
    /// From the tracked monitor to the session's.
    pub placement: Placement,
    pub pacer: Pacer,
    pub sequence: u64,
    /// Counts the session's movements.
    pub movements: u64,
    pub exits: Arc<Exits>,
}

#[derive(Debug)]
pub struct Shared {
    pub claims: Claims,
    pub sessions: BTreeMap<u64, Outlet>,
    pub readers: BTreeMap<u64, FrameReader>,
    pub keeper: Keeper,
    pub camera_name: String,
    pub stats: Stats,
    pub calibrated: Option<Shown>,
    pub layout: Arc<Layout>,
    /// The daemon ends after so long without a client.
    pub idle_exit: Option<Duration>,
    /// Since when the tracking thread has been at its present frame; `None` while it waits for one.
    pub tracking_since: Option<Timestamp>,
    /// Since when the capture thread has been waiting for the source, which is to answer within a moment whether it has a
    /// frame or not; `None` while it does not ask.
    pub waiting_since: Option<Timestamp>,
    /// Since when no client has held anything.
    pub unused_since: Option<Timestamp>,
    pub stop: Option<Stop>,
}

impl Shared {
    /// A frame takes milliseconds, and so does a source that is asked for one.
    const HUNG_AFTER: Duration = Duration::from_secs(10);
    /// From here on people are told; it may still come back.
    const SILENT_AFTER: Duration = Duration::from_secs(3);

    pub fn facts(&self) -> Facts {
        let (state, state_detail) = self.keeper.state();
        Facts {
            state: state.name().into(),
            state_detail,
            camera_active: self.keeper.camera_active(),
            camera_name: self.camera_name.clone(),
            clients: self.claims.clients(),
            calibrated: self.calibrated.clone(),
            layout: Arc::clone(&self.layout),
        }
    }

    /// Monitors came, went or moved. A session whose monitor is gone keeps where it was.
    pub fn set_layout(&mut self, layout: Layout) {
        for outlet in self.sessions.values_mut() {
            if let Some(placement) = layout.placement(outlet.options.output.as_deref()) {
                outlet.placement = placement;
            }
        }
        self.layout = Arc::new(layout);
    }

    /// From the tracked monitor to the one of that name, or to the primary one.
    pub fn placement(&self, output: Option<&str>) -> Result<Placement> {
        self.layout.placement(output).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "there is no output {:?}; there are: {}",
                output.unwrap_or_default(),
                self.layout.names()
            ))
        })
    }

    /// The source was asked for a frame and does not even say that it has none.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        let waited = self.waiting_since.map(|since| now.saturating_since(since));
        waited.is_some_and(|waited| waited >= Self::SILENT_AFTER)
    }

    /// What hangs and will not come back by itself, for the log; `None` while frames are tracked, or while there is a good
    /// reason why not. It is what the watchdog wants to know.
    pub fn hangs(&self, now: Timestamp) -> Option<&'static str> {
        let too_long =
            |since: Option<Timestamp>| since.is_some_and(|since| now.saturating_since(since) >= Self::HUNG_AFTER);
        if too_long(self.tracking_since) {
            Some("tracking does not come to the end of a frame")
        } else if too_long(self.waiting_since) {
            Some("the camera neither gives a frame nor says that it has none")
        } else if self.keeper.is_stuck(now) {
            Some("the camera neither opens nor closes")
        } else {
            None
        }
    }

    /// The sessions that receive records.
    pub fn started_sessions(&mut self) -> impl Iterator<Item = &mut Outlet> {
        let claims = &self.claims;
        self.sessions
            .iter_mut()
            .filter(|(id, _)| claims.is_active(**id))
            .map(|(_, outlet)| outlet)
    }
}

/// What the supervisor found when it looked.
#[derive(Debug)]
pub enum News {
    Stop(Stop),
    Changed {
        action: Option<Action>,
        facts: Facts,
    },
    /// Nothing for as long as the supervisor was ready to wait.
    Quiet,
}

#[derive(Debug)]
pub struct Hub {
    shared: Mutex<Shared>,
    changed: Condvar,
    memory: Mutex<Memory>,
    gate: Mutex<Arc<Gate>>,
    clock: MonotonicClock,
}

impl Hub {
    /// The privacy switch stands as it is remembered.
    pub fn new(memory: Memory, gate: Gate, calibrated: Option<Shown>, layout: Layout) -> Self {
        let paused = memory.recall().paused;
        Self {
            shared: Mutex::new(Shared {
                claims: Claims::default(),
                sessions: BTreeMap::new(),
                readers: BTreeMap::new(),
                keeper: Keeper::new(paused),
                camera_name: String::new(),
                stats: Stats::default(),
                calibrated,
                layout: Arc::new(layout),
                idle_exit: None,
                tracking_since: None,
                waiting_since: None,
                unused_since: Some(MonotonicClock.now()),
                stop: None,
            }),
            changed: Condvar::new(),
            memory: Mutex::new(memory),
            gate: Mutex::new(Arc::new(gate)),
            clock: MonotonicClock,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every change is complete when it is made, so a thread that panicked cannot have left a half-made one.
    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something that the supervisor has to act on or to announce.
    pub fn change<T>(&self, change: impl FnOnce(&mut Shared, Timestamp) -> T) -> T {
        let mut shared = self.lock();
        let result = change(&mut shared, self.now());
        let (wanted, unused) = (shared.claims.want_camera(), shared.claims.is_empty());
        shared.keeper.set_wanted(wanted);
        let since = shared.unused_since.unwrap_or_else(|| self.now());
        shared.unused_since = unused.then_some(since);
        drop(shared);
        self.changed.notify_all();
        result
    }

    /// Who may read the gaze.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on others may read the gaze.
    pub fn set_gate(&self, gate: Gate) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(gate);
    }

    /// What a restart would find.
    pub fn remembered(&self) -> Remembered {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).recall()
    }

    /// Changes what a restart is to find.
    pub fn remember(&self, change: impl FnOnce(&mut Remembered)) -> anyhow::Result<()> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut remembered = memory.recall();
        change(&mut remembered);
        memory.remember(&remembered)
    }

    /// Ends the daemon.
    pub fn stop(&self, why: Stop) {
        self.change(|shared, _| {
            shared.stop.get_or_insert(why);
        });
    }

    /// Waits, for `patience` at most, until there is something to do or to announce. For the supervisor alone: it is to do what is returned.
    pub fn next_news(&self, announced: &Facts, patience: Duration) -> News {
        let give_up = self.now() + patience;
        let mut shared = self.lock();
        loop {
            if let Some(stop) = shared.stop {
                return News::Stop(stop);
            }
            let now = self.now();
            let action = shared.keeper.decide(now);
            let facts = shared.facts();
            if action.is_some() || facts != *announced {
                return News::Changed { action, facts };
            }
            let leave_at = shared
                .idle_exit
                .zip(shared.unused_since)
                .map(|(after, since)| since + after);
            if leave_at.is_some_and(|leave_at| now >= leave_at) {
                return News::Stop(Stop::Unused);
            }
            if now >= give_up {
                return News::Quiet;
            }
            let moments = [Some(give_up), shared.keeper.wake_at(), leave_at];
            let wake_at = moments.into_iter().flatten().min().unwrap_or(give_up);
            let waited = self.changed.wait_timeout(shared, wake_at.saturating_since(now));
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits, for `patience` at most, until the camera is closed.
    pub fn wait_until_closed(&self, patience: Duration) {
        let open = |shared: &mut Shared| shared.keeper.camera_active();
        drop(self.changed.wait_timeout_while(self.lock(), patience, open));
    }

    /// Registers a session that is not started yet. `exits` is called with its number.
    pub fn add_session(
        &self,
        client: Client,
        options: SessionOptions,
        exits: impl FnOnce(u64) -> Result<Exits>,
    ) -> Result<u64> {
        self.change(|shared, _| {
            let placement = shared.placement(options.output.as_deref())?;
            let id = shared.claims.add(client, Purpose::Gaze, false)?;
            match exits(id) {
                Ok(exits) => {
                    let outlet = Outlet {
                        placement,
                        pacer: Pacer::new(options.max_rate_hz),
                        sequence: 0,
                        movements: 0,
                        exits: Arc::new(exits),
                        options,
                    };
                    shared.sessions.insert(id, outlet);
                    Ok(id)
                }
                Err(error) => {
                    shared.claims.remove(id);
                    Err(error)
                }
            }
        })
    }

    /// Starts or stops the session for its owner.
    pub fn set_started(&self, id: u64, sender: &str, started: bool) -> Result<()> {
        self.change(|shared, _| {
            shared.claims.check_owner(id, sender)?;
            if started
                && !shared.claims.is_active(id)
                && let Some((client, _)) = shared.claims.get(id)
            {
                tracing::info!(
                    app = client.app_name,
                    process_id = client.process_id,
                    "a program reads the gaze"
                );
            }
            shared.claims.set_active(id, started);
            if !started && let Some(outlet) = shared.sessions.get(&id) {
                outlet.exits.flush();
            }
            Ok(())
        })
    }

    /// The exits of a session, for its owner.
    pub fn exits(&self, id: u64, sender: &str) -> Result<Arc<Exits>> {
        let shared = self.lock();
        shared.claims.check_owner(id, sender)?;
        let outlet = shared.sessions.get(&id);
        outlet
            .map(|outlet| Arc::clone(&outlet.exits))
            .ok_or_else(|| Error::NotNow("the session is already closed".into()))
    }

    /// Gives up a claim and all that belongs to it.
    pub fn release(&self, id: u64) -> Option<Purpose> {
        self.change(|shared, _| {
            shared.sessions.remove(&id);
            shared.readers.remove(&id);
            shared.claims.remove(id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::keeper::Action;

    const S: Duration = Duration::from_secs(1);

    fn hub(folder: &std::path::Path) -> Hub {
        let config = crate::config::Config::default();
        let layout = crate::daemon::desktop::configured(&config.screen, &[]);
        Hub::new(Memory::new(folder), Gate::new(&config.clients), None, layout)
    }

    #[test]
    fn only_what_does_not_come_back_by_itself_starves_the_watchdog() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(folder.path());
        let mut shared = hub.lock();
        let start = Timestamp::from_nanos(1_000_000_000);
        assert_eq!(shared.hangs(start + 3600 * S), None, "nobody wants a camera");

        shared.keeper.set_wanted(true);
        assert_eq!(shared.keeper.decide(start), Some(Action::Open));
        assert_eq!(shared.hangs(start + 19 * S), None, "a slow driver");
        assert!(shared.hangs(start + 20 * S).is_some_and(|why| why.contains("opens")));
        shared.keeper.opened(start + 20 * S);

        shared.waiting_since = Some(start + 20 * S);
        assert!(!shared.is_silent(start + 22 * S) && shared.is_silent(start + 23 * S));
        assert_eq!(shared.hangs(start + 29 * S), None);
        assert!(
            shared
                .hangs(start + 30 * S)
                .is_some_and(|why| why.contains("neither gives"))
        );
        shared.waiting_since = None;
        assert_eq!(shared.hangs(start + 3600 * S), None, "between two questions");

        shared.tracking_since = Some(start + 30 * S);
        assert_eq!(shared.hangs(start + 39 * S), None);
        assert!(shared.hangs(start + 40 * S).is_some_and(|why| why.contains("frame")));
        shared.tracking_since = None;

        let failed = crate::capture::CaptureError::Unavailable("unplugged".into());
        shared.keeper.ended(start + 41 * S, Some(failed));
        assert_eq!(shared.hangs(start + 3600 * S), None, "a missing camera is waited for");
    }
}
