//! A camera as PipeWire knows them: a process with a node of the class `Video/Source` that plays a recording.

use std::cell::Cell;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ::pipewire as pw;
use gazed::capture::recording::Recording;
use gazed::clock::{Clock, MonotonicClock};
use gazed::frame::GrayImage;
use pw::main_loop::MainLoopRc;
use pw::properties::properties;
use pw::spa;
use pw::stream::{StreamFlags, StreamRc, StreamState};
use spa::buffer::meta::MetaHeader;
use spa::param::ParamType;
use spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use spa::param::video::VideoFormat;
use spa::pod::serialize::PodSerializer;
use spa::pod::{Object, Pod, Property, Value};
use spa::utils::{Direction, Fraction, Id, Rectangle, SpaTypes};

/// Environment variables of the process.
pub const FORMAT: &str = "GAZED_TEST_CAMERA_FORMAT";
pub const RECORDING: &str = "GAZED_TEST_CAMERA_RECORDING";
/// How lines begin that say what the stream does.
pub const SAYS: &str = "camera: ";
pub const DESCRIPTION: &str = "Desk Camera";
pub const INTERVAL_NS: u64 = 33_333_333;
pub const FORMATS: [&str; 5] = ["YUY2", "NV12", "GRAY8", "BGRx", "MJPG"];
/// Rows are longer than the picture is wide, as many a camera's are.
const PADDING: usize = 64;

/// All pictures of a recording as one format has them.
struct Film {
    kind: MediaSubtype,
    raw: Option<VideoFormat>,
    size: Rectangle,
    stride: usize,
    pictures: Vec<Vec<u8>>,
}

impl Film {
    fn new(format: &str, folder: &str) -> Self {
        let recording = Recording::open(folder).expect("a recording");
        let (width, height) = recording.picture_size().expect("pictures");
        let raw = match format {
            "YUY2" => Some(VideoFormat::YUY2),
            "NV12" => Some(VideoFormat::NV12),
            "GRAY8" => Some(VideoFormat::GRAY8),
            "BGRx" => Some(VideoFormat::BGRx),
            _ => None,
        };
        let pixel_bytes = match format {
            "YUY2" => 2,
            "BGRx" => 4,
            _ => 1,
        };
        let stride = width as usize * pixel_bytes + PADDING;
        let pictures = recording.rows().iter().map(|row| match raw {
            Some(raw) => uncompressed(&recording.picture(row).expect("a picture"), raw, stride),
            None => fs::read(Path::new(folder).join(&row.file)).expect("a JPEG"),
        });
        Self {
            kind: if raw.is_some() {
                MediaSubtype::Raw
            } else {
                MediaSubtype::Mjpg
            },
            raw,
            size: Rectangle { width, height },
            stride: if raw.is_some() { stride } else { 0 },
            pictures: pictures.collect(),
        }
    }

    fn description(&self) -> Vec<u8> {
        let id = |value| Value::Id(Id(value));
        let mut properties = vec![
            Property::new(FormatProperties::MediaType.as_raw(), id(MediaType::Video.as_raw())),
            Property::new(FormatProperties::MediaSubtype.as_raw(), id(self.kind.as_raw())),
        ];
        properties.extend(
            self.raw
                .map(|raw| Property::new(FormatProperties::VideoFormat.as_raw(), id(raw.as_raw()))),
        );
        properties.push(Property::new(
            FormatProperties::VideoSize.as_raw(),
            Value::Rectangle(self.size),
        ));
        let rate = Fraction { num: 30, denom: 1 };
        properties.push(Property::new(
            FormatProperties::VideoFramerate.as_raw(),
            Value::Fraction(rate),
        ));
        bytes(SpaTypes::ObjectParamFormat, ParamType::EnumFormat, properties)
    }

    /// What its buffers are like: the pictures, and the header with the time stamp.
    fn buffers(&self) -> [Vec<u8>; 2] {
        let number = |value: usize| Value::Int(i32::try_from(value).expect("small"));
        let largest = self.pictures.iter().map(Vec::len).max().expect("pictures");
        let buffers = vec![
            Property::new(spa::sys::SPA_PARAM_BUFFERS_buffers, Value::Int(4)),
            Property::new(spa::sys::SPA_PARAM_BUFFERS_blocks, Value::Int(1)),
            Property::new(spa::sys::SPA_PARAM_BUFFERS_size, number(largest)),
            Property::new(spa::sys::SPA_PARAM_BUFFERS_stride, number(self.stride)),
        ];
        let header = vec![
            Property::new(spa::sys::SPA_PARAM_META_type, Value::Id(Id(spa::sys::SPA_META_Header))),
            Property::new(spa::sys::SPA_PARAM_META_size, number(size_of::<MetaHeader>())),
        ];
        [
            bytes(SpaTypes::ObjectParamBuffers, ParamType::Buffers, buffers),
            bytes(SpaTypes::ObjectParamMeta, ParamType::Meta, header),
        ]
    }
}

fn uncompressed(picture: &GrayImage, format: VideoFormat, stride: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..picture.height() {
        let row = picture.row(y);
        match format {
            VideoFormat::YUY2 => bytes.extend(row.iter().flat_map(|luma| [*luma, 128])),
            VideoFormat::BGRx => bytes.extend(row.iter().flat_map(|luma| [*luma, *luma, *luma, 0])),
            _ => bytes.extend_from_slice(row),
        }
        bytes.resize((y as usize + 1) * stride, 0);
    }
    if format == VideoFormat::NV12 {
        bytes.resize(bytes.len() + picture.height() as usize / 2 * stride, 128);
    }
    bytes
}

fn bytes(kind: SpaTypes, parameter: ParamType, properties: Vec<Property>) -> Vec<u8> {
    let object = Object {
        type_: kind.as_raw(),
        id: parameter.as_raw(),
        properties,
    };
    let written = PodSerializer::serialize(Cursor::new(Vec::new()), &Value::Object(object));
    written.expect("writes").0.into_inner()
}

#[test]
#[ignore = "the process that is a camera for the other tests"]
fn plays_until_killed() {
    let (Ok(format), Ok(folder)) = (std::env::var(FORMAT), std::env::var(RECORDING)) else {
        return;
    };
    let film = Rc::new(Film::new(&format, &folder));
    pw::init();
    let main_loop = MainLoopRc::new(None).expect("a loop");
    let context = pw::context::ContextRc::new(&main_loop, None).expect("a context");
    let core = context.connect_rc(None).expect("PipeWire runs");
    let properties = properties! {
        *pw::keys::MEDIA_CLASS => "Video/Source",
        *pw::keys::MEDIA_ROLE => "Camera",
        *pw::keys::NODE_NAME => "desk-camera",
        *pw::keys::NODE_DESCRIPTION => DESCRIPTION,
    };
    let stream = StreamRc::new(core, "desk-camera", properties).expect("a stream");
    let streaming = Rc::new(Cell::new(false));
    let start = MonotonicClock.now().as_nanos();
    let _listener = {
        let (film, by_state, by_format) = (Rc::clone(&film), Rc::clone(&streaming), Rc::clone(&film));
        stream
            .add_local_listener_with_user_data(0_u64)
            .state_changed(move |_, _, _, state| {
                by_state.set(state == StreamState::Streaming);
                println!("{SAYS}{}", format!("{state:?}").to_lowercase());
            })
            .param_changed(move |stream, _, id, parameter| {
                if id == ParamType::Format.as_raw() && parameter.is_some() {
                    let buffers = by_format.buffers();
                    let mut buffers = buffers.each_ref().map(|bytes| Pod::from_bytes(bytes).expect("a pod"));
                    stream.update_params(&mut buffers).expect("agrees");
                }
            })
            .process(move |stream, count| {
                let Some(mut buffer) = stream.dequeue_buffer() else {
                    return;
                };
                *count += 1;
                // Exactly so many intervals since the start, and an interval ago, as a picture takes time to be read out.
                let passed = (MonotonicClock.now().as_nanos() - start) / INTERVAL_NS;
                let passed = passed.saturating_sub(1);
                if let Some(header) = buffer.find_meta::<MetaHeader>() {
                    let header = std::ptr::from_ref(header.as_raw()).cast_mut();
                    // SAFETY: the buffer is this process's until it is queued again, and nobody else refers to its header.
                    unsafe {
                        (*header).pts = (start + passed * INTERVAL_NS) as i64;
                        (*header).seq = *count;
                        (*header).flags = 0;
                    }
                }
                let picture = &film.pictures[*count as usize % film.pictures.len()];
                let plane = &mut buffer.datas_mut()[0];
                plane.data().expect("memory")[..picture.len()].copy_from_slice(picture);
                *plane.chunk_mut().offset_mut() = 0;
                *plane.chunk_mut().size_mut() = picture.len() as u32;
                *plane.chunk_mut().stride_mut() = film.stride as i32;
            })
            .register()
            .expect("listens")
    };
    let description = film.description();
    let mut description = [Pod::from_bytes(&description).expect("a pod")];
    let flags = StreamFlags::DRIVER | StreamFlags::MAP_BUFFERS;
    stream
        .connect(Direction::Output, None, flags, &mut description)
        .expect("connects");
    let playing = stream.clone();
    let timer = main_loop.loop_().add_timer(move |_| {
        if streaming.get() {
            let _ = playing.trigger_process();
        }
    });
    let interval = Duration::from_nanos(INTERVAL_NS);
    assert!(timer.update_timer(Some(interval), Some(interval)).into_result().is_ok());
    main_loop.run();
}
