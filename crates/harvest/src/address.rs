//! Which addresses may be connected to.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Turns a name and a port into addresses.
pub trait Names: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host, which may be an address itself.
    ///
    /// # Errors
    /// If there are none.
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The names that the system knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Why an address is not to be connected to; `None` for one of the public internet.
///
/// # Example
/// ```
/// use pressrun_harvest::refused;
///
/// assert_eq!(refused("192.168.1.7".parse().unwrap()), Some("a private network"));
/// assert_eq!(refused("::ffff:127.0.0.1".parse().unwrap()), Some("this machine"));
/// assert_eq!(refused("151.101.3.42".parse().unwrap()), None);
/// ```
pub fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

/// The special blocks of the registry that RFC 6890 keeps, and the address of one cloud's metadata
/// that lies outside of them.
fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("no host (`0.0.0.0/8`)"),
        [127, ..] => Some("this machine"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("a private network"),
        [169, 254, ..] => Some("the local link, where clouds keep their metadata"),
        [168, 63, 129, 16] => Some("a cloud's own service"),
        [100, 64..=127, ..] => Some("a provider's shared network"),
        [192, 0, 0, _] | [192, 88, 99, _] => Some("reserved for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some("for documentation only"),
        [198, 18..=19, ..] => Some("for benchmarks only"),
        [224..=239, ..] => Some("a group of hosts (multicast)"),
        [240..=255, ..] => Some("reserved or broadcast"),
        _ => None,
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        refused_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        _ if address.is_loopback() => Some("this machine"),
        _ if address.is_unspecified() => Some("no host (`::`)"),
        // An address of the old protocol in clothes of the new one is judged as what it is.
        (0, 0) if [c, d, e, f] == [0, 0, 0, 0xffff] => inner(g, h),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => inner(g, h),
        (0x2002, _) => inner(b, c),
        (0xfc00..=0xfdff, _) => Some("a private network"),
        (0xfe80..=0xfebf, _) => Some("the local link"),
        (0xff00..=0xffff, _) => Some("a group of hosts (multicast)"),
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => Some("for documentation only"),
        (0x2001, 0..=0x1ff) => Some("reserved for protocols"),
        // Only this block is given out to hosts of the internet.
        (0x2000..=0x3fff, _) => None,
        _ => Some("not of the public internet"),
    }
}

/// Addresses of one name that are tried, at most: as many as the client has room for.
const MAX_ADDRESSES: usize = 16;

/// An address was refused; carried through the HTTP client inside an error of the system.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` is {address}: {reason}")]
pub(crate) struct Refused {
    pub(crate) host: String,
    pub(crate) address: IpAddr,
    pub(crate) reason: &'static str,
}

/// Resolves names for the HTTP client and checks what comes out. The client connects to the addresses
/// that are returned here and asks nobody again, so that a name cannot change its mind in between.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) allow_private: bool,
    pub(crate) allowed: Vec<SocketAddr>,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let found = self.look_up(host.clone(), port, timeout)?;
        if !self.allow_private {
            // One private address among public ones is refused too: the client would try it.
            for address in found.iter().filter(|address| !self.allowed.contains(address)) {
                if let Some(reason) = refused(address.ip()) {
                    let refused = Refused { host, address: address.ip(), reason };
                    return Err(ureq::Error::Io(io::Error::other(refused)));
                }
            }
        }
        let mut resolved = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        if resolved.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(resolved) }
    }
}

impl Guard {
    /// On a thread of its own, as the system's look-up knows no time limit.
    fn look_up(
        &self,
        host: String,
        port: u16,
        timeout: NextTimeout,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let names = Arc::clone(&self.names);
        std::thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(names.look_up(&host, port));
        });
        match receiver.recv_timeout(*timeout.after) {
            Ok(found) => found.map_err(ureq::Error::Io),
            Err(_) => Err(ureq::Error::Timeout(timeout.reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_public_internet() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.9",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ];
        for text in private {
            assert!(refused(text.parse().unwrap()).is_some(), "{text}");
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2001:4860::8888",
        ];
        for text in public {
            assert_eq!(refused(text.parse().unwrap()), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is refused is refused in its other forms.
        #[test]
        fn a_mapped_address_is_judged_as_its_own(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let mapped = IpAddr::V6(address.to_ipv6_mapped());
            prop_assert_eq!(refused(mapped), refused(IpAddr::V4(address)));
            // What the standard library knows to be special is refused.
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!special || refused(IpAddr::V4(address)).is_some());
        }
    }
}
