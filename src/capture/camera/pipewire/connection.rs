//! The connection to PipeWire: its loop, which runs only while somebody waits, and the cameras that it tells of.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ::pipewire as pw;
use pw::context::ContextRc;
use pw::core::{CoreRc, Listener, PW_ID_CORE};
use pw::loop_::Timeout;
use pw::main_loop::MainLoopRc;
use pw::properties::PropertiesBox;
use pw::registry::GlobalObject;
use pw::types::ObjectType;
use rustix::io::Errno;

/// PipeWire answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// A camera's node.
pub struct Node {
    pub global: GlobalObject<PropertiesBox>,
    /// Unique and lasting: `v4l2_input.pci-0000_00_14.0-usb-0_8_1.0`.
    pub name: String,
    /// For people.
    pub description: String,
}

/// What keeps the connection alive; fields are dropped in their order.
pub struct Connection {
    _errors: Listener,
    pub core: CoreRc,
    _context: ContextRc,
    main_loop: MainLoopRc,
    failure: Failure,
}

/// The first failure that a callback was told of; nothing works after it.
#[derive(Clone, Debug, Default)]
pub struct Failure(Rc<RefCell<Option<io::Error>>>);

impl Failure {
    pub fn tell(&self, error: io::Error) {
        self.0.borrow_mut().get_or_insert(error);
    }

    pub fn check(&self) -> io::Result<()> {
        match &*self.0.borrow() {
            None => Ok(()),
            // An error of the system is passed on with its number, which decides what people are told.
            Some(error) => Err(error
                .raw_os_error()
                .map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)),
        }
    }
}

impl Connection {
    /// Connects to the user's PipeWire, or through a socket that a portal opened.
    pub fn new(socket: Option<OwnedFd>) -> io::Result<Self> {
        pw::init();
        let main_loop = MainLoopRc::new(None).map_err(io::Error::other)?;
        let context = ContextRc::new(&main_loop, None).map_err(io::Error::other)?;
        let core = match socket {
            None => context.connect_rc(None),
            Some(socket) => context.connect_fd_rc(socket, None),
        }
        .map_err(io::Error::other)?;
        let failure = Failure::default();
        let errors = {
            let failure = failure.clone();
            core.add_listener_local()
                .error(move |id, _, result, message| {
                    tracing::debug!(id, result, message, "PipeWire reports an error");
                    if id == PW_ID_CORE {
                        // Broken pipe: PipeWire has ended. For the user the camera is gone.
                        failure.tell(if result == -Errno::PIPE.raw_os_error() {
                            Errno::NODEV.into()
                        } else {
                            io::Error::other(format!("PipeWire says: {message}"))
                        });
                    }
                })
                .register()
        };
        Ok(Self {
            _errors: errors,
            core,
            _context: context,
            main_loop,
            failure,
        })
    }

    /// Where callbacks tell what goes wrong.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// Lets PipeWire's callbacks happen until `reached` says so; false where it did not in that time.
    pub fn run_until(&self, patience: Duration, mut reached: impl FnMut() -> bool) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            self.failure.check()?;
            if reached() {
                return Ok(true);
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            // Whole milliseconds: less than one would not wait at all.
            let step = left.max(Duration::from_millis(1));
            self.main_loop.loop_().iterate(Timeout::Finite(step));
        }
    }

    /// Waits until PipeWire has answered all that was asked so far.
    pub fn round_trip(&self) -> io::Result<()> {
        let pending = self.core.sync(0).map_err(io::Error::other)?;
        let done = Rc::new(Cell::new(false));
        let _listener = {
            let done = Rc::clone(&done);
            let answered = move |id, seq| done.set(done.get() || (id == PW_ID_CORE && seq == pending));
            self.core.add_listener_local().done(answered).register()
        };
        if self.run_until(PATIENCE, || done.get())? {
            Ok(())
        } else {
            Err(Errno::TIMEDOUT.into())
        }
    }

    /// All cameras there are now, in the order in which they came.
    pub fn cameras(&self) -> io::Result<Vec<Node>> {
        let registry = self.core.get_registry_rc().map_err(io::Error::other)?;
        let found = Rc::new(RefCell::new(Vec::new()));
        let _listener = {
            let found = Rc::clone(&found);
            registry
                .add_listener_local()
                .global(move |global| found.borrow_mut().extend(camera(global)))
                .register()
        };
        self.round_trip()?;
        Ok(found.take())
    }
}

/// The node, if it is a camera's.
fn camera(global: &GlobalObject<&pw::spa::utils::dict::DictRef>) -> Option<Node> {
    let properties = global.props.filter(|_| global.type_ == ObjectType::Node)?;
    if properties.get(*pw::keys::MEDIA_CLASS) != Some("Video/Source") {
        return None;
    }
    let name = properties.get(*pw::keys::NODE_NAME).unwrap_or_default();
    let description = [*pw::keys::NODE_DESCRIPTION, *pw::keys::NODE_NICK];
    let description = description
        .into_iter()
        .find_map(|key| properties.get(key))
        .unwrap_or(name);
    Some(Node {
        name: name.to_owned(),
        description: description.to_owned(),
        global: global.to_owned(),
    })
}
