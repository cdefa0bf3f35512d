//! Files that pages refer to. Their addresses carry a hash of their content, so that browsers keep
//! them for good and never show a stale one.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file with its address.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Last segment of the address.
    pub name: String,
    /// MIME type.
    pub mime: &'static str,
    /// The content.
    pub text: &'static str,
}

/// The style sheet.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("site", "css", "text/css; charset=utf-8", include_str!("../assets/site.css"))
});

/// The script of the live run page.
pub(crate) static LIVE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("../assets/live.js"))
});

/// The script of the search box.
pub(crate) static SEARCH: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/search.js");
    Asset::new("search", "js", "text/javascript; charset=utf-8", text)
});

/// The script of the votes.
pub(crate) static VOTE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("vote", "js", "text/javascript; charset=utf-8", include_str!("../assets/vote.js"))
});

/// The script that knows the browser's time zone.
pub(crate) static ZONE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("zone", "js", "text/javascript; charset=utf-8", include_str!("../assets/zone.js"))
});

/// The site's symbol; its address is fixed by custom.
pub(crate) const FAVICON: &str = include_str!("../assets/favicon.svg");

impl Asset {
    fn new(stem: &str, extension: &str, mime: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let hash: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self { name: format!("{stem}-{hash}.{extension}"), mime, text }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The file of that name, hash included.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    [&*STYLE, &*LIVE, &*SEARCH, &*VOTE, &*ZONE].into_iter().find(|asset| asset.name == name)
}
