//! By what two entries are known to be the same paper.

/// An arXiv id without version, prefix or URL; `None` if `text` is none.
///
/// ```
/// use pressrun_catalog::identity::arxiv_id;
///
/// assert_eq!(arxiv_id("2301.10909v2").as_deref(), Some("2301.10909"));
/// assert_eq!(arxiv_id("https://arxiv.org/pdf/2301.10909v1.pdf").as_deref(), Some("2301.10909"));
/// assert_eq!(arxiv_id("arXiv:math.GT/0309136v1").as_deref(), Some("math/0309136"));
/// assert_eq!(arxiv_id("2301.109"), None);
/// ```
pub fn arxiv_id(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let mut rest = lower.as_str();
    for prefix in ["https://", "http://", "www.", "export.", "arxiv.org/"] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    for prefix in ["abs/", "pdf/", "html/", "arxiv:"] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let rest = rest.strip_suffix(".pdf").unwrap_or(rest);
    let bare = match rest.rsplit_once('v') {
        Some((bare, version)) if digits(version, 1..=3) => bare,
        _ => rest,
    };
    // Since April 2007 YYMM.NNNN, with five digits since 2015; before, ARCHIVE/YYMMNNN, at times
    // with a subject class after the archive, which is not part of the id.
    if let Some((archive, number)) = bare.split_once('/') {
        let archive = archive.split('.').next().unwrap_or_default();
        let named =
            !archive.is_empty() && archive.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        return (named && digits(number, 7..=7)).then(|| format!("{archive}/{number}"));
    }
    let (month, number) = bare.split_once('.')?;
    (digits(month, 4..=4) && digits(number, 4..=5)).then(|| bare.to_owned())
}

/// A DOI in lower case without prefix or URL; `None` if `text` is none.
///
/// ```
/// use pressrun_catalog::identity::doi;
///
/// assert_eq!(doi("https://doi.org/10.1145/ABC.5").as_deref(), Some("10.1145/abc.5"));
/// assert_eq!(doi("11.1145/5"), None);
/// assert_eq!(doi("http://10.0.0.1/admin"), None);
/// ```
pub fn doi(text: &str) -> Option<String> {
    // DOIs are compared without regard to case (DOI Handbook, section 2.4), in all of Unicode by
    // some registrars' practice; the stored form is the folded one.
    let lower = text.trim().to_lowercase();
    let address = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let mut rest = address.unwrap_or(&lower);
    for prefix in ["www.", "dx."] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    // Of addresses only those of the resolver: `http://10.0.0.1/x` is that of a machine.
    rest = match (address, rest.strip_prefix("doi.org/")) {
        (_, Some(rest)) => rest,
        (Some(_), None) => return None,
        (None, None) => rest.strip_prefix("doi:").unwrap_or(rest).trim_start(),
    };
    let (registrant, suffix) = rest.strip_prefix("10.")?.split_once('/')?;
    let plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    let number = registrant.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (number && plain(registrant) && plain(suffix)).then(|| rest.to_owned())
}

/// The title in lower case, letters and digits only, words parted by one space.
///
/// Of a title without either, such as `???`, the characters themselves are the key.
///
/// ```
/// use pressrun_catalog::identity::title_key;
///
/// assert_eq!(title_key(" Top-K:  a Gate?"), title_key("Top K - A gate"));
/// ```
pub fn title_key(title: &str) -> String {
    let mut key = String::with_capacity(title.len());
    for char in title.chars() {
        if char.is_alphanumeric() {
            key.extend(char.to_lowercase());
        } else if !key.is_empty() && !key.ends_with(' ') {
            key.push(' ');
        }
    }
    key.truncate(key.trim_end().len());
    if key.is_empty() {
        key.extend(title.split_whitespace().flat_map(str::chars));
    }
    key
}

/// The surname of a name, in lower case: of "Ada King", "King, Ada" and "A. King" the same.
pub fn surname(name: &str) -> String {
    let name = name.trim();
    let word = match name.split_once(',') {
        Some((surname, _)) => surname.split_whitespace().next_back(),
        None => name.split_whitespace().next_back(),
    };
    title_key(word.unwrap_or(name))
}

/// Longest slug made from a title.
const MAX_SLUG: usize = 64;

/// A slug for URLs: lower-case ASCII letters and digits, words parted by hyphens, cut after a word.
///
/// Of a title that has no such letters it is a number made from the title.
///
/// ```
/// use pressrun_catalog::identity::slug;
///
/// assert_eq!(slug("Is Temperature Sample Efficient?"), "is-temperature-sample-efficient");
/// ```
pub fn slug(title: &str) -> String {
    let mut slug = String::new();
    let words = title.split(|c: char| !c.is_alphanumeric());
    for word in words {
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        if word.is_empty() {
            continue;
        }
        if slug.len() + 1 + word.len() > MAX_SLUG {
            // A first word longer than a slug may be is cut; later ones are left out.
            if slug.is_empty() {
                slug.push_str(&word[..MAX_SLUG].to_ascii_lowercase());
            }
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() {
        slug = format!("paper-{:012x}", fingerprint(&[&title_key(title)]) >> 16);
    }
    slug
}

/// A number that tells texts apart: FNV-1a, the same on every machine and in every version.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arxiv_ids_old_and_new() {
        for (text, id) in [
            ("0704.0001", Some("0704.0001")),
            ("http://arxiv.org/abs/hep-th/9901001v3", Some("hep-th/9901001")),
            ("cs/0112017", Some("cs/0112017")),
            ("ARXIV:2501.00001", Some("2501.00001")),
            ("2501.00001v", None),
            ("2501.0000123", None),
            ("10.1145/5", None),
            ("", None),
            ("/0112017", None),
        ] {
            assert_eq!(arxiv_id(text).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn surnames() {
        for name in ["Ada King", "King, Ada", "A. King", " ada  KING "] {
            assert_eq!(surname(name), "king");
        }
    }

    #[test]
    fn slugs_of_odd_titles() {
        assert_eq!(slug("$\\ell_1$-Regularisation"), "ell-1-regularisation");
        assert_eq!(slug(&"x".repeat(200)).len(), MAX_SLUG);
        assert!(slug(&"word ".repeat(50)).len() <= MAX_SLUG);
        assert!(slug("量子").starts_with("paper-"));
        assert_ne!(slug("量子"), slug("光子"));
        // Reference values of FNV-1a 64: the empty input, and "a" followed by the separator.
        assert_eq!(fingerprint(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(&["a"]), 0x089b_e207_b544_f1e4);
    }

    proptest! {
        #[test]
        fn ids_and_keys_are_fixed_points(text in any::<String>(), id in "[0-9]{4}\\.[0-9]{4,5}") {
            let key = title_key(&text);
            prop_assert_eq!(title_key(&key), key);
            let slug_of = slug(&text);
            prop_assert!(slug_of.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!slug_of.is_empty() && slug_of.len() <= MAX_SLUG);
            prop_assert_eq!(arxiv_id(&format!("https://arxiv.org/abs/{id}v7")), Some(id.clone()));
            for found in [arxiv_id(&text), doi(&text)].into_iter().flatten() {
                prop_assert!(arxiv_id(&found) == Some(found.clone()) || doi(&found) == Some(found));
            }
        }
    }
}
