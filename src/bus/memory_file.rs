//! The memory file that `OpenLatest` hands over: the newest record behind a sequence lock, read without a system call.
//!
//! | offset | type | what |
//! |---|---|---|
//! | 0 | u64, native | the lock: odd while the daemon writes, greater by two after each record; 0 before the first |
//! | 8 | [`Record::SIZE`] bytes | the record, laid out as in [`super::record`] |
//!
//! The daemon writes through a mapping of its own; the file is sealed against shrinking, growing, other writers and further
//! sealing. A reader reads the lock, the record and the lock again, and believes the record where both were the same even
//! number. Whoever sees an old `published_ns` in it knows that the daemon stopped writing.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::record::Record;

const RECORD_WORDS: usize = Record::SIZE / 8;
const WORDS: usize = 1 + RECORD_WORDS;
/// Mappings are made of whole pages; the smallest holds the record many times over.
const FILE_BYTES: usize = 4096;

/// A shared mapping of the file, as words that both processes access atomically.
#[derive(Debug)]
struct Mapping {
    words: *const [AtomicU64; WORDS],
}

// SAFETY: the mapping is plain memory that is only accessed through atomics, and belongs to this value until it is dropped.
unsafe impl Send for Mapping {}
// SAFETY: as above; atomics may be shared.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: impl AsFd, access: ProtFlags) -> Result<Self, Errno> {
        // SAFETY: the kernel picks the place, so nothing that exists is overlaid; the length is not zero.
        let start = unsafe { mmap(std::ptr::null_mut(), FILE_BYTES, access, MapFlags::SHARED, file, 0) }?;
        Ok(Self { words: start.cast() })
    }

    fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: the mapping is page-aligned, longer than the words, and lives as long as `self`. The file cannot shrink
        // below it: the writer seals it, and the reader checks the seals before it maps. Writes by the other process go
        // through atomics too.
        unsafe { &*self.words }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`, and nothing borrowed from it outlives `self`.
        let _ = unsafe { munmap(self.words.cast_mut().cast(), FILE_BYTES) };
    }
}

/// The seals under which a reader can trust the file to stay as it is.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::FUTURE_WRITE)
    .union(SealFlags::SEAL);

/// The daemon's end. There is one writer.
#[derive(Debug)]
pub struct MemoryFileWriter {
    mapping: Mapping,
}

impl MemoryFileWriter {
    /// Makes the file, and the descriptor that a client is given.
    pub fn create() -> Result<(Self, OwnedFd), Errno> {
        let file = memfd_create("gazed-latest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, FILE_BYTES as u64)?;
        let mapping = Mapping::new(&file, ProtFlags::READ | ProtFlags::WRITE)?;
        fcntl_add_seals(&file, SEALS)?;
        Ok((Self { mapping }, file))
    }

    pub fn write(&mut self, record: &Record) {
        let [lock, words @ ..] = self.mapping.words();
        let before = lock.load(Ordering::Relaxed);
        lock.store(before.wrapping_add(1), Ordering::Relaxed);
        // No word below may become visible before the lock is odd (Boehm, "Can seqlocks get along with programming
        // language memory models?", 2012).
        fence(Ordering::Release);
        for (word, bytes) in words.iter().zip(record.encode().chunks_exact(8)) {
            let mut native = [0; 8];
            native.copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(native), Ordering::Relaxed);
        }
        lock.store(before.wrapping_add(2), Ordering::Release);
    }
}

/// Why a descriptor is not the memory file.
#[derive(Debug, thiserror::Error)]
pub enum NotAMemoryFile {
    #[error("the memory file cannot be mapped: {0}")]
    Mapping(#[from] Errno),
    #[error("the memory file is not sealed; it could change its size under its reader")]
    NotSealed,
    #[error("the memory file has {0} bytes, which is too short")]
    TooShort(i64),
}

/// A client's end.
#[derive(Debug)]
pub struct MemoryFileReader {
    mapping: Mapping,
}

impl MemoryFileReader {
    /// A writer is done within a microsecond; a reader that has not succeeded after so many tries met one that died while
    /// writing.
    const TRIES: usize = 100;

    pub fn new(file: impl AsFd) -> Result<Self, NotAMemoryFile> {
        if !fcntl_get_seals(&file)?.contains(SealFlags::SHRINK) {
            return Err(NotAMemoryFile::NotSealed);
        }
        let size = fstat(&file)?.st_size;
        if size < FILE_BYTES as i64 {
            return Err(NotAMemoryFile::TooShort(size));
        }
        Ok(Self {
            mapping: Mapping::new(file, ProtFlags::READ)?,
        })
    }

    /// The newest record; `None` before the first one, and where the daemon died while writing.
    pub fn read(&self) -> Option<Record> {
        let [lock, words @ ..] = self.mapping.words();
        for _ in 0..Self::TRIES {
            let before = lock.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            if before % 2 == 0 {
                let mut bytes = [0; Record::SIZE];
                for (word, place) in words.iter().zip(bytes.chunks_exact_mut(8)) {
                    place.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
                }
                // The words must have been read before the lock is looked at again.
                fence(Ordering::Acquire);
                if lock.load(Ordering::Relaxed) == before {
                    return Record::decode(&bytes).ok();
                }
            }
            std::hint::spin_loop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_record() {
        let (mut writer, file) = MemoryFileWriter::create().expect("memory");
        let reader = MemoryFileReader::new(&file).expect("the file");
        assert_eq!(reader.read(), None);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                for n in 1..=200_000_u64 {
                    writer.write(&Record {
                        sequence: n,
                        captured_ns: n,
                        target_ns: n,
                        gaze_x: n as f64,
                        confidence: n as f64,
                        ..Record::default()
                    });
                }
            });
            let mut last = 0;
            while !writing.is_finished() {
                let Some(record) = reader.read() else { continue };
                assert!(record.sequence >= last);
                last = record.sequence;
                assert_eq!((record.captured_ns, record.target_ns), (last, last));
                assert_eq!((record.gaze_x, record.confidence), (last as f64, last as f64));
            }
        });
        assert_eq!(reader.read().map(|record| record.sequence), Some(200_000));
    }

    #[test]
    fn nobody_else_can_write_to_it_or_change_its_size() {
        let (_writer, file) = MemoryFileWriter::create().expect("memory");
        assert_eq!(rustix::io::pwrite(&file, &[1], 0), Err(Errno::PERM));
        assert_eq!(ftruncate(&file, 0), Err(Errno::PERM));
        assert_eq!(ftruncate(&file, 1 << 20), Err(Errno::PERM));
        assert_eq!(fcntl_add_seals(&file, SealFlags::WRITE), Err(Errno::PERM));
        assert!(Mapping::new(&file, ProtFlags::READ | ProtFlags::WRITE).is_err());
    }

    #[test]
    fn another_file_is_refused() {
        let unsealed = memfd_create("other", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memory");
        assert!(matches!(
            MemoryFileReader::new(&unsealed),
            Err(NotAMemoryFile::NotSealed)
        ));
        let short = memfd_create("short", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memory");
        fcntl_add_seals(short.as_fd(), SealFlags::SHRINK).expect("seals");
        assert!(matches!(
            MemoryFileReader::new(&short),
            Err(NotAMemoryFile::TooShort(0))
        ));
    }
}
