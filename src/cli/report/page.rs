//! The report as one HTML page that needs nothing else: no scripts, no other files.

use std::fmt::Write;

use super::drawing::{accuracy_map, distribution};
use super::measured::Measured;
use crate::calibration::quality::Answers;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#28292e;max-width:60em;margin:2em auto;padding:0 \
1em}h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse}td,th{padding:.15em .9em .15em \
0;text-align:left;vertical-align:top}td.n,th.n{text-align:right}tr+tr td,tr+tr th{border-top:1px solid \
#eee}svg{width:100%;height:auto}.region{font:600 15px system-ui,sans-serif;fill:#28292e;stroke:#fff;stroke-width:3px;paint-order:stroke}.tick{font:13px \
system-ui,sans-serif;fill:#3a3c40}.end{text-anchor:end}.middle{text-anchor:middle}.note{color:#5a5c60;font-size:.92em}";

/// More points than this are not listed one by one.
const LISTED: usize = 64;

pub fn page(measured: &Measured) -> String {
    let title = escaped(&measured.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\
         <body>\n<h1>{title}</h1>\n<table>\n"
    );
    for (name, value) in &measured.facts {
        row(&mut page, name, &escaped(value));
    }
    let screen = &measured.screen;
    row(
        &mut page,
        "screen",
        &format!(
            "{:.0} x {:.0} mm, {} x {} px",
            screen.width_mm, screen.height_mm, screen.width_px, screen.height_px
        ),
    );
    page += "</table>\n<h2>Quality</h2>\n<table>\n";
    for (name, value) in numbers(measured) {
        row(&mut page, name, &value);
    }
    page += "</table>\n";
    // Writing into a String cannot fail.
    let _ = writeln!(page, "<p class=\"note\">{}</p>", escaped(measured.how));
    let _ = writeln!(
        page,
        "<h2>Accuracy over the screen</h2>\n{}<p class=\"note\">Numbers: mean accuracy of the region. Blue: what was looked at. \
         Arrows: to the mean of the gaze measured there. Right is right as the user sees it.</p>",
        accuracy_map(measured)
    );
    let _ = writeln!(
        page,
        "<h2>How many points are how far off</h2>\n{}",
        distribution(measured)
    );
    points(&mut page, measured);
    page += "<p class=\"note\">Accuracy: distance from the point to the mean of the gaze while it was looked at. RMS-S2S: root \
             mean square of the distances between consecutive samples. SD: root mean square distance from the mean. Degrees of \
             visual angle, as seen from where the eyes were (Holmqvist, Nystr\u{f6}m, Mulvey: Eye tracker data quality, ETRA \
             2012).</p>\n</body></html>\n";
    page
}

fn row(page: &mut String, name: &str, value: &str) {
    let _ = writeln!(page, "<tr><th>{name}</th><td>{value}</td></tr>");
}

fn numbers(measured: &Measured) -> Vec<(&'static str, String)> {
    let deg = |value: Option<f64>| value.map_or_else(|| "\u{2013}".to_owned(), |deg| format!("{deg:.2}\u{b0}"));
    let screen = &measured.screen;
    let mm = |answers: &Answers| screen.distance_mm(answers.at, measured.answered(answers));
    let px = |answers: &Answers| screen.distance_px(answers.at, measured.answered(answers));
    let accuracy = measured.mean(|answers| Some(answers.accuracy_deg()));
    let mut numbers = vec![
        (
            "accuracy, mean",
            format!(
                "{} ({:.1} mm, {:.0} px)",
                deg(accuracy),
                measured.mean(|answers| Some(mm(answers))).unwrap_or_default(),
                measured.mean(|answers| Some(px(answers))).unwrap_or_default()
            ),
        ),
        (
            "accuracy, median and 95 %",
            format!(
                "{:.2}\u{b0} and {:.2}\u{b0}",
                measured.quantile(0.5, Answers::accuracy_deg),
                measured.quantile(0.95, Answers::accuracy_deg)
            ),
        ),
        ("precision, RMS-S2S", deg(measured.mean(Answers::rms_s2s_deg))),
        ("precision, SD", deg(measured.mean(Answers::sd_deg))),
        (
            "points, samples",
            format!(
                "{}, {}",
                measured.points.len(),
                measured.points.iter().map(|answers| answers.gaze.len()).sum::<usize>()
            ),
        ),
    ];
    match &measured.frames {
        Some(frames) => {
            let why: Vec<String> = frames
                .lost
                .iter()
                .map(|(why, count)| format!("{count} {}", escaped(why)))
                .collect();
            let why = if why.is_empty() {
                "none".to_owned()
            } else {
                why.join(", ")
            };
            numbers.push((
                "data loss",
                format!("{:.1} % of {} frames ({why})", frames.loss_percent(), frames.all),
            ));
            numbers.push(("rate", format!("{:.1} Hz", frames.rate_hz)));
        }
        None => numbers.push(("data loss", "not kept in a calibration".to_owned())),
    }
    if let Some(latency) = &measured.latency {
        numbers.push((
            "latency",
            format!(
                "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms ({})",
                latency.p50, latency.p95, latency.p99, latency.what
            ),
        ));
    }
    numbers
}

fn points(page: &mut String, measured: &Measured) {
    if measured.points.len() <= LISTED {
        *page += "<h2>Points</h2>\n<table>\n<tr><th class=\"n\">x</th><th class=\"n\">y</th><th class=\"n\">samples</th><th \
                  class=\"n\">accuracy</th><th class=\"n\">RMS-S2S</th><th class=\"n\">SD</th></tr>\n";
        for answers in &measured.points {
            let deg = |value: Option<f64>| value.map_or_else(|| "\u{2013}".to_owned(), |deg| format!("{deg:.2}\u{b0}"));
            let _ = writeln!(
                page,
                "<tr><td class=\"n\">{:.2}</td><td class=\"n\">{:.2}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
                 class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                answers.at.x,
                answers.at.y,
                answers.gaze.len(),
                deg(Some(answers.accuracy_deg())),
                deg(answers.rms_s2s_deg()),
                deg(answers.sd_deg())
            );
        }
        *page += "</table>\n";
    }
    if !measured.missed.is_empty() {
        let _ = writeln!(page, "<h2>Points left out: {}</h2>\n<ul>", measured.missed.len());
        for missed in measured.missed.iter().take(LISTED) {
            let _ = writeln!(page, "<li>{}</li>", escaped(missed));
        }
        *page += "</ul>\n";
    }
}

/// Names come from outside and may hold anything.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::measured::Frames;
    use crate::geometry::{Screen, ScreenPoint, VisualAngle};

    #[test]
    fn a_page_is_whole_and_nothing_from_outside_becomes_markup() {
        let gaze = vec![VisualAngle::new(1.0, 0.0), VisualAngle::new(f64::NAN, 1e300)];
        let measured = Measured {
            title: "<script>alert(1)</script>".to_owned(),
            how: "",
            facts: vec![("source", "a & \"b\"".to_owned())],
            screen: Screen::default(),
            points: vec![Answers {
                at: ScreenPoint::new(-4.0, 0.5),
                target: VisualAngle::default(),
                gaze,
                distance_mm: 600.0,
            }],
            missed: vec!["<b>".to_owned()],
            frames: Some(Frames {
                all: 10,
                lost: vec![("no face".to_owned(), 3)],
                rate_hz: 30.0,
            }),
            latency: None,
        };
        let page = page(&measured);
        assert!(!page.contains("<script") && !page.contains("<b>") && page.contains("a &amp; &quot;b&quot;"));
        assert!(page.contains("30.0 % of 10 frames (3 no face)"), "{page}");
        for tag in ["table", "svg", "h2", "body"] {
            let (open, close) = (
                page.matches(&format!("<{tag}")).count(),
                page.matches(&format!("</{tag}>")).count(),
            );
            assert_eq!(open, close, "{tag}");
        }
    }
}
