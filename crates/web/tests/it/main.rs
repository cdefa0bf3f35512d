//! Tests of the site as a visitor, a browser and a program meet it.

mod assets;
mod charts;
mod demo;
mod discussion;
mod elsewhere;
mod errors;
mod formats;
mod html;
mod hub;
mod importers;
mod library;
mod lists;
mod offline;
mod operations;
mod pages;
mod paper;
mod people;
mod programs;
mod records;
mod runs;
mod search;
mod security;
mod serve;
mod site;
mod streams;
mod submissions;
