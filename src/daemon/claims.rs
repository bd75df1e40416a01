//! Who wants the camera, and for what: a table by number, freed by owner. No bus, no threads.

use std::collections::BTreeMap;

use crate::bus::error::{Error, Result};
use crate::bus::proxies::ClientFacts;

/// What a client uses the camera for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Gaze,
    Preview,
    Recording,
    Calibration,
}

impl Purpose {
    fn reads_frames(self) -> bool {
        matches!(self, Self::Preview | Self::Recording)
    }

    /// The word in the property `Clients`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaze => "gaze",
            Self::Preview => "preview",
            Self::Recording => "recording",
            Self::Calibration => "calibration",
        }
    }
}

/// The program behind a bus name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The unique bus name; the bus never gives one to a second client.
    pub owner: String,
    pub app_name: String,
    pub process_id: u32,
}

#[derive(Clone, Debug)]
struct Claim {
    client: Client,
    purpose: Purpose,
    /// A session that was made but not started claims nothing yet.
    active: bool,
}

/// All claims. Numbers are never used again.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    last: u64,
    claims: BTreeMap<u64, Claim>,
}

impl Claims {
    /// One client cannot fill the daemon's memory.
    pub const MOST_PER_CLIENT: usize = 64;
    /// Nor take all its threads, of which each reader of frames needs one.
    pub const MOST_READERS_PER_CLIENT: usize = 4;

    pub fn add(&mut self, client: Client, purpose: Purpose, active: bool) -> Result<u64> {
        let own = self.claims.values().filter(|claim| claim.client.owner == client.owner);
        let (held, most, what) = if purpose.reads_frames() {
            let readers = own.filter(|claim| claim.purpose.reads_frames());
            (readers.count(), Self::MOST_READERS_PER_CLIENT, "readers of frames")
        } else {
            (own.count(), Self::MOST_PER_CLIENT, "sessions")
        };
        if held >= most {
            return Err(Error::NotNow(format!(
                "this program already holds {held} {what}; close some first"
            )));
        }
        self.last += 1;
        let claim = Claim {
            client,
            purpose,
            active,
        };
        self.claims.insert(self.last, claim);
        Ok(self.last)
    }

    /// Refuses everyone but the claim's owner.
    pub fn check_owner(&self, id: u64, sender: &str) -> Result<()> {
        match self.claims.get(&id) {
            Some(claim) if claim.client.owner == sender => Ok(()),
            Some(_) => Err(Error::NotOwner("this belongs to another program".into())),
            None => Err(Error::NotNow("this is already closed".into())),
        }
    }

    pub fn set_active(&mut self, id: u64, active: bool) {
        if let Some(claim) = self.claims.get_mut(&id) {
            claim.active = active;
        }
    }

    /// Fills in the process behind a claim, and its executable where the client gave no name.
    pub fn identify(&mut self, id: u64, process_id: u32, executable: String) {
        if let Some(claim) = self.claims.get_mut(&id) {
            claim.client.process_id = process_id;
            if claim.client.app_name.is_empty() {
                claim.client.app_name = executable;
            }
        }
    }

    pub fn is_active(&self, id: u64) -> bool {
        self.claims.get(&id).is_some_and(|claim| claim.active)
    }

    /// The claim's client and purpose.
    pub fn get(&self, id: u64) -> Option<(&Client, Purpose)> {
        self.claims.get(&id).map(|claim| (&claim.client, claim.purpose))
    }

    pub fn remove(&mut self, id: u64) -> Option<Purpose> {
        self.claims.remove(&id).map(|claim| claim.purpose)
    }

    /// Every claim and the process behind it.
    pub fn processes(&self) -> Vec<(u64, u32)> {
        let processes = self.claims.iter().map(|(id, claim)| (*id, claim.client.process_id));
        processes.collect()
    }

    /// All claims of a client, which are to be removed when its bus name vanishes.
    pub fn owned_by(&self, owner: &str) -> Vec<u64> {
        let owned = self.claims.iter().filter(|(_, claim)| claim.client.owner == owner);
        owned.map(|(id, _)| *id).collect()
    }

    /// True where no client holds anything, not even a session that was not started.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub fn any_for(&self, purpose: Purpose) -> bool {
        self.claims.values().any(|claim| claim.purpose == purpose)
    }

    /// True while anyone needs the camera.
    pub fn want_camera(&self) -> bool {
        self.claims.values().any(|claim| claim.active)
    }

    /// The property `Clients`: the active claims.
    pub fn clients(&self) -> Vec<ClientFacts> {
        let active = self.claims.values().filter(|claim| claim.active);
        active
            .map(|claim| {
                let Client {
                    app_name, process_id, ..
                } = &claim.client;
                (app_name.clone(), *process_id, claim.purpose.name().to_owned())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(owner: &str) -> Client {
        Client {
            owner: owner.into(),
            app_name: format!("app of {owner}"),
            process_id: 42,
        }
    }

    #[test]
    fn a_session_claims_the_camera_only_while_it_is_started() {
        let mut claims = Claims::default();
        let id = claims.add(client(":1.5"), Purpose::Gaze, false).expect("the first");
        assert!(!claims.want_camera() && claims.clients().is_empty());
        claims.set_active(id, true);
        assert!(claims.want_camera());
        assert_eq!(claims.clients(), [("app of :1.5".to_owned(), 42, "gaze".to_owned())]);
        claims.set_active(id, false);
        assert!(!claims.want_camera());
    }

    #[test]
    fn nobody_else_may_touch_a_claim() {
        let mut claims = Claims::default();
        let id = claims.add(client(":1.5"), Purpose::Gaze, true).expect("the first");
        assert!(claims.check_owner(id, ":1.5").is_ok());
        assert!(matches!(claims.check_owner(id, ":1.50"), Err(Error::NotOwner(_))));
        claims.remove(id);
        assert!(matches!(claims.check_owner(id, ":1.5"), Err(Error::NotNow(_))));
    }

    #[test]
    fn one_client_cannot_fill_the_table() {
        let mut claims = Claims::default();
        for _ in 0..Claims::MOST_PER_CLIENT {
            claims
                .add(client(":1.5"), Purpose::Gaze, false)
                .expect("below the limit");
        }
        assert!(claims.add(client(":1.5"), Purpose::Gaze, false).is_err());
        assert!(claims.add(client(":1.6"), Purpose::Gaze, false).is_ok());
    }

    #[test]
    fn one_client_cannot_take_all_threads() {
        let mut claims = Claims::default();
        let kinds = [Purpose::Preview, Purpose::Recording].into_iter().cycle();
        for purpose in kinds.clone().take(Claims::MOST_READERS_PER_CLIENT) {
            claims.add(client(":1.5"), purpose, true).expect("below the limit");
        }
        for purpose in kinds.take(2) {
            let refused = claims.add(client(":1.5"), purpose, true);
            assert!(matches!(refused, Err(Error::NotNow(_))), "{refused:?}");
        }
        assert!(claims.add(client(":1.5"), Purpose::Gaze, true).is_ok());
        assert!(claims.add(client(":1.6"), Purpose::Preview, true).is_ok());
    }

    proptest! {
        #[test]
        fn when_all_clients_are_gone_so_is_every_claim(adds in proptest::collection::vec((0..4_u8, any::<bool>()), 0..40)) {
            let mut claims = Claims::default();
            let mut seen = 0;
            for (owner, active) in &adds {
                let id = claims.add(client(&format!(":1.{owner}")), Purpose::Gaze, *active).expect("below the limit");
                prop_assert!(id > seen, "numbers are never used again");
                seen = id;
            }
            prop_assert_eq!(claims.want_camera(), adds.iter().any(|(_, active)| *active));
            for owner in 0..4 {
                for id in claims.owned_by(&format!(":1.{owner}")) {
                    claims.remove(id);
                }
            }
            prop_assert!(!claims.want_camera() && claims.clients().is_empty());
        }
    }
}
