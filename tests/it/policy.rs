//! The user's policy on who may read the gaze.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;

use gazed::client::Client;

use crate::cli::first_lines;
use crate::desk::{Desk, Running, eventually};

const NOT_AUTHORIZED: &str = "org.gazed.Gaze1.Error.NotAuthorized";

fn configure(desk: &Desk, clients: &str) {
    let folder = desk.path("config/gazed");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), format!("[clients]\n{clients}\n")).expect("writes");
}

/// The name of the error that a call was refused with, if it was.
fn refusal<T>(result: zbus::Result<T>) -> Option<String> {
    match result {
        Ok(_) => None,
        Err(zbus::Error::MethodError(name, ..)) => Some(name.to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_list_keeps_out_who_is_not_on_it() {
    let desk = Desk::new();
    configure(&desk, "policy = \"list\"\nallowed = [\"somebody-else\"]");
    let source = desk.empty_recording(60);
    let gazed = desk.start_gazed(&source);
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let control = client.control().expect("a proxy");
    assert_eq!(manager.state().expect("everyone may ask how it is"), "idle");
    assert_eq!(
        refusal(manager.create_session(HashMap::new())).as_deref(),
        Some(NOT_AUTHORIZED)
    );
    assert_eq!(refusal(control.resume()).as_deref(), Some(NOT_AUTHORIZED));
    assert_eq!(
        refusal(control.open_frames(HashMap::new())).as_deref(),
        Some(NOT_AUTHORIZED)
    );
    assert_eq!(
        refusal(control.begin_calibration(HashMap::new())).as_deref(),
        Some(NOT_AUTHORIZED)
    );
    assert_eq!(refusal(control.use_profile("any")).as_deref(), Some(NOT_AUTHORIZED));
    assert_eq!(refusal(control.recenter(0.5, 0.5, 0)).as_deref(), Some(NOT_AUTHORIZED));
    assert_eq!(
        refusal(control.add_sample(0.5, 0.5, 0)).as_deref(),
        Some(NOT_AUTHORIZED)
    );
    assert_eq!(refusal(control.delete_profile("any")).as_deref(), Some(NOT_AUTHORIZED));
    assert_eq!(refusal(control.pause()).as_deref(), Some(NOT_AUTHORIZED));
    assert!(!manager.camera_active().expect("a property"));
    drop(gazed);

    let own = std::env::current_exe().expect("a test program");
    configure(
        &desk,
        &format!("policy = \"list\"\nallowed = [{:?}]", own.display().to_string()),
    );
    eventually("the name is free", || !client.daemon_runs().expect("answers"));
    let _gazed = desk.start_gazed(&source);
    assert_eq!(refusal(manager.create_session(HashMap::new())), None);
}

/// The user unit gives the daemon a user namespace of its own, from which the kernel does not tell what others execute.
#[test]
fn a_list_is_kept_in_a_user_namespace_too() {
    let desk = Desk::new();
    let own = std::env::current_exe().expect("a test program");
    let name = own.file_name().expect("a name").to_string_lossy().into_owned();
    let confined = || {
        let mut command = desk.command("unshare");
        command.args(["--user", "--map-current-user"]);
        command
    };
    let executable = format!("/proc/{}/exe", std::process::id());
    let Ok(told) = confined().args(["readlink", &executable]).output() else {
        eprintln!("skipped: unshare is not installed");
        return;
    };
    let may_unshare = confined().arg("true").status().expect("installed").success();
    if !may_unshare || told.status.success() {
        eprintln!("skipped: this user may not make a namespace, or sees through it");
        return;
    }
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let start = || {
        let mut command = confined();
        command.arg(env!("CARGO_BIN_EXE_gazed"));
        command
            .args(["--source", &desk.empty_recording(60)])
            .stderr(Stdio::null());
        let gazed = Running(command.spawn().expect("unshare starts"));
        eventually("gazed owns its name", || client.daemon_runs().expect("the bus answers"));
        gazed
    };
    configure(&desk, "policy = \"list\"");
    let gazed = start();
    let refused = refusal(manager.create_session(HashMap::new()));
    assert_eq!(refused.as_deref(), Some(NOT_AUTHORIZED));
    assert_eq!(first_lines(&mut desk.gazectl(&["watch", "--json"]), 1).len(), 1);
    drop(gazed);

    configure(&desk, &format!("policy = \"list\"\nallowed = [{name:?}]"));
    eventually("the name is free", || !client.daemon_runs().expect("answers"));
    let _gazed = start();
    assert_eq!(refusal(manager.create_session(HashMap::new())), None);
    let nameless = client
        .session(&gazed::bus::options::SessionOptions::default())
        .expect("a session");
    nameless.start().expect("starts");
    let clients = manager.clients().expect("a property");
    assert_eq!(clients[0].0, name);
}

/// A desktop that shows notifications, and a user who answers each.
struct Notifications {
    shown: Arc<Mutex<Vec<String>>>,
    answer: &'static str,
    /// Another program, which would like to answer for the user.
    forger: Client,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[expect(clippy::too_many_arguments, reason = "the specification's arguments")]
    async fn notify(
        &self,
        _app: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        _body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout_ms: i32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> u32 {
        assert!(actions.iter().any(|action| action == self.answer));
        self.shown.lock().expect("no panic").push(summary);
        let (emitter, answer) = (emitter.into_owned(), self.answer);
        let forger = self.forger.connection().clone();
        // The user answers after the notification was shown.
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let (path, interface) = ("/org/freedesktop/Notifications", "org.freedesktop.Notifications");
            let opposite = if answer == "allow" { "refuse" } else { "allow" };
            let forged = forger.emit_signal(None::<&str>, path, interface, "ActionInvoked", &(7_u32, opposite));
            forged.expect("the bus is there");
            // Once this is answered, the bus has passed on what was sent before.
            let bus = zbus::blocking::fdo::DBusProxy::new(&forger).expect("a proxy");
            bus.get_id().expect("the bus answers");
            zbus::block_on(async {
                // Not as it should be, which is no answer.
                emitter.emit(interface, "ActionInvoked", &("odd",)).await?;
                Self::action_invoked(&emitter, 7, answer).await
            })
            .expect("the bus is there");
        });
        7
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action: &str) -> zbus::Result<()>;
}

/// The desktop, and what it has shown.
fn desktop(desk: &Desk, answer: &'static str) -> (Client, Arc<Mutex<Vec<String>>>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let notifications = Notifications {
        shown: Arc::clone(&shown),
        answer,
        forger: desk.client(),
    };
    let desktop = desk.client();
    let server = desktop.connection();
    server
        .object_server()
        .at("/org/freedesktop/Notifications", notifications)
        .expect("serves");
    server
        .request_name("org.freedesktop.Notifications")
        .expect("the name is free");
    (desktop, shown)
}

#[test]
fn who_was_refused_stays_out_and_is_not_asked_about_again() {
    let desk = Desk::new();
    configure(&desk, "policy = \"ask\"");
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let (_desktop, shown) = desktop(&desk, "refuse");
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    for _ in 0..3 {
        let refused = refusal(manager.create_session(HashMap::new()));
        assert_eq!(refused.as_deref(), Some(NOT_AUTHORIZED));
        eventually("the user was asked", || shown.lock().expect("no panic").len() == 1);
        // The answer is on its way for a moment.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(shown.lock().expect("no panic").len(), 1);
    assert!(!manager.camera_active().expect("a property"));
    gazed.signal(rustix::process::Signal::TERM);
    let (_, said) = gazed.ended();
    assert!(said.contains("did not allow"), "{said}");
}

#[test]
fn the_user_is_asked_once_and_the_answer_is_remembered() {
    let desk = Desk::new();
    configure(&desk, "policy = \"ask\"");
    let source = desk.empty_recording(60);
    let gazed = desk.start_gazed(&source);
    let (_desktop, shown) = desktop(&desk, "allow");
    let client = desk.client();
    let manager = client.manager().expect("a proxy");
    let refused = refusal(manager.create_session(HashMap::new()));
    assert_eq!(
        refused.as_deref(),
        Some(NOT_AUTHORIZED),
        "not before the user has answered"
    );
    eventually("the user's answer counts", || {
        refusal(manager.create_session(HashMap::new())).is_none()
    });
    let asked = shown.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("where you look"), "{asked:?}");
    drop(gazed);
    eventually("the name is free", || !client.daemon_runs().expect("answers"));
    let _gazed = desk.start_gazed(&source);
    assert_eq!(
        refusal(manager.create_session(HashMap::new())),
        None,
        "remembered over a restart"
    );
    assert_eq!(shown.lock().expect("no panic").len(), 1);
}
