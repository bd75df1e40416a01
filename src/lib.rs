//! gazed: a webcam eye tracker as a desktop service.
pub mod bus;
pub mod client;
pub mod clock;
pub mod geometry;
pub mod latest;

#[cfg(feature = "tracker")]
pub mod capture;
#[cfg(feature = "tools")]
pub mod cli;
#[cfg(feature = "tracker")]
pub mod config;
#[cfg(feature = "tracker")]
pub mod disk;
pub mod filter;
#[cfg(feature = "tracker")]
pub mod forecast;
#[cfg(feature = "tracker")]
pub mod frame;
#[cfg(feature = "tracker")]
pub mod movement;
