//! What PipeWire's descriptions of pictures mean, and ours in its words; no connection.
//!
//! A description is an object of properties (SPA's `Format`), each with one value or a choice of them.

use std::io;

use ::pipewire::spa;
use spa::param::ParamType;
use spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use spa::param::video::VideoFormat;
use spa::pod::deserialize::PodDeserializer;
use spa::pod::serialize::PodSerializer;
use spa::pod::{ChoiceValue, Object, Pod, Property, Value};
use spa::utils::{Choice, ChoiceEnum, Fraction, Id, Rectangle, SpaTypes};

use crate::capture::camera::device::{FourCc, Interval, Mode};
use crate::capture::camera::mode::sizes_in_range;

/// PipeWire's names of the raw formats that gazed reads, beside V4L2's.
const RAW: [(VideoFormat, &[u8; 4]); 17] = [
    (VideoFormat::GRAY8, b"GREY"),
    (VideoFormat::YUY2, b"YUYV"),
    (VideoFormat::YVYU, b"YVYU"),
    (VideoFormat::UYVY, b"UYVY"),
    (VideoFormat::NV12, b"NV12"),
    (VideoFormat::NV21, b"NV21"),
    (VideoFormat::NV16, b"NV16"),
    (VideoFormat::I420, b"YU12"),
    (VideoFormat::YV12, b"YV12"),
    (VideoFormat::Y42B, b"422P"),
    (VideoFormat::RGB, b"RGB3"),
    (VideoFormat::BGR, b"BGR3"),
    (VideoFormat::RGBx, b"XB24"),
    (VideoFormat::RGBA, b"AB24"),
    (VideoFormat::BGRx, b"XR24"),
    (VideoFormat::BGRA, b"AR24"),
    (VideoFormat::Encoded, b"MJPG"),
];
/// Rates that are tried of a camera that offers a whole range of them.
const USUAL_RATES_HZ: [u32; 5] = [15, 24, 25, 30, 60];
/// Formats that gazed cannot read, in messages.
const OTHER: FourCc = FourCc(*b"????");

/// Every mode that a description allows; none where it is not of pictures.
pub fn modes(description: &Pod) -> Vec<Mode> {
    let Ok((_, Value::Object(object))) = PodDeserializer::deserialize_any_from(description.as_bytes()) else {
        return Vec::new();
    };
    let value = |key: FormatProperties| {
        let mut properties = object.properties.iter();
        properties
            .find(|property| property.key == key.as_raw())
            .map(|property| &property.value)
    };
    if value(FormatProperties::MediaType).map(ids) != Some(vec![MediaType::Video.as_raw()]) {
        return Vec::new();
    }
    let kinds = value(FormatProperties::MediaSubtype).map(ids).unwrap_or_default();
    let formats: Vec<FourCc> = kinds
        .into_iter()
        .flat_map(|kind| match MediaSubtype::from_raw(kind) {
            MediaSubtype::Raw => {
                let raw = value(FormatProperties::VideoFormat).map(ids).unwrap_or_default();
                raw.into_iter().map(|id| four_cc(VideoFormat::from_raw(id))).collect()
            }
            MediaSubtype::Mjpg | MediaSubtype::Jpeg => vec![FourCc(*b"MJPG")],
            _ => vec![OTHER],
        })
        .collect();
    let sizes = value(FormatProperties::VideoSize).map(sizes).unwrap_or_default();
    let intervals = value(FormatProperties::VideoFramerate).map_or_else(|| vec![None], intervals);
    let mut modes = Vec::new();
    for format in formats {
        for (width_px, height_px) in &sizes {
            modes.extend(intervals.iter().map(|interval| Mode {
                format,
                width_px: *width_px,
                height_px: *height_px,
                interval: *interval,
            }));
        }
    }
    modes
}

/// The description of one mode alone. `None` where PipeWire has no word for its format.
pub fn description(mode: &Mode) -> Option<Object> {
    let (raw, _) = RAW.iter().find(|(_, four_cc)| **four_cc == mode.format.0)?;
    let id = |value: u32| Value::Id(Id(value));
    let mut properties = vec![Property::new(
        FormatProperties::MediaType.as_raw(),
        id(MediaType::Video.as_raw()),
    )];
    let kind = if *raw == VideoFormat::Encoded {
        MediaSubtype::Mjpg
    } else {
        MediaSubtype::Raw
    };
    properties.push(Property::new(
        FormatProperties::MediaSubtype.as_raw(),
        id(kind.as_raw()),
    ));
    if kind == MediaSubtype::Raw {
        properties.push(Property::new(FormatProperties::VideoFormat.as_raw(), id(raw.as_raw())));
    }
    let size = Rectangle {
        width: mode.width_px,
        height: mode.height_px,
    };
    properties.push(Property::new(
        FormatProperties::VideoSize.as_raw(),
        Value::Rectangle(size),
    ));
    if let Some(interval) = mode.interval {
        let rate = Fraction {
            num: interval.denominator,
            denom: interval.numerator,
        };
        properties.push(Property::new(
            FormatProperties::VideoFramerate.as_raw(),
            Value::Fraction(rate),
        ));
    }
    Some(Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: ParamType::EnumFormat.as_raw(),
        properties,
    })
}

/// Asks that each buffer says when its picture was taken.
pub fn with_header() -> Object {
    let size = size_of::<spa::sys::spa_meta_header>() as i32;
    Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(spa::sys::SPA_PARAM_META_type, Value::Id(Id(spa::sys::SPA_META_Header))),
            Property::new(spa::sys::SPA_PARAM_META_size, Value::Int(size)),
        ],
    }
}

/// An object's bytes, as PipeWire takes them.
pub fn bytes(object: Object) -> io::Result<Vec<u8>> {
    let written = PodSerializer::serialize(io::Cursor::new(Vec::new()), &Value::Object(object));
    written
        .map(|(cursor, _)| cursor.into_inner())
        .map_err(|error| io::Error::other(format!("{error:?}")))
}

fn four_cc(format: VideoFormat) -> FourCc {
    let known = RAW.iter().find(|(raw, _)| *raw == format);
    known.map_or(OTHER, |(_, four_cc)| FourCc(**four_cc))
}

fn ids(value: &Value) -> Vec<u32> {
    let ids = match value {
        Value::Id(id) => vec![*id],
        Value::Choice(ChoiceValue::Id(Choice(_, choice))) => listed(choice),
        _ => Vec::new(),
    };
    ids.into_iter().map(|Id(id)| id).collect()
}

fn sizes(value: &Value) -> Vec<(u32, u32)> {
    let range = |min: &Rectangle, max: &Rectangle, step: [u32; 2]| {
        let sides = [[min.width, max.width, step[0]], [min.height, max.height, step[1]]];
        sizes_in_range(sides[0], sides[1])
    };
    match value {
        Value::Rectangle(size) => vec![(size.width, size.height)],
        Value::Choice(ChoiceValue::Rectangle(Choice(_, choice))) => match choice {
            ChoiceEnum::Range { min, max, .. } => range(min, max, [1, 1]),
            ChoiceEnum::Step { min, max, step, .. } => range(min, max, [step.width, step.height]),
            choice => listed(choice)
                .into_iter()
                .map(|size| (size.width, size.height))
                .collect(),
        },
        _ => Vec::new(),
    }
}

/// Times between frames; `None` for a rate of 0, which stands for one that varies.
fn intervals(value: &Value) -> Vec<Option<Interval>> {
    let rates = match value {
        Value::Fraction(rate) => vec![*rate],
        Value::Choice(ChoiceValue::Fraction(Choice(_, choice))) => match choice {
            ChoiceEnum::Range { default, min, max } | ChoiceEnum::Step { default, min, max, .. } => {
                let hz = |rate: &Fraction| f64::from(rate.num) / f64::from(rate.denom.max(1));
                let within = |rate: &u32| (hz(min)..=hz(max)).contains(&f64::from(*rate));
                let usual = USUAL_RATES_HZ.into_iter().filter(within);
                let usual = usual.map(|num| Fraction { num, denom: 1 });
                usual.chain([*default]).collect()
            }
            choice => listed(choice),
        },
        _ => Vec::new(),
    };
    let interval = |rate: Fraction| {
        (rate.num > 0 && rate.denom > 0).then_some(Interval {
            numerator: rate.denom,
            denominator: rate.num,
        })
    };
    rates.into_iter().map(interval).collect()
}

/// The values that are named one by one.
fn listed<T: spa::pod::CanonicalFixedSizedPod + Copy>(choice: &ChoiceEnum<T>) -> Vec<T> {
    match choice {
        ChoiceEnum::None(value) => vec![*value],
        ChoiceEnum::Enum { alternatives, .. } if !alternatives.is_empty() => alternatives.clone(),
        ChoiceEnum::Enum { default, .. }
        | ChoiceEnum::Range { default, .. }
        | ChoiceEnum::Step { default, .. }
        | ChoiceEnum::Flags { default, .. } => vec![*default],
    }
}

#[cfg(test)]
mod tests {
    use spa::utils::ChoiceFlags;

    use super::*;

    fn mode(format: &[u8; 4], width_px: u32, height_px: u32, rate: Option<(u32, u32)>) -> Mode {
        Mode {
            format: FourCc(*format),
            width_px,
            height_px,
            interval: rate.map(|(denominator, numerator)| Interval { numerator, denominator }),
        }
    }

    fn read(object: Object) -> Vec<Mode> {
        let bytes = bytes(object).expect("writes");
        modes(Pod::from_bytes(&bytes).expect("a pod"))
    }

    fn changed(object: &Object, key: FormatProperties, value: Value) -> Object {
        let mut object = object.clone();
        object.properties.retain(|property| property.key != key.as_raw());
        object.properties.push(Property::new(key.as_raw(), value));
        object
    }

    #[test]
    fn every_mode_that_gazed_reads_is_understood_as_it_is_described() {
        for (_, format) in RAW {
            for rate in [Some((30, 1)), Some((30_000, 1001)), None] {
                let mode = mode(format, 640, 480, rate);
                assert!(
                    crate::capture::camera::mode::decoding(mode.format).is_some(),
                    "{format:?}"
                );
                assert_eq!(read(description(&mode).expect("a word for it")), [mode]);
            }
        }
        assert!(description(&mode(b"BA81", 640, 480, None)).is_none());
        assert_eq!(read(with_header()), [], "no pictures");
    }

    #[test]
    fn choices_become_modes() {
        let one = description(&mode(b"YUYV", 640, 480, Some((30, 1)))).expect("a word");
        let formats = Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Enum {
                default: Id(VideoFormat::NV12.as_raw()),
                alternatives: vec![Id(VideoFormat::NV12.as_raw()), Id(VideoFormat::v210.as_raw())],
            },
        );
        let two = changed(
            &one,
            FormatProperties::VideoFormat,
            Value::Choice(ChoiceValue::Id(formats)),
        );
        let found = read(two.clone());
        assert_eq!(
            found.iter().map(|mode| mode.format.0).collect::<Vec<_>>(),
            [*b"NV12", *b"????"]
        );

        let size = |width, height| Rectangle { width, height };
        let range = Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Range {
                default: size(640, 480),
                min: size(1, 1),
                max: size(1280, 720),
            },
        );
        let ranged = changed(
            &one,
            FormatProperties::VideoSize,
            Value::Choice(ChoiceValue::Rectangle(range)),
        );
        let found = read(ranged);
        assert!(found.contains(&mode(b"YUYV", 640, 480, Some((30, 1)))));
        assert!(found.contains(&mode(b"YUYV", 1280, 720, Some((30, 1)))), "{found:?}");

        let fraction = |num, denom| Fraction { num, denom };
        let rates = Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Range {
                default: fraction(25, 2),
                min: fraction(0, 1),
                max: fraction(30, 1),
            },
        );
        let ranged = changed(
            &one,
            FormatProperties::VideoFramerate,
            Value::Choice(ChoiceValue::Fraction(rates)),
        );
        let found: Vec<f64> = read(ranged)
            .iter()
            .filter_map(|mode| Some(mode.interval?.rate_hz()))
            .collect();
        assert_eq!(found, [15.0, 24.0, 25.0, 30.0, 12.5]);
    }
}
