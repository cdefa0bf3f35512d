//! The whole program, started as a user would start it.

mod command_line;
mod crash;
mod import;
mod server;
mod site;
