//! The programs from outside: real processes on a private bus, with their own home folder.

mod bridge;
mod bus;
mod calibrate;
mod cli;
mod client;
mod config;
mod confined;
mod control;
mod desk;
mod foreign;
mod foveated;
mod kills;
mod outputs;
#[cfg(feature = "pipewire")]
mod pipewire;
mod plot;
mod policy;
mod privacy;
mod real;
mod recording;
mod reload;
mod report;
mod saving;
mod service;
mod sim;
mod window;
