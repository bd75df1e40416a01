use proptest::prelude::*;

use super::*;
use crate::movement::Phase;

fn observed(x_deg: f64, y_deg: f64) -> Option<Observation> {
    Some(Observation {
        at: VisualAngle::new(x_deg, y_deg),
        confidence: 1.0,
    })
}

const MS: u64 = 1_000_000;

#[test]
fn backward_time_is_an_error_and_changes_nothing() {
    for method in Method::ALL {
        let mut forecaster = Forecaster::new(method);
        forecaster
            .observe(Timestamp::from_nanos(100 * MS), observed(1.0, 2.0), false)
            .expect("first");
        let target = Timestamp::from_nanos(120 * MS);
        let before = forecaster.forecast(target);
        let error = forecaster
            .observe(Timestamp::from_nanos(90 * MS), observed(5.0, 2.0), false)
            .unwrap_err();
        assert_eq!((error.last_ns, error.now_ns), (100 * MS, 90 * MS));
        assert_eq!(forecaster.forecast(target), before);
    }
}

#[test]
fn a_repeated_stamp_changes_nothing_but_fills_in_a_missing_sample() {
    for method in Method::ALL {
        let mut forecaster = Forecaster::new(method);
        let t = Timestamp::from_nanos(100 * MS);
        forecaster.observe(t, None, false).expect("first");
        let filled = forecaster.observe(t, observed(1.0, 2.0), false).expect("the same time");
        assert_eq!(filled.at, Some(VisualAngle::new(1.0, 2.0)), "{method:?}");
        let again = forecaster.observe(t, observed(9.0, 9.0), false).expect("the same time");
        assert_eq!(again, filled, "{method:?}");
    }
}

#[test]
fn a_lost_eye_coasts_for_150_ms_and_then_has_no_position() {
    for method in Method::ALL {
        let mut forecaster = Forecaster::new(method);
        for i in 0..30 {
            forecaster
                .observe(Timestamp::from_nanos(i * 16 * MS), observed(3.0, 1.0), false)
                .expect("in order");
        }
        let last = 29 * 16;
        let mut radius = 0.0;
        for gap in (16..400).step_by(16) {
            let t = Timestamp::from_nanos((last + gap) * MS);
            let estimate = forecaster.observe(t, None, true).expect("in order");
            let forecast = forecaster.forecast(t + std::time::Duration::from_millis(50));
            assert_eq!(estimate.at.is_some(), gap <= 150, "{method:?} {gap}");
            assert_eq!(forecast.is_some(), gap <= 150, "{method:?} {gap}");
            if let Some(forecast) = forecast {
                assert!(forecast.held && forecast.error_radius_deg > radius, "{method:?} {gap}");
                radius = forecast.error_radius_deg;
            }
        }
    }
}

#[test]
fn after_a_pause_of_ten_minutes_it_starts_afresh() {
    for method in Method::ALL {
        let mut paused = Forecaster::new(method);
        for i in 0..60_u64 {
            let x = (i % 7) as f64;
            paused
                .observe(Timestamp::from_nanos(i * 16 * MS), observed(x, -x), false)
                .expect("in order");
        }
        let t = Timestamp::from_nanos(600_000 * MS);
        let estimate = paused.observe(t, observed(-8.0, 4.0), false).expect("in order");
        assert_eq!(estimate.at, Some(VisualAngle::new(-8.0, 4.0)), "{method:?}");
        let forecast = paused.forecast(t + std::time::Duration::from_millis(50)).expect("seen");
        assert!(
            forecast.at.distance_deg(VisualAngle::new(-8.0, 4.0)) < 1.0,
            "{method:?} {forecast:?}"
        );
    }
}

fn events(forecaster: &mut Forecaster) -> Vec<(Movement, Phase, u64)> {
    let told = std::iter::from_fn(|| forecaster.pop_event());
    told.map(|event| {
        let moment = match event.phase {
            Phase::Began => event.onset,
            Phase::Ended => event.offset,
        };
        (event.movement, event.phase, moment.as_nanos() / MS)
    })
    .collect()
}

#[test]
fn a_movement_ends_where_the_eye_was_last_seen_before_a_pause_or_a_reset() {
    let (began, ended) = (Phase::Began, Phase::Ended);
    let mut forecaster = Forecaster::new(Method::Gated);
    let see = |forecaster: &mut Forecaster, ms: u64| {
        let t = Timestamp::from_nanos(ms * MS);
        forecaster.observe(t, observed(3.0, 1.0), false).expect("in order");
    };
    (0..20).for_each(|i| see(&mut forecaster, i * 16));
    see(&mut forecaster, 600_000);
    let pause = [
        (Movement::Fixation, began, 0),
        (Movement::Fixation, ended, 19 * 16),
        (Movement::Fixation, began, 600_000),
    ];
    assert_eq!(events(&mut forecaster), pause);
    see(&mut forecaster, 600_016);
    forecaster.reset();
    see(&mut forecaster, 50);
    let anew = [(Movement::Fixation, ended, 600_016), (Movement::Fixation, began, 50)];
    assert_eq!(events(&mut forecaster), anew);
}

/// A slow camera's frames come 250 ms apart and 100 ms late; 200 ms after each of them somebody asks what is known.
#[test]
fn being_asked_between_frames_that_come_late_changes_nothing() {
    for method in Method::ALL {
        let (mut asked, mut left_alone) = (Forecaster::new(method), Forecaster::new(method));
        for i in 0..40_u64 {
            let t = Timestamp::from_nanos(i * 250 * MS);
            let sample = observed((i as f64 * 2.4).sin(), (i as f64 * 1.7).cos());
            let [one, other] = [&mut asked, &mut left_alone].map(|forecaster| {
                let estimate = forecaster.observe(t, sample, false).expect("frames come in order");
                let estimate = Estimate {
                    movement: Movement::Lost,
                    ..estimate
                };
                (
                    estimate,
                    forecaster
                        .forecast(t.offset_by_seconds(0.05))
                        .map(|forecast| forecast.at),
                )
            });
            assert_eq!(one.0, other.0, "{method:?}");
            let late = Timestamp::from_nanos((i * 250 + 300) * MS);
            assert_eq!(asked.coast(late).at, None, "{method:?}: unseen for 300 ms");
            assert_eq!(asked.forecast(late), None, "{method:?}");
        }
        let told = events(&mut asked);
        for pair in told.chunks(2) {
            assert_eq!(pair[0].1, Phase::Began, "{told:?}");
            assert!(
                pair.get(1)
                    .is_none_or(|(_, phase, at)| *phase == Phase::Ended && *at == pair[0].2)
            );
        }
        assert!(told.windows(2).all(|pair| pair[0].2 <= pair[1].2), "{told:?}");
    }
}

/// One step of a stream: milliseconds since the one before, and what is there.
fn stream() -> impl Strategy<Value = Vec<(u64, Option<(f64, f64)>)>> {
    let value = prop_oneof![
        8 => -30.0..30.0_f64,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-360.0)],
    ];
    let wait = prop_oneof![8 => 5..60_u64, 1 => Just(0), 1 => 100..1_000_000_u64];
    prop::collection::vec((wait, prop::option::weighted(0.85, (value.clone(), value))), 1..80)
}

type Answer = (Option<VisualAngle>, Option<Forecast>, Movement);

fn answers(method: Method, stream: &[(u64, Option<(f64, f64)>)]) -> Vec<Answer> {
    let mut forecaster = Forecaster::new(method);
    let mut ms = 0;
    stream
        .iter()
        .map(|(wait, sample)| {
            ms += wait;
            let t = Timestamp::from_nanos(ms * MS);
            let observation = sample.and_then(|(x, y)| observed(x, y));
            let estimate = forecaster.observe(t, observation, true).expect("time never goes back");
            let forecast = forecaster.forecast(t.offset_by_seconds(0.05));
            (estimate.at, forecast, estimate.movement)
        })
        .collect()
}

fn finite(answer: &Answer) -> bool {
    answer.0.is_none_or(VisualAngle::is_finite)
        && answer
            .1
            .is_none_or(|f| f.at.is_finite() && f.error_radius_deg.is_finite() && f.error_radius_deg > 0.0)
}

proptest! {
    #[test]
    fn every_sample_has_a_finite_answer_that_depends_on_the_past_alone(
        stream in stream(), cut in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(),
    ) {
        let method = Method::ALL[which.index(Method::ALL.len())];
        let all = answers(method, &stream);
        for (answer, (_, sample)) in all.iter().zip(&stream) {
            prop_assert!(finite(answer), "{method:?} {answer:?}");
            if sample.is_some_and(|(x, y)| x.abs() <= MAX_ANGLE_DEG && y.abs() <= MAX_ANGLE_DEG) {
                prop_assert!(answer.0.is_some() && answer.1.is_some());
            }
        }
        let part = cut.index(stream.len()) + 1;
        prop_assert_eq!(&answers(method, &stream[..part]), &all[..part]);
    }
}
