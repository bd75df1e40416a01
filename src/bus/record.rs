//! The record: what a client receives for one moment, in the signal, the stream, the memory file and JSON.
//!
//! Stream and memory file carry it as [`Record::SIZE`] little-endian bytes:
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u8 | layout version, 1 |
//! | 1 | 3 bytes | zero |
//! | 4 | u32 | `flags`, bits as in [`Flags`] |
//! | 8 | u64 | `sequence` |
//! | 16 | u64 | `captured_ns` |
//! | 24 | u64 | `published_ns` |
//! | 32 | u64 | `target_ns` |
//! | 40 | f64 | `gaze_x` |
//! | 48 | f64 | `gaze_y` |
//! | 56 | f64 | `forecast_x` |
//! | 64 | f64 | `forecast_y` |
//! | 72 | f64 | `error_radius` |
//! | 80 | f64 | `confidence` |
//! | 88 | f64 | `distance_mm` |
//! | 96 | f64 | `head_yaw_deg` |
//! | 104 | f64 | `head_pitch_deg` |
//! | 112 | f64 | `head_roll_deg` |
//!
//! A later layout with the same version byte may only append fields, so a reader takes the first 120 bytes and ignores
//! what follows.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What holds of a record, as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

impl Flags {
    /// The positions mean something.
    pub const VALID: Self = Self(1 << 0);
    /// The positions come from a calibration of this person, not from head and pupil geometry alone.
    pub const CALIBRATED: Self = Self(1 << 1);
    pub const LEFT_OPEN: Self = Self(1 << 2);
    pub const RIGHT_OPEN: Self = Self(1 << 3);
    pub const BLINK: Self = Self(1 << 4);
    pub const FIXATION: Self = Self(1 << 5);
    pub const SACCADE: Self = Self(1 << 6);
    pub const PURSUIT: Self = Self(1 << 7);
    /// The forecast could not be made for the whole way to `target_ns` and is held where it stood.
    pub const FORECAST_HELD: Self = Self(1 << 8);
    /// `distance_mm` means something.
    pub const DISTANCE_KNOWN: Self = Self(1 << 9);
    /// The head's angles mean something.
    pub const HEAD_KNOWN: Self = Self(1 << 10);

    /// Every flag with its name in JSON.
    pub const NAMES: [(Self, &'static str); 11] = [
        (Self::VALID, "valid"),
        (Self::CALIBRATED, "calibrated"),
        (Self::LEFT_OPEN, "left-open"),
        (Self::RIGHT_OPEN, "right-open"),
        (Self::BLINK, "blink"),
        (Self::FIXATION, "fixation"),
        (Self::SACCADE, "saccade"),
        (Self::PURSUIT, "pursuit"),
        (Self::FORECAST_HELD, "forecast-held"),
        (Self::DISTANCE_KNOWN, "distance-known"),
        (Self::HEAD_KNOWN, "head-known"),
    ];

    /// True where all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flag where `condition` holds, else none.
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self(0) }
    }

    /// The names of the flags that are set, in the order of the bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter_map(move |(flag, name)| self.contains(flag).then_some(name))
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, rhs: Self) {
        self.0 |= rhs.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flags = Self::default();
        for name in Vec::<String>::deserialize(deserializer)? {
            let known = Self::NAMES.iter().find(|(_, known)| *known == name);
            flags |= known
                .ok_or_else(|| D::Error::custom(format!("unknown flag {name:?}")))?
                .0;
        }
        Ok(flags)
    }
}

/// Head angles in degrees; signs as in [`crate::geometry`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadAngles {
    pub yaw_deg: f64,
    pub pitch_deg: f64,
    pub roll_deg: f64,
}

/// What a client receives for one moment. Times are CLOCK_MONOTONIC in nanoseconds, positions are normalised to the
/// session's output (origin top left, 0..1 on it, unclamped beyond).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Record {
    /// Counts the session's samples, after rate limiting; a gap means that the session's `Dropped` grew.
    pub sequence: u64,
    /// The best estimate of the middle of the exposure.
    pub captured_ns: u64,
    /// When the record left the daemon.
    pub published_ns: u64,
    /// The moment that the forecast is for.
    pub target_ns: u64,
    /// The filtered gaze point at `captured_ns`.
    pub gaze_x: f64,
    pub gaze_y: f64,
    /// Where the gaze will be at `target_ns`.
    pub forecast_x: f64,
    pub forecast_y: f64,
    /// The radius, in widths of the output, that should hold the true gaze point 95 % of the time.
    pub error_radius: f64,
    /// 0..1.
    pub confidence: f64,
    /// [`Flags::DISTANCE_KNOWN`] and [`Flags::HEAD_KNOWN`] stand exactly where the two options below are `Some`.
    pub flags: Flags,
    /// From the screen's plane to the eyes.
    pub distance_mm: Option<f64>,
    pub head: Option<HeadAngles>,
}

/// The arguments of the signal `Sample`: the record's fields in the order of their names in the introspection data.
pub type SampleArguments = (
    u64,
    u64,
    u64,
    u64,
    f64,
    f64,
    f64,
    f64,
    f64,
    f64,
    u32,
    f64,
    f64,
    f64,
    f64,
);

/// Why bytes are not a record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a gaze record has {size} bytes, this has {0}", size = Record::SIZE)]
    TooShort(usize),
    #[error("a gaze record of layout version {0}, which this client does not know; update it")]
    UnknownVersion(u8),
}

impl Record {
    /// Bytes of the layout described in the module.
    pub const SIZE: usize = 120;
    /// The first byte of the layout.
    pub const LAYOUT_VERSION: u8 = 1;

    pub fn is_valid(&self) -> bool {
        self.flags.contains(Flags::VALID)
    }

    /// The flags with the two that follow from the options.
    fn all_flags(&self) -> Flags {
        self.flags
            | Flags::DISTANCE_KNOWN.when(self.distance_mm.is_some())
            | Flags::HEAD_KNOWN.when(self.head.is_some())
    }

    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let head = self.head.unwrap_or_default();
        bytes[0] = Self::LAYOUT_VERSION;
        bytes[4..8].copy_from_slice(&self.all_flags().0.to_le_bytes());
        let integers = [self.sequence, self.captured_ns, self.published_ns, self.target_ns];
        let numbers = [
            self.gaze_x,
            self.gaze_y,
            self.forecast_x,
            self.forecast_y,
            self.error_radius,
            self.confidence,
            self.distance_mm.unwrap_or_default(),
            head.yaw_deg,
            head.pitch_deg,
            head.roll_deg,
        ];
        let words = integers.into_iter().chain(numbers.map(f64::to_bits));
        for (place, word) in bytes[8..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads the layout described in the module; bytes after the record are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let fixed: &[u8; Self::SIZE] = bytes.first_chunk().ok_or(DecodeError::TooShort(bytes.len()))?;
        if fixed[0] != Self::LAYOUT_VERSION {
            return Err(DecodeError::UnknownVersion(fixed[0]));
        }
        let word = |offset: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&fixed[offset..offset + 8]);
            u64::from_le_bytes(word)
        };
        let number = |offset: usize| f64::from_bits(word(offset));
        let flags = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        Ok(Self::from_arguments((
            word(8),
            word(16),
            word(24),
            word(32),
            number(40),
            number(48),
            number(56),
            number(64),
            number(72),
            number(80),
            flags,
            number(88),
            number(96),
            number(104),
            number(112),
        )))
    }

    pub fn arguments(&self) -> SampleArguments {
        let head = self.head.unwrap_or_default();
        (
            self.sequence,
            self.captured_ns,
            self.published_ns,
            self.target_ns,
            self.gaze_x,
            self.gaze_y,
            self.forecast_x,
            self.forecast_y,
            self.error_radius,
            self.confidence,
            self.all_flags().0,
            self.distance_mm.unwrap_or_default(),
            head.yaw_deg,
            head.pitch_deg,
            head.roll_deg,
        )
    }

    pub fn from_arguments(arguments: SampleArguments) -> Self {
        let flags = Flags(arguments.10);
        Self {
            sequence: arguments.0,
            captured_ns: arguments.1,
            published_ns: arguments.2,
            target_ns: arguments.3,
            gaze_x: arguments.4,
            gaze_y: arguments.5,
            forecast_x: arguments.6,
            forecast_y: arguments.7,
            error_radius: arguments.8,
            confidence: arguments.9,
            flags,
            distance_mm: flags.contains(Flags::DISTANCE_KNOWN).then_some(arguments.11),
            head: flags.contains(Flags::HEAD_KNOWN).then_some(HeadAngles {
                yaw_deg: arguments.12,
                pitch_deg: arguments.13,
                roll_deg: arguments.14,
            }),
        }
    }
}

/// The record as JSON has it: every field by its name, the ones that are not known as null.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Record")]
struct JsonRecord {
    sequence: u64,
    captured_ns: u64,
    published_ns: u64,
    target_ns: u64,
    gaze_x: f64,
    gaze_y: f64,
    forecast_x: f64,
    forecast_y: f64,
    error_radius: f64,
    confidence: f64,
    flags: Flags,
    distance_mm: Option<f64>,
    head_yaw_deg: Option<f64>,
    head_pitch_deg: Option<f64>,
    head_roll_deg: Option<f64>,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonRecord {
            sequence: self.sequence,
            captured_ns: self.captured_ns,
            published_ns: self.published_ns,
            target_ns: self.target_ns,
            gaze_x: self.gaze_x,
            gaze_y: self.gaze_y,
            forecast_x: self.forecast_x,
            forecast_y: self.forecast_y,
            error_radius: self.error_radius,
            confidence: self.confidence,
            flags: self.all_flags(),
            distance_mm: self.distance_mm,
            head_yaw_deg: self.head.map(|head| head.yaw_deg),
            head_pitch_deg: self.head.map(|head| head.pitch_deg),
            head_roll_deg: self.head.map(|head| head.roll_deg),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = JsonRecord::deserialize(deserializer)?;
        let head = match (json.head_yaw_deg, json.head_pitch_deg, json.head_roll_deg) {
            (Some(yaw_deg), Some(pitch_deg), Some(roll_deg)) => Some(HeadAngles {
                yaw_deg,
                pitch_deg,
                roll_deg,
            }),
            _ => None,
        };
        Ok(Self {
            sequence: json.sequence,
            captured_ns: json.captured_ns,
            published_ns: json.published_ns,
            target_ns: json.target_ns,
            gaze_x: json.gaze_x,
            gaze_y: json.gaze_y,
            forecast_x: json.forecast_x,
            forecast_y: json.forecast_y,
            error_radius: json.error_radius,
            confidence: json.confidence,
            flags: json.flags,
            distance_mm: json.distance_mm,
            head,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Record {
        Record {
            sequence: 7,
            captured_ns: 1_000,
            published_ns: 2_000,
            target_ns: 3_000,
            gaze_x: 0.25,
            gaze_y: 0.5,
            forecast_x: 0.75,
            forecast_y: -1.5,
            error_radius: 0.0625,
            confidence: 0.875,
            flags: Flags::VALID | Flags::FIXATION | Flags::DISTANCE_KNOWN | Flags::HEAD_KNOWN,
            distance_mm: Some(612.5),
            head: Some(HeadAngles {
                yaw_deg: -3.0,
                pitch_deg: 4.0,
                roll_deg: 5.0,
            }),
        }
    }

    /// Reads the table in the module's documentation, so that it cannot part from the code.
    #[test]
    fn the_documented_layout_is_the_one_written() {
        let record = example();
        let bytes = record.encode();
        let json = serde_json::to_value(record).expect("a record is plain numbers");
        let rows: Vec<Vec<&str>> = include_str!("record.rs")
            .lines()
            .filter(|line| line.starts_with("//! | ") && !line.contains("offset"))
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        let mut end = 0;
        for row in &rows {
            let offset: usize = row[1].parse().expect("an offset");
            assert_eq!(offset, end, "no gaps: {row:?}");
            let name = row[3].split('`').nth(1);
            match row[2] {
                "u8" => assert_eq!(bytes[offset], 1),
                "3 bytes" => assert_eq!(bytes[offset..offset + 3], [0; 3]),
                "u32" => assert_eq!(bytes[offset..offset + 4], record.flags.0.to_le_bytes()),
                "u64" => {
                    let expected = json[name.expect("a field")].as_u64().expect("an integer");
                    assert_eq!(bytes[offset..offset + 8], expected.to_le_bytes());
                }
                "f64" => {
                    let expected = json[name.expect("a field")].as_f64().expect("a number");
                    assert_eq!(bytes[offset..offset + 8], expected.to_le_bytes(), "{row:?}");
                }
                other => panic!("unknown type {other}"),
            }
            end = offset
                + match row[2] {
                    "u8" => 1,
                    "3 bytes" => 3,
                    "u32" => 4,
                    _ => 8,
                };
        }
        assert_eq!(rows.len(), 17);
        assert_eq!(end, Record::SIZE);
    }

    #[test]
    fn json_has_the_names_of_the_contract_and_null_for_what_is_unknown() {
        let record = Record {
            flags: Flags::VALID | Flags::LEFT_OPEN,
            ..Record::default()
        };
        let json = serde_json::to_value(record).expect("a record is plain numbers");
        assert_eq!(json["flags"], serde_json::json!(["valid", "left-open"]));
        assert!(json["distance_mm"].is_null() && json["head_yaw_deg"].is_null());
        assert_eq!(serde_json::from_value::<Record>(json).expect("its own JSON"), record);
        let all: Vec<_> = Flags(u32::MAX).names().collect();
        let contract = "valid calibrated left-open right-open blink fixation saccade pursuit forecast-held \
                        distance-known head-known";
        assert_eq!(all.join(" "), contract);
    }

    #[test]
    fn other_versions_and_short_records_are_refused() {
        let mut bytes = example().encode().to_vec();
        assert_eq!(Record::decode(&bytes[..119]), Err(DecodeError::TooShort(119)));
        bytes.push(9);
        assert_eq!(Record::decode(&bytes), Ok(example()), "appended fields are ignored");
        bytes[0] = 2;
        assert_eq!(Record::decode(&bytes), Err(DecodeError::UnknownVersion(2)));
    }

    proptest! {
        #[test]
        fn a_record_survives_bytes_and_signal(
            words in any::<[u64; 4]>(), numbers in proptest::array::uniform10(-1e9..1e9_f64), bits in 0..512_u32,
            distance in any::<bool>(), head in any::<bool>(),
        ) {
            let flags = Flags(bits) | Flags::DISTANCE_KNOWN.when(distance) | Flags::HEAD_KNOWN.when(head);
            let record = Record::from_arguments((
                words[0], words[1], words[2], words[3], numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                numbers[5], flags.0, numbers[6], numbers[7], numbers[8], numbers[9],
            ));
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
            prop_assert_eq!(Record::from_arguments(record.arguments()), record);
            // The parser may be off by one in the last digit of a number.
            let json = serde_json::to_string(&record).expect("a record is plain numbers");
            let back: Record = serde_json::from_str(&json).expect("its own JSON");
            prop_assert_eq!((back.sequence, back.target_ns, back.flags), (record.sequence, record.target_ns, record.flags));
            prop_assert!((back.gaze_x - record.gaze_x).abs() < 1e-6);
            prop_assert_eq!(back.head.is_some(), head);
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
        }
    }
}
