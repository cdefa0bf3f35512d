//! The whole program, started as a user would start it.

mod command_line;
mod crash;
mod embed;
mod import;
mod leaving;
mod search;
mod server;
mod site;
