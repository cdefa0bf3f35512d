//! Links that only their subscriber has.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::Row as _;

use crate::people::hex;
use crate::{Catalog, Result, Secret};

/// Bytes of a signature: nobody guesses 128 bits.
const BYTES: usize = 16;
/// The row of the key.
const NAME: &str = "digest";

/// What a link is for. A link of one purpose is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Confirm the subscription of an address: stands only in the mail that asks.
    Confirm,
    /// See and change a subscription.
    Manage,
    /// End it: stands in the head of every mail, which forwarding shows to others.
    Unsubscribe,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Manage => "manage",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// What the links of a site are signed with.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

/// It is kept out of logs.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// The token of a subscription: its number and
    ///
    /// `HMAC-SHA256(key, purpose ":" number)`, the first 128 bits.
    pub fn token(&self, purpose: Purpose, subscription: i64) -> String {
        let signature = self.mac(purpose, subscription).finalize().into_bytes();
        format!("{subscription:x}-{}", hex(&signature[..BYTES]))
    }

    /// The subscription that a token is of; `None` if this key did not sign it for this purpose. It
    /// takes as long for a signature that is nearly right.
    pub fn read(&self, purpose: Purpose, token: &str) -> Option<i64> {
        let (number, signature) = token.split_once('-')?;
        let plain = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if number.is_empty() || !plain(number) || !plain(signature) || signature.len() != 2 * BYTES
        {
            return None;
        }
        let number = i64::from_str_radix(number, 16).ok()?;
        let digits = signature.as_bytes().chunks_exact(2);
        let bytes: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<_>>()?;
        self.mac(purpose, number).verify_truncated_left(&bytes).ok()?;
        Some(number)
    }

    fn mac(&self, purpose: Purpose, subscription: i64) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!());
        mac.update(format!("{}:{subscription:x}", purpose.name()).as_bytes());
        mac
    }
}

impl Catalog {
    /// What links of the digest are signed with; made at the first call.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be used.
    pub async fn signing_key(&self) -> Result<SigningKey> {
        let read = "SELECT value FROM signing_keys WHERE name = $1";
        let row = sqlx::query(read).bind(NAME).fetch_optional(self.readers()).await?;
        if let Some(row) = row {
            return Ok(SigningKey(row.try_get::<String, _>(0)?.into_bytes()));
        }
        let mut transaction = self.write().await?;
        // Somebody else may have made it meanwhile: theirs counts.
        let insert = "INSERT INTO signing_keys (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO NOTHING";
        let insert = sqlx::query(insert).bind(NAME).bind(Secret::new().reveal().to_owned());
        insert.execute(&mut *transaction).await?;
        let row = sqlx::query(read).bind(NAME).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(SigningKey(row.try_get::<String, _>(0)?.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_subscription_one_purpose_and_one_key() {
        let key = SigningKey(b"one".to_vec());
        let token = key.token(Purpose::Manage, 0x1f);
        assert!(token.starts_with("1f-") && token.len() == 3 + 2 * BYTES, "{token}");
        assert_eq!(key.read(Purpose::Manage, &token), Some(0x1f));
        assert_eq!(key.read(Purpose::Unsubscribe, &token), None);
        assert_eq!(SigningKey(b"two".to_vec()).read(Purpose::Manage, &token), None);
        let other = token.replacen("1f", "20", 1);
        assert_eq!(key.read(Purpose::Manage, &other), None);
        for broken in [
            "",
            "-",
            "1f",
            "1f-",
            &token[..token.len() - 2],
            &format!("{token}00"),
            &token.to_uppercase(),
            &format!("+{token}"),
            "1f-éé",
        ] {
            assert_eq!(key.read(Purpose::Manage, broken), None, "{broken}");
        }
        // Every digit of the signature counts.
        for at in 3..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key.read(Purpose::Manage, &changed), None);
        }
    }

    #[tokio::test]
    async fn the_key_of_a_site_is_made_once() {
        let catalog = Catalog::in_memory().await.unwrap();
        let token = catalog.signing_key().await.unwrap().token(Purpose::Confirm, 7);
        assert_eq!(catalog.signing_key().await.unwrap().read(Purpose::Confirm, &token), Some(7));
        let other = Catalog::in_memory().await.unwrap();
        assert_eq!(other.signing_key().await.unwrap().read(Purpose::Confirm, &token), None);
    }
}
