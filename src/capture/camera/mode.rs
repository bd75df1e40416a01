//! Which of a camera's formats, sizes and rates is used; pure decisions.

use super::device::{FourCc, Mode};
use crate::capture::decode::LumaLayout;

/// How a pixel format becomes gray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoding {
    Uncompressed(LumaLayout),
    Jpeg,
}

/// How to read a format; `None` for one that gazed cannot read.
pub fn decoding(format: FourCc) -> Option<Decoding> {
    match &format.0 {
        b"GREY" | b"NV12" | b"NV21" | b"NV16" | b"YU12" | b"YV12" | b"422P" => {
            Some(Decoding::Uncompressed(LumaLayout::Plane))
        }
        b"YUYV" | b"YVYU" => Some(Decoding::Uncompressed(LumaLayout::Packed { luma_at: 0 })),
        b"UYVY" | b"VYUY" => Some(Decoding::Uncompressed(LumaLayout::Packed { luma_at: 1 })),
        b"RGB3" => Some(coloured(3, [0, 1, 2])),
        b"BGR3" => Some(coloured(3, [2, 1, 0])),
        b"XB24" | b"AB24" => Some(coloured(4, [0, 1, 2])),
        b"XR24" | b"AR24" => Some(coloured(4, [2, 1, 0])),
        b"MJPG" | b"JPEG" => Some(Decoding::Jpeg),
        _ => None,
    }
}

fn coloured(pixel_bytes: usize, rgb_at: [usize; 3]) -> Decoding {
    Decoding::Uncompressed(LumaLayout::Coloured { pixel_bytes, rgb_at })
}

/// What the user asked for, where they did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wish {
    pub size_px: Option<(u32, u32)>,
    pub rate_hz: Option<f64>,
    /// Followed only where the camera has it.
    pub format: Option<FourCc>,
}

/// Taken where a driver does not tell its rate: what nearly every webcam does.
pub const USUAL_RATE_HZ: f64 = 30.0;
/// Above this rate nothing is gained: each frame costs as much again, and gaze is forecast between frames anyway.
const FASTEST_USEFUL_HZ: f64 = 60.0;
/// Below this rate a saccade is over between two frames.
const SLOWEST_USEFUL_HZ: f64 = 15.0;
/// Above this size decoding costs more than tracking does.
const LARGEST_USEFUL_PX: u64 = 1280 * 720;

/// The mode that suits tracking best: large enough first (640x480), then fast, then large, then what costs least
/// to read. `None` where no format can be read.
pub fn choose(modes: &[Mode], wish: Wish) -> Option<Mode> {
    let readable: Vec<Mode> = modes
        .iter()
        .copied()
        .filter(|mode| decoding(mode.format).is_some() && mode.width_px > 0 && mode.height_px > 0)
        .collect();
    let formatted = match wish.format {
        Some(format) if readable.iter().any(|mode| mode.format == format) => {
            readable.into_iter().filter(|mode| mode.format == format).collect()
        }
        _ => readable,
    };
    let sized = match wish.size_px {
        None => formatted,
        Some(size) => nearest(formatted, |mode| size_difference(mode, size)),
    };
    let timed = match wish.rate_hz {
        None => sized,
        Some(rate_hz) => nearest(sized, |mode| (rate_of(mode) - rate_hz).abs()),
    };
    timed.into_iter().max_by_key(suitability)
}

pub fn rate_of(mode: &Mode) -> f64 {
    mode.interval.map_or(USUAL_RATE_HZ, super::device::Interval::rate_hz)
}

fn nearest(modes: Vec<Mode>, distance: impl Fn(&Mode) -> f64) -> Vec<Mode> {
    let least = modes.iter().map(&distance).fold(f64::INFINITY, f64::min);
    modes.into_iter().filter(|mode| distance(mode) <= least).collect()
}

fn size_difference(mode: &Mode, (width, height): (u32, u32)) -> f64 {
    f64::from(mode.width_px.abs_diff(width)) + f64::from(mode.height_px.abs_diff(height))
}

/// Compared in order; the greatest is the best.
fn suitability(mode: &Mode) -> (u8, u32, u8, i64, u8) {
    let large_enough = match (mode.width_px, mode.height_px) {
        (640.., 480..) => 3,
        (640.., 360..) => 2,
        (320.., 240..) => 1,
        _ => 0,
    };
    let rate = rate_of(mode);
    let reach = if rate >= SLOWEST_USEFUL_HZ { large_enough } else { 0 };
    // Whole frames a second, so that 29.97 and 30 are the same and the size decides between them.
    let rate_hz = rate.min(FASTEST_USEFUL_HZ).round() as u32;
    let pixels = u64::from(mode.width_px) * u64::from(mode.height_px);
    let size = if pixels <= LARGEST_USEFUL_PX {
        pixels as i64
    } else {
        -i64::try_from(pixels).unwrap_or(i64::MAX)
    };
    let ease = match decoding(mode.format) {
        Some(Decoding::Uncompressed(LumaLayout::Coloured { .. })) => 1,
        Some(Decoding::Uncompressed(_)) => 2,
        _ => 0,
    };
    (reach, rate_hz, large_enough, size, ease)
}

/// Sizes that are tried of a camera that offers a whole range of them, with the range `[least, most, step]` of each side.
pub fn sizes_in_range(width: [u32; 3], height: [u32; 3]) -> Vec<(u32, u32)> {
    const USUAL: [(u32, u32); 6] = [
        (640, 480),
        (1280, 720),
        (640, 360),
        (1920, 1080),
        (800, 600),
        (320, 240),
    ];
    let fits = |value: u32, [least, most, step]: [u32; 3]| {
        (least..=most).contains(&value) && (value - least).is_multiple_of(step.max(1))
    };
    let mut sizes: Vec<(u32, u32)> = USUAL
        .into_iter()
        .filter(|(w, h)| fits(*w, width) && fits(*h, height))
        .collect();
    if sizes.is_empty() {
        sizes.push((width[1], height[1]));
    }
    sizes
}

/// The formats of `modes` by name, each once, for an error message.
pub fn format_names(modes: &[Mode]) -> String {
    let mut names: Vec<String> = Vec::new();
    for mode in modes {
        let name = mode.format.to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        "none".to_string()
    } else {
        names.join(", ")
    }
}

/// One line for each readable format and size, and one for all formats that cannot be read.
pub fn describe(modes: &[Mode]) -> Vec<String> {
    let (readable, odd): (Vec<Mode>, Vec<Mode>) = modes.iter().partition(|mode| decoding(mode.format).is_some());
    let mut lines: Vec<String> = readable
        .chunk_by(|a, b| (a.format, a.width_px, a.height_px) == (b.format, b.width_px, b.height_px))
        .map(|same| {
            let rates: Vec<String> = same.iter().map(|mode| rate_text(mode.interval)).collect();
            format!(
                "{} {}x{} at {} Hz",
                same[0].format,
                same[0].width_px,
                same[0].height_px,
                rates.join(", ")
            )
        })
        .collect();
    if !odd.is_empty() {
        lines.push(format!("not readable by gazed: {}", format_names(&odd)));
    }
    if let Some(chosen) = choose(modes, Wish::default()) {
        lines.push(format!(
            "gazed chooses {} {}x{} at {} Hz",
            chosen.format,
            chosen.width_px,
            chosen.height_px,
            rate_text(chosen.interval)
        ));
    }
    lines
}

fn rate_text(interval: Option<super::device::Interval>) -> String {
    let Some(interval) = interval else {
        return "?".to_string();
    };
    let text = format!("{:.2}", interval.rate_hz());
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::device::Interval;
    use super::*;

    fn mode(format: &[u8; 4], width_px: u32, height_px: u32, (numerator, denominator): (u32, u32)) -> Mode {
        Mode {
            format: FourCc(*format),
            width_px,
            height_px,
            interval: Some(Interval { numerator, denominator }),
        }
    }

    /// The modes of a common USB 2 webcam: raw pictures are slow above VGA.
    fn webcam() -> Vec<Mode> {
        vec![
            mode(b"YUYV", 320, 240, (1, 30)),
            mode(b"YUYV", 640, 480, (1, 30)),
            mode(b"YUYV", 1280, 720, (1, 10)),
            mode(b"YUYV", 1920, 1080, (1, 5)),
            mode(b"MJPG", 640, 480, (1, 30)),
            mode(b"MJPG", 1280, 720, (1, 30)),
            mode(b"MJPG", 1920, 1080, (1, 30)),
            mode(b"H264", 1920, 1080, (1, 60)),
        ]
    }

    #[test]
    fn the_rate_comes_before_the_size_and_mjpeg_is_used_where_raw_is_slow() {
        assert_eq!(
            choose(&webcam(), Wish::default()),
            Some(mode(b"MJPG", 1280, 720, (1, 30)))
        );
        let mut fast = webcam();
        fast.push(mode(b"MJPG", 640, 480, (1, 60)));
        assert_eq!(choose(&fast, Wish::default()), Some(mode(b"MJPG", 640, 480, (1, 60))));
    }

    #[test]
    fn uncompressed_is_preferred_where_nothing_else_differs() {
        let modes = [
            mode(b"MJPG", 640, 480, (1001, 30_000)),
            mode(b"YUYV", 640, 480, (1, 30)),
        ];
        assert_eq!(choose(&modes, Wish::default()), Some(modes[1]));
    }

    #[test]
    fn a_small_picture_is_taken_only_where_the_large_ones_are_too_slow() {
        let modes = [mode(b"YUYV", 640, 360, (1, 40)), mode(b"YUYV", 640, 480, (1, 30))];
        assert_eq!(choose(&modes, Wish::default()), Some(modes[1]));
        let modes = [mode(b"YUYV", 640, 360, (1, 40)), mode(b"YUYV", 1920, 1080, (1, 5))];
        assert_eq!(choose(&modes, Wish::default()), Some(modes[0]));
        let slow = [mode(b"YUYV", 640, 480, (2, 25)), mode(b"YUYV", 1280, 720, (1, 5))];
        assert_eq!(choose(&slow, Wish::default()), Some(slow[0]));
    }

    #[test]
    fn a_wish_is_followed_as_nearly_as_the_camera_can() {
        let wish = Wish {
            size_px: Some((640, 480)),
            ..Wish::default()
        };
        assert_eq!(choose(&webcam(), wish), Some(mode(b"YUYV", 640, 480, (1, 30))));
        let mjpeg = Wish {
            format: Some(FourCc(*b"MJPG")),
            ..wish
        };
        assert_eq!(choose(&webcam(), mjpeg), Some(mode(b"MJPG", 640, 480, (1, 30))));
        let absent = Wish {
            format: Some(FourCc(*b"NV12")),
            ..wish
        };
        assert_eq!(choose(&webcam(), absent), choose(&webcam(), wish));
        let wish = Wish {
            size_px: Some((1920, 1080)),
            rate_hz: Some(6.0),
            format: None,
        };
        assert_eq!(choose(&webcam(), wish), Some(mode(b"YUYV", 1920, 1080, (1, 5))));
    }

    #[test]
    fn modes_are_described_with_all_their_rates() {
        let modes = [
            mode(b"YUYV", 640, 480, (1, 30)),
            mode(b"YUYV", 640, 480, (2, 25)),
            mode(b"H264", 0, 0, (1, 30)),
            Mode {
                interval: None,
                ..mode(b"MJPG", 320, 240, (1, 1))
            },
        ];
        let lines = describe(&modes);
        let expected = [
            "YUYV 640x480 at 30, 12.5 Hz",
            "MJPG 320x240 at ? Hz",
            "not readable by gazed: H264",
            "gazed chooses YUYV 640x480 at 30 Hz",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn odd_formats_alone_give_nothing_and_are_named() {
        let odd = [
            mode(b"BA81", 640, 480, (1, 30)),
            mode(b"H264", 640, 480, (1, 30)),
            mode(b"BA81", 320, 240, (1, 30)),
        ];
        assert_eq!(choose(&odd, Wish::default()), None);
        assert_eq!(format_names(&odd), "BA81, H264");
        assert_eq!(format_names(&[]), "none");
        assert_eq!(FourCc([b'Y', 1, b'6', b' ']).to_string(), "Y\\x016");
    }

    #[test]
    fn a_range_of_sizes_is_searched_for_usual_ones() {
        assert!(sizes_in_range([2, 8192, 2], [2, 8192, 2]).contains(&(1280, 720)));
        assert_eq!(sizes_in_range([16, 500, 7], [16, 400, 7]), [(500, 400)]);
        assert_eq!(sizes_in_range([640, 640, 0], [480, 480, 0]), [(640, 480)]);
    }

    proptest! {
        #[test]
        fn no_offer_panics_and_the_choice_was_offered(
            offers in proptest::collection::vec((any::<bool>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()), 0..8),
            rate in proptest::option::of(any::<f64>()), size in proptest::option::of(any::<(u32, u32)>()),
        ) {
            let modes: Vec<Mode> = offers.into_iter()
                .map(|(raw, w, h, n, d)| mode(if raw { b"YUYV" } else { b"MJPG" }, w, h, (n, d)))
                .collect();
            if let Some(chosen) = choose(&modes, Wish { size_px: size, rate_hz: rate, format: None }) {
                prop_assert!(modes.contains(&chosen));
            }
        }
    }
}
