//! Windows: one event loop, one picture in memory that a [`Scene`] draws on. X11 and Wayland, any density of pixels.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};

use softbuffer::{Context, Surface};
use winit::application::ApplicationHandler;
use winit::dpi::{LogicalSize, PhysicalPosition};
use winit::event::{ElementState, KeyEvent, MouseButton, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::keyboard::{Key, NamedKey};
use winit::window::{Fullscreen, Window, WindowId};

use crate::geometry::ScreenPoint;

mod canvas;

pub use canvas::{Area, Canvas, Colour, Gray, fitted};

/// The window's monitor is looked at once in so many pictures, about once a second.
const MONITOR_EVERY: u32 = 60;

/// Scenes are drawn this often: as often as common screens show them.
const FRAME: Duration = Duration::from_micros(16_667);

/// What a user did in the window.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Escape,
    Enter,
    Space,
    Character(char),
    /// The left button went down here, normalised to the window.
    Click(ScreenPoint),
    /// The window is on another monitor than the one it opened on.
    OtherMonitor,
}

/// Whether a window stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Stay,
    Close,
}

/// What a window shows and how it answers.
pub trait Scene {
    /// Draws the whole window; called about 60 times a second.
    fn draw(&mut self, canvas: &mut Canvas<'_>) -> Flow;

    fn input(&mut self, input: Input) -> Flow;
}

/// How a window opens.
#[derive(Clone, Debug)]
pub struct WindowOptions {
    pub title: &'static str,
    pub size: Size,
    /// The monitor's name, as the desktop calls it; the primary one where `None`.
    pub output: Option<String>,
    /// Whether the pointer is seen in the window.
    pub pointer: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Size {
    FullScreen,
    /// Width and height in points, not pixels.
    Points(f64, f64),
}

#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error("no window could be opened: {0}; is there a display (DISPLAY or WAYLAND_DISPLAY)?")]
    NoDisplay(String),
    #[error("there is no monitor named \"{wanted}\"; there are: {found}")]
    NoSuchMonitor { wanted: String, found: String },
    #[error("the display went away while the window was open ({0})")]
    DisplayGone(String),
    #[error("the window could not be drawn: {0}")]
    Drawing(String),
}

/// Opens a window and shows `scene` until it closes or the user closes it; gives the scene back.
pub fn show<S: Scene>(options: WindowOptions, scene: S) -> Result<S, WindowError> {
    let no_display = |error: &dyn std::fmt::Display| WindowError::NoDisplay(error.to_string());
    let event_loop = EventLoop::new().map_err(|error| no_display(&error))?;
    let mut app = App {
        options,
        scene,
        surface: None,
        pointer: PhysicalPosition::new(0.0, 0.0),
        monitor: None,
        pictures: 0,
        next_frame: Instant::now(),
        error: None,
    };
    let ended = event_loop.run_app(&mut app);
    match (ended, app.error) {
        (_, Some(error)) => Err(error),
        (Ok(()), None) => Ok(app.scene),
        (Err(error), None) if app.surface.is_some() => Err(WindowError::DisplayGone(error.to_string())),
        (Err(error), None) => Err(no_display(&error)),
    }
}

struct App<S> {
    options: WindowOptions,
    scene: S,
    surface: Option<Surface<Rc<Window>, Rc<Window>>>,
    pointer: PhysicalPosition<f64>,
    /// The one that the window opened on, once that is known.
    monitor: Option<String>,
    pictures: u32,
    next_frame: Instant,
    error: Option<WindowError>,
}

impl<S: Scene> App<S> {
    fn open(&self, event_loop: &ActiveEventLoop) -> Result<Surface<Rc<Window>, Rc<Window>>, WindowError> {
        let attributes = Window::default_attributes().with_title(self.options.title);
        let attributes = match self.options.size {
            Size::FullScreen => {
                let monitor = self.monitor(event_loop)?;
                // Where no window manager runs nobody else makes the window as large as the screen.
                let size = monitor
                    .as_ref()
                    .or(event_loop.available_monitors().next().as_ref())
                    .map(|m| m.size());
                let attributes = attributes.with_fullscreen(Some(Fullscreen::Borderless(monitor)));
                match size {
                    Some(size) => attributes.with_inner_size(size),
                    None => attributes,
                }
            }
            Size::Points(width, height) => attributes.with_inner_size(LogicalSize::new(width, height)),
        };
        let window = event_loop
            .create_window(attributes)
            .map_err(|error| WindowError::NoDisplay(error.to_string()))?;
        window.set_cursor_visible(self.options.pointer);
        let window = Rc::new(window);
        let context = Context::new(Rc::clone(&window)).map_err(drawing)?;
        Surface::new(&context, window).map_err(drawing)
    }

    fn monitor(&self, event_loop: &ActiveEventLoop) -> Result<Option<winit::monitor::MonitorHandle>, WindowError> {
        let Some(wanted) = &self.options.output else {
            return Ok(event_loop.primary_monitor());
        };
        let monitors: Vec<_> = event_loop.available_monitors().collect();
        let names: Vec<String> = monitors.iter().filter_map(|monitor| monitor.name()).collect();
        match monitors
            .into_iter()
            .find(|monitor| monitor.name().as_ref() == Some(wanted))
        {
            Some(monitor) => Ok(Some(monitor)),
            None => Err(WindowError::NoSuchMonitor {
                wanted: wanted.clone(),
                found: names.join(", "),
            }),
        }
    }

    fn draw(&mut self) -> Result<Flow, WindowError> {
        let Some(surface) = &mut self.surface else {
            return Ok(Flow::Stay);
        };
        let size = surface.window().inner_size();
        let (Some(width), Some(height)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            return Ok(Flow::Stay);
        };
        let scale = surface.window().scale_factor().round() as u32;
        surface.resize(width, height).map_err(drawing)?;
        let mut buffer = surface.buffer_mut().map_err(drawing)?;
        let flow = self
            .scene
            .draw(&mut Canvas::new(&mut buffer, size.width, size.height, scale));
        buffer.present().map_err(drawing)?;
        Ok(flow)
    }

    fn follow(&mut self, event_loop: &ActiveEventLoop, result: Result<Flow, WindowError>) {
        match result {
            Ok(Flow::Stay) => {}
            Ok(Flow::Close) => event_loop.exit(),
            Err(error) => {
                self.error = Some(error);
                event_loop.exit();
            }
        }
    }

    /// True where the window is not on the monitor any more that it opened on.
    fn changed_monitor(&mut self, event_loop: &ActiveEventLoop) -> bool {
        self.pictures = self.pictures.wrapping_add(1);
        if !self.pictures.is_multiple_of(MONITOR_EVERY) {
            return false;
        }
        let window = self.surface.as_ref().map(Surface::window);
        let name = window
            .and_then(|window| window.current_monitor())
            .and_then(|monitor| monitor.name());
        match (&self.monitor, name) {
            (Some(before), name) => {
                // A compositor need not tell a window that its monitor is gone, but it tells the program.
                let mut present = event_loop.available_monitors();
                let is_present = present.any(|monitor| monitor.name().as_ref() == Some(before));
                !is_present || name.as_ref() != Some(before)
            }
            (None, name) => {
                self.monitor = name;
                false
            }
        }
    }

    fn click(&self) -> Option<Input> {
        let size = self.surface.as_ref()?.window().inner_size();
        (size.width > 0 && size.height > 0).then(|| {
            Input::Click(ScreenPoint::new(
                self.pointer.x / f64::from(size.width),
                self.pointer.y / f64::from(size.height),
            ))
        })
    }
}

fn drawing(error: softbuffer::SoftBufferError) -> WindowError {
    WindowError::Drawing(error.to_string())
}

fn pressed(event: &KeyEvent) -> Option<Input> {
    if event.state != ElementState::Pressed || event.repeat {
        return None;
    }
    match &event.logical_key {
        Key::Named(NamedKey::Escape) => Some(Input::Escape),
        Key::Named(NamedKey::Enter) => Some(Input::Enter),
        Key::Named(NamedKey::Space) => Some(Input::Space),
        Key::Character(text) => text.chars().next().map(Input::Character),
        _ => None,
    }
}

impl<S: Scene> ApplicationHandler for App<S> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.surface.is_none() {
            let opened = self.open(event_loop).map(|surface| {
                self.surface = Some(surface);
                Flow::Stay
            });
            self.follow(event_loop, opened);
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let input = match event {
            WindowEvent::CloseRequested => return event_loop.exit(),
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.follow(event_loop, drawn);
                self.changed_monitor(event_loop).then_some(Input::OtherMonitor)
            }
            WindowEvent::CursorMoved { position, .. } => {
                self.pointer = position;
                None
            }
            WindowEvent::KeyboardInput { event, .. } => pressed(&event),
            WindowEvent::MouseInput {
                state: ElementState::Pressed,
                button: MouseButton::Left,
                ..
            } => self.click(),
            _ => None,
        };
        if let Some(input) = input {
            let flow = self.scene.input(input);
            self.follow(event_loop, Ok(flow));
        }
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let now = Instant::now();
        if now >= self.next_frame {
            // Frames that were missed are not made up for.
            self.next_frame = (self.next_frame + FRAME).max(now);
            if let Some(surface) = &self.surface {
                surface.window().request_redraw();
            }
        }
        event_loop.set_control_flow(ControlFlow::WaitUntil(self.next_frame));
    }
}
