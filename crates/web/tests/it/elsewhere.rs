//! Who knows papers that the site does not.

use pressrun_catalog::{Finder, Finding, Found, NewPaper, Reference};

/// Who knows papers elsewhere.
#[derive(Debug)]
pub struct Elsewhere;

impl Finder for Elsewhere {
    fn find<'f>(&'f self, reference: &'f Reference) -> Finding<'f> {
        let paper = |title: &str| NewPaper {
            title: title.into(),
            authors: vec!["Ada King".into()],
            ..NewPaper::default()
        };
        let found = match reference {
            Reference::Arxiv(id) if id == "2301.10909" => {
                let arxiv_id = Some(id.clone());
                Ok(Some(Found { paper: NewPaper { arxiv_id, ..paper("Found") }, vouched: true }))
            }
            Reference::Page(url) if url.ends_with("/draft") => {
                let title = "<script>alert(1)</script> \" onfocus=\"alert(2)";
                Ok(Some(Found { paper: paper(title), vouched: false }))
            }
            Reference::Doi(_) => Err("`https://doi.org` <b>did not answer</b>".into()),
            _ => Ok(None),
        };
        Box::pin(std::future::ready(found))
    }
}
