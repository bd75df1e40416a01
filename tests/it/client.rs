//! The client library in asynchronous programs.

use gazed::bus::options::SessionOptions;
use gazed::client::AsyncClient;

use crate::desk::{Desk, eventually};

#[test]
fn an_asynchronous_program_receives_without_blocking() {
    let desk = Desk::new();
    let gazed = desk.start_gazed(&desk.empty_recording(60));
    let watching = desk.client().manager().expect("a proxy");
    zbus::block_on(async {
        let client = AsyncClient::connect_to(desk.address()).await.expect("the bus is there");
        assert_eq!(client.outputs().await.expect("a property").len(), 1);
        let options = SessionOptions {
            app_name: "async".into(),
            ..SessionOptions::default()
        };
        let mut session = client.session(&options).await.expect("a session");
        session.start().await.expect("starts");
        for expected in 0..3 {
            let sample = session.receive().await.expect("a sample");
            assert_eq!(sample.record.sequence, expected);
            assert!(sample.record.published_ns <= sample.received.as_nanos());
        }
        assert_eq!(session.dropped().await.expect("a property"), 0);
        let latest = session.open_latest().await.expect("a memory file");
        let _stream = session.open_stream().await.expect("a stream");
        while latest.read().is_none() {
            session.receive().await.expect("a sample");
        }
        session.stop().await.expect("stops");
        drop(session);
        eventually("a dropped session is closed", || {
            watching.clients().expect("a property").is_empty() && !watching.camera_active().expect("a property")
        });

        let refused = client
            .session(&SessionOptions {
                max_rate_hz: Some(-1.0),
                ..options.clone()
            })
            .await;
        assert!(refused.is_err_and(|error| error.to_string().contains("max-rate-hz")));

        let mut session = client.session(&options).await.expect("a session");
        session.start().await.expect("starts");
        session.receive().await.expect("a sample");
        drop(gazed);
        while session.receive().await.is_some() {}
    });
}
