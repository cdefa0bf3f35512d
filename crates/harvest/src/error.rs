//! What can go wrong between here and there.

use std::net::IpAddr;

/// An error of fetching.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address of another kind.
    #[error("`{url}` is no address to fetch from: {reason}; expected `http://` or `https://`")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The name leads to where the importer is not to go.
    #[error(
        "`{url}` leads to {address}, {reason}; private addresses are fetched only with \
         `--allow-private`"
    )]
    Private {
        /// The address that was asked for, or redirected to.
        url: String,
        /// What its name stands for.
        address: IpAddr,
        /// What that is.
        reason: &'static str,
    },
    /// The server redirected again and again.
    #[error("`{url}` redirects more than {limit} times")]
    Redirects {
        /// The address that was asked for first.
        url: String,
        /// Most redirects.
        limit: u32,
    },
    /// The answer is larger than allowed.
    #[error("`{url}` answers with more than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// Most bytes.
        limit: u64,
    },
    /// The server does not give it.
    #[error("`{url}` answers with status {status}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// The server asks to wait longer than anybody would.
    #[error("`{url}` answers with status {status} and asks to come back in {seconds} s")]
    Later {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// How long to wait.
        seconds: u64,
    },
    /// No connection, or one that broke off or took too long.
    #[error("`{url}`: {reason}")]
    Broken {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The source refused the request, or answers with something that is none of its pages.
    #[error("`{source_name}`: {reason}")]
    Source {
        /// The source.
        source_name: String,
        /// What it said.
        reason: String,
    },
    /// A source, or a time, that cannot be read.
    #[error("{what} `{value}` is not valid; expected {expected}")]
    Invalid {
        /// What the value stands for.
        what: &'static str,
        /// The value.
        value: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// The catalogue could not be read or written.
    #[error(transparent)]
    Catalog(#[from] pressrun_catalog::Error),
}

/// The harvest's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
