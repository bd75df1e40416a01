//! What monitors say of themselves (EDID): who made them and how large they are.
//!
//! The kernel keeps each connected monitor's EDID under `/sys/class/drm/CARD-CONNECTOR/edid`. Layout after VESA Enhanced EDID
//! Standard, release A revision 2 (EDID 1.4), sections 3.3 to 3.10; only the base block is read.

use std::fs;
use std::path::Path;

/// Bytes of the base block.
const BLOCK: usize = 128;
const MAGIC: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
/// The four 18-byte descriptors.
const DESCRIPTORS: usize = 54;
/// Tag of the descriptor that holds the monitor's name.
const NAME_TAG: u8 = 0xfc;

/// Why bytes are no EDID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEdid {
    #[error("{0} bytes, at least {BLOCK} are needed")]
    Short(usize),
    #[error("it does not begin like one")]
    Magic,
    #[error("its checksum is wrong")]
    Checksum,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edid {
    /// Three letters registered for the maker.
    pub maker: String,
    pub product: u16,
    /// 0 where the maker gives none.
    pub serial: u32,
    pub name: Option<String>,
    /// Visible width and height, the finer of what it says; `None` of projectors and the like.
    pub size_mm: Option<[u32; 2]>,
    /// The preferred mode's.
    pub size_px: Option<[u32; 2]>,
}

impl Edid {
    /// # Errors
    /// Where the bytes are cut, damaged or something else.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAnEdid> {
        let block: &[u8; BLOCK] = bytes.first_chunk().ok_or(NotAnEdid::Short(bytes.len()))?;
        if block[..8] != MAGIC {
            return Err(NotAnEdid::Magic);
        }
        if block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return Err(NotAnEdid::Checksum);
        }
        let letters = u16::from_be_bytes([block[8], block[9]]);
        let letter = |shift: u16| char::from(b'A' + (letters >> shift & 31).clamp(1, 26) as u8 - 1);
        let (mut name, mut detailed) = (None, None);
        for descriptor in block[DESCRIPTORS..DESCRIPTORS + 72].chunks_exact(18) {
            if descriptor[..2] != [0, 0] {
                detailed = detailed.or_else(|| timing(descriptor));
            } else if descriptor[3] == NAME_TAG {
                name = text(&descriptor[5..]);
            }
        }
        // In whole centimetres; with one of them zero the pair is an aspect ratio or nothing at all.
        let coarse = [u32::from(block[21]) * 10, u32::from(block[22]) * 10];
        let coarse = (coarse[0] > 0 && coarse[1] > 0).then_some(coarse);
        let fine = detailed.map(|(_, size_mm)| size_mm).filter(|[width, height]| {
            // Some makers write the aspect ratio (16 x 9 mm) where the size belongs, or another monitor's size.
            let agrees = |fine: u32, coarse: u32| fine.abs_diff(coarse) <= 10;
            *width >= 50 && *height >= 50 && coarse.is_none_or(|[w, h]| agrees(*width, w) && agrees(*height, h))
        });
        Ok(Self {
            maker: [letter(10), letter(5), letter(0)].into_iter().collect(),
            product: u16::from_le_bytes([block[10], block[11]]),
            serial: u32::from_le_bytes([block[12], block[13], block[14], block[15]]),
            name,
            size_mm: fine.or(coarse),
            size_px: detailed.map(|(size_px, _)| size_px),
        })
    }

    /// Tells this monitor from others, as far as its maker lets it: `DEL-A0C4-4C564231`.
    pub fn id(&self) -> String {
        format!("{}-{:04X}-{:08X}", self.maker, self.product, self.serial)
    }
}

/// Pixels and millimetres of a detailed timing descriptor.
fn timing(descriptor: &[u8]) -> Option<([u32; 2], [u32; 2])> {
    let with_high = |low: u8, high: u8| u32::from(low) | u32::from(high) << 8;
    let size_px = [
        with_high(descriptor[2], descriptor[4] >> 4),
        with_high(descriptor[5], descriptor[7] >> 4),
    ];
    let size_mm = [
        with_high(descriptor[12], descriptor[14] >> 4),
        with_high(descriptor[13], descriptor[14] & 15),
    ];
    (size_px[0] > 0 && size_px[1] > 0).then_some((size_px, size_mm))
}

/// Letters up to a line feed.
fn text(bytes: &[u8]) -> Option<String> {
    let letters = bytes.iter().take_while(|byte| **byte != b'\n');
    let text: String = letters
        .map(|byte| char::from(*byte))
        .filter(|letter| letter.is_ascii_graphic() || *letter == ' ')
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A monitor and the connector it hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// As the kernel calls it, such as `HDMI-A-1`.
    pub connector: String,
    pub edid: Edid,
}

impl Connected {
    /// Whether a desktop means this connector: X servers leave the letter out (`HDMI-1`) that kernel and Wayland write.
    pub fn is_called(&self, output: &str) -> bool {
        let plain = |name: &str| {
            name.replace("-A-", "-")
                .replace("-B-", "-")
                .replace("-D-", "-")
                .replace("-I-", "-")
        };
        self.connector == output || plain(&self.connector) == plain(output)
    }

    /// Built into a laptop.
    fn is_internal(&self) -> bool {
        ["eDP", "LVDS", "DSI"]
            .iter()
            .any(|kind| self.connector.starts_with(kind))
    }
}

/// All monitors below a folder such as `/sys/class/drm`, built-in ones first. One whose EDID is damaged or missing is left
/// out: then it is simply not known how large it is.
pub fn connected(folder: &Path) -> Vec<Connected> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Connected> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let (_, connector) = name.split_once('-')?;
            let bytes = fs::read(entry.path().join("edid"))
                .ok()
                .filter(|bytes| !bytes.is_empty())?;
            match Edid::parse(&bytes) {
                Ok(edid) => Some(Connected {
                    connector: connector.to_owned(),
                    edid,
                }),
                Err(reason) => {
                    tracing::debug!(connector, %reason, "a monitor's EDID cannot be read");
                    None
                }
            }
        })
        .collect();
    found.sort_by_key(|monitor| (!monitor.is_internal(), monitor.connector.clone()));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A 24-inch monitor's base block, written after the standard.
    fn block() -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&MAGIC);
        // "DEL": 4, 5 and 12 in five bits each.
        block[8..10].copy_from_slice(&(4_u16 << 10 | 5 << 5 | 12).to_be_bytes());
        block[10..12].copy_from_slice(&0xa0c4_u16.to_le_bytes());
        block[12..16].copy_from_slice(&0x4c56_4231_u32.to_le_bytes());
        block[21..23].copy_from_slice(&[53, 30]);
        // 1920 x 1080, 531 x 299 mm.
        block[54..72].copy_from_slice(&[
            2, 0x3a, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58, 0x2c, 0x45, 0, 0x13, 0x2b, 0x21, 0, 0, 0x1e,
        ]);
        block[72..90].copy_from_slice(b"\0\0\0\xfc\0DELL P2422H\n ");
        seal(block)
    }

    fn seal(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
        block[BLOCK - 1] = 0;
        block[BLOCK - 1] = block.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
        block
    }

    #[test]
    fn a_monitor_says_who_made_it_and_how_large_it_is() {
        let edid = Edid::parse(&block()).expect("whole");
        assert_eq!(edid.id(), "DEL-A0C4-4C564231");
        assert_eq!(edid.name.as_deref(), Some("DELL P2422H"));
        assert_eq!((edid.size_mm, edid.size_px), (Some([531, 299]), Some([1920, 1080])));
    }

    #[test]
    fn an_aspect_ratio_in_place_of_the_size_is_not_believed() {
        let mut lies = block();
        lies[66..69].copy_from_slice(&[16, 9, 0]);
        assert_eq!(Edid::parse(&seal(lies)).map(|edid| edid.size_mm), Ok(Some([530, 300])));
        lies[21..23].copy_from_slice(&[0, 0]);
        assert_eq!(
            Edid::parse(&seal(lies)).map(|edid| edid.size_mm),
            Ok(None),
            "a projector"
        );
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(Edid::parse(&block()[..100]), Err(NotAnEdid::Short(100)));
        let mut damaged = block();
        damaged[60] ^= 4;
        assert_eq!(Edid::parse(&damaged), Err(NotAnEdid::Checksum));
        damaged[3] = 0;
        assert_eq!(Edid::parse(&damaged), Err(NotAnEdid::Magic));
    }

    #[test]
    fn monitors_are_found_below_a_folder_and_known_by_any_desktops_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in [
            ("card0-HDMI-A-1", &block()[..]),
            ("card0-eDP-1", &block()),
            ("card0-DP-1", &[]),
            ("card0-DP-2", &[1, 2, 3]),
            ("card0", &block()),
        ] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
            fs::write(folder.path().join(name).join("edid"), bytes).expect("a file");
        }
        let found = connected(folder.path());
        let names: Vec<&str> = found.iter().map(|monitor| monitor.connector.as_str()).collect();
        assert_eq!(names, ["eDP-1", "HDMI-A-1"]);
        assert!(found[1].is_called("HDMI-A-1") && found[1].is_called("HDMI-1") && !found[1].is_called("HDMI-2"));
        assert!(connected(Path::new("/nonexistent")).is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Edid::parse(&bytes);
        }

        #[test]
        fn no_whole_block_panics_or_is_refused(body in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let mut block: [u8; BLOCK] = body.try_into().expect("as long");
            block[..8].copy_from_slice(&MAGIC);
            let edid = Edid::parse(&seal(block)).expect("a whole block");
            prop_assert_eq!(edid.maker.len(), 3);
            prop_assert!(edid.size_mm.is_none_or(|[width, height]| width > 0 && height > 0));
        }
    }
}
